//! Threads that change records and threads that serve copies of them: no copy is older than what anybody knows.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use cacheness_generations::{Generations, Stamp};
use common::*;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

/// How often each serving thread serves a copy, and how often it has to read the record anew, at least.
const HITS: u32 = 300;
const READS: u32 = 300;
const SERVING: usize = 2;

/// A record of the model's index, and the newest value of it that anybody saw: from its commit on, the writer has.
#[derive(Default)]
struct Record {
    value: AtomicU64,
    known: AtomicU64,
}

/// Serves a record from a copy while that is fresh.
fn serve(generations: &Generations, key: &[u8], record: &Record) {
    let mut copy: Option<(Stamp, u64)> = None;
    let (mut hits, mut reads) = (0_u32, 0_u32);
    while hits < HITS || reads < READS {
        let known = record.known.load(SeqCst);
        let served = match copy {
            Some((stamp, value)) if generations.is_fresh(stamp) => {
                hits += 1;
                if hits.is_multiple_of(64) {
                    thread::yield_now();
                }
                value
            }
            _ => {
                reads += 1;
                let stamp = generations.stamp(key);
                // So that a change fits between the stamp and the read, also where threads take turns.
                if reads.is_multiple_of(4) {
                    thread::yield_now();
                }
                let value = record.value.load(SeqCst);
                copy = stamp.map(|stamp| (stamp, value));
                value
            }
        };
        assert!(served >= known, "{served} was served when {known} was known");
        record.known.fetch_max(served, SeqCst);
    }
}

/// Changes a record until its serving threads are done.
fn write(generations: &Generations, key: &[u8], record: &Record, serving: &[thread::ScopedJoinHandle<'_, ()>]) {
    let mut changes = 0_u32;
    while !serving.iter().all(|thread| thread.is_finished()) {
        changes = changes.wrapping_add(1);
        let yields = changes.is_multiple_of(16);
        let changing = generations.change([key]);
        if yields {
            thread::yield_now();
        }
        let value = record.value.fetch_add(1, SeqCst) + 1;
        record.known.fetch_max(value, SeqCst);
        if yields {
            thread::yield_now();
        }
        drop(changing);
        thread::yield_now();
    }
}

fn stress(writing: &Generations, serving: &Generations) {
    let (one, two) = neighbours();
    let keys = [one, two];
    let records: [Record; 2] = Default::default();
    thread::scope(|scope| {
        for (key, record) in keys.iter().zip(&records) {
            let threads: Vec<_> = (0..SERVING).map(|_| scope.spawn(|| serve(serving, key, record))).collect();
            scope.spawn(move || write(writing, key, record, &threads));
        }
    });
}

#[test]
fn copies_on_the_heap_are_never_older_than_what_is_known() {
    let generations = Generations::in_process();
    stress(&generations, &generations);
}

#[test]
fn copies_across_two_openings_are_never_older_than_what_is_known() {
    let (_directory, path) = place();
    let (writing, serving) = (Generations::open(&path).unwrap(), Generations::open(&path).unwrap());
    stress(&writing, &serving);
}
