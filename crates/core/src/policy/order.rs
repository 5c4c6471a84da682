//! What a policy does, and what those without an admission of their own share.

use super::Slot;
use super::slab::Slab;
use std::fmt::Debug;

/// The order in which the entries of a slab make room.
pub(super) trait Order: Debug + Send {
    /// Makes room for an entry: takes out others, gives their slots back and names them in `evicted`. `false` when the
    /// new one is worth less than what it would displace: then nothing was displaced by it.
    ///
    /// The weight fits into the empty structure.
    fn admit(&mut self, slab: &mut Slab, hash: u64, weight: u64, evicted: &mut Vec<Slot>) -> bool;

    /// Takes in an entry, for which there is room.
    fn place(&mut self, slab: &mut Slab, slot: Slot);

    /// Notes a use of an entry.
    fn touch(&mut self, slab: &mut Slab, slot: Slot);

    /// Takes out an entry.
    fn take(&mut self, slab: &mut Slab, slot: Slot);
}

/// Takes entries out by a policy until `weight` more fits into `capacity`.
pub(super) fn make_room<O: Order>(
    order: &mut O,
    slab: &mut Slab,
    room: (u64, u64),
    evicted: &mut Vec<Slot>,
    mut victim: impl FnMut(&mut O) -> Option<Slot>,
) {
    let (weight, capacity) = room;
    while slab.weight().saturating_add(weight) > capacity {
        let Some(slot) = victim(order) else { return };
        order.take(slab, slot);
        slab.vacate(slot);
        evicted.push(slot);
    }
}
