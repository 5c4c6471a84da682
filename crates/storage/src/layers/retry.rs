//! `Retry`: calls that failed for a passing reason are made again, each time after a longer pause.

use super::around::{Around, Call, Effect, Operation, Policy, head_blob, put_blob};
use super::counter::Counter;
use super::layer::{BlobLayer, LayerContext, MetadataLayer};
use super::replay::Replay;
use super::surroundings::Surroundings;
use crate::{
    BackendRegistry, BlobBackend, BlobId, BlobInfo, IntoBlobBackend, IntoMetadataBackend, MetadataBackend, OpenContext,
    PutBlob, Staged,
};
use async_trait::async_trait;
use cacheness_core::{Error, ErrorKind, Result, Rng, rng};
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

/// Makes calls again that failed with an error that [says it helps](cacheness_core::Error::is_retryable): three times,
/// after pauses of up to 0.5 s, 1 s, 2 s, and never more than 60 s, unless told otherwise.
///
/// Pauses are drawn between nothing and the doubled last bound ("full jitter", Brooker, "Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015), so that those who failed together do not come back together.
///
/// A commit of which nobody knows whether it happened is never repeated, and neither is a reclaim. A blob whose put
/// failed is put again under its name: from memory, or from a copy of its file. When it is there then, because an earlier
/// attempt stored it although the answer was lost, and has the size and the digest it should have, it is stored. What a
/// [`CircuitBreaker`](super::CircuitBreaker) refuses is refused at once.
///
/// Clones share their counters.
///
/// ```
/// use cacheness_storage::layers::Retry;
/// use cacheness_storage::memory::MemoryBlobs;
/// use cacheness_storage::OpenContext;
/// use std::time::Duration;
///
/// let context = OpenContext::new();
/// let retry = Retry::new().max(5).initial(Duration::from_millis(100));
/// let blobs = retry.around_blobs(MemoryBlobs::new(&context), &context);
/// assert_eq!(blobs.to_string(), "Retry(5, memory:)");
/// assert_eq!(retry.stats().retries, 0);
/// ```
#[derive(Debug, Clone)]
pub struct Retry {
    max: u32,
    initial: Duration,
    most: Duration,
    jitter: bool,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    attempts: Counter,
    retries: Counter,
    recovered: Counter,
    gave_up: Counter,
}

/// What a [`Retry`] did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RetryStats {
    /// Calls of the backend below.
    pub attempts: u64,
    /// Those of them that were made again.
    pub retries: u64,
    /// Calls that succeeded at last, after they had failed.
    pub recovered: u64,
    /// Calls that failed still when they had been made as often as allowed.
    pub gave_up: u64,
}

impl Default for Retry {
    fn default() -> Self {
        let (initial, most) = (Duration::from_millis(500), Duration::from_secs(60));
        Self { max: 3, initial, most, jitter: true, counters: Arc::default() }
    }
}

impl Retry {
    /// Three times more, after pauses from 0.5 s to 60 s.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often a call is made again at most; 0 for never.
    #[must_use]
    pub fn max(mut self, retries: u32) -> Self {
        self.max = retries;
        self
    }

    /// The bound of the first pause; each following one is twice that of the last.
    #[must_use]
    pub fn initial(mut self, pause: Duration) -> Self {
        self.initial = pause;
        self
    }

    /// The bound of every pause.
    #[must_use]
    pub fn most(mut self, pause: Duration) -> Self {
        self.most = pause;
        self
    }

    /// Whether pauses are drawn by chance; otherwise each is as long as its bound.
    #[must_use]
    pub fn jitter(mut self, jitter: bool) -> Self {
        self.jitter = jitter;
        self
    }

    /// What it and its clones did so far.
    pub fn stats(&self) -> RetryStats {
        let Counters { attempts, retries, recovered, gave_up } = &*self.counters;
        RetryStats {
            attempts: attempts.get(),
            retries: retries.get(),
            recovered: recovered.get(),
            gave_up: gave_up.get(),
        }
    }

    /// Puts it around an index.
    pub fn around_metadata(
        &self,
        backend: impl IntoMetadataBackend,
        context: &OpenContext,
    ) -> Arc<dyn MetadataBackend> {
        let backend = backend.into_metadata_backend();
        let policy = self.policy(context, backend.info().blocking);
        Arc::new(Around::new(backend, policy))
    }

    /// Puts it around blobs.
    pub fn around_blobs(&self, backend: impl IntoBlobBackend, context: &OpenContext) -> Arc<dyn BlobBackend> {
        let backend = backend.into_blob_backend();
        let policy = self.policy(context, backend.info().blocking);
        Arc::new(Around::new(backend, policy))
    }

    fn policy(&self, context: &OpenContext, blocking: bool) -> Retrying {
        Retrying { retry: self.clone(), rng: context.rng.clone(), surroundings: Surroundings::new(context, blocking) }
    }

    /// The bound of the pause after so many retries.
    fn bound(&self, retries: u32) -> Duration {
        self.initial.saturating_mul(2_u32.saturating_pow(retries)).min(self.most)
    }

    /// The pause after so many retries.
    fn pause(&self, retries: u32, chance: &dyn Rng) -> Duration {
        let bound = self.bound(retries);
        match rng::random(chance).map(u32::from_le_bytes) {
            Ok(drawn) if self.jitter => bound.mul_f64(f64::from(drawn) / f64::from(u32::MAX)),
            _ => bound,
        }
    }
}

#[async_trait]
impl MetadataLayer for Retry {
    async fn wrap_metadata(
        &self,
        backend: Arc<dyn MetadataBackend>,
        context: &LayerContext,
    ) -> Result<Arc<dyn MetadataBackend>> {
        Ok(self.around_metadata(backend, &context.open))
    }
}

#[async_trait]
impl BlobLayer for Retry {
    fn check(&self, _: &BackendRegistry) -> Result<()> {
        Ok(())
    }

    async fn wrap_blobs(&self, backend: Arc<dyn BlobBackend>, context: &LayerContext) -> Result<Arc<dyn BlobBackend>> {
        Ok(self.around_blobs(backend, &context.open))
    }
}

struct Retrying {
    retry: Retry,
    rng: Arc<dyn Rng>,
    surroundings: Surroundings,
}

impl Retrying {
    fn attempt(&self) {
        self.retry.counters.attempts.add(1);
    }

    fn succeeded(&self, retries: u32) {
        self.retry.counters.recovered.add(u64::from(retries > 0));
    }

    /// Pauses when a call that failed so is made again; otherwise gives the error back.
    async fn again(&self, operation: Operation, error: Error, retries: u32) -> Result<()> {
        // A commit that timed out may have happened, whatever its error says.
        let is_ambiguous = operation.effect == Effect::Change && error.kind() == ErrorKind::Timeout;
        if !error.is_retryable() || error.kind() == ErrorKind::CircuitOpen || is_ambiguous {
            return Err(error);
        }
        if retries >= self.retry.max {
            self.retry.counters.gave_up.add(1);
            return Err(error);
        }
        self.surroundings.pause(self.retry.pause(retries, &*self.rng)).await;
        self.retry.counters.retries.add(1);
        Ok(())
    }
}

impl Policy for Retrying {
    fn show(&self, inner: &dyn Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Retry({}, {inner})", self.retry.max)
    }

    async fn once<B, A, R>(&self, inner: &Arc<B>, _: Operation, arguments: A, call: Call<B, A, R>) -> Result<R>
    where
        B: ?Sized + Display + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        self.attempt();
        call(inner.clone(), arguments).await
    }

    async fn repeat<B, A, R>(
        &self,
        inner: &Arc<B>,
        operation: Operation,
        arguments: A,
        call: Call<B, A, R>,
    ) -> Result<R>
    where
        B: ?Sized + Display + Send + Sync + 'static,
        A: Clone + Send + Sync + 'static,
        R: Send + 'static,
    {
        let mut retries = 0;
        loop {
            match self.once(inner, operation, arguments.clone(), call).await {
                Ok(done) => {
                    self.succeeded(retries);
                    return Ok(done);
                }
                Err(error) => self.again(operation, error, retries).await?,
            }
            retries += 1;
        }
    }

    async fn put(
        &self,
        inner: &Arc<dyn BlobBackend>,
        id: BlobId,
        payload: Staged,
        options: PutBlob,
    ) -> Result<BlobInfo> {
        let operation = Operation::put(payload.size());
        let replay = Arc::new(Replay::of(&payload)?);
        let mut payload = payload;
        let mut retries = 0;
        loop {
            let error = match self.once(inner, operation, (id, payload, options.clone()), put_blob).await {
                Ok(info) => {
                    self.succeeded(retries);
                    return Ok(info);
                }
                Err(error) => error,
            };
            if retries > 0 && error.kind() == ErrorKind::AlreadyExists && id != BlobId::STORE {
                let there = self.repeat(inner, Operation::HEAD, id, head_blob).await?;
                let info = there.filter(|info| is_stored(info, replay.size(), &options)).ok_or(error)?;
                self.succeeded(retries);
                return Ok(info);
            }
            self.again(operation, error, retries).await?;
            retries += 1;
            let (replay, directory) = (replay.clone(), inner.staging().map(ToOwned::to_owned));
            payload = self.surroundings.compute(move || replay.stage(directory.as_deref())).await?;
        }
    }
}

/// Whether a blob is what an earlier attempt was to store.
fn is_stored(info: &BlobInfo, size: u64, options: &PutBlob) -> bool {
    info.size == size && info.digest.zip(options.digest).is_none_or(|(stored, given)| stored == given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cacheness_core::SystemRng;

    #[test]
    fn pauses_double_up_to_their_bound() {
        let retry = Retry::new().jitter(false);
        let seconds: Vec<_> = (0..10).map(|retries| retry.pause(retries, &SystemRng).as_secs_f64()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
        assert_eq!(retry.bound(u32::MAX), Duration::from_secs(60));
    }

    #[test]
    fn a_drawn_pause_is_anything_up_to_its_bound() {
        #[derive(Debug)]
        struct Fixed(u8);
        impl Rng for Fixed {
            fn fill(&self, bytes: &mut [u8]) -> Result<()> {
                bytes.fill(self.0);
                Ok(())
            }
        }
        let retry = Retry::new();
        assert_eq!(retry.pause(1, &Fixed(0)), Duration::ZERO);
        assert_eq!(retry.pause(1, &Fixed(0xff)), Duration::from_secs(1));
        let middle = retry.pause(1, &Fixed(0x80));
        assert!(middle > Duration::from_millis(490) && middle < Duration::from_millis(510), "{middle:?}");
    }
}
