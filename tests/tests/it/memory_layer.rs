//! Copies in memory: they are served while they are what the store would answer, and never after that.

use crate::support::{Place, noise};
use cacheness::{
    CacheBuilder, CopyOptions, Filter, GetOptions, MemoryConfig, MemoryPolicy, MissReason, PutOptions, sync::Cache,
};
use cacheness_testkit::SeededRng;
use cacheness_tests::pairs::{Pair, blob_files};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn builder(place: &Place, pair: Pair) -> CacheBuilder<Cache> {
    pair.builder_by(&place.path(), &place.clock)
}

fn memory_hits(cache: &Cache) -> u64 {
    cache.stats().unwrap().memory.unwrap().hits
}

/// Whether a get is answered from memory.
fn is_remembered(cache: &Cache, key: impl Serialize) -> bool {
    let before = memory_hits(cache);
    let found = cache.get::<Vec<u8>>(key).unwrap();
    found.is_some() && memory_hits(cache) > before
}

#[test]
fn a_value_that_is_proven_fresh_comes_from_memory() {
    for pair in Pair::ON_DISK {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        cache.put("key", &noise(100_000)).unwrap();
        cache.put("shared", &noise(50_000)).unwrap();
        assert!(cache.get::<Vec<u8>>("key").unwrap().unwrap() == noise(100_000));
        assert!(*cache.get_shared::<Vec<u8>>("shared").unwrap().unwrap() == noise(50_000));
        let before = memory_hits(&cache);
        for file in blob_files(&place.path()) {
            std::fs::remove_file(file).unwrap();
        }
        for _ in 0..100 {
            assert!(cache.get::<Vec<u8>>("key").unwrap().unwrap() == noise(100_000));
            assert!(*cache.get_shared::<Vec<u8>>("shared").unwrap().unwrap() == noise(50_000));
        }
        let stats = cache.stats().unwrap();
        assert_eq!((stats.hits, stats.misses(), stats.memory.unwrap().hits - before), (202, 0, 200), "{pair:?}");
        // Without copies the damage shows.
        let bare = builder(&place, pair).no_memory().open().unwrap();
        assert!(bare.get::<Vec<u8>>("key").unwrap().is_none());
        let stats = bare.stats().unwrap();
        assert_eq!((stats.misses_because(MissReason::Corrupt), stats.memory), (1, None), "{pair:?}");
        // The damaged entry is dropped, and so is the copy.
        assert!(cache.get::<Vec<u8>>("key").unwrap().is_none(), "{pair:?}");
    }
}

static DECODED: AtomicU64 = AtomicU64::new(0);

/// Counts how often it is decoded. It cannot be cloned.
#[derive(Debug, PartialEq, Serialize)]
struct Counted(Vec<u64>);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DECODED.fetch_add(1, Ordering::Relaxed);
        Vec::deserialize(deserializer).map(Self)
    }
}

#[test]
fn shared_hits_are_one_value_that_is_decoded_once() {
    for (pair, length) in Pair::with([3, 50_000]) {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        let value = Counted((0..length).collect());
        cache.put("key", &value).unwrap();
        let before = DECODED.load(Ordering::Relaxed);
        let first = cache.get_shared::<Counted>("key").unwrap().unwrap();
        assert_eq!(*first, value);
        for _ in 0..50 {
            assert!(Arc::ptr_eq(&first, &cache.get_shared::<Counted>("key").unwrap().unwrap()));
        }
        assert_eq!(DECODED.load(Ordering::Relaxed) - before, 1, "{pair:?} {length}");
        // Beside it the bytes are kept for those who want a value of their own; both stay.
        assert_eq!(cache.get::<Counted>("key").unwrap().as_ref(), Some(&value));
        let shared = cache.get_shared::<Counted>("key").unwrap().unwrap();
        let before = DECODED.load(Ordering::Relaxed);
        assert_eq!(cache.get::<Counted>("key").unwrap().as_ref(), Some(&value));
        assert!(Arc::ptr_eq(&shared, &cache.get_shared::<Counted>("key").unwrap().unwrap()));
        assert_eq!(DECODED.load(Ordering::Relaxed) - before, 1, "{pair:?} {length}");
        // Another value is another one.
        cache.put("key", &Counted(vec![7])).unwrap();
        assert_eq!(*cache.get_shared::<Counted>("key").unwrap().unwrap(), Counted(vec![7]));
        assert_eq!(*shared, value, "what is held stays what it was");
    }
}

#[test]
fn a_copy_that_is_read_as_several_types_does_not_grow() {
    #[derive(Debug, Serialize, Deserialize)]
    struct One {
        numbers: Vec<u64>,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Other {
        numbers: Vec<u64>,
    }
    let place = Place::new();
    let cache = builder(&place, Pair::Memory).memory(MemoryConfig::new().limit(1 << 20)).open().unwrap();
    cache.put("key", &One { numbers: (0..1000).collect() }).unwrap();
    cache.get::<One>("key").unwrap().unwrap();
    cache.get_shared::<One>("key").unwrap().unwrap();
    let before = cache.stats().unwrap().memory.unwrap();
    for _ in 0..500 {
        cache.get_shared::<Other>("key").unwrap().unwrap();
        cache.get_shared::<One>("key").unwrap().unwrap();
    }
    let after = cache.stats().unwrap().memory.unwrap();
    assert_eq!((after.bytes, after.refused, after.entries), (before.bytes, before.refused, 1));
    assert_eq!(cache.get_shared::<Other>("key").unwrap().unwrap().numbers.len(), 1000);
}

/// What is done to an entry under "key", which was put with the tag "tag" and a TTL of 100 seconds, and what is under it
/// afterwards.
type Act = (&'static str, fn(&Cache, &Place), Option<&'static str>);

const ACTS: [Act; 21] = [
    ("invalidate", |cache, _| assert!(cache.invalidate("key").unwrap()), None),
    ("invalidate_many", |cache, _| assert_eq!(cache.invalidate_many(["key", "none"]).unwrap(), 1), None),
    ("invalidate_where", |cache, _| assert_eq!(cache.invalidate_where(&Filter::All).unwrap(), 2), None),
    ("invalidate_tag", |cache, _| cache.invalidate_tag("tag").unwrap(), None),
    ("clear", |cache, _| assert_eq!(cache.clear().unwrap(), 2), None),
    ("expiry", |_, place| place.clock.advance(100 * SECOND), None),
    (
        "expiry and cleanup",
        |cache, place| {
            place.clock.advance(100 * SECOND);
            assert_eq!(cache.cleanup_expired().unwrap(), 1);
        },
        None,
    ),
    (
        "a shorter time",
        |cache, place| {
            assert!(cache.touch("key", Some(SECOND)).unwrap());
            place.clock.advance(SECOND);
        },
        None,
    ),
    (
        "a longer time",
        |cache, place| {
            assert!(cache.touch("key", Some(1000 * SECOND)).unwrap());
            place.clock.advance(999 * SECOND);
        },
        Some("old"),
    ),
    ("put", |cache, _| drop_key(cache.put("key", "new")), Some("new")),
    ("put_with", |cache, _| drop_key(cache.put_with("key", "new", PutOptions::new())), Some("new")),
    ("put_many", |cache, _| assert_eq!(cache.put_many(&[("key", "new".to_owned())]).unwrap().len(), 1), Some("new")),
    ("put_if_absent", |cache, _| assert!(!cache.put_if_absent("key", "new").unwrap()), Some("old")),
    ("put_shared", |cache, _| drop_key(cache.put_shared("key", Arc::new("new".to_owned()))), Some("new")),
    ("put_reader", |cache, _| drop_key(cache.put_reader("key", std::io::Cursor::new(b"new"))), None),
    ("update", |cache, _| assert!(cache.update("key", "new").unwrap()), Some("new")),
    ("update_many", |cache, _| assert_eq!(cache.update_many(&[("key", "new".to_owned())]).unwrap(), 1), Some("new")),
    ("another type", |cache, _| drop_key(cache.put("key", &7)), None),
    ("rename away", |cache, _| assert!(cache.rename("key", "elsewhere").unwrap()), None),
    (
        "rename over",
        |cache, _| {
            assert!(cache.rename_with("other", "key", CopyOptions::new().overwrite(true)).unwrap());
        },
        Some("other"),
    ),
    (
        "copy over",
        |cache, _| {
            assert!(cache.copy_with("other", "key", CopyOptions::new().overwrite(true)).unwrap());
        },
        Some("other"),
    ),
];

fn drop_key(put: cacheness::Result<cacheness::Key>) {
    put.unwrap();
}

fn prepare(place: &Place, pair: Pair, config: MemoryConfig) -> Cache {
    let cache = builder(place, pair).memory(config).open().unwrap();
    cache.put_with("key", "old", PutOptions::new().tags(["tag"]).ttl(100 * SECOND)).unwrap();
    cache.put("other", "other").unwrap();
    cache
}

fn warm(cache: &Cache) {
    for _ in 0..3 {
        assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("old"));
        assert_eq!(cache.get_shared::<String>("key").unwrap().unwrap().as_str(), "old");
        assert_eq!(cache.get::<String>("other").unwrap().as_deref(), Some("other"));
    }
}

fn check(cache: &Cache, expected: Option<&str>, context: &dyn Debug) {
    for _ in 0..3 {
        assert_eq!(cache.get_shared::<String>("key").unwrap().as_ref().map(|v| v.as_str()), expected, "{context:?}");
        assert_eq!(cache.get::<String>("key").unwrap().as_deref(), expected, "{context:?}");
        assert_eq!(cache.get_many::<String, _>(["key"]).unwrap()[0].as_deref(), expected, "{context:?}");
    }
}

#[test]
fn what_was_changed_is_never_served_from_memory_again() {
    let configs = [MemoryConfig::new(), MemoryConfig::new().staleness(1_000_000 * SECOND)];
    for (pair, config) in Pair::with(configs) {
        for (name, act, expected) in ACTS {
            let place = Place::new();
            let cache = prepare(&place, pair, config.clone());
            warm(&cache);
            assert!(memory_hits(&cache) > 0);
            act(&cache, &place);
            check(&cache, expected, &(pair, name, &config));
        }
    }
}

#[test]
fn what_another_opening_changed_is_never_served_from_memory_again() {
    let pairs = [Pair::Json, Pair::Sqlite, Pair::PostgresS3];
    for (pair, (name, act, expected)) in pairs.into_iter().flat_map(|pair| ACTS.map(|act| (pair, act))) {
        let place = Place::new();
        let cache = prepare(&place, pair, MemoryConfig::new());
        let other = builder(&place, pair).open().unwrap();
        warm(&cache);
        warm(&other);
        act(&other, &place);
        check(&cache, expected, &(pair, name, "elsewhere"));
        check(&other, expected, &(pair, name, "here"));
    }
}

#[test]
fn what_was_evicted_is_never_served_from_memory_again() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).max_entries(10).open().unwrap();
        let other = (pair != Pair::Memory).then(|| builder(&place, pair).max_entries(10).open().unwrap());
        for number in 0..if pair.is_remote() { 20 } else { 100 } {
            place.clock.advance(SECOND);
            other.as_ref().unwrap_or(&cache).put(number, &number).unwrap();
            let found: Vec<_> = (0..=number).filter(|key| cache.exists(key).unwrap()).collect();
            let read: Vec<_> = (0..=number).filter(|key| cache.get::<i32>(key).unwrap().is_some()).collect();
            let shared: Vec<_> = (0..=number).filter(|key| cache.get_shared::<i32>(key).unwrap().is_some()).collect();
            assert_eq!((&read, &shared), (&found, &found), "{pair:?}");
            assert!(found.len() <= 10);
        }
        assert!(memory_hits(&cache) > 100, "{pair:?}");
    }
}

#[test]
fn a_fresher_value_than_the_copy_is_asked_for_and_the_copy_stays() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        cache.put("key", &noise(10)).unwrap();
        assert!(!is_remembered(&cache, "key"));
        assert!(is_remembered(&cache, "key"));
        place.clock.advance(10 * SECOND);
        let fresher = |age| cache.get_with::<Vec<u8>>("key", GetOptions::new().max_age(age)).unwrap();
        assert_eq!(fresher(10 * SECOND), None);
        assert!(fresher(11 * SECOND).is_some());
        assert!(cache.get::<Vec<u8>>("key").unwrap().is_some());
    }
}

#[test]
fn an_explicit_staleness_shows_the_changes_of_others_late_and_ones_own_at_once() {
    for pair in Pair::SHARED {
        let place = Place::new();
        let config = MemoryConfig::new().staleness(10 * SECOND);
        let cache = prepare(&place, pair, config);
        let other = builder(&place, pair).open().unwrap();
        let get = || cache.get::<String>("key").unwrap();
        assert_eq!(get().as_deref(), Some("old"));
        other.put("key", "by another").unwrap();
        place.clock.advance(10 * SECOND - Duration::from_micros(1));
        assert_eq!(get().as_deref(), Some("old"), "{pair:?}: within the staleness");
        assert_eq!(cache.get_shared::<String>("key").unwrap().unwrap().as_str(), "old");
        place.clock.advance(Duration::from_micros(1));
        assert_eq!(get().as_deref(), Some("by another"), "{pair:?}: after it");
        cache.put("key", "by itself").unwrap();
        assert_eq!(get().as_deref(), Some("by itself"));
        assert!(cache.invalidate("key").unwrap());
        assert_eq!(get(), None);
        // A copy is no reason to outlive the TTL.
        cache.put_with("key", "short", PutOptions::new().ttl(2 * SECOND)).unwrap();
        assert_eq!(get().as_deref(), Some("short"));
        place.clock.advance(2 * SECOND);
        assert_eq!(get(), None);
        // A clock that was set back proves nothing.
        cache.put("key", "before").unwrap();
        assert_eq!(get().as_deref(), Some("before"));
        other.put("key", "after").unwrap();
        place.clock.set(cacheness::core::Timestamp::from_micros(crate::support::NOW - 1));
        assert_eq!(get().as_deref(), Some("after"));
    }
}

const POLICIES: [MemoryPolicy; 5] =
    [MemoryPolicy::Lru, MemoryPolicy::Lfu, MemoryPolicy::Fifo, MemoryPolicy::Random, MemoryPolicy::WTinyLfu];

#[test]
fn copies_never_take_more_than_their_limit() {
    const LIMIT: u64 = 300_000;
    for (pair, policy) in Pair::with(POLICIES) {
        let place = Place::new();
        let config = MemoryConfig::new().limit(LIMIT).policy(policy);
        let cache = builder(&place, pair).memory(config).open().unwrap();
        let chance = SeededRng::new(3);
        let sizes: Vec<_> = (0..40).map(|_| 1 + chance.below(100_000) as usize).collect();
        for (key, size) in sizes.iter().enumerate() {
            cache.put(key, &noise(*size)).unwrap();
        }
        for _ in 0..400 {
            let key = chance.below(40) as usize;
            match chance.below(2) {
                0 => assert!(cache.get::<Vec<u8>>(key).unwrap().unwrap() == noise(sizes[key])),
                _ => assert!(*cache.get_shared::<Vec<u8>>(key).unwrap().unwrap() == noise(sizes[key])),
            }
            let memory = cache.stats().unwrap().memory.unwrap();
            assert!(memory.bytes <= LIMIT, "{pair:?} {policy:?}: {memory:?}");
        }
        let memory = cache.stats().unwrap().memory.unwrap();
        let is_used = memory.hits > 20 && memory.evictions > 5 && memory.refused > 20 && memory.bytes > LIMIT / 3;
        assert!(is_used, "{pair:?} {policy:?}: {memory:?}");
        // More than a quarter is not kept.
        cache.put("large", &noise(LIMIT as usize / 4)).unwrap();
        for _ in 0..3 {
            assert!(!is_remembered(&cache, "large"), "{pair:?} {policy:?}");
        }
    }
}

/// A layer for about ten copies, with ten keys in it, of which key 0 was put in first and is used most.
fn ten(place: &Place, policy: MemoryPolicy) -> Cache {
    let config = MemoryConfig::new().limit(10 * 12_000).policy(policy);
    let cache = builder(place, Pair::Memory).rng(SeededRng::new(9)).memory(config).open().unwrap();
    for key in 0..300 {
        cache.put(key, &noise(10_000)).unwrap();
    }
    for key in 0..10 {
        cache.get::<Vec<u8>>(key).unwrap().unwrap();
    }
    assert_eq!(cache.stats().unwrap().memory.unwrap().entries, 10, "{policy:?}");
    for _ in 0..30 {
        assert!(is_remembered(&cache, 0), "{policy:?}");
    }
    cache
}

#[test]
fn each_policy_of_memory_is_a_real_one() {
    for (policy, survives_one, survives_a_scan) in [
        (MemoryPolicy::Fifo, false, false),
        (MemoryPolicy::Lru, true, false),
        (MemoryPolicy::Lfu, true, true),
        (MemoryPolicy::WTinyLfu, true, true),
    ] {
        let place = Place::new();
        let cache = ten(&place, policy);
        for key in 10..13 {
            cache.get::<Vec<u8>>(key).unwrap().unwrap();
        }
        assert_eq!(is_remembered(&cache, 0), survives_one, "{policy:?} after a few others");
        let cache = ten(&place, policy);
        for key in 10..300 {
            cache.get::<Vec<u8>>(key).unwrap().unwrap();
        }
        assert_eq!(is_remembered(&cache, 0), survives_a_scan, "{policy:?} after many others");
    }
    // Chance spares a used copy no more than others: most are gone after a scan, and not in the order of their coming.
    let place = Place::new();
    let cache = ten(&place, MemoryPolicy::Random);
    for key in 10..20 {
        cache.get::<Vec<u8>>(key).unwrap().unwrap();
    }
    let old = (0..10).filter(|key| is_remembered(&cache, key)).count();
    assert!((1..10).contains(&old), "{old} of ten are left of the old ones");
}

#[test]
fn threads_that_read_and_one_that_writes_never_see_an_older_value_again() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        let writer = if pair == Pair::Memory { cache.clone() } else { builder(&place, pair).open().unwrap() };
        cache.put("key", &0_u64).unwrap();
        let (done, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for shared in [false, true, false] {
                let (cache, done, acknowledged) = (&cache, &done, &acknowledged);
                scope.spawn(move || {
                    while done.load(Ordering::SeqCst) == 0 {
                        let least = acknowledged.load(Ordering::SeqCst);
                        let found = match shared {
                            true => *cache.get_shared::<u64>("key").unwrap().unwrap(),
                            false => cache.get::<u64>("key").unwrap().unwrap(),
                        };
                        assert!(found >= least, "{pair:?}: {found} after {least} was acknowledged");
                    }
                });
            }
            let written = (1..400).try_for_each(|number| {
                writer.put("key", &number)?;
                acknowledged.store(number, Ordering::SeqCst);
                thread::yield_now();
                Ok::<(), cacheness::Error>(())
            });
            done.store(1, Ordering::SeqCst);
            written.unwrap();
        });
        assert!(memory_hits(&cache) > 0, "{pair:?}");
    }
}
