//! Both contracts around real backends, by a script.

use super::Script;
use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness_storage::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Coherence, Cursor, EntryKey, Fields,
    GetBlob, Locality, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, Payload, PutBlob, Query,
    Reclaim, Reclaimed, Record, Result, Staged, Timestamp, async_trait,
};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A backend that does as its script says.
#[derive(Debug)]
pub struct Scripted<B: ?Sized> {
    inner: Arc<B>,
    /// What happens to its calls.
    pub script: Script,
    info: BackendInfo,
    coherence: Option<Coherence>,
}

/// An index that does as its script says.
pub type ScriptedMetadata = Scripted<dyn MetadataBackend>;

/// Blobs that do as their script says.
pub type ScriptedBlobs = Scripted<dyn BlobBackend>;

impl<B: ?Sized> Scripted<B> {
    /// The backend, without the script.
    pub fn inner(&self) -> Arc<B> {
        self.inner.clone()
    }

    /// Says whether it blocks.
    pub fn blocking(mut self, blocking: bool) -> Self {
        self.info.blocking = blocking;
        self
    }

    /// Says who can see it.
    pub fn seen_by(mut self, locality: Locality) -> Self {
        self.info.locality = locality;
        self
    }

    async fn perform<R>(&self, call: &'static str, work: impl Future<Output = Result<R>>) -> Result<R> {
        self.script.perform(call, self.info.blocking, work).await
    }
}

impl ScriptedMetadata {
    /// Over another one, which others may hold too.
    pub fn over(inner: Arc<dyn MetadataBackend>, script: &Script) -> Self {
        Self { info: inner.info(), inner, script: script.clone(), coherence: None }
    }

    /// In memory, by a script of its own.
    pub fn in_memory(blocking: bool) -> Self {
        let inner = MemoryMetadata::new(&OpenContext::new());
        Self::over(Arc::new(inner), &Script::default()).blocking(blocking)
    }

    /// Says how copies are proven fresh.
    pub fn coherence(mut self, coherence: Coherence) -> Self {
        self.coherence = Some(coherence);
        self
    }
}

impl ScriptedBlobs {
    /// Over others, which others may hold too.
    pub fn over(inner: Arc<dyn BlobBackend>, script: &Script) -> Self {
        Self { info: inner.info(), inner, script: script.clone(), coherence: None }
    }

    /// In memory, by a script of their own.
    pub fn in_memory(blocking: bool) -> Self {
        Self::over(Arc::new(MemoryBlobs::new(&OpenContext::new())), &Script::default()).blocking(blocking)
    }
}

impl<B: ?Sized + fmt::Display> fmt::Display for Scripted<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripted({})", self.inner)
    }
}

#[async_trait]
impl MetadataBackend for ScriptedMetadata {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.perform("get", self.inner.get(keys, fields)).await
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        self.perform("commit", self.inner.commit(changes, on_unmet)).await
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        self.perform("page", self.inner.page(query, after)).await
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.perform("blobs", self.inner.blobs(query)).await
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        self.perform("reclaim", self.inner.reclaim(plan)).await
    }

    async fn stats(&self) -> Result<MetadataStats> {
        self.perform("stats", self.inner.stats()).await
    }

    fn committed(&self) -> Option<MetadataStats> {
        self.inner.committed()
    }

    fn coherence(&self) -> Coherence {
        self.coherence.clone().unwrap_or_else(|| self.inner.coherence())
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[async_trait]
impl BlobBackend for ScriptedBlobs {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn staging(&self) -> Option<&Path> {
        self.inner.staging()
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        // Whatever becomes of it, the payload is taken.
        self.perform("blob put", self.inner.put(id, payload, options)).await
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        self.perform("blob get", self.inner.get(id, options)).await
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.perform("blob head", self.inner.head(id)).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.perform("blob delete", self.inner.delete(ids)).await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.perform("blob list", self.inner.list(after, limit)).await
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.perform("blob discard", self.inner.discard_remnants(before)).await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
