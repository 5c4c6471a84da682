//! The policies through their public face.

mod frequency;
mod order;
mod random_operations;
mod traces;

use super::{Eviction, Policy, Slot};
use crate::{Result, Rng};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

const ALL: [Policy; 5] = [Policy::Lru, Policy::Lfu, Policy::Fifo, Policy::Random, Policy::WTinyLfu];

/// The finaliser of SplitMix64 over a counter: chance that repeats itself, and a good hash.
#[derive(Debug)]
struct Seeded(AtomicU64);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        mix(self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl Rng for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill_with(|| self.next() as u8);
        Ok(())
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A cache of keys: a map beside an eviction structure, as callers have it.
struct Keys {
    eviction: Eviction,
    slots: HashMap<u64, Slot>,
    keys: Vec<u64>,
    evicted: RefCell<Vec<u64>>,
}

impl Keys {
    fn new(policy: Policy, capacity: u64) -> Self {
        Self::seeded(policy, capacity, 1)
    }

    fn seeded(policy: Policy, capacity: u64, seed: u64) -> Self {
        let eviction = Eviction::new(policy, capacity, &Seeded::new(seed)).unwrap();
        Self { eviction, slots: HashMap::new(), keys: Vec::new(), evicted: RefCell::default() }
    }

    /// Uses a key of weight 1, or takes it in; whether it was there.
    fn ask(&mut self, key: u64) -> bool {
        self.ask_weighing(key, 1)
    }

    fn ask_weighing(&mut self, key: u64, weight: u64) -> bool {
        if let Some(slot) = self.slots.get(&key) {
            self.eviction.touch(*slot);
            return true;
        }
        let mut evicted = Vec::new();
        let slot = self.eviction.insert(mix(key), weight, &mut evicted);
        for slot in evicted {
            let gone = self.keys[slot as usize];
            assert!(self.slots.remove(&gone).is_some(), "{gone} was evicted twice");
            self.evicted.borrow_mut().push(gone);
        }
        if let Some(slot) = slot {
            self.keys.resize(self.keys.len().max(slot as usize + 1), 0);
            self.keys[slot as usize] = key;
            self.slots.insert(key, slot);
        }
        false
    }

    fn ask_all(&mut self, keys: impl IntoIterator<Item = u64>) {
        keys.into_iter().for_each(|key| {
            self.ask(key);
        });
    }

    fn remove(&mut self, key: u64) {
        if let Some(slot) = self.slots.remove(&key) {
            assert!(self.eviction.remove(slot));
        }
    }

    /// The keys evicted since the last call, in their order.
    fn evicted(&self) -> Vec<u64> {
        self.evicted.take()
    }

    fn has(&self, key: u64) -> bool {
        self.slots.contains_key(&key)
    }
}
