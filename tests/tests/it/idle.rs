//! Idle TTL: an entry lives while it is used, dies when it is not, and never outlives its TTL.

use crate::support::Place;
use cacheness::{CacheBuilder, ErrorKind, MissReason, PutOptions, Query, Ttl, sync::Cache};
use cacheness_tests::pairs::Pair;
use std::time::Duration;

const IDLE: Duration = Duration::from_secs(100);
const MICRO: Duration = Duration::from_micros(1);
const SECOND: Duration = Duration::from_secs(1);

fn builder(place: &Place, pair: Pair) -> CacheBuilder<Cache> {
    pair.builder_by(&place.path(), &place.clock)
}

fn idle() -> PutOptions {
    PutOptions::new().idle_ttl(IDLE)
}

fn get(cache: &Cache, key: &str) -> bool {
    cache.get::<String>(key).unwrap().is_some()
}

/// How long an entry has left; zero when it is dead.
fn left(cache: &Cache, key: &str) -> Duration {
    cache.ttl(key).unwrap().map_or(Duration::ZERO, |ttl| ttl.left().unwrap_or(Duration::MAX))
}

/// Every pair, with a memory layer and without.
fn every(check: impl Fn(&Place, Cache, (Pair, bool))) {
    for (pair, memory) in Pair::with([true, false]) {
        let place = Place::new();
        let builder = builder(&place, pair);
        let cache = if memory { builder.open() } else { builder.no_memory().open() }.unwrap();
        check(&place, cache, (pair, memory));
    }
}

#[test]
fn an_entry_lives_while_it_is_used_and_dies_when_it_is_not() {
    every(|place, cache, context| {
        cache.put_with("key", "value", idle()).unwrap();
        for _ in 0..50 {
            place.clock.advance(IDLE * 3 / 4);
            assert!(get(&cache, "key"), "{context:?}");
            assert_eq!(left(&cache, "key"), IDLE, "{context:?}");
        }
        place.clock.advance(IDLE - MICRO);
        assert_eq!(left(&cache, "key"), MICRO, "{context:?}");
        place.clock.advance(MICRO);
        assert!(!get(&cache, "key"), "{context:?}");
        assert_eq!(cache.stats().unwrap().misses_because(MissReason::Expired), 1);
    });
}

/// A way to read the entry "key".
type Use = (&'static str, fn(&Cache));

#[test]
fn every_way_to_read_a_value_is_a_use_and_every_way_to_look_is_none() {
    every(|place, cache, context| {
        let uses: [Use; 6] = [
            ("get", |cache| assert!(cache.get::<String>("key").unwrap().is_some())),
            ("get_shared", |cache| assert!(cache.get_shared::<String>("key").unwrap().is_some())),
            ("get_many", |cache| assert!(cache.get_many::<String, _>(["key"]).unwrap()[0].is_some())),
            ("get_with_metadata", |cache| assert!(cache.get_with_metadata::<String>("key").unwrap().is_some())),
            ("get_reader", |cache| assert!(cache.get_reader("key").unwrap().is_some())),
            ("get_or_put", |cache| assert_eq!(cache.get_or_put("key", String::new).unwrap(), "value")),
        ];
        cache.put_with("key", "value", idle()).unwrap();
        for (name, act) in uses {
            place.clock.advance(IDLE * 3 / 4);
            act(&cache);
            assert_eq!(left(&cache, "key"), IDLE, "{context:?}: {name}");
        }
        place.clock.advance(IDLE * 3 / 4);
        assert!(cache.exists("key").unwrap() && cache.metadata("key").unwrap().is_some());
        assert_eq!(cache.entries(&Query::new()).unwrap().entries.len(), 1);
        assert!(cache.get::<u64>("key").unwrap().is_none(), "another type");
        assert!(!cache.put_if_absent("key", "another").unwrap());
        assert_eq!(left(&cache, "key"), IDLE / 4, "{context:?}");
    });
}

#[test]
fn a_use_writes_only_when_less_than_half_of_the_time_is_left() {
    every(|place, cache, context| {
        cache.put_with("key", "value", idle()).unwrap();
        let version = |cache: &Cache| cache.metadata("key").unwrap().unwrap().version();
        let first = version(&cache);
        place.clock.advance(IDLE / 2 - MICRO);
        (0..10).for_each(|_| assert!(get(&cache, "key")));
        assert_eq!((version(&cache), left(&cache, "key")), (first, IDLE / 2 + MICRO), "{context:?}");
        place.clock.advance(2 * MICRO);
        assert!(get(&cache, "key"));
        let second = version(&cache);
        assert_eq!((second == first, left(&cache, "key")), (false, IDLE), "{context:?}");
        (0..10).for_each(|_| assert!(get(&cache, "key")));
        assert_eq!(version(&cache), second, "{context:?}");
        // So it dies between half the time and the whole time after its last use, and never later.
        place.clock.advance(IDLE / 2 - MICRO);
        assert!(get(&cache, "key"));
        place.clock.advance(IDLE / 2 + MICRO);
        assert!(!get(&cache, "key"), "{context:?}");
    });
}

#[test]
fn the_boundary_is_the_same_everywhere() {
    every(|place, cache, context| {
        cache.put_with("key", "value", idle().tags(["tag"])).unwrap();
        place.clock.advance(IDLE - MICRO);
        assert!(cache.exists("key").unwrap() && cache.metadata("key").unwrap().is_some(), "{context:?}");
        assert!(!cache.put_if_absent("key", "another").unwrap(), "{context:?}");
        assert_eq!(cache.cleanup_expired().unwrap(), 0, "{context:?}");
        place.clock.advance(MICRO);
        assert!(!cache.exists("key").unwrap() && cache.metadata("key").unwrap().is_none(), "{context:?}");
        assert!(!get(&cache, "key") && cache.get_shared::<String>("key").unwrap().is_none(), "{context:?}");
        assert!(cache.get_many::<String, _>(["key"]).unwrap()[0].is_none(), "{context:?}");
        assert!(cache.get_reader("key").unwrap().is_none(), "{context:?}");
        assert!(cache.entries(&Query::new()).unwrap().entries.is_empty(), "{context:?}");
        assert!(!cache.update("key", "another").unwrap(), "{context:?}");
        assert!(!cache.touch("key", None).unwrap(), "{context:?}");
        assert!(!cache.copy("key", "copy").unwrap(), "{context:?}");
        assert!(!cache.invalidate("key").unwrap(), "{context:?}");
        assert_eq!(cache.stats().unwrap().entries, 1, "{context:?}");
        assert!(cache.put_if_absent("key", "another").unwrap(), "{context:?}");
        assert!(get(&cache, "key"), "{context:?}");
    });
}

#[test]
fn the_ttl_ends_what_is_used_all_the_time() {
    every(|place, cache, context| {
        cache.put_with("key", "value", idle().ttl(IDLE * 5 / 2)).unwrap();
        cache.put_with("short", "value", idle().ttl(SECOND)).unwrap();
        assert_eq!((left(&cache, "key"), left(&cache, "short")), (IDLE, SECOND), "whichever ends first");
        for _ in 0..24 {
            place.clock.advance(IDLE / 10);
            assert!(get(&cache, "key"), "{context:?}");
        }
        assert_eq!(left(&cache, "key"), IDLE / 10, "{context:?}");
        assert!(get(&cache, "key"));
        place.clock.advance(IDLE / 10 - MICRO);
        assert!(get(&cache, "key"), "{context:?}");
        place.clock.advance(MICRO);
        assert!(!get(&cache, "key"), "{context:?}");
    });
    // A default TTL ends it too.
    let place = Place::new();
    let cache = builder(&place, Pair::Memory).default_ttl(IDLE * 2).open().unwrap();
    cache.put_with("key", "value", idle()).unwrap();
    for _ in 0..19 {
        place.clock.advance(IDLE / 10);
        assert!(get(&cache, "key"));
    }
    place.clock.advance(IDLE / 10);
    assert!(!get(&cache, "key"));
}

#[test]
fn uses_of_several_openings_keep_an_entry_alive() {
    for pair in Pair::SHARED {
        let place = Place::new();
        let openings = [(); 3].map(|()| builder(&place, pair).open().unwrap());
        openings[0].put_with("key", "value", idle()).unwrap();
        for turn in 0..30 {
            place.clock.advance(IDLE * 3 / 5);
            assert!(get(&openings[turn % 3], "key"), "{pair:?}");
        }
        place.clock.advance(IDLE);
        assert!(openings.iter().all(|cache| !get(cache, "key")), "{pair:?}");
    }
}

#[test]
fn a_copy_and_an_overwritten_entry_have_idle_times_of_their_own() {
    every(|place, cache, context| {
        cache.put_with("key", "value", idle()).unwrap();
        cache.copy("key", "copy").unwrap();
        place.clock.advance(IDLE * 3 / 4);
        assert!(get(&cache, "copy"), "{context:?}");
        assert_eq!((left(&cache, "key"), left(&cache, "copy")), (IDLE / 4, IDLE), "{context:?}");
        cache.put("key", "for ever").unwrap();
        place.clock.advance(IDLE * 1000);
        assert_eq!((get(&cache, "key"), get(&cache, "copy")), (true, false), "{context:?}");
        assert_eq!(cache.ttl("key").unwrap(), Some(Ttl::Never), "{context:?}");
    });
}

#[test]
fn a_touch_is_a_use_and_neither_ends_the_idle_time_nor_outlasts_it() {
    every(|place, cache, context| {
        cache.put_with("key", "value", idle()).unwrap();
        place.clock.advance(IDLE * 3 / 4);
        assert!(cache.touch("key", None).unwrap());
        assert_eq!(left(&cache, "key"), IDLE, "{context:?}: without a TTL the idle time alone counts");
        place.clock.advance(IDLE * 3 / 4);
        assert!(get(&cache, "key"));
        assert_eq!(left(&cache, "key"), IDLE, "{context:?}: it still lives by its uses");
        assert!(cache.touch("key", Some(IDLE * 5)).unwrap());
        assert_eq!(left(&cache, "key"), IDLE, "{context:?}: whichever ends first");
        assert_eq!(cache.touch_many(["key"], Some(IDLE / 10)).unwrap(), 1);
        assert_eq!(left(&cache, "key"), IDLE / 10, "{context:?}: whichever ends first");
        place.clock.advance(IDLE / 10);
        assert!(!get(&cache, "key"), "{context:?}");
        // The end that the put gave it stays its end.
        cache.put_with("key", "value", idle().ttl(IDLE * 2)).unwrap();
        place.clock.advance(IDLE / 2);
        assert!(get(&cache, "key"));
        place.clock.advance(IDLE * 3 / 4);
        assert!(cache.touch("key", None).unwrap());
        assert_eq!(left(&cache, "key"), IDLE * 3 / 4, "{context:?}");
    });
}

#[test]
fn an_idle_time_of_nothing_is_refused_and_a_very_long_one_is_not() {
    let place = Place::new();
    let cache = builder(&place, Pair::Memory).open().unwrap();
    let error = cache.put_with("key", "value", PutOptions::new().idle_ttl(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!cache.exists("key").unwrap());
    cache.put_with("key", "value", PutOptions::new().idle_ttl(Duration::MAX)).unwrap();
    cache.put_with("both", "value", PutOptions::new().idle_ttl(Duration::MAX).ttl(Duration::MAX)).unwrap();
    place.clock.advance(IDLE * 1_000_000);
    assert!(get(&cache, "key") && get(&cache, "both"));
}

#[test]
fn a_touch_beyond_the_end_of_the_ttl_leaves_the_idle_time_alone_to_count() {
    every(|place, cache, context| {
        cache.put_with("key", "value", idle().ttl(IDLE / 4)).unwrap();
        assert!(cache.touch("key", Some(10 * IDLE)).unwrap());
        place.clock.advance(IDLE / 2);
        assert!(cache.touch("key", None).unwrap(), "{context:?}");
        assert_eq!(left(&cache, "key"), IDLE, "the end that its put gave it is long past: {context:?}");
        for _ in 0..5 {
            place.clock.advance(IDLE * 3 / 4);
            assert!(get(&cache, "key"), "{context:?}");
        }
        place.clock.advance(IDLE);
        assert!(!get(&cache, "key"), "{context:?}");
    });
}
