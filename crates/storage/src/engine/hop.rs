//! A pair in which one backend blocks and the other does not: each call of the first hops to the bounded pool, so that
//! nobody holds a thread of it while he waits for the network.

use super::Parts;
use crate::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Coherence, Cursor, EntryKey, Fields,
    GetBlob, MetadataBackend, MetadataStats, OnUnmet, Outcome, Page, Payload, PutBlob, Query, Reclaim, Reclaimed,
    Record, Staged,
};
use async_trait::async_trait;
use cacheness_core::face::off_executor;
use cacheness_core::runtime::{Runtime, block_on};
use cacheness_core::{Result, Timestamp};
use std::fmt::{self, Debug, Display};
use std::path::Path;
use std::sync::Arc;

/// Lets the one blocking backend of a pair hop.
pub(super) fn if_mixed(mut parts: Parts) -> Parts {
    let runtime = &parts.runtime;
    match (parts.metadata.info().blocking, parts.blobs.info().blocking) {
        (true, false) => parts.metadata = Arc::new(Hop { inner: parts.metadata, runtime: runtime.clone() }),
        (false, true) => parts.blobs = Arc::new(Hop { inner: parts.blobs, runtime: runtime.clone() }),
        _ => {}
    }
    parts
}

/// A blocking backend that does not block.
struct Hop<B: ?Sized> {
    inner: Arc<B>,
    runtime: Arc<dyn Runtime>,
}

impl<B: ?Sized + Send + Sync + 'static> Hop<B> {
    async fn call<F, R>(&self, call: impl FnOnce(Arc<B>) -> F + Send + 'static) -> Result<R>
    where
        F: Future<Output = Result<R>>,
        R: Send + 'static,
    {
        let inner = self.inner.clone();
        off_executor(&*self.runtime, move || block_on(call(inner))).await
    }
}

impl<B: ?Sized + Display> Display for Hop<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.inner, f)
    }
}

impl<B: ?Sized + Debug> Debug for Hop<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.inner, f)
    }
}

#[async_trait]
impl MetadataBackend for Hop<dyn MetadataBackend> {
    fn info(&self) -> BackendInfo {
        BackendInfo { blocking: false, ..self.inner.info() }
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        let keys = keys.to_vec();
        self.call(move |inner| async move { inner.get(&keys, fields).await }).await
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        self.call(move |inner| async move { inner.commit(changes, on_unmet).await }).await
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        let query = query.clone();
        self.call(move |inner| async move { inner.page(&query, after).await }).await
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        let query = query.clone();
        self.call(move |inner| async move { inner.blobs(&query).await }).await
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        let plan = plan.clone();
        self.call(move |inner| async move { inner.reclaim(&plan).await }).await
    }

    async fn stats(&self) -> Result<MetadataStats> {
        self.call(|inner| async move { inner.stats().await }).await
    }

    fn committed(&self) -> Option<MetadataStats> {
        self.inner.committed()
    }

    fn coherence(&self) -> Coherence {
        self.inner.coherence()
    }

    async fn close(&self) -> Result<()> {
        self.call(|inner| async move { inner.close().await }).await
    }
}

#[async_trait]
impl BlobBackend for Hop<dyn BlobBackend> {
    fn info(&self) -> BackendInfo {
        BackendInfo { blocking: false, ..self.inner.info() }
    }

    fn staging(&self) -> Option<&Path> {
        self.inner.staging()
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let id = *id;
        self.call(move |inner| async move { inner.put(&id, payload, options).await }).await
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        let id = *id;
        self.call(move |inner| async move { inner.get(&id, options).await }).await
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        let id = *id;
        self.call(move |inner| async move { inner.head(&id).await }).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        let ids = ids.to_vec();
        self.call(move |inner| async move { inner.delete(&ids).await }).await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.call(move |inner| async move { inner.list(after, limit).await }).await
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.call(move |inner| async move { inner.discard_remnants(before).await }).await
    }

    async fn close(&self) -> Result<()> {
        self.call(|inner| async move { inner.close().await }).await
    }
}
