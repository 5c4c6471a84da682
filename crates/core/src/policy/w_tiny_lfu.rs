//! W-TinyLFU: a window by recency, before a main part that is entered by frequency.

use super::Slot;
use super::list::List;
use super::order::Order;
use super::sketch::Sketch;
use super::slab::Slab;

/// What a miss costs besides its bytes, in bytes: finding the record and opening its value take about as long as reading
/// so many.
const MISS: u64 = 16 << 10;

/// The lists, as a node's place names them.
const WINDOW: u32 = 0;
const PROBATION: u32 = 1;
const PROTECTED: u32 = 2;

#[derive(Debug)]
pub(super) struct WTinyLfu {
    window: List,
    window_limit: u64,
    probation: List,
    protected: List,
    protected_limit: u64,
    main_limit: u64,
    sketch: Sketch,
}

impl WTinyLfu {
    pub(super) fn new(capacity: u64) -> Self {
        let window_limit = capacity / 100;
        let main_limit = capacity - window_limit;
        Self {
            window: List::new(),
            window_limit,
            probation: List::new(),
            protected: List::new(),
            protected_limit: main_limit - main_limit / 5,
            main_limit,
            sketch: Sketch::new(),
        }
    }

    fn list(&mut self, place: u32) -> &mut List {
        match place {
            WINDOW => &mut self.window,
            PROBATION => &mut self.probation,
            _ => &mut self.protected,
        }
    }

    fn enter(&mut self, slab: &mut Slab, slot: Slot, place: u32) {
        if let Some(node) = slab.get_mut(slot) {
            node.place = place;
            self.list(place).push_front(slab, slot);
        }
    }

    fn evict(&mut self, slab: &mut Slab, slot: Slot) {
        self.take(slab, slot);
        slab.vacate(slot);
    }

    /// Makes room in the main part, if that is worth it.
    fn contest(&mut self, slab: &mut Slab, hash: u64, weight: u64, evicted: &mut Vec<Slot>) -> bool {
        if weight > self.main_limit {
            return false;
        }
        let weight_after = self.probation.weight() + self.protected.weight() + weight;
        let mut excess = weight_after.saturating_sub(self.main_limit);
        if excess == 0 {
            return true;
        }
        let mut gain = self.cost(hash, weight);
        let first = evicted.len();
        let mut victim = self.probation.tail().or(self.protected.tail());
        while excess > 0 {
            let Some((slot, node)) = victim.and_then(|slot| Some((slot, slab.get(slot)?))) else { break };
            let loss = self.cost(node.hash, node.weight);
            if loss >= gain {
                evicted.truncate(first);
                return false;
            }
            gain -= loss;
            excess = excess.saturating_sub(node.weight);
            evicted.push(slot);
            let is_last = node.place == PROBATION && slab.get(node.previous).is_none();
            victim = if is_last { self.protected.tail() } else { Some(node.previous) };
        }
        for index in first..evicted.len() {
            if let Some(slot) = evicted.get(index) {
                self.evict(slab, *slot);
            }
        }
        true
    }

    /// What missing an entry would cost, as often as it is asked for.
    fn cost(&self, hash: u64, weight: u64) -> u64 {
        self.sketch.estimate(hash).saturating_mul(weight.saturating_add(MISS))
    }
}

impl Order for WTinyLfu {
    fn admit(&mut self, slab: &mut Slab, hash: u64, weight: u64, evicted: &mut Vec<Slot>) -> bool {
        self.sketch.fit(slab.len() + 1);
        self.sketch.add(hash);
        if weight > self.window_limit {
            return self.contest(slab, hash, weight, evicted);
        }
        while self.window.weight() + weight > self.window_limit {
            let Some((slot, node)) = self.window.tail().and_then(|slot| Some((slot, slab.get(slot)?))) else { break };
            if self.contest(slab, node.hash, node.weight, evicted) {
                self.take(slab, slot);
                self.enter(slab, slot, PROBATION);
            } else {
                self.evict(slab, slot);
                evicted.push(slot);
            }
        }
        true
    }

    fn place(&mut self, slab: &mut Slab, slot: Slot) {
        let is_large = slab.get(slot).is_some_and(|node| node.weight > self.window_limit);
        self.enter(slab, slot, if is_large { PROBATION } else { WINDOW });
    }

    fn touch(&mut self, slab: &mut Slab, slot: Slot) {
        let Some(node) = slab.get(slot) else { return };
        let place = node.place;
        self.sketch.add(node.hash);
        if place != PROBATION {
            self.list(place).refresh(slab, slot);
            return;
        }
        self.probation.unlink(slab, slot);
        self.enter(slab, slot, PROTECTED);
        while self.protected.weight() > self.protected_limit {
            let Some(demoted) = self.protected.tail() else { break };
            self.protected.unlink(slab, demoted);
            self.enter(slab, demoted, PROBATION);
        }
    }

    fn take(&mut self, slab: &mut Slab, slot: Slot) {
        if let Some(place) = slab.get(slot).map(|node| node.place) {
            self.list(place).unlink(slab, slot);
        }
    }
}
