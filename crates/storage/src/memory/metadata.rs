//! The index in memory.

use super::index::Index;
use super::{NAME, closed};
use crate::{
    BackendInfo, BlobQuery, BlobRecord, Capabilities, Change, Coherence, Cursor, EntryKey, Fields, Generations,
    Locality, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, Query, Reclaim, Reclaimed, Record,
};
use async_trait::async_trait;
use cacheness_core::{Clock, Result};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

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
        self.with("get", |index| keys.iter().map(|key| index.get(key, fields)).collect())
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        changes.iter().try_for_each(Change::check)?;
        let now = self.clock.now();
        let _changing =
            self.generations.change(changes.iter().filter_map(Change::key).map(|key| key.as_str().as_bytes()));
        self.with("commit", |index| {
            let outcomes = index.commit(changes, on_unmet, now, |_| {});
            index.keep();
            outcomes
        })
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        query.filter.check()?;
        let now = self.clock.now();
        self.with("page", |index| index.page(query, after.as_ref(), now))
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.with("blobs", |index| index.blobs(query))
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        let now = self.clock.now();
        let Reclaim::Entries { filter, .. } = plan;
        filter.check()?;
        let _changing = self.generations.change_all();
        self.with("reclaim", |index| {
            let reclaimed = index.reclaim(plan, now, |_| {});
            index.keep();
            reclaimed
        })
    }

    async fn stats(&self) -> Result<MetadataStats> {
        let now = self.clock.now();
        self.with("stats", |index| index.stats(now))
    }

    fn committed(&self) -> Option<MetadataStats> {
        let now = self.clock.now();
        self.with("stats", |index| index.stats(now)).ok()
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
