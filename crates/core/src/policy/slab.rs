//! The entries of an eviction structure by slot, with the links that its lists are threaded through.

use super::Slot;

/// No slot.
pub(super) const NIL: Slot = Slot::MAX;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) hash: u64,
    pub(super) weight: u64,
    /// Towards the head of its list.
    pub(super) previous: Slot,
    /// Towards the tail of its list; the next vacant slot of a vacant one.
    pub(super) next: Slot,
    /// What the policy keeps about it: the list it is in, or its index in an array.
    pub(super) place: u32,
    occupied: bool,
}

#[derive(Debug)]
pub(super) struct Slab {
    nodes: Vec<Node>,
    vacant: Slot,
    len: usize,
    weight: u64,
}

impl Slab {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), vacant: NIL, len: 0, weight: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// A slot for an entry, linked nowhere; `None` when all slot numbers are taken.
    pub(super) fn occupy(&mut self, hash: u64, weight: u64) -> Option<Slot> {
        let node = Node { hash, weight, previous: NIL, next: NIL, place: 0, occupied: true };
        let slot = match self.nodes.get_mut(self.vacant as usize) {
            Some(vacant) => {
                let slot = std::mem::replace(&mut self.vacant, vacant.next);
                *vacant = node;
                slot
            }
            None => {
                let slot = Slot::try_from(self.nodes.len()).ok().filter(|slot| *slot != NIL)?;
                self.nodes.push(node);
                slot
            }
        };
        self.len += 1;
        self.weight = self.weight.saturating_add(weight);
        Some(slot)
    }

    /// Gives back the slot of an entry that is linked nowhere any more.
    pub(super) fn vacate(&mut self, slot: Slot) {
        let Some(node) = self.nodes.get_mut(slot as usize).filter(|node| node.occupied) else { return };
        node.occupied = false;
        node.next = std::mem::replace(&mut self.vacant, slot);
        self.len -= 1;
        self.weight = self.weight.saturating_sub(node.weight);
    }

    /// The entry in a slot, unless that is vacant.
    pub(super) fn get(&self, slot: Slot) -> Option<&Node> {
        self.nodes.get(slot as usize).filter(|node| node.occupied)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Node> {
        self.nodes.get_mut(slot as usize).filter(|node| node.occupied)
    }
}
