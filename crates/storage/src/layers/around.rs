//! The one home of forwarding: a backend whose every call goes through a policy, for both contracts.

use crate::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Coherence, Cursor, EntryKey, Fields,
    GetBlob, MetadataBackend, MetadataStats, OnUnmet, Outcome, Page, Payload, PutBlob, Query, Reclaim, Reclaimed,
    Record, Staged,
};
use async_trait::async_trait;
use cacheness_core::runtime::BoxFuture;
use cacheness_core::{Result, Timestamp};
use std::fmt::{self, Debug, Display};
use std::path::Path;
use std::sync::Arc;

/// A call of a backend, with all it is called with.
pub(crate) type Call<B, A, R> = fn(Arc<B>, A) -> BoxFuture<'static, Result<R>>;

/// Which call it is, as far as a policy treats calls differently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// What is done, in words.
    pub(crate) name: &'static str,
    /// The method of the contract, as observers name it; those of blobs begin with `blob_`.
    #[cfg_attr(not(any(feature = "metrics", feature = "tracing")), expect(dead_code, reason = "nobody observes"))]
    pub(crate) method: &'static str,
    pub(crate) effect: Effect,
    /// The bytes that travel in a transfer.
    pub(crate) bytes: Option<u64>,
}

/// What a call leaves behind when nobody knows whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing, or what the same call may do again.
    Repeatable,
    /// A change of the index, which must not be made twice.
    Change,
    /// A blob, perhaps in part.
    Blob,
    /// Nothing is left to be called.
    Close,
}

impl Operation {
    pub(super) const HEAD: Self = Self::repeatable("blob_head", "look up a blob");

    const fn close(method: &'static str) -> Self {
        Self { name: "close", method, effect: Effect::Close, bytes: None }
    }

    const fn repeatable(method: &'static str, name: &'static str) -> Self {
        Self { name, method, effect: Effect::Repeatable, bytes: None }
    }

    const fn change(method: &'static str, name: &'static str) -> Self {
        Self { name, method, effect: Effect::Change, bytes: None }
    }

    pub(super) const fn get(bytes: Option<u64>) -> Self {
        Self { name: "get a blob", method: "blob_get", effect: Effect::Repeatable, bytes }
    }

    pub(super) const fn put(bytes: u64) -> Self {
        Self { name: "put a blob", method: "blob_put", effect: Effect::Blob, bytes: Some(bytes) }
    }
}

/// How a layer makes the calls of the backend below it.
pub(crate) trait Policy: Send + Sync + 'static {
    /// What the layer says of itself, given what the backend below says.
    fn describe(&self, inner: BackendInfo) -> BackendInfo {
        inner
    }

    /// Prints the layer around the backend below.
    fn show(&self, inner: &dyn Display, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Makes a call that can be made once.
    fn once<B, A, R>(
        &self,
        inner: &Arc<B>,
        operation: Operation,
        arguments: A,
        call: Call<B, A, R>,
    ) -> impl Future<Output = Result<R>> + Send
    where
        B: ?Sized + Display + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static;

    /// Makes a call that can be made again.
    fn repeat<B, A, R>(
        &self,
        inner: &Arc<B>,
        operation: Operation,
        arguments: A,
        call: Call<B, A, R>,
    ) -> impl Future<Output = Result<R>> + Send
    where
        B: ?Sized + Display + Send + Sync + 'static,
        A: Clone + Send + Sync + 'static,
        R: Send + 'static,
    {
        self.once(inner, operation, arguments, call)
    }

    /// Stores a blob.
    fn put(
        &self,
        inner: &Arc<dyn BlobBackend>,
        id: BlobId,
        payload: Staged,
        options: PutBlob,
    ) -> impl Future<Output = Result<BlobInfo>> + Send {
        let operation = Operation::put(payload.size());
        self.once(inner, operation, (id, payload, options), put_blob)
    }

    /// Reads a blob.
    fn get(
        &self,
        inner: &Arc<dyn BlobBackend>,
        id: BlobId,
        options: GetBlob,
    ) -> impl Future<Output = Result<Option<Payload>>> + Send {
        self.repeat(inner, Operation::get(None), (id, options), get_blob)
    }
}

pub(super) fn put_blob(
    inner: Arc<dyn BlobBackend>,
    (id, payload, options): (BlobId, Staged, PutBlob),
) -> BoxFuture<'static, Result<BlobInfo>> {
    Box::pin(async move { inner.put(&id, payload, options).await })
}

pub(super) fn get_blob(
    inner: Arc<dyn BlobBackend>,
    (id, options): (BlobId, GetBlob),
) -> BoxFuture<'static, Result<Option<Payload>>> {
    Box::pin(async move { inner.get(&id, options).await })
}

pub(super) fn head_blob(inner: Arc<dyn BlobBackend>, id: BlobId) -> BoxFuture<'static, Result<Option<BlobInfo>>> {
    Box::pin(async move { inner.head(&id).await })
}

/// A backend whose every call goes through a policy.
pub(crate) struct Around<B: ?Sized, P> {
    inner: Arc<B>,
    policy: P,
}

impl<B: ?Sized, P> Around<B, P> {
    pub(crate) fn new(inner: Arc<B>, policy: P) -> Self {
        Self { inner, policy }
    }
}

impl<B: ?Sized + Display, P: Policy> Display for Around<B, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.show(&&*self.inner, f)
    }
}

impl<B: ?Sized + Display, P: Policy> Debug for Around<B, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

#[async_trait]
impl<P: Policy> MetadataBackend for Around<dyn MetadataBackend, P> {
    fn info(&self) -> BackendInfo {
        self.policy.describe(self.inner.info())
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        let operation = Operation::repeatable("get", "read records");
        self.policy
            .repeat(&self.inner, operation, (keys.to_vec(), fields), |inner, (keys, fields)| {
                Box::pin(async move { inner.get(&keys, fields).await })
            })
            .await
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        let operation = Operation::change("commit", "commit");
        self.policy
            .repeat(&self.inner, operation, (changes, on_unmet), |inner, (changes, on_unmet)| {
                Box::pin(async move { inner.commit(changes, on_unmet).await })
            })
            .await
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        let operation = Operation::repeatable("page", "query");
        self.policy
            .repeat(&self.inner, operation, (query.clone(), after), |inner, (query, after)| {
                Box::pin(async move { inner.page(&query, after).await })
            })
            .await
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        let operation = Operation::repeatable("blobs", "query blobs");
        self.policy
            .repeat(&self.inner, operation, query.clone(), |inner, query| {
                Box::pin(async move { inner.blobs(&query).await })
            })
            .await
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        let operation = Operation::change("reclaim", "reclaim");
        self.policy
            .repeat(&self.inner, operation, plan.clone(), |inner, plan| {
                Box::pin(async move { inner.reclaim(&plan).await })
            })
            .await
    }

    async fn stats(&self) -> Result<MetadataStats> {
        let operation = Operation::repeatable("stats", "read totals");
        self.policy.repeat(&self.inner, operation, (), |inner, ()| Box::pin(async move { inner.stats().await })).await
    }

    fn committed(&self) -> Option<MetadataStats> {
        self.inner.committed()
    }

    fn coherence(&self) -> Coherence {
        self.inner.coherence()
    }

    async fn close(&self) -> Result<()> {
        self.policy
            .repeat(&self.inner, Operation::close("close"), (), |inner, ()| {
                Box::pin(async move { inner.close().await })
            })
            .await
    }
}

#[async_trait]
impl<P: Policy> BlobBackend for Around<dyn BlobBackend, P> {
    fn info(&self) -> BackendInfo {
        self.policy.describe(self.inner.info())
    }

    fn staging(&self) -> Option<&Path> {
        self.inner.staging()
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        self.policy.put(&self.inner, *id, payload, options).await
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        self.policy.get(&self.inner, *id, options).await
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.policy.repeat(&self.inner, Operation::HEAD, *id, head_blob).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        let operation = Operation::repeatable("blob_delete", "delete blobs");
        self.policy
            .repeat(&self.inner, operation, ids.to_vec(), |inner, ids| {
                Box::pin(async move { inner.delete(&ids).await })
            })
            .await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        let operation = Operation::repeatable("blob_list", "list blobs");
        self.policy
            .repeat(&self.inner, operation, (after, limit), |inner, (after, limit)| {
                Box::pin(async move { inner.list(after, limit).await })
            })
            .await
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        let operation = Operation::repeatable("blob_discard_remnants", "discard remnants");
        self.policy
            .repeat(&self.inner, operation, before, |inner, before| {
                Box::pin(async move { inner.discard_remnants(before).await })
            })
            .await
    }

    async fn close(&self) -> Result<()> {
        self.policy
            .repeat(&self.inner, Operation::close("blob_close"), (), |inner, ()| {
                Box::pin(async move { inner.close().await })
            })
            .await
    }
}
