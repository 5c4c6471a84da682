//! Tags: one small commit invalidates everything that has one, for everybody and for good.

use crate::support::{Place, noise};
use cacheness::storage::EntryKey;
use cacheness::{CacheBuilder, CopyOptions, ErrorKind, Field, Filter, MissReason, PutOptions, Query, sync::Cache};
use cacheness_tests::pairs::Pair;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn builder(place: &Place, pair: Pair) -> CacheBuilder<Cache> {
    pair.builder_by(&place.path(), &place.clock)
}

fn tagged(tags: &[&str]) -> PutOptions {
    PutOptions::new().tags(tags.iter().copied())
}

#[test]
fn every_way_to_ask_agrees_that_an_invalidated_entry_is_gone() {
    for (pair, memory) in Pair::with([true, false]) {
        let place = Place::new();
        let builder = builder(&place, pair);
        let cache = if memory { builder.open() } else { builder.no_memory().open() }.unwrap();
        let context = format!("{pair:?}, memory: {memory}");
        for (key, tags) in [("a", ["x", "y"]), ("b", ["y", "z"]), ("c", ["z", "z"])] {
            cache.put_with(key, key, tagged(&tags)).unwrap();
        }
        cache.put("untagged", "untagged").unwrap();
        let all = ["a", "b", "c", "untagged"];
        let read = |cache: &Cache| {
            all.map(|key| {
                let found = cache.get::<String>(key).unwrap();
                assert_eq!(found.is_some(), cache.get_shared::<String>(key).unwrap().is_some(), "{context} {key}");
                found.is_some()
            })
        };
        assert_eq!(read(&cache), [true; 4], "{context}");
        cache.invalidate_tag("y").unwrap();
        let expected = [false, false, true, true];
        assert_eq!(read(&cache), expected, "{context}");
        assert_eq!(read(&cache), expected, "{context}");
        assert_eq!(all.map(|key| cache.exists(key).unwrap()), expected, "{context}");
        assert_eq!(all.map(|key| cache.ttl(key).unwrap().is_some()), expected, "{context}");
        assert_eq!(all.map(|key| cache.metadata(key).unwrap().is_some()), expected, "{context}");
        assert_eq!(all.map(|key| cache.get_with_metadata::<String>(key).unwrap().is_some()), expected, "{context}");
        assert_eq!(all.map(|key| cache.get_reader(key).unwrap().is_some()), expected, "{context}");
        let many = cache.get_many::<String, _>(all).unwrap();
        assert_eq!(many.iter().map(Option::is_some).collect::<Vec<_>>(), expected, "{context}");
        assert_eq!(cache.entries(&Query::new()).unwrap().entries.len(), 2, "{context}");
        let by_tag = Query::new().filter(Filter::eq(Field::Tag, "y"));
        assert!(cache.entries(&by_tag).unwrap().entries.is_empty(), "{context}");
        assert!(cache.stats().unwrap().misses_because(MissReason::Invalidated) >= 2, "{context}");
        for key in ["a", "b"] {
            assert!(!cache.update(key, "new").unwrap(), "{context}");
            assert_eq!(cache.update_many(&[(key, "new".to_owned())]).unwrap(), 0, "{context}");
            assert!(!cache.touch(key, Some(SECOND)).unwrap(), "{context}");
            assert!(!cache.copy(key, "copy").unwrap(), "{context}");
            assert!(!cache.rename(key, "renamed").unwrap(), "{context}");
            assert!(!cache.invalidate(key).unwrap(), "{context}");
            assert_eq!(cache.invalidate_many([key]).unwrap(), 0, "{context}");
        }
        assert_eq!(cache.invalidate_where(&Filter::eq(Field::Tag, "y")).unwrap(), 0, "{context}");
        assert!(cache.copy("untagged", "a").unwrap(), "{context}: the place of a dead entry is free");
        assert!(cache.put_if_absent("b", "new").unwrap(), "{context}");
        assert_eq!(cache.get::<String>("b").unwrap().as_deref(), Some("new"), "{context}");
        assert!(!cache.put_if_absent("c", "new").unwrap(), "{context}");
        assert_eq!(cache.get_or_put("a", || "new".to_owned()).unwrap(), "untagged", "{context}");
    }
}

#[test]
fn what_is_computed_takes_the_place_of_what_was_invalidated() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        cache.put_with("key", "old", tagged(&["tag"])).unwrap();
        assert_eq!(cache.get_or_put("key", || "new".to_owned()).unwrap(), "old", "{pair:?}");
        cache.invalidate_tag("tag").unwrap();
        assert_eq!(cache.get_or_put("key", || "new".to_owned()).unwrap(), "new", "{pair:?}");
        assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("new"), "{pair:?}");
    }
}

#[test]
fn a_put_after_the_invalidation_lives_until_the_next_one() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        // All at the same moment, with a clock that is even set back: clocks play no part.
        for round in 0..20 {
            cache.put_with("key", &round, tagged(&["tag"])).unwrap();
            assert_eq!(cache.get::<i32>("key").unwrap(), Some(round), "{pair:?}");
            assert_eq!(cache.get_shared::<i32>("key").unwrap().as_deref(), Some(&round), "{pair:?}");
            cache.copy_with("key", "copy", CopyOptions::new().overwrite(true)).unwrap();
            cache.invalidate_tag("tag").unwrap();
            assert_eq!((cache.get::<i32>("key").unwrap(), cache.get::<i32>("copy").unwrap()), (None, None), "{pair:?}");
            let earlier = crate::support::NOW - round as i64 * 1_000_000;
            place.clock.set(cacheness::core::Timestamp::from_micros(earlier));
        }
    }
}

#[test]
fn tags_are_any_text() {
    let tags = [
        "", " ", "\0", "a\0b", "'", "\"", "%", "_", "*", "\\", "ß🦀", "e\u{301}", "é", "\n", "null", "[\"x\"]", "{}",
        "x','y",
    ];
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        for (number, tag) in tags.iter().enumerate() {
            cache.put_with(number, &number, tagged(&[tag])).unwrap();
        }
        cache.put("without", &0).unwrap();
        let long = "x".repeat(2000);
        cache.put_with("long", &0, tagged(&[&long])).unwrap();
        for (number, tag) in tags.iter().enumerate() {
            cache.invalidate_tag(tag).unwrap();
            let there: Vec<_> = (0..tags.len()).filter(|key| cache.get::<usize>(key).unwrap().is_some()).collect();
            assert_eq!(there, (number + 1..tags.len()).collect::<Vec<_>>(), "{pair:?} {tag:?}");
            let listed = cache.entries(&Query::new()).unwrap().entries.len();
            assert_eq!(listed, tags.len() - number - 1 + 2, "{pair:?} {tag:?}");
            assert!(cache.put_if_absent(("new", number), &1).unwrap());
            assert!(cache.invalidate(("new", number)).unwrap());
        }
        cache.invalidate_tag(&long).unwrap();
        assert_eq!(cache.get::<i32>("long").unwrap(), None);
        assert_eq!(cache.get::<i32>("without").unwrap(), Some(0), "{pair:?}");
    }
}

/// A value that takes its time to be encoded: until it is let go, after it said that it began.
struct Slow(Option<(Sender<()>, Mutex<Receiver<()>>)>);

impl Serialize for Slow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some((begin, wait)) = &self.0 {
            // It may be encoded more than once; nobody waits the second time.
            let _ = begin.send(());
            let _ = wait.lock().unwrap().recv();
        }
        serializer.serialize_str("late")
    }
}

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|_| Self(None))
    }
}

#[test]
fn a_put_that_began_before_the_invalidation_and_commits_after_it_is_dead() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        let ((begin, begun), (go, wait)) = (channel(), channel());
        thread::scope(|scope| {
            let cache = &cache;
            scope.spawn(move || {
                cache.put_with("key", &Slow(Some((begin, Mutex::new(wait)))), tagged(&["tag"])).unwrap()
            });
            begun.recv().unwrap();
            cache.invalidate_tag("tag").unwrap();
            drop(go);
        });
        assert!(cache.get::<Slow>("key").unwrap().is_none(), "{pair:?}");
        let entries = cache.stats().unwrap().entries;
        assert_eq!((cache.exists("key").unwrap(), entries), (false, 1), "{pair:?}: it is there, dead");
    }
}

#[test]
fn invalidations_that_race_with_puts_and_each_other_are_never_lost() {
    for pair in Pair::ALL {
        let place = Place::new();
        let first = builder(&place, pair).open().unwrap();
        let open = || if pair == Pair::Memory { first.clone() } else { builder(&place, pair).open().unwrap() };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            // Each tag is put and invalidated by a thread of its own; all share the one list.
            let threads = [0, 1, 2, 3].map(|thread| {
                let cache = open();
                scope.spawn(move || {
                    let tag = format!("tag {thread}");
                    for round in 0..40 {
                        cache.put_with((thread, round), &round, tagged(&[&tag])).unwrap();
                        assert_eq!(cache.get::<i32>((thread, round)).unwrap(), Some(round), "{pair:?}");
                        cache.invalidate_tag(&tag).unwrap();
                        assert_eq!(cache.get::<i32>((thread, round)).unwrap(), None, "{pair:?}");
                    }
                })
            });
            let (cache, done) = (open(), &done);
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    cache.cleanup_expired().unwrap();
                }
            });
            let ended = threads.map(|thread| thread.join());
            done.store(true, Ordering::SeqCst);
            ended.into_iter().for_each(|ended| ended.unwrap());
        });
        assert_eq!(first.entries(&Query::new()).unwrap().entries.len(), 0, "{pair:?}");
    }
}

#[test]
fn an_invalidation_of_ten_thousand_entries_is_one_small_commit() {
    for pair in Pair::ON_DISK {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        // The JSON index is made for a few thousand.
        let count = if pair == Pair::Json { 2000 } else { 10_000 };
        for part in 0..count / 1000 {
            for number in part * 1000..(part + 1) * 1000 {
                cache.put_with(number, &number, tagged(&["all", "and more"])).unwrap();
            }
        }
        cache.close().unwrap();
        let cache = builder(&place, pair).open().unwrap();
        cache.get::<i32>(0).unwrap().unwrap();
        let log = place.path().join(if pair == Pair::Json { "index.jsonl" } else { "index.db-wal" });
        let size = || std::fs::metadata(&log).map_or(0, |file| file.len());
        let before = size();
        cache.invalidate_tag("all").unwrap();
        let written = size() - before;
        assert!((1..30_000).contains(&written), "{pair:?}: {written} bytes");
        assert!((0..count).step_by(97).all(|key| cache.get::<i32>(key).unwrap().is_none()), "{pair:?}");
        assert_eq!(cache.stats().unwrap().entries, count as u64, "{pair:?}: they are still there");
        assert_eq!(cache.cleanup_expired().unwrap(), count as u64, "{pair:?}");
        assert_eq!(cache.stats().unwrap().entries, 0, "{pair:?}");
    }
}

#[test]
fn a_cleanup_removes_what_was_invalidated_and_nothing_else() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        for (key, tags) in [("one", vec!["x"]), ("two", vec!["x", "y"]), ("three", vec!["y"]), ("four", vec![])] {
            cache.put_with(key, &noise(20_000), PutOptions::new().tags(tags)).unwrap();
        }
        cache.invalidate_tag("x").unwrap();
        cache.put_with("one", &noise(30_000), tagged(&["x"])).unwrap();
        assert_eq!(cache.cleanup_expired().unwrap(), 1, "{pair:?}");
        assert_eq!(cache.cleanup_expired().unwrap(), 0, "{pair:?}");
        assert_eq!(cache.stats().unwrap().blobs, 3, "{pair:?}");
        if pair != Pair::Memory {
            assert_eq!(pair.stored(builder(&place, pair), &place.path()), 3, "{pair:?}");
        }
        for key in ["one", "three", "four"] {
            assert!(cache.get::<Vec<u8>>(key).unwrap().is_some(), "{pair:?} {key}");
        }
    }
}

#[test]
fn a_tag_that_is_forgotten_after_a_cleanup_raises_nobody_from_the_dead() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        let other = if pair == Pair::Memory { cache.clone() } else { builder(&place, pair).open().unwrap() };
        cache.put_with("dead", &1, tagged(&["tag"])).unwrap();
        cache.invalidate_tag("tag").unwrap();
        cache.put_with("live", &2, tagged(&["tag"])).unwrap();
        place.clock.advance(Duration::from_hours(2));
        // The dead one goes with the cleanup that forgets why it is dead.
        assert_eq!(cache.cleanup_expired().unwrap(), 1, "{pair:?}");
        for cache in [&cache, &other] {
            assert_eq!(
                (cache.get::<i32>("dead").unwrap(), cache.get::<i32>("live").unwrap()),
                (None, Some(2)),
                "{pair:?}"
            );
        }
        // And invalidations count on from where they were.
        other.invalidate_tag("tag").unwrap();
        for cache in [&cache, &other] {
            assert_eq!(cache.get::<i32>("live").unwrap(), None, "{pair:?}");
        }
        cache.put_with("live", &3, tagged(&["tag"])).unwrap();
        assert_eq!(other.get::<i32>("live").unwrap(), Some(3), "{pair:?}");
    }
}

#[test]
fn thousands_of_invalidated_tags_stop_nobody() {
    for (pair, count) in [(Pair::Memory, 1200), (Pair::Json, 200), (Pair::Sqlite, 1200), (Pair::PostgresS3, 200)] {
        let place = Place::new();
        let cache = builder(&place, pair).max_entries(10).open().unwrap();
        for number in 0..count {
            cache.invalidate_tag(&format!("tag {number}")).unwrap();
        }
        cache.put_with("dead", &1, tagged(&["last"])).unwrap();
        cache.invalidate_tag("last").unwrap();
        cache.put_with("live", &1, tagged(&["last", "tag 7"])).unwrap();
        assert_eq!((cache.get::<i32>("dead").unwrap(), cache.get::<i32>("live").unwrap()), (None, Some(1)), "{pair:?}");
        assert!(cache.put_if_absent("dead", &2).unwrap(), "{pair:?}");
        assert!(!cache.put_if_absent("live", &2).unwrap(), "{pair:?}");
        assert!(cache.update("live", &2).unwrap(), "{pair:?}");
        assert!(cache.touch("live", Some(SECOND)).unwrap(), "{pair:?}");
        assert_eq!(cache.entries(&Query::new()).unwrap().entries.len(), 2, "{pair:?}");
        assert_eq!(cache.get_or_put("computed", || 3).unwrap(), 3, "{pair:?}");
        for number in 0..20 {
            cache.put(number, &number).unwrap();
        }
        let stats = cache.stats().unwrap();
        assert_eq!(stats.degraded, 0, "{pair:?}: {stats}");
        assert!(stats.entries <= 10, "{pair:?}: {stats}");
        assert_eq!(cache.invalidate_where(&Filter::eq(Field::Key, "none")).unwrap(), 0, "{pair:?}");
        cache.cleanup_expired().unwrap();
        assert!(cache.invalidate(19).unwrap(), "{pair:?}");
    }
}

#[test]
fn an_invalidation_of_what_nobody_has_does_no_harm_and_a_read_only_opening_makes_none() {
    for pair in Pair::SHARED {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        cache.put_with("key", &1, tagged(&["tag"])).unwrap();
        cache.invalidate_tag("another").unwrap();
        let reader = builder(&place, pair).read_only(true).open().unwrap();
        assert_eq!(
            (cache.get::<i32>("key").unwrap(), reader.get::<i32>("key").unwrap()),
            (Some(1), Some(1)),
            "{pair:?}"
        );
        assert_eq!(reader.invalidate_tag("tag").unwrap_err().kind(), ErrorKind::ReadOnly, "{pair:?}");
        assert_eq!(reader.get::<i32>("key").unwrap(), Some(1), "{pair:?}");
        cache.invalidate_tag("tag").unwrap();
        assert_eq!(reader.get::<i32>("key").unwrap(), None, "{pair:?}");
        cache.close().unwrap();
        assert_eq!(cache.invalidate_tag("tag").unwrap_err().kind(), ErrorKind::Closed, "{pair:?}");
        let cache = builder(&place, pair).open().unwrap();
        assert_eq!(cache.get::<i32>("key").unwrap(), None, "{pair:?}: it is for good");
    }
}

#[test]
fn a_list_of_tags_that_cannot_be_read_is_an_error_that_clearing_mends() {
    let place = Place::new();
    let cache = builder(&place, Pair::Sqlite).open().unwrap();
    cache.put_with("key", &1, tagged(&["tag"])).unwrap();
    cache.invalidate_tag("tag").unwrap();
    cache.close().unwrap();
    let index = rusqlite::Connection::open(place.path().join("index.db")).unwrap();
    let damage = "UPDATE records SET payload = x'7b7b' WHERE key = ?1";
    assert_eq!(index.execute(damage, [EntryKey::system("tags").as_str()]).unwrap(), 1);
    drop(index);
    let cache = builder(&place, Pair::Sqlite).open().unwrap();
    // Nobody can tell whether it is invalidated: it is not served.
    let error = cache.get::<i32>("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("clear the cache"), "{error}");
    assert_eq!(cache.invalidate_tag("tag").unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(cache.clear().unwrap(), 1);
    cache.put_with("key", &2, tagged(&["tag"])).unwrap();
    assert_eq!(cache.get::<i32>("key").unwrap(), Some(2));
    cache.invalidate_tag("tag").unwrap();
    assert_eq!(cache.get::<i32>("key").unwrap(), None);
}
