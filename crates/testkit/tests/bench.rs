//! Measuring a backend does what it counts, and is not deceived.

#![allow(clippy::unwrap_used, reason = "a poisoned lock may end a test")]

use cacheness_core::{ErrorKind, Timestamp};
use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness_storage::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Coherence, Cursor, EntryKey, Fields,
    GetBlob, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, Payload, PutBlob, Query, Reclaim,
    Reclaimed, Record, Staged, async_trait, block_on,
};
use cacheness_testkit::bench::{self, Measured};
use cacheness_testkit::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

/// Counts the calls of a backend in memory, whose answers to one verb are wrong.
#[derive(Debug)]
struct Told<B> {
    inner: B,
    wrong: &'static str,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl<B> Told<B> {
    fn new(inner: B, wrong: &'static str) -> Self {
        Self { inner, wrong, calls: Mutex::default() }
    }

    /// Counts a call, and says whether it may be answered.
    fn is_right(&self, verb: &'static str) -> bool {
        *self.calls.lock().unwrap().entry(verb).or_default() += 1;
        verb != self.wrong
    }

    /// Whether the calls were those that are told, and no others.
    fn assert_told(&self, measured: &Measured) {
        let told: BTreeMap<_, _> = measured.verbs.iter().map(|verb| (verb.name, verb.calls)).collect();
        assert_eq!(told, *self.calls.lock().unwrap());
    }
}

impl<B: std::fmt::Display> std::fmt::Display for Told<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl BlobBackend for Told<MemoryBlobs> {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    fn staging(&self) -> Option<&Path> {
        self.inner.staging()
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let mut info = self.inner.put(id, payload, options).await?;
        info.size -= u64::from(!self.is_right("put"));
        Ok(info)
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        Ok(self.inner.get(id, options).await?.filter(|_| self.is_right("get")))
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.inner.head(id).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        let deleted = self.inner.delete(ids).await?;
        Ok(if self.is_right("delete") { deleted } else { vec![false; ids.len()] })
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        let page = self.inner.list(after, limit).await?;
        Ok(if self.is_right("list") { page } else { Vec::new() })
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.inner.discard_remnants(before).await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[async_trait]
impl MetadataBackend for Told<MemoryMetadata> {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        let found = self.inner.get(keys, fields).await?;
        Ok(if self.is_right("get") { found } else { vec![None; keys.len()] })
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        let verb = if matches!(changes[..], [Change::Put { .. }]) { "put" } else { "delete" };
        let outcomes = self.inner.commit(changes, on_unmet).await?;
        Ok(if self.is_right(verb) { outcomes } else { vec![Outcome::Unmet { current: None }] })
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        let mut page = self.inner.page(query, after).await?;
        if !self.is_right("list") {
            page.records.pop();
        }
        Ok(page)
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.inner.blobs(query).await
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        self.inner.reclaim(plan).await
    }

    async fn stats(&self) -> Result<MetadataStats> {
        self.inner.stats().await
    }

    fn committed(&self) -> Option<MetadataStats> {
        self.inner.committed()
    }

    fn coherence(&self) -> Coherence {
        self.inner.coherence()
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

fn index(wrong: &'static str) -> Told<MemoryMetadata> {
    Told::new(MemoryMetadata::new(&OpenContext::new()), wrong)
}

fn blobs(wrong: &'static str) -> Told<MemoryBlobs> {
    Told::new(MemoryBlobs::new(&OpenContext::new()), wrong)
}

#[test]
fn an_index_carries_out_as_many_calls_as_are_told_and_is_left_as_it_was() {
    let index = index("");
    for (records, pages) in [(0, 1), (99, 1), (250, 3)] {
        index.calls.lock().unwrap().clear();
        let measured = block_on(bench::metadata(&index, records, 300)).unwrap();
        assert_eq!((measured.items, measured.size), (records, 300));
        assert_eq!(
            measured.verbs.iter().map(|verb| verb.calls).collect::<Vec<_>>(),
            [records, records, pages, records]
        );
        if records > 0 {
            index.assert_told(&measured);
        }
        assert_eq!(block_on(index.stats()).unwrap().entries, 0);
    }
}

#[test]
fn blobs_are_put_read_listed_and_deleted_as_often_as_is_told() {
    let blobs = blobs("");
    let measured = block_on(bench::blobs(&blobs, 1001, 5000)).unwrap();
    assert_eq!(measured.verbs.iter().map(|verb| verb.calls).collect::<Vec<_>>(), [1001, 1001, 3, 1001]);
    blobs.assert_told(&measured);
    assert!(block_on(blobs.list(None, 1)).unwrap().is_empty());
    let table = measured.to_string();
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.starts_with("1001 of 4.9 KiB each in memory:\n  put          1001 calls"), "{table}");
}

#[test]
fn whoever_answers_without_doing_it_is_an_error() {
    for verb in ["put", "get", "list", "delete"] {
        let kinds = [
            block_on(bench::metadata(&index(verb), 20, 100)).map_err(|error: Error| error.kind()),
            block_on(bench::blobs(&blobs(verb), 20, 100)).map_err(|error| error.kind()),
        ];
        assert_eq!(
            kinds.map(std::result::Result::err),
            [Some(ErrorKind::Metadata), Some(ErrorKind::Storage)],
            "{verb}"
        );
    }
}
