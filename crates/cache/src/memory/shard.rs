//! The copies of some keys, which of them were used lately, and how often.

use super::copy::MemoryCopy;
use super::proof::Evidence;
use crate::hashed::{BuildKnown, Hashed};
use crate::uses::Uses;
use cacheness_core::Timestamp;
use cacheness_core::policy::Slot;
use cacheness_storage::Usage;
use std::collections::HashMap;
use std::sync::Arc;

/// How many uses are noted before they go to the order.
const NOTED: usize = 16;

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) copy: Arc<MemoryCopy>,
    pub(super) evidence: Evidence,
    pub(super) slot: Slot,
    /// Its place among those with untold uses.
    place: u32,
    /// Uses that the index does not know yet.
    pub(super) untold: Usage,
}

impl Kept {
    pub(super) fn new(copy: Arc<MemoryCopy>, evidence: Evidence, slot: Slot) -> Self {
        Self { copy, evidence, slot, place: 0, untold: Usage::default() }
    }
}

/// In cache lines that no other shard has a part in.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard {
    copies: HashMap<Hashed, Kept, BuildKnown>,
    pub(super) hits: u64,
    pub(super) misses: u64,
    used: Used,
    /// The copies with untold uses.
    untold: Vec<Hashed>,
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

    fn note(&mut self, slot: Slot) {
        if let Some(next) = self.slots.get_mut(self.count) {
            *next = slot;
            self.count += 1;
        }
    }
}

impl Shard {
    pub(super) fn get(&self, hashed: &Hashed) -> Option<&Kept> {
        self.copies.get(hashed)
    }

    /// Notes a hit.
    pub(super) fn hit(&mut self, slot: Slot) {
        self.hits += 1;
        self.used.note(slot);
    }

    /// What `take` makes of the copy of a key; that is a hit then, and a use, which is noted with the copy.
    #[inline]
    pub(super) fn serve<V>(
        &mut self,
        hashed: &Hashed,
        now: Timestamp,
        uses: Option<&Uses>,
        take: impl FnOnce(&Kept) -> Option<V>,
    ) -> Option<V> {
        let kept = self.copies.get_mut(hashed)?;
        let value = take(kept)?;
        self.hits += 1;
        if kept.untold.hits > 0 {
            kept.untold.note(now, 1);
        } else if uses.is_some_and(Uses::admit) {
            kept.untold.note(now, 1);
            kept.place = self.untold.len() as u32;
            self.untold.push(*hashed);
        }
        self.used.note(kept.slot);
        Some(value)
    }

    /// What was used since it went to the order, when that is so much that it should go there again.
    #[inline]
    pub(super) fn much_used(&mut self) -> Option<Used> {
        if self.used.count < NOTED { None } else { Some(self.take_used()) }
    }

    /// What was used since this was called last.
    pub(super) fn take_used(&mut self) -> Used {
        std::mem::take(&mut self.used)
    }

    /// The uses that the index does not know yet; they count as told from now on.
    pub(super) fn take_untold(&mut self) -> Vec<(Hashed, Usage)> {
        let untold = std::mem::take(&mut self.untold);
        let usage = |hashed| Some((hashed, std::mem::take(&mut self.copies.get_mut(&hashed)?.untold)));
        untold.into_iter().filter_map(usage).collect()
    }

    pub(super) fn insert(&mut self, hashed: Hashed, kept: Kept) {
        self.copies.insert(hashed, kept);
    }

    /// Takes out the copy of a key.
    pub(super) fn remove(&mut self, hashed: &Hashed) -> Option<Gone> {
        let kept = self.copies.remove(hashed)?;
        if kept.untold.hits > 0 {
            self.untold.swap_remove(kept.place as usize);
            let moved = self.untold.get(kept.place as usize).and_then(|moved| self.copies.get_mut(moved));
            moved.into_iter().for_each(|moved| moved.place = kept.place);
        }
        Some(Gone { hashed: *hashed, kept })
    }

    /// Takes out the copy of a key if it is this one.
    pub(super) fn take_if(&mut self, hashed: &Hashed, seen: &Arc<MemoryCopy>) -> Option<Gone> {
        let is_same = self.copies.get(hashed).is_some_and(|kept| Arc::ptr_eq(&kept.copy, seen));
        if is_same { self.remove(hashed) } else { None }
    }

    /// Takes out all copies.
    pub(super) fn take_all(&mut self) -> Vec<Gone> {
        self.untold.clear();
        self.copies.drain().map(|(hashed, kept)| Gone { hashed, kept }).collect()
    }
}

/// A copy that was taken out. To be dropped without locks: dropping a value is code of others.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) hashed: Hashed,
    pub(super) kept: Kept,
}
