//! Uses of entries: a get never writes; who flushes or closes tells when and how often entries were used.

use crate::stores::tree;
use crate::support::{Place, noise};
use cacheness::{CacheBuilder, PutOptions, sync::Cache};
use cacheness_tests::pairs::Pair;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

fn builder(place: &Place, pair: Pair) -> CacheBuilder<Cache> {
    pair.builder_by(&place.path(), &place.clock)
}

/// When and how often an entry was used, as the index knows.
fn usage(cache: &Cache, key: &str) -> (Option<SystemTime>, u64) {
    let entry = cache.metadata(key).unwrap().unwrap();
    (entry.accessed_at(), entry.hits())
}

fn now(place: &Place) -> SystemTime {
    use cacheness::core::Clock;
    place.clock.now().into()
}

/// Every file that a get might have written to. The `-shm` of SQLite holds the locks of readers.
fn files(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    tree(directory).into_iter().filter(|(path, _)| !path.to_string_lossy().ends_with("-shm")).collect()
}

#[test]
fn uses_are_told_by_a_flush_and_by_nothing_else() {
    for (pair, memory) in Pair::with([true, false]) {
        let place = Place::new();
        let builder = builder(&place, pair);
        let cache = if memory { builder.open() } else { builder.no_memory().open() }.unwrap();
        cache.put("key", &noise(20_000)).unwrap();
        cache.put("other", "value").unwrap();
        cache.put("unused", "value").unwrap();
        let before = cache.metadata("key").unwrap().unwrap();
        assert_eq!((before.accessed_at(), before.hits()), (None, 0), "{pair:?}");
        for _ in 0..7 {
            place.clock.advance(SECOND);
            cache.get::<Vec<u8>>("key").unwrap().unwrap();
        }
        cache.get_shared::<Vec<u8>>("key").unwrap().unwrap();
        cache.get_many::<Vec<u8>, _>(["key"]).unwrap();
        cache.get_with_metadata::<Vec<u8>>("key").unwrap().unwrap();
        drop(cache.get_reader("key").unwrap().unwrap());
        let used = now(&place);
        place.clock.advance(SECOND);
        cache.get::<String>("other").unwrap().unwrap();
        // None of these is a use.
        cache.exists("unused").unwrap();
        cache.ttl("unused").unwrap();
        cache.get::<u64>("unused").unwrap();
        assert_eq!(usage(&cache, "key"), (None, 0), "{pair:?} {memory}: nobody told yet");
        cache.flush().unwrap();
        assert_eq!(usage(&cache, "key"), (Some(used), 11), "{pair:?} {memory}");
        assert_eq!(usage(&cache, "other"), (Some(now(&place)), 1), "{pair:?} {memory}");
        assert_eq!(usage(&cache, "unused"), (None, 0), "{pair:?} {memory}");
        cache.flush().unwrap();
        assert_eq!(usage(&cache, "key").1, 11, "{pair:?} {memory}: told once");
        let after = cache.metadata("key").unwrap().unwrap();
        assert_eq!((after.version(), after.updated_at()), (before.version(), before.updated_at()), "{pair:?}");
        // A use is no change: copies in memory stay fresh.
        if memory {
            let hits = cache.stats().unwrap().memory.unwrap().hits;
            cache.get::<Vec<u8>>("key").unwrap().unwrap();
            assert_eq!(cache.stats().unwrap().memory.unwrap().hits, hits + 1, "{pair:?}");
        }
    }
}

#[test]
fn closing_tells_and_openings_add_up() {
    for pair in Pair::SHARED {
        let place = Place::new();
        let [one, other] = [(); 2].map(|()| builder(&place, pair).open().unwrap());
        one.put("key", "value").unwrap();
        (0..5).for_each(|_| assert!(one.get::<String>("key").unwrap().is_some()));
        place.clock.advance(SECOND);
        (0..3).for_each(|_| assert!(other.get::<String>("key").unwrap().is_some()));
        let latest = now(&place);
        other.close().unwrap();
        one.close().unwrap();
        one.close().unwrap();
        let cache = builder(&place, pair).open().unwrap();
        assert_eq!(usage(&cache, "key"), (Some(latest), 8), "{pair:?}: the later use counts, whoever tells last");
    }
}

#[test]
fn uses_of_what_is_gone_are_nothing_and_an_overwritten_entry_keeps_its_own() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        for key in ["gone", "again", "overwritten", "renamed"] {
            cache.put(key, "value").unwrap();
            (0..3).for_each(|_| assert!(cache.get::<String>(key).unwrap().is_some()));
        }
        cache.invalidate("gone").unwrap();
        cache.invalidate("again").unwrap();
        cache.flush().unwrap();
        assert!(cache.metadata("gone").unwrap().is_none());
        cache.put("again", "value").unwrap();
        assert_eq!(usage(&cache, "again"), (None, 0), "{pair:?}");
        cache.put("overwritten", "another").unwrap();
        assert_eq!(usage(&cache, "overwritten").1, 3, "{pair:?}");
        assert!(cache.clear().unwrap() > 0);
        cache.flush().unwrap();
        assert_eq!(cache.stats().unwrap().entries, 0, "{pair:?}");
    }
}

#[test]
fn a_get_changes_no_file() {
    for (pair, memory) in Pair::ON_DISK.into_iter().flat_map(|pair| [true, false].map(|memory| (pair, memory))) {
        let place = Place::new();
        let builder = builder(&place, pair);
        let cache = if memory { builder.open() } else { builder.no_memory().open() }.unwrap();
        cache.put_with("small", &1, PutOptions::new().ttl(SECOND * 1000)).unwrap();
        cache.put("large", &noise(50_000)).unwrap();
        let before = files(&place.path());
        for _ in 0..500 {
            cache.get::<i32>("small").unwrap().unwrap();
            cache.get::<Vec<u8>>("large").unwrap().unwrap();
            cache.get_shared::<Vec<u8>>("large").unwrap().unwrap();
            assert!(cache.get::<i32>("none").unwrap().is_none());
        }
        assert!(before == files(&place.path()), "{pair:?} {memory}");
        cache.flush().unwrap();
        assert!(before != files(&place.path()), "{pair:?} {memory}: the flush writes");
    }
}

#[test]
fn telling_a_thousand_uses_writes_less_than_half_a_megabyte() {
    let place = Place::new();
    let cache = builder(&place, Pair::Sqlite).open().unwrap();
    let value = noise(10_000);
    let entries: Vec<_> = (0..1000).map(|number| (number, value.clone())).collect();
    cache.put_many(&entries).unwrap();
    assert_eq!(cache.stats().unwrap().blobs, 0, "the values lie in the records");
    cache.close().unwrap();
    let cache = builder(&place, Pair::Sqlite).open().unwrap();
    for number in 0..1000 {
        cache.get::<Vec<u8>>(number).unwrap().unwrap();
    }
    let log = || std::fs::metadata(place.path().join("index.db-wal")).map_or(0, |file| file.len());
    let before = log();
    cache.flush().unwrap();
    let written = log() - before;
    assert!((1..500_000).contains(&written), "{written} bytes");
    assert_eq!(cache.metadata(999).unwrap().unwrap().hits(), 1);
}

#[test]
fn uses_are_told_behind_the_back_of_a_get_once_a_minute() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        cache.put("key", "value").unwrap();
        cache.get::<String>("key").unwrap().unwrap();
        place.clock.advance(59 * SECOND);
        cache.get::<String>("key").unwrap().unwrap();
        assert_eq!(usage(&cache, "key").1, 0, "{pair:?}");
        place.clock.advance(SECOND);
        cache.get::<String>("key").unwrap().unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while usage(&cache, "key").1 != 3 {
            assert!(Instant::now() < end, "{pair:?}: never told");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_read_only_opening_tells_nothing() {
    for pair in Pair::ON_DISK {
        let place = Place::new();
        builder(&place, pair).open().unwrap().put("key", "value").unwrap();
        let cache = builder(&place, pair).read_only(true).open().unwrap();
        let before = files(&place.path());
        place.clock.advance(1000 * SECOND);
        (0..10).for_each(|_| assert!(cache.get::<String>("key").unwrap().is_some()));
        cache.flush().unwrap();
        cache.close().unwrap();
        assert!(before == files(&place.path()), "{pair:?}");
    }
}

#[test]
fn a_flush_tells_what_was_to_ride_along_with_a_commit_that_carries_nothing() {
    for pair in Pair::SHARED {
        let place = Place::new();
        builder(&place, pair).open().unwrap().put("key", "value").unwrap();
        let cache = builder(&place, pair).open().unwrap();
        assert!(cache.get::<String>("key").unwrap().is_some());
        // What was computed is committed together with its lease, and with nothing else.
        cache.get_or_put("computed", || 1).unwrap();
        cache.flush().unwrap();
        assert_eq!(usage(&cache, "key").1, 1, "{pair:?}");
    }
}
