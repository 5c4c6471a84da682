//! Many threads at once: nothing old after something new, nothing too heavy, nothing lost.

use super::{NOW, Seeded, copy, exclusive, fresh, key, layer, load, version};
use crate::MemoryPolicy;
use crate::memory::{MemoryConfig, MemoryLayer, MemoryLookup};
use cacheness_storage::{Coherence, Generations};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

const KEYS: u64 = 16;
const LIMIT: u64 = 30_000;

/// An index in which a version is a number that grows.
struct Index {
    versions: Vec<AtomicU64>,
    /// The version that was acknowledged or seen by somebody.
    known: Vec<AtomicU64>,
}

impl Index {
    fn new() -> Self {
        let zeros = || (0..KEYS).map(|_| AtomicU64::new(1)).collect();
        Self { versions: zeros(), known: zeros() }
    }
}

/// Readers look up and load, writers commit inside `commit`; nobody may read what is older than what was known before.
fn race(layer: &MemoryLayer, commit: impl Fn(u64, &dyn Fn()) + Sync) {
    let index = Index::new();
    let stop = AtomicBool::new(false);
    let reader = |seed| {
        let chance = Seeded::new(seed);
        for _ in 0..20_000 {
            let number = chance.below(KEYS);
            let at = number as usize;
            let known = index.known[at].load(Ordering::SeqCst);
            let read = match layer.get(key(number), NOW) {
                MemoryLookup::Fresh(copy) => version(&copy),
                MemoryLookup::Unproven(_) => unreachable!(),
                MemoryLookup::Absent => {
                    let ticket = layer.begin_load(key(number), NOW);
                    let read = index.versions[at].load(Ordering::SeqCst);
                    if chance.one_in(4) {
                        thread::yield_now();
                    }
                    if let Some(ticket) = ticket {
                        layer.insert(ticket, copy(read, chance.below(4000) as usize));
                    }
                    read
                }
            };
            assert!(read >= known, "{read} after {known}");
            index.known[at].fetch_max(read, Ordering::SeqCst);
            assert!(!chance.one_in(64) || layer.stats().bytes <= LIMIT);
        }
    };
    let writer = |seed| {
        let chance = Seeded::new(seed);
        while !stop.load(Ordering::Relaxed) {
            let number = chance.below(KEYS);
            let at = number as usize;
            commit(number, &|| {
                index.versions[at].fetch_add(1, Ordering::SeqCst);
                if chance.one_in(2) {
                    thread::yield_now();
                }
            });
            index.known[at].fetch_max(index.versions[at].load(Ordering::SeqCst), Ordering::SeqCst);
            for _ in 0..chance.below(20) {
                thread::yield_now();
            }
        }
    };
    thread::scope(|scope| {
        let (reader, writer) = (&reader, &writer);
        let readers: Vec<_> = (0..4).map(|seed| scope.spawn(move || reader(seed))).collect();
        let writers: Vec<_> = (10..12).map(|seed| scope.spawn(move || writer(seed))).collect();
        let ended: Vec<_> = readers.into_iter().map(|reader| reader.join()).collect();
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        ended.into_iter().for_each(|ended| ended.unwrap());
    });
    let stats = layer.stats();
    assert!(stats.hits > 0 && stats.misses > 0 && stats.bytes <= LIMIT, "{stats:?}");
}

fn config() -> MemoryConfig {
    MemoryConfig::new().limit(LIMIT).policy(MemoryPolicy::Lru)
}

#[test]
fn by_generations_no_thread_reads_what_is_older_than_what_was_known() {
    let generations = Generations::in_process();
    let layer = layer(&config(), Coherence::Generations(generations.reader().clone()));
    race(&layer, |number, commit| {
        let changing = generations.change([key(number).entry_key().as_str().as_bytes()]);
        commit();
        drop(changing);
    });
}

#[test]
fn by_changes_no_thread_reads_what_is_older_than_what_was_known() {
    let layer = exclusive(&config());
    race(&layer, |number, commit| {
        let changing = layer.change([key(number)]);
        commit();
        drop(changing);
    });
}

#[test]
fn what_is_counted_is_there_after_everybody_did_everything() {
    for policy in [MemoryPolicy::WTinyLfu, MemoryPolicy::Lfu, MemoryPolicy::Random] {
        let layer = exclusive(&MemoryConfig::new().limit(LIMIT).policy(policy));
        let work = |seed| {
            let chance = Seeded::new(seed);
            for step in 0..5000 {
                let one = key(chance.below(40));
                match chance.below(20) {
                    0 => drop(layer.change([one])),
                    1 if step % 50 == 0 => drop(layer.change_all()),
                    2..10 => drop(load(&layer, one, copy(step, chance.below(3000) as usize))),
                    _ => {
                        if let MemoryLookup::Fresh(seen) = layer.get(one, NOW)
                            && chance.one_in(10)
                        {
                            layer.replace(one, &seen, copy(step, 10));
                        }
                    }
                }
            }
        };
        thread::scope(|scope| (0..4).for_each(|seed| drop(scope.spawn(move || work(seed)))));
        let there = (0..40).filter(|number| fresh(&layer, key(*number)).is_some()).count() as u64;
        let stats = layer.stats();
        assert_eq!(stats.entries, there, "{policy:?}");
        assert!(stats.bytes <= LIMIT);
        drop(layer.change_all());
        assert_eq!((layer.stats().entries, layer.stats().bytes), (0, 0), "{policy:?}");
    }
}
