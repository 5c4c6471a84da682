//! A doubly linked list through the nodes of a slab.

use super::Slot;
use super::slab::{NIL, Slab};

#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    head: Slot,
    tail: Slot,
    weight: u64,
}

impl List {
    pub(super) const fn new() -> Self {
        Self { head: NIL, tail: NIL, weight: 0 }
    }

    /// The one that was put to the front longest ago.
    pub(super) fn tail(&self) -> Option<Slot> {
        (self.tail != NIL).then_some(self.tail)
    }

    /// The sum of its entries' weights.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head == NIL
    }

    /// Puts an entry to the front that is in no list.
    pub(super) fn push_front(&mut self, slab: &mut Slab, slot: Slot) {
        let head = self.head;
        let Some(node) = slab.get_mut(slot) else { return };
        node.previous = NIL;
        node.next = head;
        self.weight = self.weight.saturating_add(node.weight);
        match slab.get_mut(head) {
            Some(second) => second.previous = slot,
            None => self.tail = slot,
        }
        self.head = slot;
    }

    /// Takes out an entry that is in this list.
    pub(super) fn unlink(&mut self, slab: &mut Slab, slot: Slot) {
        let Some(node) = slab.get(slot) else { return };
        let (previous, next) = (node.previous, node.next);
        self.weight = self.weight.saturating_sub(node.weight);
        match slab.get_mut(previous) {
            Some(node) => node.next = next,
            None => self.head = next,
        }
        match slab.get_mut(next) {
            Some(node) => node.previous = previous,
            None => self.tail = previous,
        }
    }

    /// Puts an entry of this list to its front.
    pub(super) fn refresh(&mut self, slab: &mut Slab, slot: Slot) {
        if self.head != slot {
            self.unlink(slab, slot);
            self.push_front(slab, slot);
        }
    }
}
