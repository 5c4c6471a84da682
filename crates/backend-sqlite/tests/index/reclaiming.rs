//! Giving space back, beyond the contract.

use crate::{commit, open, place, put};
use cacheness_backend_sqlite::{SqliteConfig, SqliteMetadata};
use cacheness_core::runtime::block_on;
use cacheness_storage::{Clock, Filter, MetadataBackend, OpenContext, Reclaim, ReclaimOrder, Timestamp};
use cacheness_testkit::records::{NOW, inline};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn plan(limit: usize, until_bytes: Option<u64>) -> Reclaim {
    Reclaim::Entries { filter: Filter::All, order: ReclaimOrder::Key, limit, until_bytes, until_entries: None }
}

#[test]
fn there_is_no_more_when_the_last_removal_was_enough() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    commit(&index, (0..3).map(|n| put(inline(&format!("{n}"), vec![0; 10]))).collect()).unwrap();
    let reclaimed = block_on(index.reclaim(&plan(2, Some(10)))).unwrap();
    assert_eq!((reclaimed.keys, reclaimed.more), (vec!["0".into(), "1".into()], false));
}

#[test]
fn one_reclaim_removes_ten_thousand_records_at_most_in_several_transactions() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    commit(&index, (0..10_001).map(|n| put(inline(&format!("{n}"), vec![0; 10]))).collect()).unwrap();
    let enough = block_on(index.reclaim(&plan(usize::MAX, Some(10_001 * 10 - 15_010)))).unwrap();
    assert_eq!((enough.keys.len(), enough.more), (1501, false), "in the middle of a transaction");
    let back = enough.keys.iter().map(|key| put(inline(key.as_str(), vec![0; 10]))).collect();
    commit(&index, back).unwrap();
    let first = block_on(index.reclaim(&plan(usize::MAX, None))).unwrap();
    assert_eq!((first.keys.len(), first.more), (10_000, true));
    let second = block_on(index.reclaim(&plan(usize::MAX, None))).unwrap();
    assert_eq!((second.keys.len(), second.more), (1, false));
}

/// A clock that holds up the thread `slow` until it is let go.
#[derive(Debug, Default)]
struct Holdup {
    reached: AtomicBool,
    let_go: AtomicBool,
}

impl Clock for Holdup {
    fn now(&self) -> Timestamp {
        if thread::current().name() == Some("slow") {
            self.reached.store(true, Ordering::Relaxed);
            while !self.let_go.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        }
        NOW
    }
}

#[test]
fn a_second_reclaim_at_the_same_time_does_nothing() {
    let (_directory, path) = place();
    let clock = Arc::new(Holdup::default());
    let context = OpenContext::new().clock(clock.clone());
    let index = &SqliteMetadata::open(&path, &context, SqliteConfig::default()).unwrap();
    commit(index, vec![put(inline("key", "payload"))]).unwrap();
    thread::scope(|scope| {
        let slow = move || block_on(index.reclaim(&plan(10, None))).unwrap();
        let slow = thread::Builder::new().name("slow".into()).spawn_scoped(scope, slow).unwrap();
        while !clock.reached.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        let second = block_on(index.reclaim(&plan(10, None))).unwrap();
        assert!(second.busy && second.keys.is_empty());
        clock.let_go.store(true, Ordering::Relaxed);
        let first = slow.join().unwrap();
        assert_eq!((first.keys.len(), first.busy), (1, false));
    });
}
