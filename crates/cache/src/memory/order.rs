//! Every copy's place in the eviction policy, and whose it is.

use super::shard::Used;
use crate::hashed::Hashed;
use cacheness_core::policy::{Eviction, Slot};

#[derive(Debug)]
pub(super) struct Order {
    eviction: Eviction,
    /// By slot.
    keys: Vec<Hashed>,
    slots: Vec<Slot>,
    evictions: u64,
}

impl Order {
    pub(super) fn new(eviction: Eviction) -> Self {
        Self { eviction, keys: Vec::new(), slots: Vec::new(), evictions: 0 }
    }

    pub(super) fn apply(&mut self, used: &Used) {
        used.slots().for_each(|slot| self.eviction.touch(slot));
    }

    /// Whether something has to go before a copy of this weight comes in.
    pub(super) fn is_full_for(&self, weight: u64) -> bool {
        self.eviction.weight().saturating_add(weight) > self.eviction.capacity()
    }

    /// A slot for a copy, or `None` when it is not worth one; `evict` is called with the keys of those that make room.
    pub(super) fn insert(&mut self, hashed: Hashed, weight: u64, evict: impl FnMut(&Hashed)) -> Option<Slot> {
        self.slots.clear();
        let slot = self.eviction.insert(hashed.hash, weight, &mut self.slots);
        self.evictions += self.slots.len() as u64;
        self.slots.iter().filter_map(|slot| self.keys.get(*slot as usize)).for_each(evict);
        let slot = slot?;
        match self.keys.get_mut(slot as usize) {
            Some(key) => *key = hashed,
            // Slots are given out one after the other.
            None => self.keys.push(hashed),
        }
        Some(slot)
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        self.eviction.remove(slot);
    }

    pub(super) fn entries(&self) -> u64 {
        self.eviction.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.eviction.weight()
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }
}
