//! The least recently used entry goes first.

use super::Slot;
use super::list::List;
use super::order::{Order, make_room};
use super::slab::Slab;

/// Its list is ordered by the last use.
#[derive(Debug)]
pub(super) struct Lru {
    list: List,
    capacity: u64,
}

impl Lru {
    pub(super) fn new(capacity: u64) -> Self {
        Self { list: List::new(), capacity }
    }
}

impl Order for Lru {
    fn admit(&mut self, slab: &mut Slab, _hash: u64, weight: u64, evicted: &mut Vec<Slot>) -> bool {
        let room = (weight, self.capacity);
        make_room(self, slab, room, evicted, |lru| lru.list.tail());
        true
    }

    fn place(&mut self, slab: &mut Slab, slot: Slot) {
        self.list.push_front(slab, slot);
    }

    fn touch(&mut self, slab: &mut Slab, slot: Slot) {
        self.list.refresh(slab, slot);
    }

    fn take(&mut self, slab: &mut Slab, slot: Slot) {
        self.list.unlink(slab, slot);
    }
}
