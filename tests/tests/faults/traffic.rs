//! Work on a shared store whose every answer can be judged: values name their key and how many changes of it came before.

use crate::common::bytes;
use cacheness::{Error, ErrorKind, sync::Cache};
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many keys each worker changes, alone; everybody reads all of them.
const KEYS: u64 = 4;

/// How many keys everybody computes.
const COMPUTED: u64 = 6;

/// A value that tells what it is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    key: u64,
    change: u64,
    filler: Filler,
}

/// Bytes that follow from key and change. Printed, they are not shown.
#[derive(PartialEq, Serialize, Deserialize)]
struct Filler(Vec<u8>);

impl std::fmt::Debug for Filler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// Every fifth change of a key removes it.
fn removes(change: u64) -> bool {
    change.is_multiple_of(5)
}

/// Most values ride in the index, every third is a blob.
fn told(key: u64, change: u64) -> Told {
    let seed = key * 1_000_003 + change;
    let size = if seed.is_multiple_of(3) { 17_000 + usize::try_from(seed % 7).unwrap() * 9000 } else { 300 };
    Told { key, change, filler: Filler(bytes(seed, size)) }
}

/// The changes of a key, by their number: the last that began, and the last that was acknowledged.
#[derive(Debug, Default)]
struct Changes {
    begun: AtomicU64,
    acknowledged: AtomicU64,
}

/// What a get may find: nothing at all may be what it finds where a sick backend counts as an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The value of the last change that was acknowledged, or of a later one.
    Kept,
    /// That, or nothing.
    KeptOrNothing,
}

/// What happened so far.
#[derive(Debug)]
pub(crate) struct Traffic {
    workers: u64,
    promise: Promise,
    changes: Vec<Changes>,
    stops: AtomicBool,
    pub(crate) successes: AtomicU64,
    pub(crate) failures: AtomicU64,
    slowest: Mutex<(Duration, &'static str)>,
}

impl Traffic {
    pub(crate) fn new(workers: u64, promise: Promise) -> Self {
        let changes = (0..workers * KEYS).map(|_| Changes::default()).collect();
        let [successes, failures] = [0; 2].map(AtomicU64::new);
        let slowest = Mutex::new((Duration::ZERO, ""));
        Self { workers, promise, changes, stops: AtomicBool::new(false), successes, failures, slowest }
    }

    pub(crate) fn stop(&self) {
        self.stops.store(true, Ordering::SeqCst);
    }

    /// How long the slowest call took, and which it was.
    pub(crate) fn slowest(&self) -> (Duration, &'static str) {
        *self.slowest.lock().unwrap()
    }

    /// Works until it is told to stop: each worker by its own cache, or by one of several machines.
    pub(crate) fn run(&self, caches: &[Cache]) {
        thread::scope(|scope| {
            for (worker, cache) in (0..self.workers).zip(caches.iter().cycle()) {
                scope.spawn(move || self.work(worker, cache));
            }
        });
    }

    fn work(&self, worker: u64, cache: &Cache) {
        let mut turn = worker;
        while !self.stops.load(Ordering::SeqCst) {
            turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let dice = turn >> 33;
            match dice % 10 {
                0..3 => self.change(worker * KEYS + dice / 10 % KEYS, cache),
                3..8 => self.read(dice / 10 % (self.workers * KEYS), cache),
                8 => self.compute(dice / 10 % COMPUTED, cache),
                _ => self.forget(dice / 10 % COMPUTED, cache),
            }
        }
    }

    /// Times a call; `None` when it failed as calls may whose server is gone.
    fn call<T>(&self, what: &'static str, call: impl FnOnce() -> Result<T, Error>) -> Option<T> {
        let began = Instant::now();
        let result = call();
        let took = began.elapsed();
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = (*slowest).max((took, what));
        drop(slowest);
        match result {
            Ok(done) => {
                self.successes.fetch_add(1, Ordering::Relaxed);
                Some(done)
            }
            Err(error) => {
                let sick = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::CircuitOpen];
                assert!(sick.contains(&error.kind()) && self.promise == Promise::Kept, "{what}: {error}");
                crate::common::line(&error);
                self.failures.fetch_add(1, Ordering::Relaxed);
                // Who is refused at once would keep the others from their work.
                thread::sleep(Duration::from_millis(2));
                None
            }
        }
    }

    /// Makes the next change of a key; only its owner does.
    fn change(&self, key: u64, cache: &Cache) {
        let changes = &self.changes[usize::try_from(key).unwrap()];
        let change = changes.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let done = if removes(change) {
            self.call("invalidate", || cache.invalidate(("told", key)).map(drop))
        } else {
            self.call("put", || cache.put(("told", key), &told(key, change)).map(drop))
        };
        if done.is_some() {
            changes.acknowledged.store(change, Ordering::SeqCst);
        }
    }

    fn read(&self, key: u64, cache: &Cache) {
        let changes = &self.changes[usize::try_from(key).unwrap()];
        let acknowledged = changes.acknowledged.load(Ordering::SeqCst);
        if let Some(got) = self.call("get", || cache.get::<Told>(("told", key))) {
            self.judge(key, acknowledged, changes.begun.load(Ordering::SeqCst), got);
        }
    }

    /// A get found this: the key's change `acknowledged` was over before it began, and none after `begun` had begun when it
    /// ended.
    fn judge(&self, key: u64, acknowledged: u64, begun: u64, got: Option<Told>) {
        match got {
            Some(got) => {
                assert!((acknowledged..=begun).contains(&got.change), "{got:?} of {acknowledged} to {begun} of {key}");
                assert!(!removes(got.change) && got == told(key, got.change), "{got:?} under {key}");
            }
            None if self.promise == Promise::KeptOrNothing => {}
            None => {
                let may_be_gone = acknowledged == 0 || (acknowledged..=begun).any(removes);
                assert!(may_be_gone, "{key} is gone, of changes {acknowledged} to {begun}");
            }
        }
    }

    fn compute(&self, key: u64, cache: &Cache) {
        let got = self.call("get_or_put", || cache.get_or_put(("computed", key), || told(key, 0)));
        assert!(got.is_none_or(|got| got == told(key, 0)), "{key}");
    }

    fn forget(&self, key: u64, cache: &Cache) {
        self.call("forget", || cache.invalidate(("computed", key)));
    }

    /// Compares what another machine finds with what was acknowledged, now that everything works and nobody works.
    pub(crate) fn check(&self, cache: &Cache) -> usize {
        let mut found = 0;
        for (key, changes) in (0..).zip(&self.changes) {
            let [acknowledged, begun] = [&changes.acknowledged, &changes.begun].map(|n| n.load(Ordering::SeqCst));
            let got = cache.get::<Told>(("told", key)).unwrap();
            found += usize::from(got.is_some());
            self.judge(key, acknowledged, begun, got);
        }
        found
    }
}
