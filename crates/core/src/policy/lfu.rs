//! The least frequently used entry goes first, counted exactly, in constant time.

use super::Slot;
use super::list::List;
use super::order::{Order, make_room};
use super::slab::{NIL, Slab};

/// Buckets of entries with equal counts, linked in the order of their counts; a node's place is its bucket.
///
/// `age` is the count of the entry that was evicted last. No entry counts less, so a new one, which begins at one more,
/// belongs into the first bucket, the second, or one before both.
#[derive(Debug)]
pub(super) struct Lfu {
    buckets: Vec<Bucket>,
    vacant: u32,
    first: u32,
    age: u64,
    capacity: u64,
}

#[derive(Debug)]
struct Bucket {
    count: u64,
    entries: List,
    previous: u32,
    next: u32,
}

impl Lfu {
    pub(super) fn new(capacity: u64) -> Self {
        Self { buckets: Vec::new(), vacant: NIL, first: NIL, age: 0, capacity }
    }

    fn bucket(&self, index: u32) -> Option<&Bucket> {
        self.buckets.get(index as usize)
    }

    fn bucket_mut(&mut self, index: u32) -> Option<&mut Bucket> {
        self.buckets.get_mut(index as usize)
    }

    fn count(&self, index: u32) -> Option<u64> {
        self.bucket(index).map(|bucket| bucket.count)
    }

    /// The bucket of a count that belongs right after `previous`, where it is or is made; [`NIL`] is before the first.
    fn bucket_after(&mut self, previous: u32, count: u64) -> u32 {
        let next = self.bucket(previous).map_or(self.first, |bucket| bucket.next);
        if self.count(next) == Some(count) {
            return next;
        }
        let bucket = Bucket { count, entries: List::new(), previous, next };
        let index = match self.buckets.get_mut(self.vacant as usize) {
            Some(vacant) => {
                let index = std::mem::replace(&mut self.vacant, vacant.next);
                *vacant = bucket;
                index
            }
            None => {
                self.buckets.push(bucket);
                // None is empty beyond an operation, so there are at most one more than entries.
                (self.buckets.len() - 1) as u32
            }
        };
        match self.bucket_mut(previous) {
            Some(bucket) => bucket.next = index,
            None => self.first = index,
        }
        if let Some(bucket) = self.bucket_mut(next) {
            bucket.previous = index;
        }
        index
    }

    fn enter(&mut self, slab: &mut Slab, slot: Slot, index: u32) {
        if let Some(node) = slab.get_mut(slot) {
            node.place = index;
        }
        if let Some(bucket) = self.bucket_mut(index) {
            bucket.entries.push_front(slab, slot);
        }
    }

    fn leave(&mut self, slab: &mut Slab, slot: Slot, index: u32) {
        let Some(bucket) = self.bucket_mut(index) else { return };
        bucket.entries.unlink(slab, slot);
        if !bucket.entries.is_empty() {
            return;
        }
        let (previous, next) = (bucket.previous, bucket.next);
        match self.bucket_mut(previous) {
            Some(bucket) => bucket.next = next,
            None => self.first = next,
        }
        if let Some(bucket) = self.bucket_mut(next) {
            bucket.previous = previous;
        }
        let vacant = std::mem::replace(&mut self.vacant, index);
        if let Some(bucket) = self.bucket_mut(index) {
            bucket.next = vacant;
        }
    }
}

impl Order for Lfu {
    fn admit(&mut self, slab: &mut Slab, _hash: u64, weight: u64, evicted: &mut Vec<Slot>) -> bool {
        let room = (weight, self.capacity);
        make_room(self, slab, room, evicted, |lfu| {
            let (count, victim) = lfu.bucket(lfu.first).map(|bucket| (bucket.count, bucket.entries.tail()))?;
            lfu.age = count;
            victim
        });
        true
    }

    fn place(&mut self, slab: &mut Slab, slot: Slot) {
        let count = self.age.saturating_add(1);
        let previous = if self.count(self.first).is_some_and(|first| first < count) { self.first } else { NIL };
        let index = self.bucket_after(previous, count);
        self.enter(slab, slot, index);
    }

    fn touch(&mut self, slab: &mut Slab, slot: Slot) {
        let Some(from) = slab.get(slot).map(|node| node.place) else { return };
        let Some(count) = self.count(from) else { return };
        let to = self.bucket_after(from, count.saturating_add(1));
        self.leave(slab, slot, from);
        self.enter(slab, slot, to);
    }

    fn take(&mut self, slab: &mut Slab, slot: Slot) {
        if let Some(place) = slab.get(slot).map(|node| node.place) {
            self.leave(slab, slot, place);
        }
    }
}
