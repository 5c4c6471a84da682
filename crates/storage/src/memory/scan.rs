//! What looks through many records of an index: pages, and giving space back.

use super::index::{Effect, Index, projected};
use crate::{Change, Condition, Cursor, EntryKey, Outcome, Page, Query, Reclaim, Reclaimed};
use cacheness_core::Timestamp;
use std::ops::Bound;

/// How many records a page looks at before it leaves the rest to the next one.
const PAGE_SCAN: usize = 10_000;

impl Index {
    /// The next records of a query, its filter evaluated at the time `now`.
    pub fn page(&self, query: &Query, after: Option<&Cursor>, now: Timestamp) -> Page {
        let from = match after {
            Some(cursor) if cursor.key().as_str() >= query.prefix.as_str() => Bound::Excluded(cursor.key().as_str()),
            _ => Bound::Included(query.prefix.as_str()),
        };
        let mut records = Vec::new();
        let mut last = None;
        let wanted = self
            .records()
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(&query.prefix) && !key.is_system());
        for (seen, (key, record)) in wanted.enumerate() {
            if records.len() == query.limit.max(1) || seen == PAGE_SCAN {
                let next = last.map(|key: &EntryKey| Cursor::after(key.clone()));
                return Page { records, next, ..Page::default() };
            }
            if query.filter.matches(record, now) {
                records.push(projected(record, query.fields));
            }
            last = Some(key);
        }
        Page { records, ..Page::default() }
    }

    /// Removes what a plan means at the time `now` and tells `applied` each effect, in their order.
    pub fn reclaim(&mut self, plan: &Reclaim, now: Timestamp, mut applied: impl FnMut(Effect<'_>)) -> Reclaimed {
        let Reclaim::Entries { filter, order, limit, .. } = plan;
        let mut candidates: Vec<_> = self
            .records()
            .values()
            .filter(|record| !record.key.is_system() && filter.matches(record, now))
            .map(|record| (order.rank(record), record.key.clone()))
            .collect();
        candidates.sort();
        let mut reclaimed = Reclaimed::default();
        for (_, key) in candidates {
            let totals = self.stats(now);
            if plan.is_enough(totals.bytes, totals.entries) {
                break;
            }
            if reclaimed.keys.len() == *limit {
                reclaimed.more = true;
                break;
            }
            let change = Change::Remove { key: key.clone(), condition: Condition::Always };
            if let Outcome::Applied { condemned, .. } = self.apply(change, now, &mut applied) {
                reclaimed.condemned.extend(condemned);
                reclaimed.keys.push(key);
            }
        }
        reclaimed
    }
}
