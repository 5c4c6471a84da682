//! The oldest entry goes first, however often it is used.

use super::Slot;
use super::list::List;
use super::order::{Order, make_room};
use super::slab::Slab;

/// Its list is ordered by arrival.
#[derive(Debug)]
pub(super) struct Fifo {
    list: List,
    capacity: u64,
}

impl Fifo {
    pub(super) fn new(capacity: u64) -> Self {
        Self { list: List::new(), capacity }
    }
}

impl Order for Fifo {
    fn admit(&mut self, slab: &mut Slab, _hash: u64, weight: u64, evicted: &mut Vec<Slot>) -> bool {
        let room = (weight, self.capacity);
        make_room(self, slab, room, evicted, |fifo| fifo.list.tail());
        true
    }

    fn place(&mut self, slab: &mut Slab, slot: Slot) {
        self.list.push_front(slab, slot);
    }

    fn touch(&mut self, _slab: &mut Slab, _slot: Slot) {}

    fn take(&mut self, slab: &mut Slab, slot: Slot) {
        self.list.unlink(slab, slot);
    }
}
