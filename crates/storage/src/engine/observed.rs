//! What the outside sees of every call of a backend: how long it took, and how it failed.
//!
//! | what | name | labels or fields |
//! |---|---|---|
//! | histogram, in seconds | `cacheness_backend_seconds` | `backend`, `operation` |
//! | counter | `cacheness_backend_errors_total` | `backend`, `operation`, `kind` |
//! | span, at `DEBUG` | `cacheness_backend` | `backend`, `operation` |
//!
//! `backend` is the name that it is registered under; the operations of blobs begin with `blob_`. No key and no value is
//! among them.

use super::Parts;
use crate::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Coherence, Cursor, EntryKey, Fields,
    GetBlob, MetadataBackend, MetadataStats, OnUnmet, Outcome, Page, Payload, PutBlob, Query, Reclaim, Reclaimed,
    Record, Staged,
};
use async_trait::async_trait;
use cacheness_core::{Result, Timestamp};
use std::fmt::{self, Debug, Display};
use std::path::Path;
use std::sync::Arc;

/// Both backends, observed.
pub(super) fn observed(mut parts: Parts) -> Parts {
    let (index, blobs) = (parts.metadata.info().name, parts.blobs.info().name);
    parts.metadata = Arc::new(Observed { inner: parts.metadata, name: Arc::from(&*index) });
    parts.blobs = Arc::new(Observed { inner: parts.blobs, name: Arc::from(&*blobs) });
    parts
}

/// A backend whose calls are seen.
struct Observed<B: ?Sized> {
    inner: Arc<B>,
    name: Arc<str>,
}

impl<B: ?Sized> Observed<B> {
    async fn seen<R>(&self, operation: &'static str, call: impl Future<Output = Result<R>>) -> Result<R> {
        #[cfg(feature = "tracing")]
        let call = {
            let span = tracing::debug_span!("cacheness_backend", backend = &*self.name, operation);
            tracing::Instrument::instrument(call, span)
        };
        #[cfg(feature = "metrics")]
        let began = std::time::Instant::now();
        let done = call.await;
        #[cfg(feature = "metrics")]
        metrics::histogram!("cacheness_backend_seconds", "backend" => self.name.clone(), "operation" => operation)
            .record(began.elapsed());
        if let Err(error) = &done {
            self.failed(operation, error);
        }
        done
    }

    #[cold]
    fn failed(&self, operation: &'static str, error: &cacheness_core::Error) {
        let kind = error.kind();
        #[cfg(feature = "metrics")]
        {
            let (backend, kind) = (self.name.clone(), format!("{kind:?}"));
            metrics::counter!(
                "cacheness_backend_errors_total", "backend" => backend, "operation" => operation, "kind" => kind
            )
            .increment(1);
        }
        #[cfg(feature = "tracing")]
        tracing::debug!(backend = &*self.name, operation, ?kind, %error, "a call of a backend failed");
    }
}

impl<B: ?Sized + Display> Display for Observed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.inner, f)
    }
}

impl<B: ?Sized + Debug> Debug for Observed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.inner, f)
    }
}

#[async_trait]
impl MetadataBackend for Observed<dyn MetadataBackend> {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.seen("get", self.inner.get(keys, fields)).await
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        self.seen("commit", self.inner.commit(changes, on_unmet)).await
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        self.seen("page", self.inner.page(query, after)).await
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.seen("blobs", self.inner.blobs(query)).await
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        self.seen("reclaim", self.inner.reclaim(plan)).await
    }

    async fn stats(&self) -> Result<MetadataStats> {
        self.seen("stats", self.inner.stats()).await
    }

    fn committed(&self) -> Option<MetadataStats> {
        self.inner.committed()
    }

    fn coherence(&self) -> Coherence {
        self.inner.coherence()
    }

    async fn close(&self) -> Result<()> {
        self.seen("close", self.inner.close()).await
    }
}

#[async_trait]
impl BlobBackend for Observed<dyn BlobBackend> {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    fn staging(&self) -> Option<&Path> {
        self.inner.staging()
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        self.seen("blob_put", self.inner.put(id, payload, options)).await
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        self.seen("blob_get", self.inner.get(id, options)).await
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.seen("blob_head", self.inner.head(id)).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.seen("blob_delete", self.inner.delete(ids)).await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.seen("blob_list", self.inner.list(after, limit)).await
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.seen("blob_discard_remnants", self.inner.discard_remnants(before)).await
    }

    async fn close(&self) -> Result<()> {
        self.seen("blob_close", self.inner.close()).await
    }
}
