//! Several processes with one cache: limits, copies in memory, uses and tags hold across them, and nobody sees an error.

use crate::support::{Place, noise};
use cacheness::{Filter, PutOptions, sync::Cache};
use cacheness_tests::pairs::{Pair, blob_files};
use cacheness_tests::worker::CacheWorker;
use std::time::Duration;

fn start(pair: Pair, place: &Place, options: &[&str]) -> CacheWorker {
    CacheWorker::start(env!("CARGO_BIN_EXE_cache-worker"), pair, &place.path(), options)
}

/// Starts several at once.
fn start_all(count: usize, pair: Pair, place: &Place, options: &[&str]) -> Vec<CacheWorker> {
    let mut workers: Vec<_> = (0..count).map(|_| start(pair, place, options)).collect();
    workers.iter_mut().for_each(|worker| assert_eq!(worker.answer(), "open"));
    workers
}

#[test]
fn eight_processes_that_put_eight_times_the_limit_end_below_it() {
    const LIMIT: u64 = 8 << 20;
    const SIZE: u64 = 64 << 10;
    let place = Place::new();
    let mut workers = start_all(8, Pair::Sqlite, &place, &[&format!("max-size={LIMIT}")]);
    assert_eq!(workers[0].ask("put hot value"), "done");
    for (number, worker) in workers.iter_mut().enumerate() {
        worker.tell(&format!("fill {number} 500 {SIZE} hot"));
    }
    for worker in &mut workers {
        let answer = worker.answer();
        let (hits, most) = answer.split_once(' ').unwrap();
        let most: u64 = most.parse().unwrap();
        assert!(most <= LIMIT + 8 * SIZE, "{most} bytes: more than the limit and the puts in flight");
        assert_eq!(hits, "500", "what everybody reads before each put stays");
    }
    workers.iter_mut().for_each(|worker| assert_eq!(worker.ask("close"), "done"));
    drop(workers);
    let cache = Pair::Sqlite.builder(&place.path()).grace(Duration::ZERO).open().unwrap();
    let stats = cache.stats().unwrap();
    assert!((LIMIT * 80 / 100..=LIMIT).contains(&stats.bytes), "{stats}");
    // On the disk each blob has a trailer besides, which does not count.
    let files = blob_files(&place.path());
    let sizes: Vec<u64> = files.iter().map(|file| std::fs::metadata(file).unwrap().len()).collect();
    assert_eq!(files.len() as u64, stats.blobs, "{stats}");
    let trailers = sizes.iter().sum::<u64>() - stats.blobs * SIZE;
    assert!(trailers <= stats.blobs * 1024, "{trailers} bytes of trailers in {} blobs", stats.blobs);
    let bytes = sizes.iter().sum::<u64>();
    assert!((LIMIT * 80 / 100 - SIZE..=LIMIT + trailers).contains(&bytes), "{bytes} bytes on the disk");
    let verified = cache.verify().unwrap();
    assert!(verified.is_clean() && verified.unreferenced == 0 && verified.staging_files == 0, "{verified:?}");
}

#[test]
fn what_one_process_writes_the_next_get_of_another_sees() {
    for pair in Pair::SHARED {
        let place = Place::new();
        let workers = start_all(2, pair, &place, &[]);
        let [mut one, mut other]: [_; 2] = workers.try_into().unwrap();
        for round in 0..100 {
            let (writer, reader) = if round % 2 == 0 { (&mut one, &mut other) } else { (&mut other, &mut one) };
            assert_eq!(writer.ask(&format!("tagged key {round} tag{}", round % 3)), "done");
            for _ in 0..3 {
                assert_eq!(reader.ask("get key"), round.to_string(), "{pair:?}");
            }
            match round % 5 {
                3 => assert_eq!(writer.ask("invalidate key"), "true", "{pair:?}"),
                4 => assert_eq!(writer.ask(&format!("invalidate-tag tag{}", round % 3)), "done", "{pair:?}"),
                _ => continue,
            }
            assert_eq!(reader.ask("get key"), "nothing", "{pair:?}");
        }
        // And it was no want of copies: hits came from memory.
        for worker in [&mut one, &mut other] {
            let hits: u64 = worker.ask("memory-hits").parse().unwrap();
            assert!(hits >= 100, "{pair:?}: {hits} hits");
        }
    }
}

#[test]
fn uses_of_processes_add_up() {
    for pair in Pair::SHARED {
        let place = Place::new();
        let mut workers = start_all(3, pair, &place, &[]);
        assert_eq!(workers[0].ask("put key value"), "done");
        for (worker, count) in workers.iter_mut().zip([7, 20, 300]) {
            assert_eq!(worker.ask(&format!("gets key {count}")), count.to_string());
        }
        let cache = pair.builder(&place.path()).open().unwrap();
        let hits = || cache.metadata("key").unwrap().unwrap().hits();
        assert_eq!(hits(), 0, "{pair:?}");
        for (worker, (order, expected)) in workers.iter_mut().zip([("flush", 7), ("close", 27), ("flush", 327)]) {
            assert_eq!(worker.ask(order), "done");
            assert_eq!(hits(), expected, "{pair:?}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_warm_hits_write_sync_and_open_nothing() {
    for (pair, options) in Pair::ON_DISK.into_iter().flat_map(|pair| [[].as_slice(), &["no-memory"]].map(|o| (pair, o)))
    {
        let place = Place::new();
        let mut worker = start_all(1, pair, &place, options).remove(0);
        let large = "x".repeat(30_000);
        for (key, value) in [("small", "value"), ("large", large.as_str())] {
            assert_eq!(worker.ask(&format!("put {key} {value}")), "done");
            let answer = worker.ask(&format!("warm-hits {key} 10000"));
            let (told, reads) = answer.rsplit_once(' ').unwrap();
            let expected = "10000 wchar=0 syscw=0 write_bytes=0 descriptors=0";
            assert_eq!(told, expected, "{pair:?} {options:?} {key}");
            // Copies in memory are proven fresh without reading anything.
            assert!(!options.is_empty() || reads == "reads=none", "{pair:?} {key}");
        }
        assert_eq!(worker.ask("flush"), "done");
        let cache = pair.builder(&place.path()).open().unwrap();
        for key in ["small", "large"] {
            assert_eq!(cache.metadata(key).unwrap().unwrap().hits(), 10_010, "{pair:?} {options:?} {key}");
        }
    }
}

#[test]
fn two_writers_and_two_readers_of_fifty_keys_see_no_error() {
    let milliseconds =
        std::env::var("CACHENESS_CHURN_SECONDS").map_or(3000, |seconds| seconds.parse::<u64>().unwrap() * 1000);
    for pair in Pair::SHARED {
        let place = Place::new();
        let mut workers = start_all(4, pair, &place, &["max-size=1000000"]);
        for (number, worker) in (1..).zip(&mut workers) {
            let order = if number <= 2 { "write" } else { "read" };
            worker.tell(&format!("{order} {number} {milliseconds}"));
        }
        // A worker that meets an error ends, and has no answer.
        let counts: Vec<u64> = workers.iter_mut().map(|worker| worker.answer().parse().unwrap()).collect();
        assert!(counts.iter().all(|count| *count > 0), "{pair:?}: {counts:?}");
        workers.iter_mut().for_each(|worker| assert_eq!(worker.ask("close"), "done"));
        let cache = pair.builder(&place.path()).open().unwrap();
        let verified = cache.verify().unwrap();
        assert!(verified.is_clean(), "{pair:?}: {verified:?}");
        let stats = cache.stats().unwrap();
        assert!(stats.bytes <= 1_000_000 && stats.entries <= 50, "{pair:?}: {stats}");
        assert_eq!(pair.stored(pair.builder(&place.path()), &place.path()), stats.blobs, "{pair:?}: {stats}");
    }
}

#[test]
fn three_processes_put_and_sweep_at_once_and_lose_nothing() {
    for pair in [Pair::Sqlite, Pair::PostgresFs, Pair::PostgresS3] {
        let place = Place::new();
        let mut workers = start_all(3, pair, &place, &["graceless"]);
        for (number, worker) in workers.iter_mut().enumerate() {
            worker.tell(&format!("put-and-sweep {number} 12"));
        }
        // What was put is read again before the answer.
        workers.iter_mut().for_each(|worker| assert_eq!(worker.answer(), "done", "{pair:?}"));
        for (number, reader) in (0..3).zip([1, 2, 0]) {
            assert_eq!(workers[reader].ask(&format!("all {number} 12")), "12", "{pair:?}: of process {number}");
        }
        workers.iter_mut().for_each(|worker| assert_eq!(worker.ask("close"), "done"));
        let cache = pair.builder(&place.path()).open().unwrap();
        let (verified, stats) = (cache.verify().unwrap(), cache.stats().unwrap());
        assert!(verified.is_clean(), "{pair:?}: {verified:?}");
        assert_eq!((stats.entries, stats.blobs), (36, 36), "{pair:?}");
        assert_eq!(pair.stored(pair.builder(&place.path()), &place.path()), 36, "{pair:?}");
    }
}

#[test]
fn ten_processes_that_open_a_new_store_at_once_have_one_identity() {
    for pair in Pair::REMOTE {
        let place = Place::new();
        let mut workers = start_all(10, pair, &place, &[]);
        workers.iter_mut().enumerate().for_each(|(number, worker)| worker.tell(&format!("put-and-sweep {number} 1")));
        workers.iter_mut().for_each(|worker| assert_eq!(worker.answer(), "done", "{pair:?}"));
        for number in 0..10 {
            assert_eq!(workers[(number + 1) % 10].ask(&format!("all {number} 1")), "1", "{pair:?}: of {number}");
        }
        // A blob says whose it is: one of another store would be foreign.
        let cache = pair.builder(&place.path()).grace(Duration::ZERO).open().unwrap();
        assert_eq!(cache.sweep().unwrap().foreign, 0, "{pair:?}");
        let verified = cache.verify().unwrap();
        assert!(verified.is_clean() && verified.entries == 10, "{pair:?}: {verified:?}");
    }
}

/// Entries, blobs, bytes, and blobs in their place, that a store is left with.
fn left(pair: Pair, cache: &Cache, place: &Place) -> (u64, u64, u64, u64) {
    let stats = cache.stats().unwrap();
    let stored = pair.stored(pair.builder_by(&place.path(), &place.clock), &place.path());
    (stats.entries, stats.blobs, stats.bytes, stored)
}

#[test]
fn overwriting_ten_times_with_other_types_leaves_one_blob() {
    for pair in Pair::SHARED {
        let place = Place::new();
        let cache = pair.builder_by(&place.path(), &place.clock).open().unwrap();
        for round in 0..10_usize {
            let options =
                PutOptions::new().tags([format!("tag {round}")]).metadata(serde_json::json!({"round": round}));
            match round % 3 {
                0 => cache.put_with("key", &noise(20_000 + round), options),
                1 => cache.put_with("key", &"text ".repeat(5000 + round), options),
                _ => cache.put_with("key", &(0..5000_u64).map(|n| n << 40 | round as u64).collect::<Vec<_>>(), options),
            }
            .unwrap();
            cache.get::<String>("key").unwrap();
            cache.get_shared::<Vec<u64>>("key").unwrap();
        }
        let entry = cache.metadata("key").unwrap().unwrap();
        assert_eq!(
            (entry.tags(), &entry.metadata()["round"]),
            (["tag 9".to_owned()].as_slice(), &9.into()),
            "{pair:?}"
        );
        assert_eq!(left(pair, &cache, &place), (1, 1, entry.stored_size(), 1), "{pair:?}");
        assert!(cache.get::<Vec<u8>>("key").unwrap().unwrap() == noise(20_009), "{pair:?}");
        cache.invalidate_tag("tag 8").unwrap();
        assert!(cache.exists("key").unwrap(), "{pair:?}: the tags of what was replaced are gone with it");
    }
}

#[test]
fn everything_of_an_entry_falls_with_it() {
    type Act = (&'static str, fn(&Cache, &Place));
    let acts: [Act; 6] = [
        ("invalidate", |cache, _| assert!(cache.invalidate("key").unwrap())),
        ("invalidate_where", |cache, _| assert_eq!(cache.invalidate_where(&Filter::All).unwrap(), 1)),
        ("expiry", |cache, place| {
            place.clock.advance(Duration::from_secs(100));
            assert_eq!(cache.cleanup_expired().unwrap(), 1);
        }),
        ("tag", |cache, _| {
            cache.invalidate_tag("tag").unwrap();
            assert_eq!(cache.cleanup_expired().unwrap(), 1);
        }),
        ("eviction", |cache, place| {
            place.clock.advance(Duration::from_secs(1));
            cache.put("other", &noise(90_000)).unwrap();
            cache.invalidate("other").unwrap();
        }),
        ("clear", |cache, _| assert_eq!(cache.clear().unwrap(), 1)),
    ];
    let pairs = [Pair::Json, Pair::Sqlite, Pair::PostgresS3];
    for (pair, (name, act)) in pairs.into_iter().flat_map(|pair| acts.map(|act| (pair, act))) {
        let place = Place::new();
        let cache = pair.builder_by(&place.path(), &place.clock).max_size(100_000).open().unwrap();
        let options =
            PutOptions::new().tags(["tag"]).metadata(serde_json::json!({"a": 1})).ttl(Duration::from_secs(100));
        cache.put_with("key", &noise(50_000), options).unwrap();
        cache.get::<Vec<u8>>("key").unwrap().unwrap();
        cache.get_shared::<Vec<u8>>("key").unwrap().unwrap();
        act(&cache, &place);
        assert_eq!(left(pair, &cache, &place), (0, 0, 0, 0), "{pair:?} {name}");
        assert!(cache.get::<Vec<u8>>("key").unwrap().is_none(), "{pair:?} {name}");
        assert_eq!(cache.stats().unwrap().memory.unwrap().entries, 0, "{pair:?} {name}: copies");
        cache.put("key", "new").unwrap();
        let entry = cache.metadata("key").unwrap().unwrap();
        assert!(entry.tags().is_empty() && entry.metadata().is_empty() && entry.hits() == 0, "{pair:?} {name}");
        cache.close().unwrap();
        if pair == Pair::Sqlite {
            let index = rusqlite::Connection::open(place.path().join("index.db")).unwrap();
            let orphans = "SELECT count(*) FROM usage WHERE id NOT IN (SELECT id FROM records)";
            assert_eq!(index.query_row(orphans, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "{name}");
        }
    }
}
