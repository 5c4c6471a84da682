//! How often an index in the network is asked: every call is a round trip.

use crate::support::noise;
use cacheness::storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness::storage::{Coherence, FeedSource, Locality, OpenContext};
use cacheness::{CacheBuilder, MemoryConfig, PutOptions, sync::Cache};
use cacheness_tests::scripted::{Script, ScriptedBlobs, ScriptedMetadata};
use std::sync::Arc;
use std::time::Duration;

/// A shared index and its blobs, which several caches are opened over.
struct Server {
    index: Arc<MemoryMetadata>,
    blobs: Arc<MemoryBlobs>,
    script: Script,
}

impl Server {
    fn new() -> Self {
        let context = OpenContext::new();
        let (index, blobs) = (Arc::new(MemoryMetadata::new(&context)), Arc::new(MemoryBlobs::new(&context)));
        Self { index, blobs, script: Script::default() }
    }

    fn builder(&self, coherence: Coherence) -> CacheBuilder<Cache> {
        let index =
            ScriptedMetadata::over(self.index.clone(), &self.script).seen_by(Locality::Shared).coherence(coherence);
        Cache::builder()
            .metadata_backend(index)
            .blob_backend(ScriptedBlobs::over(self.blobs.clone(), &self.script).seen_by(Locality::Shared))
    }

    fn open(&self, coherence: Coherence) -> Cache {
        let cache = self.builder(coherence).open().unwrap();
        self.script.counts();
        cache
    }
}

fn tagged() -> PutOptions {
    PutOptions::new().tags(["tag"])
}

type Verb = (&'static str, fn(&Cache), &'static str);

/// Each in turn on one cache whose index only versions prove, without copies in memory.
const VERBS: [Verb; 27] = [
    ("put", |cache| _ = cache.put("key", &7).unwrap(), "commit 1"),
    ("put over", |cache| _ = cache.put("key", &8).unwrap(), "commit 1"),
    ("put with tags", |cache| _ = cache.put_with("tagged", &9, tagged()).unwrap(), "commit 1, get 1"),
    ("put of a blob", |cache| _ = cache.put("large", &noise(50_000)).unwrap(), "blob put 1, commit 1"),
    ("put_many", |cache| _ = cache.put_many(&[("a", 1), ("b", 2)]).unwrap(), "commit 1"),
    ("put_if_absent", |cache| assert!(!cache.put_if_absent("key", &1).unwrap()), "commit 1, get 1"),
    ("update", |cache| assert!(cache.update("key", &8).unwrap()), "commit 1, get 1"),
    ("get", |cache| assert_eq!(cache.get("key").unwrap(), Some(8)), "get 1"),
    ("get with tags", |cache| assert_eq!(cache.get("tagged").unwrap(), Some(9)), "get 1"),
    ("get of a blob", |cache| assert!(cache.get::<Vec<u8>>("large").unwrap().is_some()), "blob get 1, get 1"),
    ("get of nothing", |cache| assert_eq!(cache.get::<i32>("none").unwrap(), None), "get 1"),
    ("get_shared", |cache| assert!(cache.get_shared::<i32>("key").unwrap().is_some()), "get 1"),
    ("get_many", |cache| assert_eq!(cache.get_many(["a", "b"]).unwrap(), [Some(1), Some(2)]), "get 1"),
    ("get_with_metadata", |cache| assert!(cache.get_with_metadata::<i32>("tagged").unwrap().is_some()), "get 1"),
    ("exists", |cache| assert!(cache.exists("tagged").unwrap()), "get 1"),
    ("metadata", |cache| assert!(cache.metadata("tagged").unwrap().is_some()), "get 1"),
    ("ttl", |cache| assert!(cache.ttl("key").unwrap().is_some()), "get 1"),
    ("touch", |cache| assert!(cache.touch("key", Some(Duration::from_secs(9))).unwrap()), "commit 1, get 1"),
    ("invalidate", |cache| assert!(cache.invalidate("key").unwrap()), "commit 1"),
    ("invalidate nothing", |cache| assert!(!cache.invalidate("key").unwrap()), "commit 1"),
    ("invalidate with tags", |cache| assert!(cache.invalidate("tagged").unwrap()), "commit 2"),
    ("invalidate_many", |cache| assert_eq!(cache.invalidate_many(["a", "b"]).unwrap(), 2), "commit 1"),
    ("invalidate_tag", |cache| cache.invalidate_tag("tag").unwrap(), "commit 1"),
    ("get after it", |cache| assert!(cache.get::<Vec<u8>>("large").unwrap().is_some()), "blob get 1, get 1"),
    ("exists after it", |cache| assert!(cache.exists("large").unwrap()), "get 1"),
    (
        "get_or_put of what is there",
        |cache| assert!(!cache.get_or_put("large", Vec::<u8>::new).unwrap().is_empty()),
        "blob get 1, get 1",
    ),
    ("get_or_put", |cache| assert_eq!(cache.get_or_put("new", || 1).unwrap(), 1), "commit 2, get 3"),
];

#[test]
fn every_verb_asks_a_remote_index_as_seldom_as_it_can() {
    let server = Server::new();
    let cache = server.builder(Coherence::Probe).no_memory().open().unwrap();
    assert_eq!(cache.get::<i32>("nothing yet").unwrap(), None);
    server.script.counts();
    let asked: Vec<_> = VERBS
        .iter()
        .map(|(name, act, _)| {
            act(&cache);
            format!("{name}: {}", server.script.counts())
        })
        .collect();
    let expected: Vec<_> = VERBS.iter().map(|(name, _, calls)| format!("{name}: {calls}")).collect();
    assert_eq!(asked, expected);
}

#[test]
fn a_hit_in_memory_asks_a_remote_index_once_for_version_and_tags() {
    let server = Server::new();
    let cache = server.open(Coherence::Probe);
    cache.put("key", &7).unwrap();
    cache.put_with("tagged", &8, tagged()).unwrap();
    for _ in 0..2 {
        server.script.counts();
        assert_eq!(cache.get("key").unwrap(), Some(7));
        assert_eq!(server.script.counts(), "get 1");
        assert_eq!(cache.get("tagged").unwrap(), Some(8));
        assert_eq!(server.script.counts(), "get 1");
    }
    assert_eq!(cache.stats().unwrap().memory.unwrap().hits, 2);
    // Another process's invalidation is seen by the next get, which has to read what it left out before.
    let other = server.open(Coherence::Probe);
    other.invalidate_tag("tag").unwrap();
    server.script.counts();
    assert_eq!(cache.get::<i32>("tagged").unwrap(), None);
    assert_eq!(cache.get("key").unwrap(), Some(7));
    server.script.counts();
    assert_eq!(cache.get("key").unwrap(), Some(7));
    assert_eq!(server.script.counts(), "get 1");
}

#[test]
fn a_hit_in_memory_asks_nobody_while_a_feed_tells_of_changes() {
    let (server, source) = (Server::new(), FeedSource::default());
    let cache = server.open(Coherence::Feed(source.feed()));
    source.up();
    cache.put("key", &7).unwrap();
    cache.put_with("tagged", &8, tagged()).unwrap();
    let read = || (cache.get::<i32>("key").unwrap(), cache.get::<i32>("tagged").unwrap());
    assert_eq!(read(), (Some(7), Some(8)));
    server.script.counts();
    assert_eq!(read(), (Some(7), Some(8)));
    assert_eq!(server.script.counts(), "");
    // Another process invalidates the tag, and a message says that the list has changed.
    server.open(Coherence::Probe).invalidate_tag("tag").unwrap();
    let list = cacheness::storage::EntryKey::system("tags");
    drop(source.generations().change([list.as_str().as_bytes()]));
    assert_eq!(read(), (Some(7), None));
    server.script.counts();
    assert_eq!(cache.get("key").unwrap(), Some(7));
    assert_eq!(server.script.counts(), "");
    // While no messages arrive, versions are asked for.
    source.down();
    assert_eq!(read(), (Some(7), None));
    assert_eq!(server.script.counts(), "get 2");
}

#[test]
fn what_was_read_of_tags_never_hides_what_another_process_invalidated() {
    let server = Server::new();
    let (one, other) = (server.open(Coherence::Probe), server.open(Coherence::Probe));
    for round in 0..3 {
        one.put_with("a", &round, tagged()).unwrap();
        one.put_with("b", &round, tagged()).unwrap();
        one.put_with("c", &round, tagged()).unwrap();
        assert_eq!(one.get("a").unwrap(), Some(round));
        other.invalidate_tag("tag").unwrap();
        assert!(!one.invalidate("a").unwrap(), "there was no live one");
        assert_eq!(one.invalidate_many(["b"]).unwrap(), 0);
        assert!(!one.exists("c").unwrap());
        assert_eq!(one.get_many::<i32, _>(["c", "a"]).unwrap(), [None, None]);
        assert!(!one.touch("c", None).unwrap());
        one.put_with("c", &round, tagged()).unwrap();
        assert_eq!(one.get("c").unwrap(), Some(round), "it was put after the invalidation");
        one.invalidate_tag("other").unwrap();
        other.invalidate_tag("tag").unwrap();
        one.invalidate_tag("tag").unwrap();
        assert_eq!(one.get::<i32>("c").unwrap(), None);
    }
}

#[test]
fn copies_that_may_be_stale_ask_nobody() {
    let server = Server::new();
    let memory = MemoryConfig::new().staleness(Duration::from_hours(1));
    let cache = server.builder(Coherence::Probe).memory(memory).open().unwrap();
    cache.put("large", &noise(50_000)).unwrap();
    assert!(cache.get::<Vec<u8>>("large").unwrap().is_some());
    server.script.counts();
    assert!(cache.get::<Vec<u8>>("large").unwrap().is_some());
    assert_eq!(server.script.counts(), "");
}
