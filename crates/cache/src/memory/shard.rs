//! The copies of some keys, and which of them were used lately.

use super::copy::MemoryCopy;
use super::hashed::{BuildKnown, Hashed};
use super::proof::Evidence;
use cacheness_core::policy::Slot;
use std::collections::HashMap;
use std::sync::Arc;

/// How many uses are noted before they go to the order.
const NOTED: usize = 16;

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) copy: Arc<MemoryCopy>,
    pub(super) evidence: Evidence,
    pub(super) slot: Slot,
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) copies: HashMap<Hashed, Kept, BuildKnown>,
    pub(super) hits: u64,
    pub(super) misses: u64,
    used: Used,
}

/// Slots in the order of their uses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    slots: [Slot; NOTED],
    count: usize,
}

impl Used {
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slots.iter().copied().take(self.count)
    }
}

impl Shard {
    /// Notes a hit. When so many are noted that they should go to the order, they are returned.
    pub(super) fn hit(&mut self, slot: Slot) -> Option<Used> {
        self.hits += 1;
        if let Some(next) = self.used.slots.get_mut(self.used.count) {
            *next = slot;
            self.used.count += 1;
        }
        (self.used.count == NOTED).then(|| self.take_used())
    }

    /// What was used since this was called last.
    pub(super) fn take_used(&mut self) -> Used {
        std::mem::take(&mut self.used)
    }

    /// Takes out the copy of a key if it is this one.
    pub(super) fn take_if(&mut self, hashed: &Hashed, seen: &Arc<MemoryCopy>) -> Option<Kept> {
        let is_same = self.copies.get(hashed).is_some_and(|kept| Arc::ptr_eq(&kept.copy, seen));
        if is_same { self.copies.remove(hashed) } else { None }
    }
}
