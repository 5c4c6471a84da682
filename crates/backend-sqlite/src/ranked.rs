//! Candidates in the order of their use, found in the narrow table `usage`.
//!
//! A record's place there may be too early, never too late: it was overwritten since. The table is read in order, and
//! each record waits at its true place until all are through that may come before it.

use crate::failure::failure;
use crate::reclaim::Search;
use crate::rows;
use cacheness_storage::{EntryKey, Result, Version};
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use std::collections::{BTreeMap, BinaryHeap};

/// How many rows the next part of the table has, as a multiple of the one before.
const GROWTH: usize = 8;

/// The rows of `usage`, and of the records without one.
pub(crate) const USAGES: [&str; 2] = [
    "SELECT id, not_before, accessed_at, hits FROM usage",
    "SELECT id, created_at, NULL, 0 FROM records WHERE id > (SELECT usage_to FROM totals WHERE id = 1) \
     AND NOT EXISTS (SELECT 1 FROM usage WHERE usage.id = records.id)",
];

/// The hits, or nothing, and the last use: lower goes first.
type Rank = (u64, i64);

/// A rank as `usage` has it, and the row.
type Place = (Rank, i64);

/// Records, by their true ranks and their keys: the row of each, and its version.
type Waiting = BTreeMap<(Rank, EntryKey), (i64, Version)>;

impl Search<'_> {
    /// Finds candidates in the order of their last use, with `by_hits` those with the fewest uses first.
    pub(crate) fn ranked(&mut self, by_hits: bool) -> Result<()> {
        let look_up =
            format!("SELECT version, created_at, key FROM records WHERE id = ? AND key < ? AND {}", self.prefilter.sql);
        let mut look_up = self.snapshot.prepare(&look_up).map_err(failure)?;
        let system = Value::Text(EntryKey::SYSTEM.to_string());
        let bound: Vec<_> = [system].into_iter().chain(self.prefilter.values.iter().cloned()).collect();
        let mut waiting = Waiting::new();
        let mut after = None;
        let mut part = self.limit + 1;
        loop {
            let places = self.places(by_hits, after, part)?;
            for &((hits, used), id) in &places {
                if !self.add_before(&mut waiting, (hits, used)) {
                    return Ok(());
                }
                let values = [Value::Integer(id)].into_iter().chain(bound.iter().cloned());
                let mut records = look_up.query(params_from_iter(values)).map_err(failure)?;
                let Some(record) = records.next().map_err(failure)? else { continue };
                if !self.is_meant(id)? {
                    continue;
                }
                let created_at: i64 = record.get(1).map_err(failure)?;
                if created_at > used && self.stale.len() < self.limit {
                    self.stale.push(id);
                }
                let place = ((hits, used.max(created_at)), rows::key(record, 2)?);
                waiting.insert(place, (id, rows::version(record, 0)?));
                if waiting.len() > self.limit + 1 {
                    waiting.pop_last();
                }
            }
            if places.len() < part {
                break;
            }
            after = places.last().copied();
            part = part.saturating_mul(GROWTH);
        }
        for (id, version) in waiting.into_values() {
            if !self.add(id, version) {
                break;
            }
        }
        Ok(())
    }

    /// The next places behind `after`, in order.
    fn places(&self, by_hits: bool, after: Option<Place>, most: usize) -> Result<Vec<Place>> {
        let mut places = BinaryHeap::new();
        for usages in USAGES {
            let mut usages = self.snapshot.prepare_cached(usages).map_err(failure)?;
            let mut rows = usages.query([]).map_err(failure)?;
            while let Some(row) = rows.next().map_err(failure)? {
                let (id, not_before, accessed_at, hits): (i64, i64, Option<i64>, i64) =
                    row.try_into().map_err(failure)?;
                let used = accessed_at.map_or(not_before, |at| at.max(not_before));
                let place = ((if by_hits { hits.cast_unsigned() } else { 0 }, used), id);
                if after.is_some_and(|after| place <= after) {
                    continue;
                }
                if places.len() < most {
                    places.push(place);
                } else if let Some(mut last) = places.peek_mut().filter(|last| place < **last) {
                    *last = place;
                }
            }
        }
        Ok(places.into_sorted_vec())
    }

    /// Adds what comes before this rank; says whether it was all wanted.
    fn add_before(&mut self, waiting: &mut Waiting, rank: Rank) -> bool {
        while let Some(first) = waiting.first_entry().filter(|first| first.key().0 < rank) {
            let (id, version) = first.remove();
            if !self.add(id, version) {
                return false;
            }
        }
        true
    }
}
