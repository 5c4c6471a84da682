//! Backends that count their calls and do as they are told: fail, lose what they did, or never answer.

use cacheness_storage::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Coherence, Cursor, EntryKey, Error,
    ErrorKind, Fields, GetBlob, Locality, MetadataBackend, MetadataStats, OnUnmet, Outcome, Page, Payload, PutBlob,
    Query, Reclaim, Reclaimed, Record, Result, Staged, Timestamp, async_trait,
};
use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What happens to the calls of the backends that share it. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<&'static str, u64>,
    failing: Option<ErrorKind>,
    /// Only these operations fail; all without any.
    only: Vec<&'static str>,
    loses_replies: bool,
    hangs: bool,
}

impl Script {
    /// Every call fails from now on.
    pub fn fail(&self, kind: ErrorKind) {
        self.fail_only(kind, &[]);
    }

    /// Every call of these operations fails from now on.
    pub fn fail_only(&self, kind: ErrorKind, only: &[&'static str]) {
        let mut state = self.state();
        (state.failing, state.only, state.loses_replies) = (Some(kind), only.to_vec(), false);
    }

    /// Calls of these operations do what they are for, and fail nevertheless.
    pub fn lose_replies_of(&self, only: &[&'static str]) {
        self.fail_only(ErrorKind::Unavailable, only);
        self.state().loses_replies = true;
    }

    /// Calls do not come back from now on.
    pub fn hang(&self) {
        self.state().hangs = true;
    }

    /// Everything works again.
    pub fn heal(&self) {
        let mut state = self.state();
        (state.failing, state.hangs, state.loses_replies) = (None, false, false);
        self.0.released.notify_all();
    }

    /// How often which operation was called since it was asked last, such as `commit 1, get 2`; those of blobs are
    /// `blob get`.
    pub fn calls(&self) -> String {
        let calls = std::mem::take(&mut self.state().calls);
        let calls: Vec<_> = calls.iter().map(|(operation, count)| format!("{operation} {count}")).collect();
        calls.join(", ")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    async fn perform<R>(
        &self,
        operation: &'static str,
        blocking: bool,
        work: impl Future<Output = Result<R>>,
    ) -> Result<R> {
        let hangs = {
            let mut state = self.state();
            *state.calls.entry(operation).or_default() += 1;
            state.hangs
        };
        if hangs && !blocking {
            pending::<()>().await;
        }
        drop(self.0.released.wait_while(self.state(), |state| state.hangs).unwrap());
        let failure = || {
            let state = self.state();
            let kind = state.failing.filter(|_| state.only.is_empty() || state.only.contains(&operation))?;
            Some((Error::new(kind, format!("{operation} fails as told")).backend("scripted"), state.loses_replies))
        };
        match failure() {
            Some((error, false)) => Err(error),
            _ => {
                let done = work.await;
                failure().map_or(done, |(error, _)| Err(error))
            }
        }
    }
}

/// An index that does as its script says.
pub struct ScriptedMetadata {
    inner: Arc<dyn MetadataBackend>,
    script: Script,
    info: BackendInfo,
    coherence: Coherence,
}

impl ScriptedMetadata {
    /// Over another one.
    pub fn new(inner: impl MetadataBackend, script: &Script) -> Self {
        Self::over(Arc::new(inner), script)
    }

    /// Over another one, which others hold too.
    pub fn over(inner: Arc<dyn MetadataBackend>, script: &Script) -> Self {
        let (info, coherence) = (inner.info(), inner.coherence());
        Self { inner, script: script.clone(), info, coherence }
    }

    /// Says that many machines share it.
    pub fn shared(mut self) -> Self {
        self.info.locality = Locality::Shared;
        self
    }

    /// Says that it does not block.
    pub fn not_blocking(mut self) -> Self {
        self.info.blocking = false;
        self
    }

    /// Says how copies are proven fresh.
    pub fn coherence(mut self, coherence: Coherence) -> Self {
        self.coherence = coherence;
        self
    }

    async fn perform<R>(&self, operation: &'static str, work: impl Future<Output = Result<R>>) -> Result<R> {
        self.script.perform(operation, self.info.blocking, work).await
    }
}

/// Blobs that do as their script says.
pub struct ScriptedBlobs {
    inner: Arc<dyn BlobBackend>,
    script: Script,
    info: BackendInfo,
}

impl ScriptedBlobs {
    /// Over others.
    pub fn new(inner: impl BlobBackend, script: &Script) -> Self {
        Self::over(Arc::new(inner), script)
    }

    /// Over others, which others hold too.
    pub fn over(inner: Arc<dyn BlobBackend>, script: &Script) -> Self {
        let info = inner.info();
        Self { inner, script: script.clone(), info }
    }

    /// Says that many machines share them.
    pub fn shared(mut self) -> Self {
        self.info.locality = Locality::Shared;
        self
    }

    /// Says that it does not block.
    pub fn not_blocking(mut self) -> Self {
        self.info.blocking = false;
        self
    }

    async fn perform<R>(&self, operation: &'static str, work: impl Future<Output = Result<R>>) -> Result<R> {
        self.script.perform(operation, self.info.blocking, work).await
    }
}

macro_rules! printed {
    ($($type:ty)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "scripted({})", self.inner)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "scripted({:?})", self.inner)
            }
        }
    )*};
}

printed! { ScriptedMetadata ScriptedBlobs }

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
        self.coherence.clone()
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
