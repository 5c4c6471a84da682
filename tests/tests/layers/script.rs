//! Backends that fail, or stand still, by script; and a runtime whose sleepers wake at once or never.

use cacheness::core::runtime::BoxFuture;
use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness_storage::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Coherence, Cursor, EntryKey, Error,
    ErrorKind, Fields, GetBlob, Locality, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, Payload,
    PutBlob, Query, Reclaim, Reclaimed, Record, Result, Runtime, Staged, Timestamp, async_trait,
};
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Poll, Waker};
use std::thread::ThreadId;
use std::time::Duration;

/// What happens to the next calls, and what calls there were.
#[derive(Debug, Default)]
pub(crate) struct Script {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<&'static str>,
    threads: HashSet<ThreadId>,
    failures: VecDeque<Failure>,
    down: Option<ErrorKind>,
    held: bool,
    inside: usize,
    wakers: Vec<Waker>,
}

/// How a call fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    kind: ErrorKind,
    happened: bool,
    retryable: Option<bool>,
    call: Option<&'static str>,
}

impl Failure {
    /// Before anything happened.
    pub(crate) fn before(kind: ErrorKind) -> Self {
        Self { kind, happened: false, retryable: None, call: None }
    }

    /// After it happened: the answer is lost.
    pub(crate) fn after(kind: ErrorKind) -> Self {
        Self { kind, happened: true, retryable: None, call: None }
    }

    pub(crate) fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = Some(retryable);
        self
    }

    /// The next call of that name; others go through until then.
    pub(crate) fn of(mut self, call: &'static str) -> Self {
        self.call = Some(call);
        self
    }

    fn error(self) -> Error {
        let error = Error::new(self.kind, "by script");
        match self.retryable {
            Some(retryable) => error.retryable(retryable),
            None => error,
        }
    }
}

impl Script {
    /// The next call fails so, and the one after it as the next of them says.
    pub(crate) fn fail(&self, failures: impl IntoIterator<Item = Failure>) {
        self.state.lock().unwrap().failures.extend(failures);
    }

    /// Every call fails so until told otherwise.
    pub(crate) fn down(&self, kind: impl Into<Option<ErrorKind>>) {
        self.state.lock().unwrap().down = kind.into();
    }

    /// Calls stand still from now on.
    pub(crate) fn hold(&self) {
        self.state.lock().unwrap().held = true;
    }

    /// Calls go on.
    pub(crate) fn release(&self) {
        let mut state = self.state.lock().unwrap();
        state.held = false;
        state.wakers.drain(..).for_each(Waker::wake);
        self.changed.notify_all();
    }

    /// Waits until so many calls are under way.
    pub(crate) fn wait_inside(&self, count: usize) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.inside < count).unwrap());
    }

    /// How many calls are under way.
    pub(crate) fn inside(&self) -> usize {
        self.state.lock().unwrap().inside
    }

    /// The calls since this was asked last.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// The threads of all calls.
    pub(crate) fn threads(&self) -> HashSet<ThreadId> {
        self.state.lock().unwrap().threads.clone()
    }

    async fn play<R>(&self, name: &'static str, blocking: bool, call: impl Future<Output = Result<R>>) -> Result<R> {
        let _inside = Inside::enter(self, name);
        if blocking {
            let state = self.state.lock().unwrap();
            drop(self.changed.wait_while(state, |state| state.held).unwrap());
        } else {
            let mut polled = false;
            poll_fn(|context| {
                let mut state = self.state.lock().unwrap();
                if std::mem::replace(&mut polled, true) && !state.held {
                    return Poll::Ready(());
                }
                match state.held {
                    true => state.wakers.push(context.waker().clone()),
                    false => context.waker().wake_by_ref(),
                }
                Poll::Pending
            })
            .await;
        }
        let failure = {
            let mut state = self.state.lock().unwrap();
            let meant = |failure: &mut Failure| failure.call.is_none_or(|call| call == name);
            state.down.map(Failure::before).or_else(|| state.failures.pop_front_if(meant))
        };
        match failure {
            None => call.await,
            Some(failure) if failure.happened => call.await.and(Err(failure.error())),
            Some(failure) => Err(failure.error()),
        }
    }
}

struct Inside<'s>(&'s Script);

impl<'s> Inside<'s> {
    fn enter(script: &'s Script, name: &'static str) -> Self {
        let mut state = script.state.lock().unwrap();
        state.calls.push(name);
        state.threads.insert(std::thread::current().id());
        state.inside += 1;
        script.changed.notify_all();
        Self(script)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().inside -= 1;
        self.0.changed.notify_all();
    }
}

/// A backend that goes by a script.
#[derive(Debug)]
pub(crate) struct Scripted<B: ?Sized> {
    inner: Arc<B>,
    pub(crate) script: Arc<Script>,
    blocking: bool,
    locality: Option<Locality>,
}

/// Blobs by script.
pub(crate) type Blobs = Scripted<dyn BlobBackend>;

/// An index by script.
pub(crate) type Index = Scripted<dyn MetadataBackend>;

impl<B: ?Sized> Scripted<B> {
    pub(crate) fn around(inner: Arc<B>, blocking: bool) -> Self {
        Self { inner, script: Arc::default(), blocking, locality: None }
    }

    pub(crate) fn seen_by(mut self, locality: Locality) -> Self {
        self.locality = Some(locality);
        self
    }

    fn describe(&self, info: BackendInfo) -> BackendInfo {
        BackendInfo { blocking: self.blocking, locality: self.locality.unwrap_or(info.locality), ..info }
    }
}

impl Blobs {
    pub(crate) fn in_memory(blocking: bool) -> Self {
        Self::around(Arc::new(MemoryBlobs::new(&OpenContext::new())), blocking)
    }

    /// The same blobs, with a script of their own.
    pub(crate) fn inner(&self) -> Arc<dyn BlobBackend> {
        self.inner.clone()
    }
}

impl Index {
    pub(crate) fn in_memory(blocking: bool) -> Self {
        Self::around(Arc::new(MemoryMetadata::new(&OpenContext::new())), blocking)
    }
}

impl<B: ?Sized + fmt::Display> fmt::Display for Scripted<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripted {}", self.inner)
    }
}

#[async_trait]
impl BlobBackend for Blobs {
    fn info(&self) -> BackendInfo {
        self.describe(self.inner.info())
    }

    fn staging(&self) -> Option<&Path> {
        self.inner.staging()
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        // Whatever becomes of it, the payload is taken.
        self.script.play("put", self.blocking, self.inner.put(id, payload, options)).await
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        self.script.play("get", self.blocking, self.inner.get(id, options)).await
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.script.play("head", self.blocking, self.inner.head(id)).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.script.play("delete", self.blocking, self.inner.delete(ids)).await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.script.play("list", self.blocking, self.inner.list(after, limit)).await
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.script.play("discard remnants", self.blocking, self.inner.discard_remnants(before)).await
    }

    async fn close(&self) -> Result<()> {
        self.script.play("close", self.blocking, self.inner.close()).await
    }
}

#[async_trait]
impl MetadataBackend for Index {
    fn info(&self) -> BackendInfo {
        self.describe(self.inner.info())
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.script.play("get", self.blocking, self.inner.get(keys, fields)).await
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        self.script.play("commit", self.blocking, self.inner.commit(changes, on_unmet)).await
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        self.script.play("page", self.blocking, self.inner.page(query, after)).await
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.script.play("blobs", self.blocking, self.inner.blobs(query)).await
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        self.script.play("reclaim", self.blocking, self.inner.reclaim(plan)).await
    }

    async fn stats(&self) -> Result<MetadataStats> {
        self.script.play("stats", self.blocking, self.inner.stats()).await
    }

    fn committed(&self) -> Option<MetadataStats> {
        self.inner.committed()
    }

    fn coherence(&self) -> Coherence {
        self.inner.coherence()
    }

    async fn close(&self) -> Result<()> {
        self.script.play("close", self.blocking, self.inner.close()).await
    }
}

/// A runtime whose sleepers wake at once, or never, and which remembers for how long they wanted to sleep.
#[derive(Debug, Default)]
pub(crate) struct Naps {
    wakes: AtomicBool,
    wanted: Mutex<Vec<Duration>>,
}

impl Naps {
    /// Sleepers wake at once.
    pub(crate) fn short() -> Arc<Self> {
        Arc::new(Self { wakes: AtomicBool::new(true), ..Self::default() })
    }

    /// Sleepers never wake.
    pub(crate) fn endless() -> Arc<Self> {
        Arc::default()
    }

    /// How long sleepers wanted to sleep since this was asked last.
    pub(crate) fn wanted(&self) -> Vec<Duration> {
        std::mem::take(&mut self.wanted.lock().unwrap())
    }

    pub(crate) fn context(self: &Arc<Self>) -> OpenContext {
        OpenContext::new().runtime(self.clone())
    }
}

impl Runtime for Naps {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        std::thread::spawn(move || cacheness_storage::block_on(task));
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(job);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.wanted.lock().unwrap().push(duration);
        match self.wakes.load(Ordering::SeqCst) {
            true => Box::pin(std::future::ready(())),
            false => Box::pin(std::future::pending()),
        }
    }

    fn block_on(&self, task: Pin<&mut (dyn Future<Output = ()> + '_)>) {
        cacheness_storage::block_on(task);
    }

    fn drives_io(&self) -> bool {
        true
    }

    fn in_async_context(&self) -> bool {
        false
    }
}
