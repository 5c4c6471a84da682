//! Which local copies there are, in the order in which they make room.

use crate::{BlobId, BlobInfo};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Local copies by their last use, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Index {
    copies: HashMap<BlobId, Known>,
    /// By tick, the lowest first: it makes room first.
    order: BTreeMap<i64, BlobId>,
    next: i64,
    bytes: u64,
    /// Bytes stored here since the directory was listed; `None` before the first listing.
    unlisted: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    size: u64,
    tick: i64,
}

impl Index {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Notes the use of a copy, known or not.
    pub(super) fn touch(&mut self, id: BlobId, size: u64) {
        self.remove(&id);
        self.next += 1;
        self.insert(id, Known { size, tick: self.next });
    }

    /// Notes a new copy.
    pub(super) fn add(&mut self, id: BlobId, size: u64) {
        self.touch(id, size);
        if let Some(unlisted) = &mut self.unlisted {
            *unlisted = unlisted.saturating_add(size);
        }
    }

    pub(super) fn remove(&mut self, id: &BlobId) {
        if let Some(known) = self.copies.remove(id) {
            self.order.remove(&known.tick);
            self.bytes = self.bytes.saturating_sub(known.size);
        }
    }

    /// Takes out what must go so that `size` more fit into `limit`: nothing, or so much that `target` is kept.
    pub(super) fn make_room(&mut self, size: u64, limit: u64, target: u64) -> Vec<BlobId> {
        let mut victims = Vec::new();
        if self.bytes.saturating_add(size) <= limit {
            return victims;
        }
        while self.bytes.saturating_add(size) > target
            && let Some((_, id)) = self.order.first_key_value()
        {
            let id = *id;
            self.remove(&id);
            victims.push(id);
        }
        victims
    }

    /// Whether the directory may hold much that this process does not know of.
    pub(super) fn is_due(&self, most: u64) -> bool {
        self.unlisted.is_none_or(|unlisted| unlisted > most)
    }

    /// Begins a listing.
    pub(super) fn listing(&mut self) -> i64 {
        self.unlisted = Some(0);
        self.next
    }

    /// Takes over what a listing found that began at `tick`. What this process did not know of makes room before
    /// everything that it did, the oldest first.
    pub(super) fn listed(&mut self, tick: i64, mut found: Vec<BlobInfo>) {
        let names: HashSet<BlobId> = found.iter().map(|info| info.id).collect();
        let is_gone = |(id, known): (&BlobId, &Known)| (known.tick <= tick && !names.contains(id)).then_some(*id);
        for id in self.copies.iter().filter_map(is_gone).collect::<Vec<_>>() {
            self.remove(&id);
        }
        found.retain(|info| !self.copies.contains_key(&info.id));
        found.sort_by_key(|info| (info.modified_at, info.id));
        let first = self.order.first_key_value().map_or(self.next, |(tick, _)| *tick);
        let ticks = first.saturating_sub(i64::try_from(found.len()).unwrap_or(i64::MAX))..first;
        for (info, tick) in found.into_iter().zip(ticks) {
            self.insert(info.id, Known { size: info.size, tick });
        }
    }

    fn insert(&mut self, id: BlobId, known: Known) {
        self.bytes = self.bytes.saturating_add(known.size);
        self.order.insert(known.tick, id);
        self.copies.insert(id, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cacheness_core::Timestamp;

    fn id(n: u8) -> BlobId {
        BlobId::from_bytes([n; 16])
    }

    fn info(n: u8, size: u64, micros: i64) -> BlobInfo {
        BlobInfo { modified_at: Some(Timestamp::from_micros(micros)), ..BlobInfo::new(id(n), size) }
    }

    #[test]
    fn what_was_used_longest_ago_makes_room_down_to_the_target() {
        let mut index = Index::default();
        for n in 1..=4 {
            index.add(id(n), 10);
        }
        index.touch(id(1), 10);
        assert!(index.make_room(10, 50, 45).is_empty());
        assert_eq!(index.make_room(11, 50, 36), [id(2), id(3)]);
        assert_eq!(index.bytes(), 20);
        assert_eq!(index.make_room(100, 50, 45), [id(4), id(1)], "what does not fit leaves nothing");
    }

    #[test]
    fn a_listing_brings_what_was_unknown_and_takes_what_is_gone() {
        let mut index = Index::default();
        assert!(index.is_due(100));
        index.touch(id(1), 10);
        index.touch(id(2), 10);
        let tick = index.listing();
        index.add(id(3), 10);
        index.listed(tick, vec![info(1, 10, 9), info(5, 10, 7), info(4, 10, 8)]);
        assert_eq!(index.bytes(), 40, "2 is gone, and 3 came while the directory was read");
        assert_eq!(index.make_room(1, 0, 0), [id(5), id(4), id(1), id(3)]);
        assert!(!index.is_due(10));
        assert!(index.is_due(9));
    }
}
