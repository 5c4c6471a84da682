//! The index in memory.

use super::index::Index;
use super::{NAME, closed};
use crate::{
    BackendInfo, BlobQuery, BlobRecord, Capabilities, Change, Coherence, Condition, Cursor, EntryKey, Fields, Filter,
    Generations, Locality, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, Query, Reclaim,
    ReclaimOrder, Reclaimed, Record,
};
use async_trait::async_trait;
use cacheness_core::{Clock, Result, Timestamp};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

/// How many records a page looks at before it leaves the rest to the next one.
const PAGE_SCAN: usize = 10_000;

/// An index in this process's memory: the measure for every other one.
pub struct MemoryMetadata {
    clock: Arc<dyn Clock>,
    /// `None` after `close`.
    index: Mutex<Option<Index>>,
    generations: Generations,
}

impl MemoryMetadata {
    /// A new, empty index.
    pub fn new(context: &OpenContext) -> Self {
        let index = Mutex::new(Some(Index::default()));
        Self { clock: context.clock.clone(), index, generations: Generations::in_process() }
    }

    fn with<R>(&self, operation: &'static str, work: impl FnOnce(&mut Index) -> R) -> Result<R> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.as_mut().map(work).ok_or_else(|| closed(operation))
    }
}

#[async_trait]
impl MetadataBackend for MemoryMetadata {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: NAME.into(),
            locality: Locality::Process,
            blocking: true,
            capabilities: Capabilities::default(),
        }
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.with("get", |index| {
            keys.iter().map(|key| index.records().get(key).map(|record| projected(record, fields))).collect()
        })
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        changes.iter().try_for_each(Change::check)?;
        let now = self.clock.now();
        let _changing =
            self.generations.change(changes.iter().filter_map(Change::key).map(|key| key.as_str().as_bytes()));
        self.with("commit", |index| {
            let count = changes.len();
            let mut outcomes = Vec::with_capacity(count);
            for change in changes {
                let outcome = index.apply(change, now);
                if on_unmet == OnUnmet::Abort && !outcome.is_applied() {
                    index.take_back();
                    outcomes.fill(Outcome::Aborted);
                    outcomes.push(outcome);
                    outcomes.resize(count, Outcome::Aborted);
                    return outcomes;
                }
                outcomes.push(outcome);
            }
            index.keep();
            outcomes
        })
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        query.filter.check()?;
        let now = self.clock.now();
        self.with("page", |index| page(index, query, after.as_ref(), now))
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.with("blobs", |index| index.blobs(query))
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        let now = self.clock.now();
        let Reclaim::Entries { filter, order, limit, until_bytes } = plan;
        filter.check()?;
        let _changing = self.generations.change_all();
        self.with("reclaim", |index| remove(index, filter, *order, *limit, *until_bytes, now))
    }

    async fn stats(&self) -> Result<MetadataStats> {
        let totals = self.with("stats", |index| index.totals())?;
        Ok(MetadataStats {
            entries: totals.entries,
            bytes: u64::try_from(totals.bytes).unwrap_or(u64::MAX),
            blobs: totals.blobs,
            condemned: totals.condemned,
            now: self.clock.now(),
        })
    }

    fn coherence(&self) -> Coherence {
        Coherence::Generations(self.generations.reader().clone())
    }

    async fn close(&self) -> Result<()> {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

impl fmt::Display for MemoryMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}:")
    }
}

impl fmt::Debug for MemoryMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryMetadata({NAME}:)")
    }
}

fn projected(record: &Record, fields: Fields) -> Record {
    let mut record = record.clone();
    fields.project(&mut record);
    record
}

fn page(index: &Index, query: &Query, after: Option<&Cursor>, now: Timestamp) -> Page {
    let from = match after {
        Some(cursor) if cursor.key().as_str() >= query.prefix.as_str() => Bound::Excluded(cursor.key().as_str()),
        _ => Bound::Included(query.prefix.as_str()),
    };
    let mut records = Vec::new();
    let mut last = None;
    let wanted = index
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

fn remove(
    index: &mut Index,
    filter: &Filter,
    order: ReclaimOrder,
    limit: usize,
    until_bytes: Option<u64>,
    now: Timestamp,
) -> Reclaimed {
    let mut candidates: Vec<_> = index
        .records()
        .values()
        .filter(|record| !record.key.is_system() && filter.matches(record, now))
        .map(|record| (rank(record, order), record.key.clone()))
        .collect();
    candidates.sort();
    let mut reclaimed = Reclaimed::default();
    for (_, key) in candidates {
        if until_bytes.is_some_and(|bytes| index.totals().bytes <= bytes.into()) {
            break;
        }
        if reclaimed.keys.len() == limit {
            reclaimed.more = true;
            break;
        }
        let change = Change::Remove { key: key.clone(), condition: Condition::Always };
        if let Outcome::Applied { condemned, .. } = index.apply(change, now) {
            reclaimed.condemned.extend(condemned);
            reclaimed.keys.push(key);
        }
    }
    index.keep();
    reclaimed
}

/// What comes before a record's key in an order.
fn rank(record: &Record, order: ReclaimOrder) -> (bool, Option<Timestamp>) {
    match order {
        ReclaimOrder::Key => (false, None),
        ReclaimOrder::Expiry => (record.expires_at.is_none(), record.expires_at),
        ReclaimOrder::Created => (false, Some(record.created_at)),
    }
}
