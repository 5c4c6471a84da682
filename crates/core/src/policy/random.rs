//! Any entry goes, each with the same chance.

use super::Slot;
use super::order::{Order, make_room};
use super::slab::Slab;

/// The occupied slots in no order, each node with its index among them.
#[derive(Debug)]
pub(super) struct Random {
    slots: Vec<Slot>,
    state: u64,
    capacity: u64,
}

impl Random {
    /// The seed decides who goes.
    pub(super) fn new(capacity: u64, seed: u64) -> Self {
        Self { slots: Vec::new(), state: seed, capacity }
    }

    fn pick(&mut self) -> Option<Slot> {
        let index = (u128::from(self.next()) * self.slots.len() as u128) >> 64;
        self.slots.get(usize::try_from(index).ok()?).copied()
    }

    /// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

impl Order for Random {
    fn admit(&mut self, slab: &mut Slab, _hash: u64, weight: u64, evicted: &mut Vec<Slot>) -> bool {
        let room = (weight, self.capacity);
        make_room(self, slab, room, evicted, Self::pick);
        true
    }

    fn place(&mut self, slab: &mut Slab, slot: Slot) {
        let Some(node) = slab.get_mut(slot) else { return };
        // Slots are numbered with 32 bits, so there are no more of them.
        node.place = self.slots.len() as u32;
        self.slots.push(slot);
    }

    fn touch(&mut self, _slab: &mut Slab, _slot: Slot) {}

    fn take(&mut self, slab: &mut Slab, slot: Slot) {
        let Some(place) = slab.get(slot).map(|node| node.place) else { return };
        if place as usize >= self.slots.len() {
            return;
        }
        self.slots.swap_remove(place as usize);
        if let Some(moved) = self.slots.get(place as usize).and_then(|moved| slab.get_mut(*moved)) {
            moved.place = place;
        }
    }
}
