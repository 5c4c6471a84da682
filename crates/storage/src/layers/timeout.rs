//! `Timeout`: no call takes longer than it may.

use super::around::{Around, Call, Effect, Operation, Policy, get_blob, head_blob};
use super::counter::Counter;
use super::layer::{BlobLayer, LayerContext, MetadataLayer};
use super::surroundings::Surroundings;
use crate::{
    BackendRegistry, BlobBackend, BlobId, GetBlob, IntoBlobBackend, IntoMetadataBackend, MetadataBackend, OpenContext,
    Payload,
};
use async_trait::async_trait;
use cacheness_core::runtime::{BoxFuture, block_on};
use cacheness_core::{Error, ErrorKind, Result, Runtime, ThreadPool};
use std::fmt::{self, Display};
use std::future::poll_fn;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;

/// How many calls of a blocking backend can be under way, those that nobody waits for any more included.
const THREADS: usize = 64;

/// Ends the wait for a call with [`Timeout`](crate::ErrorKind::Timeout) after 30 s, for the transfer of a blob after 30 s
/// and a second for every MiB, unless told otherwise.
///
/// Over a backend that does not block, the call is dropped. Over one that does, it goes on in a thread of the layer's own,
/// and what it returns then is dropped; the layer blocks as the backend does. Those threads are not the ones of the
/// runtime: whoever waits here may hold one of them, and if all did, no call could begin.
///
/// The error of a call that changes the index is not retryable, because nobody knows whether it happened; nor is that of a put
/// that goes on. A get whose size is not known asks for it first.
///
/// Clones share their counters.
///
/// ```
/// use cacheness_storage::layers::Timeout;
/// use cacheness_storage::memory::MemoryBlobs;
/// use cacheness_storage::OpenContext;
/// use std::time::Duration;
///
/// let context = OpenContext::new();
/// let timeout = Timeout::after(Duration::from_secs(5)).transfers(Duration::from_secs(10), 4 << 20);
/// let blobs = timeout.around_blobs(MemoryBlobs::new(&context), &context);
/// assert_eq!(blobs.to_string(), "Timeout(5s, memory:)");
/// ```
#[derive(Debug, Clone)]
pub struct Timeout {
    limit: Duration,
    floor: Duration,
    bytes_per_second: u64,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    calls: Counter,
    timed_out: Counter,
}

/// What a [`Timeout`] did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimeoutStats {
    /// Calls of the backend below.
    pub calls: u64,
    /// Those of them that took too long.
    pub timed_out: u64,
}

impl Default for Timeout {
    fn default() -> Self {
        Self::after(Duration::from_secs(30))
    }
}

impl Timeout {
    /// 30 s for a call, 30 s and a second for every MiB for a transfer.
    pub fn new() -> Self {
        Self::default()
    }

    /// So long for a call; for a transfer a second more for every MiB.
    pub fn after(limit: Duration) -> Self {
        Self { limit, floor: limit, bytes_per_second: 1 << 20, counters: Arc::default() }
    }

    /// How long a put or get of a blob may take: `floor`, and the time that its bytes take at the slowest rate, which is
    /// at least 1.
    #[must_use]
    pub fn transfers(mut self, floor: Duration, bytes_per_second: u64) -> Self {
        self.floor = floor;
        self.bytes_per_second = bytes_per_second;
        self
    }

    /// What it and its clones did so far.
    pub fn stats(&self) -> TimeoutStats {
        TimeoutStats { calls: self.counters.calls.get(), timed_out: self.counters.timed_out.get() }
    }

    /// Puts it around an index.
    pub fn around_metadata(
        &self,
        backend: impl IntoMetadataBackend,
        context: &OpenContext,
    ) -> Arc<dyn MetadataBackend> {
        let backend = backend.into_metadata_backend();
        let policy = Limiting::new(self, context, backend.info().blocking);
        Arc::new(Around::new(backend, policy))
    }

    /// Puts it around blobs.
    pub fn around_blobs(&self, backend: impl IntoBlobBackend, context: &OpenContext) -> Arc<dyn BlobBackend> {
        let backend = backend.into_blob_backend();
        let policy = Limiting::new(self, context, backend.info().blocking);
        Arc::new(Around::new(backend, policy))
    }

    fn limit(&self, bytes: Option<u64>) -> Duration {
        let Some(bytes) = bytes else { return self.limit };
        let millis = u128::from(bytes) * 1000 / u128::from(self.bytes_per_second.max(1));
        self.floor.saturating_add(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }
}

#[async_trait]
impl MetadataLayer for Timeout {
    async fn wrap_metadata(
        &self,
        backend: Arc<dyn MetadataBackend>,
        context: &LayerContext,
    ) -> Result<Arc<dyn MetadataBackend>> {
        Ok(self.around_metadata(backend, &context.open))
    }
}

#[async_trait]
impl BlobLayer for Timeout {
    fn check(&self, _: &BackendRegistry) -> Result<()> {
        Ok(())
    }

    async fn wrap_blobs(&self, backend: Arc<dyn BlobBackend>, context: &LayerContext) -> Result<Arc<dyn BlobBackend>> {
        Ok(self.around_blobs(backend, &context.open))
    }
}

struct Limiting {
    timeout: Timeout,
    surroundings: Surroundings,
    /// For the calls of a backend that blocks.
    pool: ThreadPool,
}

impl Limiting {
    fn new(timeout: &Timeout, context: &OpenContext, blocking: bool) -> Self {
        let surroundings = Surroundings::new(context, blocking);
        Self { timeout: timeout.clone(), surroundings, pool: ThreadPool::new(THREADS) }
    }

    /// Makes a blocking call elsewhere; `None` when it took too long.
    fn elsewhere<R: Send + 'static>(
        &self,
        limit: Duration,
        call: impl FnOnce() -> Result<R> + Send + 'static,
    ) -> Option<Result<R>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        // When nobody waits any more, what was returned is dropped here.
        self.pool.spawn_blocking(Box::new(move || drop(sender.send(call()))));
        match receiver.recv_timeout(limit) {
            Ok(result) => Some(result),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Some(Err(Error::new(ErrorKind::Internal, "the operation panicked; the panic message says where")))
            }
        }
    }
}

/// What a future returns, unless the alarm is first.
async fn before<T>(mut alarm: BoxFuture<'static, ()>, mut future: BoxFuture<'static, T>) -> Option<T> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => alarm.as_mut().poll(context).map(|()| None),
    })
    .await
}

impl Policy for Limiting {
    fn show(&self, inner: &dyn Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timeout({:?}, {inner})", self.timeout.limit)
    }

    async fn once<B, A, R>(&self, inner: &Arc<B>, operation: Operation, arguments: A, call: Call<B, A, R>) -> Result<R>
    where
        B: ?Sized + Display + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        self.timeout.counters.calls.add(1);
        let limit = self.timeout.limit(operation.bytes);
        let Surroundings { runtime, blocking } = &self.surroundings;
        let returned = if *blocking {
            let inner = inner.clone();
            self.elsewhere(limit, move || block_on(call(inner, arguments)))
        } else {
            before(runtime.sleep(limit), call(inner.clone(), arguments)).await
        };
        returned.unwrap_or_else(|| {
            self.timeout.counters.timed_out.add(1);
            let is_known = match operation.effect {
                Effect::Repeatable | Effect::Close => true,
                Effect::Change => false,
                Effect::Blob => !blocking,
            };
            let message = match operation.effect {
                Effect::Change => format!("it took longer than {limit:?}, and may have happened"),
                _ => format!("it took longer than {limit:?}"),
            };
            Err(Error::new(ErrorKind::Timeout, message).operation(operation.name).backend(inner).retryable(is_known))
        })
    }

    async fn get(&self, inner: &Arc<dyn BlobBackend>, id: BlobId, options: GetBlob) -> Result<Option<Payload>> {
        let bytes = match &options.range {
            Some(range) if range.end < u64::MAX => range.end.saturating_sub(range.start),
            _ => match self.once(inner, Operation::HEAD, id, head_blob).await? {
                Some(info) => info.size,
                None => return Ok(None),
            },
        };
        self.once(inner, Operation::get(Some(bytes)), (id, options), get_blob).await
    }
}
