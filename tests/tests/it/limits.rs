//! Limits: what the store holds never gets above them, whatever goes is what the policy names first, and nothing too large
//! comes in.

use crate::support::{Place, noise};
use cacheness::{CacheBuilder, ErrorKind, EvictionPolicy, MemoryConfig, PutOptions, Query, sync::Cache};
use cacheness_testkit::SeededRng;
use cacheness_tests::pairs::Pair;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

const POLICIES: [EvictionPolicy; 4] =
    [EvictionPolicy::Lru, EvictionPolicy::Lfu, EvictionPolicy::Fifo, EvictionPolicy::Random];

fn builder(place: &Place, pair: Pair) -> CacheBuilder<Cache> {
    pair.builder_by(&place.path(), &place.clock).rng(SeededRng::new(pair as u64))
}

/// Whether noise of a size is under a key.
fn holds(cache: &Cache, key: impl serde::Serialize, size: usize) -> bool {
    cache.get::<Vec<u8>>(key).unwrap().is_some_and(|value| value == noise(size))
}

/// Which of these keys have a live entry.
fn there<'k>(cache: &Cache, keys: &[&'k str]) -> BTreeSet<&'k str> {
    keys.iter().copied().filter(|key| cache.exists(key).unwrap()).collect()
}

#[test]
fn after_every_put_of_one_thread_the_total_is_within_the_limit() {
    const LIMIT: u64 = 400_000;
    for (pair, policy) in Pair::with(POLICIES) {
        let place = Place::new();
        let cache = builder(&place, pair).max_size(LIMIT).eviction(policy).open().unwrap();
        let chance = SeededRng::new(5);
        for number in 0..if pair.is_remote() { 60 } else { 150_u64 } {
            place.clock.advance(SECOND);
            let size = 1 + chance.below(40_000) as usize;
            cache.put(number % 90, &noise(size)).unwrap();
            let stats = cache.stats().unwrap();
            assert!(stats.bytes <= LIMIT, "{pair:?} {policy:?}: {} bytes after put {number}", stats.bytes);
            assert!(holds(&cache, number % 90, size), "{pair:?} {policy:?} {number}");
            cache.get::<Vec<u8>>(chance.below(90)).unwrap();
        }
        let stats = cache.stats().unwrap();
        assert!(stats.evictions > 0 && stats.bytes > LIMIT / 2, "{pair:?} {policy:?}: {stats}");
        let listed = cache.entries(&Query::new()).unwrap().entries;
        let sum: u64 = listed.iter().map(|entry| entry.stored_size()).sum();
        assert_eq!((sum, listed.len() as u64), (stats.bytes, stats.entries), "{pair:?} {policy:?}");
        if pair != Pair::Memory {
            let stored = pair.stored(builder(&place, pair), &place.path());
            assert_eq!(stored, stats.blobs, "{pair:?} {policy:?}");
        }
        assert!(cache.verify().unwrap().is_clean(), "{pair:?} {policy:?}");
    }
}

#[test]
fn eight_threads_stay_within_the_limit_and_the_puts_of_the_others() {
    const LIMIT: u64 = 1_000_000;
    const SIZE: u64 = 20_000;
    const THREADS: u64 = 8;
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).max_size(LIMIT).open().unwrap();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let cache = cache.clone();
                scope.spawn(move || {
                    let value = noise(SIZE as usize);
                    for number in 0..40 {
                        cache.put((thread, number), &value).unwrap();
                        let bytes = cache.stats().unwrap().bytes;
                        assert!(bytes <= LIMIT + (THREADS - 1) * SIZE, "{pair:?}: {bytes}");
                    }
                });
            }
        });
        let stats = cache.stats().unwrap();
        assert!((LIMIT * 80 / 100 - SIZE..=LIMIT).contains(&stats.bytes), "{pair:?}: {stats}");
        assert_eq!(stats.degraded, 0, "{pair:?}: {stats}");
        assert!(cache.verify().unwrap().is_clean());
    }
}

#[test]
fn openings_that_were_idle_while_others_filled_the_store_stay_within_the_limit_too() {
    const LIMIT: u64 = 2_000_000;
    const SIZE: u64 = 20_000;
    for pair in Pair::SHARED {
        let place = Place::new();
        // Each has an opening of its own, as another process would.
        let openings: Vec<_> = (0..8)
            .map(|n| builder(&place, pair).rng(SeededRng::new(n << 40)).max_size(LIMIT).open().unwrap())
            .collect();
        let value = noise(SIZE as usize);
        for (number, cache) in openings.iter().enumerate() {
            cache.put(("first", number), &value).unwrap();
        }
        let (busy, idle) = openings.split_first().unwrap();
        let mut number = 0;
        while busy.stats().unwrap().bytes + SIZE <= LIMIT {
            number += 1;
            busy.put(("busy", number), &value).unwrap();
        }
        for (opening, cache) in idle.iter().enumerate() {
            for number in 0..6 {
                cache.put((opening, number), &value).unwrap();
                let bytes = cache.stats().unwrap().bytes;
                assert!(bytes <= LIMIT, "{pair:?}: opening {opening} leaves {bytes} bytes after put {number}");
            }
        }
    }
}

#[test]
fn an_eviction_ends_at_the_low_water_mark() {
    for (pair, low_water) in Pair::with([10, 50, 77, 80, 100]) {
        let place = Place::new();
        let cache = builder(&place, pair).max_size(100_000).low_water(low_water).open().unwrap();
        let value = noise(1000);
        for number in 0..100 {
            place.clock.advance(SECOND);
            cache.put(number, &value).unwrap();
        }
        let size = cache.metadata(0).unwrap().unwrap().stored_size();
        assert_eq!((size, cache.stats().unwrap().bytes), (1000, 100_000), "the limit itself is no reason to evict");
        cache.put(100, &value).unwrap();
        let expected = 1000 * u64::from(low_water);
        assert_eq!(cache.stats().unwrap().bytes, expected, "{pair:?} {low_water}");
        assert_eq!(cache.stats().unwrap().evictions, 101 - u64::from(low_water), "{pair:?} {low_water}");
        let kept = 101 - u64::from(low_water)..=100;
        assert!(kept.clone().all(|number| cache.exists(number).unwrap()), "{pair:?} {low_water}: {kept:?}");
    }
}

#[test]
fn a_number_of_entries_is_a_limit_too() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).max_entries(10).open().unwrap();
        for number in 0..50 {
            place.clock.advance(SECOND);
            cache.put(number, &number).unwrap();
            let entries = cache.stats().unwrap().entries;
            let expected = if number < 10 { number + 1 } else { 8 + (number - 10) % 3 };
            assert_eq!(entries, expected, "{pair:?} {number}");
            assert!(cache.exists(number).unwrap());
        }
        // Of two limits the one that is passed counts.
        let cache = builder(&place, pair).max_entries(1_000_000).max_size(200_000).open().unwrap();
        for number in 100..110 {
            cache.put(number, &noise(30_000)).unwrap();
        }
        let stats = cache.stats().unwrap();
        assert!(stats.bytes <= 200_000 && stats.evictions > 0, "{pair:?}: {stats}");
    }
}

#[test]
fn each_policy_evicts_what_it_names() {
    // Four entries are allowed; the fifth leaves three: itself, and two of the old ones.
    let expected = [
        (EvictionPolicy::Lru, ["a", "d", "e"]),
        (EvictionPolicy::Lfu, ["a", "b", "e"]),
        (EvictionPolicy::Fifo, ["c", "d", "e"]),
    ];
    for (pair, memory) in Pair::with([None, Some(MemoryConfig::new())]) {
        for (policy, kept) in expected {
            let place = Place::new();
            let builder = builder(&place, pair).max_entries(4).low_water(75).eviction(policy);
            let cache = match &memory {
                Some(config) => builder.memory(config.clone()),
                None => builder.no_memory(),
            };
            let cache = cache.open().unwrap();
            for key in ["a", "b", "c", "d"] {
                place.clock.advance(SECOND);
                cache.put(key, key).unwrap();
            }
            for key in ["b", "b", "b", "c", "a", "d", "a"] {
                place.clock.advance(SECOND);
                assert!(cache.get::<String>(key).unwrap().is_some());
            }
            place.clock.advance(SECOND);
            cache.put("e", "e").unwrap();
            let found = there(&cache, &["a", "b", "c", "d", "e"]);
            assert_eq!(found, BTreeSet::from(kept), "{policy:?} over {pair:?} with {memory:?}");
        }
    }
}

#[test]
fn an_overwritten_entry_is_young_again_and_a_touched_one_is_not() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).max_entries(4).low_water(75).eviction(EvictionPolicy::Fifo).open().unwrap();
        for key in ["a", "b", "c", "d", "a"] {
            place.clock.advance(SECOND);
            cache.put(key, key).unwrap();
        }
        assert!(cache.touch("b", Some(Duration::from_secs(1000))).unwrap());
        place.clock.advance(SECOND);
        cache.put("e", "e").unwrap();
        assert_eq!(there(&cache, &["a", "b", "c", "d", "e"]), BTreeSet::from(["a", "d", "e"]), "{pair:?}");
    }
}

#[test]
fn chance_evicts_every_old_entry_now_and_then() {
    for pair in Pair::LOCAL {
        let mut evicted = [0; 4];
        for seed in 0..60 {
            let place = Place::new();
            let builder = builder(&place, pair).max_entries(4).low_water(100).eviction(EvictionPolicy::Random);
            let cache = builder.rng(SeededRng::new(seed << 20)).open().unwrap();
            for key in 0..5 {
                place.clock.advance(SECOND);
                cache.put(key, &key).unwrap();
            }
            let gone: Vec<_> = (0..5_usize).filter(|key| !cache.exists(key).unwrap()).collect();
            assert_eq!(gone.len(), 1);
            evicted[gone[0]] += 1;
        }
        assert!(evicted.iter().all(|count| *count >= 4), "{pair:?}: {evicted:?}");
    }
}

#[test]
fn what_is_dead_goes_before_what_lives() {
    for (pair, policy) in Pair::with(POLICIES) {
        let place = Place::new();
        let cache = builder(&place, pair).max_entries(6).low_water(84).eviction(policy).open().unwrap();
        let short = || PutOptions::new().ttl(Duration::from_secs(10));
        for key in ["old", "older"] {
            cache.put(key, key).unwrap();
        }
        place.clock.advance(SECOND);
        cache.put_with("expired", "x", short()).unwrap();
        cache.put_with("invalidated", "x", PutOptions::new().tags(["tag"])).unwrap();
        cache.put_with("expiring", "x", PutOptions::new().ttl(Duration::from_secs(11))).unwrap();
        for key in ["expired", "invalidated", "expiring"] {
            place.clock.advance(SECOND);
            (0..10).for_each(|_| drop(cache.get::<String>(key).unwrap().unwrap()));
        }
        cache.invalidate_tag("tag").unwrap();
        place.clock.advance(Duration::from_secs(7));
        cache.put("sixth", "x").unwrap();
        assert_eq!(cache.stats().unwrap().entries, 6, "what is dead still counts");
        cache.put("seventh", "x").unwrap();
        assert_eq!(cache.stats().unwrap().entries, 5, "{pair:?} {policy:?}");
        let live = ["old", "older", "expiring", "sixth", "seventh"];
        assert_eq!(there(&cache, &live).len(), 5, "{pair:?} {policy:?}");
        assert_eq!(cache.stats().unwrap().evictions, 0, "{pair:?} {policy:?}: nothing that lived had to go");
    }
}

#[test]
fn what_is_larger_than_the_limit_is_refused_and_evicts_nothing() {
    const LIMIT: usize = 100_000;
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).max_size(LIMIT as u64).open().unwrap();
        cache.put("small", &noise(1000)).unwrap();
        cache.put("medium", &noise(40_000)).unwrap();
        let (huge, before) = (noise(LIMIT + 1), cache.stats().unwrap());
        let refused = |result: cacheness::Result<()>| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{pair:?}: {error}");
            let stats = cache.stats().unwrap();
            assert_eq!((stats.entries, stats.bytes, stats.blobs), (before.entries, before.bytes, before.blobs));
            assert_eq!(stats.evictions, 0);
            assert!(holds(&cache, "small", 1000));
            if pair != Pair::Memory {
                assert_eq!(pair.stored(builder(&place, pair), &place.path()), stats.blobs, "{pair:?}");
                assert_eq!(cache.verify().unwrap().staging_files, 0, "{pair:?}");
            }
        };
        refused(cache.put("huge", &huge).map(drop));
        refused(cache.put("small", &huge).map(drop));
        refused(cache.put_shared("huge", Arc::new(huge.clone())).map(drop));
        refused(cache.put_reader("huge", std::io::Cursor::new(huge.clone())).map(drop));
        refused(cache.put_if_absent("huge", &huge).map(drop));
        refused(cache.update("small", &huge).map(drop));
        refused(cache.put_many(&[("one", noise(10)), ("huge", huge.clone()), ("other", noise(10))]).map(drop));
        assert!(cache.get_or_put("huge", || huge.clone()).unwrap() == huge, "what was computed is returned");
        assert!(!cache.exists("huge").unwrap());
        // The limit itself is not too large. It displaces everything else.
        cache.put("largest", &noise(LIMIT)).unwrap();
        assert!(holds(&cache, "largest", LIMIT), "{pair:?}");
        assert_eq!(cache.stats().unwrap().bytes, LIMIT as u64, "{pair:?}");
    }
}

#[test]
fn a_put_is_not_the_victim_of_its_own_eviction() {
    for (pair, policy) in Pair::with(POLICIES) {
        let place = Place::new();
        let cache = builder(&place, pair).max_size(100_000).eviction(policy).open().unwrap();
        for number in 0..20 {
            // All at the same moment, and all of the old ones in use.
            cache.put(number, &noise(1000)).unwrap();
            (0..3).for_each(|_| drop(cache.get::<Vec<u8>>(number).unwrap()));
        }
        // More than the low-water mark, less than the limit.
        cache.put("large", &noise(90_000)).unwrap();
        assert!(holds(&cache, "large", 90_000), "{pair:?} {policy:?}");
        assert!(cache.stats().unwrap().bytes <= 100_000, "{pair:?} {policy:?}");
        for number in 100..130 {
            cache.put(number, &noise(5000)).unwrap();
            assert!(cache.exists(number).unwrap(), "{pair:?} {policy:?} {number}");
        }
    }
}

#[test]
fn many_puts_at_once_end_within_the_limit() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).max_size(100_000).open().unwrap();
        let entries: Vec<_> = (0..30).map(|number| (number, noise(20_000))).collect();
        cache.put_many(&entries).unwrap();
        let stats = cache.stats().unwrap();
        assert_eq!((stats.bytes, stats.entries, stats.evictions), (80_000, 4, 26), "{pair:?}: {stats}");
        assert!(cache.verify().unwrap().is_clean());
    }
}

#[test]
fn what_is_replaced_does_not_count() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).max_size(100_000).open().unwrap();
        cache.put("other", &noise(40_000)).unwrap();
        for _ in 0..100 {
            cache.put("key", &noise(40_000)).unwrap();
        }
        let stats = cache.stats().unwrap();
        assert_eq!((stats.bytes, stats.evictions), (80_000, 0), "{pair:?}: {stats}");
        // Copies share their bytes in blobs.
        (0..20).for_each(|number| assert!(cache.copy("key", ("copy", number)).unwrap()));
        let stats = cache.stats().unwrap();
        assert_eq!((stats.bytes, stats.evictions, stats.entries), (80_000, 0, 22), "{pair:?}: {stats}");
        // Copies of what rides in the commit do not.
        cache.put("small", &noise(10_000)).unwrap();
        cache.copy("small", "first").unwrap();
        cache.copy("small", "second").unwrap();
        assert!(cache.stats().unwrap().bytes <= 100_000, "{pair:?}");
        assert!(cache.exists("second").unwrap(), "{pair:?}: the copy is the youngest");
    }
}

#[test]
fn a_smaller_limit_applies_from_the_next_put_on_and_no_limit_evicts_nothing() {
    for pair in Pair::SHARED {
        let place = Place::new();
        let cache = builder(&place, pair).max_size(10).unlimited().open().unwrap();
        for number in 0..10 {
            cache.put(number, &noise(20_000)).unwrap();
        }
        assert_eq!(cache.stats().unwrap().entries, 10);
        cache.close().unwrap();
        let cache = builder(&place, pair).max_size("100 kB").open().unwrap();
        assert_eq!(cache.stats().unwrap().entries, 10, "opening evicts nothing");
        cache.put("small", &1).unwrap();
        assert!(cache.stats().unwrap().bytes <= 80_000, "{pair:?}");
    }
}

#[test]
fn a_key_that_is_read_before_each_overflow_stays_under_lru() {
    const LIMIT: u64 = 20 * (64 << 10);
    for (pair, memory) in Pair::with([true, false]) {
        let place = Place::new();
        let builder = builder(&place, pair).max_size(LIMIT);
        let cache = if memory { builder.open() } else { builder.no_memory().open() }.unwrap();
        cache.put("hot", &noise(64 << 10)).unwrap();
        let count = if pair.is_remote() { 40 } else { 120 };
        for number in 0..count {
            place.clock.advance(SECOND);
            assert!(cache.get::<Vec<u8>>("hot").unwrap().is_some(), "{pair:?} {memory}: gone before put {number}");
            place.clock.advance(SECOND);
            cache.put(number, &noise(64 << 10)).unwrap();
        }
        assert!(cache.stats().unwrap().evictions > count - 30);
    }
}

#[test]
fn limits_that_are_none_are_refused_together() {
    let open = |builder: CacheBuilder<Cache>| builder.metadata("memory:").blobs("memory:").open().unwrap_err();
    let all = Cache::builder()
        .max_size(0)
        .max_entries(0)
        .low_water(0)
        .default_ttl(Duration::ZERO)
        .memory(MemoryConfig::new().staleness(Duration::ZERO));
    let error = open(all);
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    for word in ["max_size", "staleness", "TTL"] {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
    for (builder, word) in [
        (Cache::builder().max_entries(0), "max_entries"),
        (Cache::builder().low_water(0), "low_water"),
        (Cache::builder().low_water(101), "low_water"),
        (Cache::builder().max_size("many"), "many"),
        (Cache::builder().max_size("-1 MB"), "-1 MB"),
    ] {
        let error = open(builder);
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    for name in ["lru", "lfu", "fifo", "random"] {
        name.parse::<EvictionPolicy>().unwrap();
    }
    assert_eq!("LRU".parse::<EvictionPolicy>().unwrap_err().kind(), ErrorKind::Config);
}
