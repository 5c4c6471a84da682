//! The structure that a policy works on: weighted entries by slot, never heavier than its capacity.

use super::Policy;
use super::fifo::Fifo;
use super::lfu::Lfu;
use super::lru::Lru;
use super::order::Order;
use super::random::Random;
use super::slab::Slab;
use super::w_tiny_lfu::WTinyLfu;
use crate::{Result, Rng, rng};

/// The number of an entry, from 0 on; the smallest free ones are not preferred, the last freed ones are.
pub type Slot = u32;

/// Which entries make room for others. It knows their hashes and weights; what they are, the caller keeps by slot.
///
/// Everything takes constant time, amortised over the entries that were evicted; using an entry allocates nothing.
///
/// ```
/// use cacheness_core::SystemRng;
/// use cacheness_core::policy::{Eviction, Policy};
///
/// let mut eviction = Eviction::new(Policy::Lru, 2, &SystemRng)?;
/// let mut evicted = Vec::new();
/// let one = eviction.insert(0x1111, 1, &mut evicted);
/// let two = eviction.insert(0x2222, 1, &mut evicted);
/// one.into_iter().for_each(|slot| eviction.touch(slot));
/// eviction.insert(0x3333, 1, &mut evicted);
/// assert_eq!(Some(evicted), two.map(|slot| vec![slot]));
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Eviction {
    slab: Slab,
    order: Box<dyn Order>,
    capacity: u64,
}

impl Eviction {
    /// An empty structure for entries that together weigh at most `capacity`, in whatever unit.
    ///
    /// # Errors
    ///
    /// As [`Rng::fill`], which seeds [`Policy::Random`].
    pub fn new(policy: Policy, capacity: u64, rng: &dyn Rng) -> Result<Self> {
        let order: Box<dyn Order> = match policy {
            Policy::Lru => Box::new(Lru::new(capacity)),
            Policy::Lfu => Box::new(Lfu::new(capacity)),
            Policy::Fifo => Box::new(Fifo::new(capacity)),
            Policy::Random => Box::new(Random::new(capacity, u64::from_le_bytes(rng::random(rng)?))),
            Policy::WTinyLfu => Box::new(WTinyLfu::new(capacity)),
        };
        Ok(Self { slab: Slab::new(), order, capacity })
    }

    /// Takes in an entry and names those in `evicted` that had to go; its slot, or `None` when it is not taken in:
    /// because it is heavier than the capacity, or because the policy finds what it would displace worth more.
    ///
    /// The hash should be well mixed, and hard to guess where keys come from strangers. A weight of zero counts as one.
    ///
    /// A slot in `evicted` is free again: the returned one may be the same.
    pub fn insert(&mut self, hash: u64, weight: u64, evicted: &mut Vec<Slot>) -> Option<Slot> {
        let weight = weight.max(1);
        if weight > self.capacity || !self.order.admit(&mut self.slab, hash, weight, evicted) {
            return None;
        }
        let slot = self.slab.occupy(hash, weight)?;
        self.order.place(&mut self.slab, slot);
        Some(slot)
    }

    /// Notes that an entry was used. Nothing happens for a free slot.
    pub fn touch(&mut self, slot: Slot) {
        self.order.touch(&mut self.slab, slot);
    }

    /// Takes out an entry; says whether there was one in the slot.
    pub fn remove(&mut self, slot: Slot) -> bool {
        let is_there = self.slab.get(slot).is_some();
        self.order.take(&mut self.slab, slot);
        self.slab.vacate(slot);
        is_there
    }

    /// The sum of the weights; never above the capacity.
    pub fn weight(&self) -> u64 {
        self.slab.weight()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the entries may weigh together.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }
}
