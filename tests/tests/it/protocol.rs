//! The write and read protocols, met at their edges: lost replies, torn markers, racing opens, busy neighbours.

use crate::support::{Place, noise};
use cacheness::core::{SystemRng, ThreadPool};
use cacheness::storage::engine::{Engine, EngineOptions, Lookup, Parts, Point};
use cacheness::storage::{
    BackendInfo, BlobBackend, BlobId, BlobQuery, BlobRecord, Bytes, Change, Coherence, Condition, Cursor, EntryKey,
    Fields, GetBlob, Location, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, PutBlob, Query,
    Reclaim, Reclaimed, Record, Staged, StoreId, Timestamp, async_trait,
};
use cacheness::{Bundle, Bundled, Compression, Error, ErrorKind, MissReason, Result, TokioRuntime, sync::Cache};
use cacheness_tests::pairs::Pair;
use cacheness_tests::servers::block_on;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Barrier};

/// What becomes of the next commit that puts a record.
#[derive(Clone, Copy, PartialEq)]
enum Reply {
    Arrives = 0,
    /// The commit happens, its reply is lost.
    Lost = 1,
    /// The commit does not happen, and nobody can tell.
    Never = 2,
}

/// An index whose replies get lost when told so.
#[derive(Debug)]
struct Lossy {
    inner: Arc<dyn MetadataBackend>,
    next: Arc<AtomicU8>,
}

impl fmt::Display for Lossy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lossy({})", self.inner)
    }
}

#[async_trait]
impl MetadataBackend for Lossy {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }
    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.inner.get(keys, fields).await
    }
    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        if !changes.iter().any(|change| matches!(change, Change::Put { .. })) {
            return self.inner.commit(changes, on_unmet).await;
        }
        let reply = self.next.swap(Reply::Arrives as u8, Ordering::SeqCst);
        let lost = || Error::io(ErrorKind::Metadata, "the reply is lost", io::ErrorKind::ConnectionReset.into());
        if reply == Reply::Never as u8 {
            return Err(lost());
        }
        let outcomes = self.inner.commit(changes, on_unmet).await?;
        if reply == Reply::Lost as u8 { Err(lost()) } else { Ok(outcomes) }
    }
    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        self.inner.page(query, after).await
    }
    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.inner.blobs(query).await
    }
    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        self.inner.reclaim(plan).await
    }
    async fn stats(&self) -> Result<MetadataStats> {
        self.inner.stats().await
    }
    fn committed(&self) -> Option<MetadataStats> {
        self.inner.committed()
    }
    fn coherence(&self) -> Coherence {
        self.inner.coherence()
    }
    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

/// Pairs whose commits travel differently.
const PAIRS: [Pair; 3] = [Pair::Sqlite, Pair::PostgresFs, Pair::PostgresS3];

fn lossy(place: &Place, pair: Pair) -> (Cache, Arc<AtomicU8>) {
    let next = Arc::new(AtomicU8::new(Reply::Arrives as u8));
    let index = Lossy { inner: backends(place, pair).0, next: next.clone() };
    let [_, blobs] = pair.urls(&place.path());
    (Cache::builder().metadata_backend(index).blobs(blobs).open().unwrap(), next)
}

fn backends(place: &Place, pair: Pair) -> (Arc<dyn MetadataBackend>, Arc<dyn BlobBackend>) {
    let context = OpenContext::new().runtime(TokioRuntime::global().unwrap());
    let registry = Bundled::registry().unwrap().backends;
    let [metadata, blobs] = pair.urls(&place.path()).map(|url| url.parse().unwrap());
    let metadata = block_on(registry.open_metadata(&metadata, &context)).unwrap();
    (metadata, block_on(registry.open_blobs(&blobs, &context)).unwrap())
}

#[test]
fn a_lost_reply_never_costs_a_committed_value() {
    for pair in PAIRS {
        let place = Place::new();
        let (cache, next) = lossy(&place, pair);
        next.store(Reply::Lost as u8, Ordering::SeqCst);
        assert_eq!(cache.put("key", &noise(50_000)).unwrap_err().kind(), ErrorKind::Unavailable, "{pair:?}");
        assert_eq!(cache.get("key").unwrap(), Some(noise(50_000)), "{pair:?}");
        assert_eq!(pair.blobs(&place.path()), 1, "{pair:?}");
    }
}

#[test]
fn a_commit_that_never_happened_leaves_no_blob_and_the_old_value() {
    for pair in PAIRS {
        let place = Place::new();
        let (cache, next) = lossy(&place, pair);
        cache.put("key", &noise(40_000)).unwrap();
        next.store(Reply::Never as u8, Ordering::SeqCst);
        cache.put("key", &noise(50_000)).unwrap_err();
        assert_eq!(cache.get("key").unwrap(), Some(noise(40_000)), "{pair:?}");
        assert_eq!(pair.blobs(&place.path()), 1, "{pair:?}");
    }
}

#[test]
fn a_first_open_that_was_killed_at_any_byte_of_the_marker_is_finished_by_the_next() {
    let place = Place::new();
    let cache = place.open();
    cache.put("large", &noise(20_000)).unwrap();
    cache.close().unwrap();
    let marker = place.path().join("blobs/00/00000000000000000000000000000000.blob");
    let whole = std::fs::read(&marker).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&marker, &whole[..length]).unwrap();
        place.open().put("key", &length).unwrap();
        assert_eq!(std::fs::read(&marker).unwrap(), whole);
    }
    assert_eq!(place.open().get::<Vec<u8>>("large").unwrap(), Some(noise(20_000)));
    std::fs::write(&marker, "something else entirely, of no kind").unwrap();
    assert_eq!(Cache::open(place.path()).unwrap_err().kind(), ErrorKind::ForeignStore);
}

#[test]
fn racing_first_opens_agree_about_the_store() {
    for _ in 0..60 {
        let place = Place::new();
        let barrier = Arc::new(Barrier::new(4));
        let openers: Vec<_> = (0..4)
            .map(|number| {
                let (dir, barrier) = (place.path(), barrier.clone());
                std::thread::spawn(move || {
                    barrier.wait();
                    Cache::open(dir)?.put(number, &noise(20_000))
                })
            })
            .collect();
        for opener in openers {
            opener.join().unwrap().unwrap();
        }
        assert_eq!(place.open().stats().unwrap().entries, 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_can_open_their_first_cache_at_once() {
    let opening: Vec<_> = (0..16)
        .map(|_| {
            tokio::spawn(async {
                cacheness::future::Cache::builder().metadata("memory:").blobs("memory:").open().await
            })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

#[test]
fn blobs_that_end_before_their_index_are_refused() {
    let place = Place::new();
    let url = format!("sqlite:{}", place.path().join("index.db").display());
    let error = Cache::builder().metadata(url).blobs("memory:").open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("outlives"), "{error}");
}

#[test]
fn blobs_that_machines_share_beside_an_index_that_they_do_not_are_refused_unless_asked_for() {
    let place = Place::new();
    let [_, blobs] = Pair::PostgresS3.urls(&place.path());
    for (metadata, key) in [(Pair::Sqlite.urls(&place.path())[0].clone(), "sqlite"), ("memory:".to_owned(), "memory")] {
        let builder = || Cache::builder().metadata(metadata.clone()).blobs(blobs.clone());
        let error = builder().open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        let line = error.to_string();
        assert!(line.contains(key) && line.contains("s3") && line.contains("allow_split_locality"), "{line}");
        let cache = builder().allow_split_locality(true).open().unwrap();
        cache.put(key, &noise(50_000)).unwrap();
        assert_eq!(cache.get(key).unwrap(), Some(noise(50_000)));
    }
}

fn engine(place: &Place) -> Engine {
    engine_with(place, EngineOptions::default())
}

fn engine_with(place: &Place, options: EngineOptions) -> Engine {
    engine_over(place, Pair::Sqlite, options)
}

fn engine_over(place: &Place, pair: Pair, options: EngineOptions) -> Engine {
    let (metadata, blobs) = backends(place, pair);
    let parts = Parts {
        metadata,
        blobs,
        handlers: cacheness::handlers::HandlerRegistry::standard(),
        runtime: if pair.is_remote() { TokioRuntime::global().unwrap() } else { Arc::new(ThreadPool::global()) },
        clock: Arc::new(place.clock.clone()),
        rng: Arc::new(SystemRng),
        options,
    };
    block_on(Engine::open(parts)).unwrap()
}

#[test]
fn a_newer_value_is_never_dropped_for_the_sins_of_an_older_one() {
    let place = Place::new();
    let cache = place.open();
    let engine = engine(&place);
    let key = EntryKey::new(cache.put("key", "judged").unwrap().to_string());
    let judged = block_on(engine.record(&key, Fields::LEAST)).unwrap().unwrap().version;
    cache.put("key", "newer").unwrap();
    assert!(!block_on(engine.drop_judged(&key, judged)).unwrap());
    assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("newer"));
}

#[test]
fn a_record_whose_sizes_contradict_each_other_is_corrupt_and_allocates_nothing() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).compression(Compression::NONE).open().unwrap();
    let engine = engine(&place);
    let key = EntryKey::new(cache.put("key", &noise(3_000_000)).unwrap().to_string());
    let mut record = block_on(engine.record(&key, Fields::ALL)).unwrap().unwrap();
    assert_eq!(record.content.raw_size, record.content.stored_size, "noise is stored as it is");
    record.content.raw_size = u64::MAX >> 1;
    let change = Change::Put { record: Box::new(record), condition: Condition::Always };
    block_on(engine.metadata().commit(vec![change], OnUnmet::Abort)).unwrap();
    assert_eq!(cache.verify().unwrap().damaged, 1);
    assert_eq!(cache.get::<Vec<u8>>("key").unwrap(), None);
}

#[test]
fn parameters_that_share_the_shown_key_are_not_each_other() {
    let place = Place::new();
    let cache = place.open();
    let engine = engine(&place);
    let key = cache.put("mine", "value").unwrap();
    let mut record = block_on(engine.record(&EntryKey::new(key.to_string()), Fields::ALL)).unwrap().unwrap();
    // The 128 bits that are shown are equal, the other 128 are not.
    record.content.key_digest.as_mut().unwrap()[31] ^= 1;
    let change = Change::Put { record: Box::new(record), condition: Condition::Always };
    block_on(engine.metadata().commit(vec![change], OnUnmet::Abort)).unwrap();
    assert_eq!(cache.get::<String>("mine").unwrap(), None);
    assert!(!cache.exists("mine").unwrap());
    assert_eq!(cache.stats().unwrap().misses_because(MissReason::OtherType), 1);
}

#[test]
fn a_deleted_blob_is_forgotten_by_the_next_commit_or_close() {
    let place = Place::new();
    let (cache, next) = lossy(&place, Pair::Sqlite);
    let engine = engine(&place);
    let condemned = || block_on(engine.stats()).unwrap().condemned;
    cache.put("key", &noise(50_000)).unwrap();
    cache.put("key", &noise(60_000)).unwrap();
    assert_eq!((condemned(), place.blobs().len()), (1, 1), "condemned by the commit, deleted after it");
    next.store(Reply::Never as u8, Ordering::SeqCst);
    cache.put("other", "lost").unwrap_err();
    assert_eq!(condemned(), 1);
    cache.put("other", "arrives").unwrap();
    assert_eq!(condemned(), 0, "what a failed commit did not forget, the next one does");
    cache.put("key", "small").unwrap();
    assert_eq!(condemned(), 1);
    cache.close().unwrap();
    assert_eq!(condemned(), 0);
}

#[test]
fn clears_that_race_all_succeed() {
    let place = Place::new();
    let cache = place.open();
    for number in 0..3000 {
        cache.put(number, &number).unwrap();
    }
    let clears: Vec<_> = (0..4)
        .map(|_| {
            let cache = cache.clone();
            std::thread::spawn(move || {
                let removed = cache.clear().unwrap();
                assert_eq!(cache.stats().unwrap().entries, 0, "whoever returns can say that everything is gone");
                removed
            })
        })
        .collect();
    assert_eq!(clears.into_iter().map(|clear| clear.join().unwrap()).sum::<u64>(), 3000);
}

#[test]
fn a_record_that_cannot_be_read_is_a_miss_and_can_be_removed_or_replaced() {
    for remove in [true, false] {
        let place = Place::new();
        let cache = place.open();
        cache.put("key", "value").unwrap();
        cache.close().unwrap();
        damage_the_descriptor(&place);
        let cache = place.open();
        assert_eq!(cache.get::<String>("key").unwrap(), None);
        assert!(!cache.exists("key").unwrap());
        if remove {
            assert!(cache.invalidate("key").unwrap());
        } else {
            cache.put("key", "again").unwrap();
            assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("again"));
        }
    }
}

/// Makes the type tag of the one text in the index longer than its descriptor.
fn damage_the_descriptor(place: &Place) {
    let index = place.path().join("index.db");
    let mut bytes = std::fs::read(&index).unwrap();
    let descriptor = b"\x01\x04\x04text";
    let at = bytes.windows(descriptor.len()).position(|window| window == descriptor).unwrap();
    bytes[at + 2] = 200;
    std::fs::write(index, bytes).unwrap();
}

#[test]
fn the_marker_is_a_blob_like_any_other() {
    let place = Place::new();
    let engine = engine(&place);
    let found = block_on(engine.blobs().get(&BlobId::STORE, GetBlob::default())).unwrap();
    assert!(found.is_some());
    let again = engine.blobs().put(&BlobId::STORE, Staged::Bytes(Bytes::new()), PutBlob::default());
    assert_eq!(block_on(again).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_ne!(engine.store(), StoreId::from_bytes([0; 16]));
}

#[test]
fn a_version_that_takes_the_place_of_another_during_a_read_is_judged_too() {
    let place = Place::new();
    let cache = place.open();
    let key = EntryKey::new(cache.put("key", &noise(50_000)).unwrap().to_string());
    let options = EngineOptions::default();
    let failpoints = options.failpoints.clone();
    let engine = engine_with(&place, options);
    let first = block_on(engine.record(&key, Fields::LEAST)).unwrap().unwrap().version;
    failpoints.set(Point::RecordRead, move || cache.put("key", &noise(60_000)).map(drop));
    let judge = |record: &Record| if record.version == first { Ok(()) } else { Err("newer") };
    let found = block_on(engine.find(&key, Fields::VALUE, judge)).unwrap();
    assert!(matches!(found, Lookup::Refused("newer")), "{found:?}");
}

#[test]
fn a_commit_that_happens_after_its_put_gave_up_is_refused_for_good() {
    for pair in PAIRS {
        let place = Place::new();
        let (cache, next) = lossy(&place, pair);
        let engine = engine_over(&place, pair, EngineOptions::default());
        let key = EntryKey::new(cache.put("key", &noise(40_000)).unwrap().to_string());
        next.store(Reply::Never as u8, Ordering::SeqCst);
        cache.put("key", &noise(50_000)).unwrap_err();
        let condemned = BlobQuery::Condemned { until: Timestamp::from_micros(i64::MAX), after: None, limit: 9 };
        let tombs = block_on(engine.metadata().blobs(&condemned)).unwrap();
        assert_eq!(tombs.len(), 1, "{pair:?}: {tombs:?}");
        let mut late = block_on(engine.record(&key, Fields::ALL)).unwrap().unwrap();
        late.location = Location::Blob(tombs[0].id);
        for round in 0..3 {
            // Every commit and every sweep may forget blobs, but not this one.
            cache.put("other", &round).unwrap();
            cache.sweep().unwrap();
            let change = Change::Put { record: Box::new(late.clone()), condition: Condition::Always };
            let outcomes = block_on(engine.metadata().commit(vec![change], OnUnmet::Skip)).unwrap();
            assert_eq!(outcomes, [Outcome::Condemned], "{pair:?} round {round}");
        }
    }
}
