//! Many threads: every caller gets its own outcome, and nobody is left waiting.

use crate::{assert_totals_are_recounted, commit, open, place, put};
use cacheness_backend_sqlite::{SqliteConfig, SqliteMetadata};
use cacheness_core::runtime::block_on;
use cacheness_storage::{
    Change, Clock, Condition, EntryKey, ErrorKind, Fields, Filter, MetadataBackend, OnUnmet, OpenContext, Query,
    Reclaim, ReclaimOrder, Record, Timestamp,
};
use cacheness_testkit::SeededRng;
use cacheness_testkit::records::{NOW, blob, in_blob, inline, sample, version};
use rusqlite::{Connection, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn totals_are_right_after_many_threads_changed_the_same_keys() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let index = &index;
            scope.spawn(move || {
                let chance = SeededRng::new(thread);
                for step in 0..150 {
                    let number = thread * 1000 + step;
                    let key = format!("key {}", chance.below(20));
                    let record = match chance.below(4) {
                        0 => in_blob(&key, blob(number), 1 + chance.below(1 << 20)),
                        1 => in_blob(&key, blob(1_000_000 + chance.below(3)), 77),
                        _ => inline(&key, vec![7; chance.below(300) as usize]),
                    };
                    let change = match chance.below(5) {
                        0 => Change::Remove { key: EntryKey::new(&key), condition: Condition::Always },
                        1 => Change::Use { key: EntryKey::new(&key), at: NOW, hits: 1 },
                        _ => put(Record { version: version(number), ..record }),
                    };
                    commit(index, vec![change, put(sample(&format!("\u{10FFFF}{}", chance.below(3))))]).unwrap();
                }
            });
        }
    });
    assert_totals_are_recounted(&index, &path);
}

#[test]
fn each_of_many_threads_gets_its_own_outcome() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    thread::scope(|scope| {
        for thread in 0..8u64 {
            let index = &index;
            scope.spawn(move || {
                for step in 0..100u64 {
                    let key = format!("{thread}");
                    let record = Record { version: version(step), ..sample(&key) };
                    let outcome = &commit(index, vec![put(record)]).unwrap()[0];
                    let previous = step.checked_sub(1).map(version);
                    assert!(
                        matches!(outcome, cacheness_storage::Outcome::Applied { previous: p, .. } if *p == previous),
                        "{outcome:?}"
                    );
                    let found = block_on(index.get(&[EntryKey::new(&key)], Fields::LEAST)).unwrap();
                    assert_eq!(found[0].as_ref().unwrap().version, version(step));
                }
            });
        }
    });
}

#[test]
fn a_batch_that_fails_harms_no_other() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    thread::scope(|scope| {
        for thread in 0..8u64 {
            let index = &index;
            scope.spawn(move || {
                for step in 0..50 {
                    let good = in_blob(&format!("{thread}/{step}"), blob(thread * 100 + step), 10);
                    let bad = Record { location: cacheness_storage::Location::Omitted, ..sample("bad") };
                    if thread % 2 == 0 {
                        let error = commit(index, vec![put(good), put(bad)]).unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
                    } else {
                        assert!(commit(index, vec![put(good)]).unwrap()[0].is_applied());
                    }
                }
            });
        }
    });
    assert_eq!(block_on(index.stats()).unwrap().entries, 4 * 50);
    assert_totals_are_recounted(&index, &path);
}

#[test]
fn a_get_of_many_keys_shows_one_moment() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let keys = [EntryKey::new("left"), EntryKey::new("right")];
    let both = |n| {
        let at = |key| put(Record { version: version(n), ..sample(key) });
        vec![at("left"), at("right")]
    };
    commit(&index, both(0)).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..500 {
                commit(&index, both(n)).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let found = block_on(index.get(&keys, Fields::LEAST)).unwrap();
            let versions: Vec<_> = found.into_iter().map(|record| record.unwrap().version).collect();
            assert_eq!(versions[0], versions[1]);
        }
    });
}

#[test]
fn readers_wait_for_nobody_and_writers_say_who_they_wait_for() {
    let (_directory, path) = place();
    let config = SqliteConfig::default().busy_timeout_ms(1);
    let index = SqliteMetadata::open(&path, &OpenContext::new(), config).unwrap();
    commit(&index, vec![put(sample("before"))]).unwrap();

    let mut other = Connection::open(&path).unwrap();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let error = commit(&index, vec![put(sample("during"))]).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
    let found = block_on(index.get(&["before".into(), "during".into()], Fields::ALL)).unwrap();
    assert_eq!(found, [Some(sample("before")), None]);
    assert_eq!(block_on(index.page(&Query::new(), None)).unwrap().records.len(), 1);
    let plan = Reclaim::Entries {
        filter: Filter::All,
        order: ReclaimOrder::Key,
        limit: 9,
        until_bytes: None,
        until_entries: None,
    };
    assert!(block_on(index.reclaim(&plan)).unwrap().busy);

    drop(lock);
    assert!(commit(&index, vec![put(sample("during"))]).unwrap()[0].is_applied());
    let reclaimed = block_on(index.reclaim(&plan)).unwrap();
    assert_eq!((reclaimed.keys.len(), reclaimed.busy), (2, false));
}

#[test]
fn a_page_leaves_no_lock_behind() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    for n in 0..10 {
        commit(&index, vec![put(sample(&format!("{n}")))]).unwrap();
    }
    let page = block_on(index.page(&Query::new().limit(3), None)).unwrap();
    assert_eq!((page.records.len(), page.next.is_some()), (3, true));
    let (busy, _, _) = Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .unwrap();
    assert_eq!(busy, 0);
}

#[test]
fn more_threads_than_readers_all_read() {
    let (_directory, path) = place();
    let index = SqliteMetadata::open(&path, &OpenContext::new(), SqliteConfig::default().readers(1)).unwrap();
    commit(&index, vec![put(sample("key"))]).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let found = block_on(index.get(&["key".into()], Fields::ALL)).unwrap();
                    assert_eq!(found, [Some(sample("key"))]);
                }
            });
        }
    });
}

#[test]
fn closing_ends_those_who_wait() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let index = &index;
            scope.spawn(move || {
                let mut step = 0;
                loop {
                    step += 1;
                    match commit(index, vec![put(sample(&format!("{thread}/{step}")))]) {
                        Ok(outcomes) => assert!(outcomes[0].is_applied()),
                        Err(error) => return assert_eq!(error.kind(), ErrorKind::Closed, "{error}"),
                    }
                }
            });
            scope.spawn(move || while block_on(index.get(&["0/1".into()], Fields::ALL)).is_ok() {});
        }
        while block_on(index.stats()).unwrap().entries < 50 {}
        block_on(index.close()).unwrap();
        block_on(index.close()).unwrap();
    });
    assert_eq!(block_on(index.stats()).unwrap_err().kind(), ErrorKind::Closed);
}

/// A clock that panics on some threads.
#[derive(Debug)]
struct Fragile;

impl Clock for Fragile {
    fn now(&self) -> Timestamp {
        assert_ne!(thread::current().name(), Some("fragile"), "the clock broke");
        NOW
    }
}

#[test]
fn a_panic_in_one_commit_leaves_the_others_working() {
    let (_directory, path) = place();
    let context = OpenContext::new().clock(Arc::new(Fragile));
    let index = SqliteMetadata::open(&path, &context, SqliteConfig::default()).unwrap();
    thread::scope(|scope| {
        let index = &index;
        for thread in 0..3 {
            scope.spawn(move || {
                for step in 0..100 {
                    // A commit that the panicking thread had taken along fails; it may not hang.
                    drop(commit(index, vec![put(sample(&format!("{thread}/{step}")))]));
                }
            });
        }
        let fragile = move || {
            for step in 0..20 {
                let change = || commit(index, vec![put(sample(&format!("fragile/{step}")))]);
                drop(catch_unwind(AssertUnwindSafe(change)));
            }
        };
        thread::Builder::new().name("fragile".into()).spawn_scoped(scope, fragile).unwrap();
    });
    assert!(commit(&index, vec![put(sample("after"))]).unwrap()[0].is_applied());
    assert_totals_are_recounted(&index, &path);
    let aborted = block_on(index.commit(vec![put(sample("last"))], OnUnmet::Abort)).unwrap();
    assert!(aborted[0].is_applied());
}
