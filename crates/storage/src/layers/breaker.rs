//! `CircuitBreaker`: a backend that fails again and again is left alone for a while.

use super::around::{Around, Call, Effect, Operation, Policy};
use super::circuit::{Circuit, CircuitStats};
use super::layer::{BlobLayer, LayerContext, MetadataLayer};
use crate::{BackendRegistry, BlobBackend, IntoBlobBackend, IntoMetadataBackend, MetadataBackend, OpenContext};
use async_trait::async_trait;
use cacheness_core::Result;
use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Refuses calls with [`CircuitOpen`](crate::ErrorKind::CircuitOpen), at once and without asking the backend, after five
/// failures in a row, for 60 s, unless told otherwise. Then one call passes, to see how it goes; when it succeeds all do.
///
/// Only what says that the backend is sick counts: [`Unavailable`](crate::ErrorKind::Unavailable),
/// [`Timeout`](crate::ErrorKind::Timeout), [`Storage`](crate::ErrorKind::Storage) and
/// [`Metadata`](crate::ErrorKind::Metadata). Every other error is the caller's, and neither counts nor clears the count. A
/// probe that is cancelled leaves its place to the next. Closing always passes.
///
/// Each backend it is put around has a circuit of its own, unless it is [`shared`](Self::shared). Clones know all circuits.
///
/// ```
/// use cacheness_storage::layers::{CircuitBreaker, CircuitState};
/// use cacheness_storage::memory::MemoryBlobs;
/// use cacheness_storage::OpenContext;
///
/// let context = OpenContext::new();
/// let breaker = CircuitBreaker::new().threshold(3);
/// let blobs = breaker.around_blobs(MemoryBlobs::new(&context), &context);
/// assert_eq!(blobs.to_string(), "CircuitBreaker(memory:)");
/// assert_eq!(breaker.circuits()[0].state, CircuitState::Closed);
/// ```
#[derive(Debug, Clone)]
pub struct CircuitBreaker {
    threshold: u32,
    open_for: Duration,
    shared: bool,
    circuits: Arc<Mutex<Vec<Arc<Circuit>>>>,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { threshold: 5, open_for: Duration::from_secs(60), shared: false, circuits: Arc::default() }
    }
}

impl CircuitBreaker {
    /// Opens after five failures in a row, for 60 s.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many failures in a row open a circuit; zero counts as one.
    #[must_use]
    pub fn threshold(mut self, failures: u32) -> Self {
        self.threshold = failures;
        self
    }

    /// How long a circuit is open before a call is let through. It goes by the clock of the opening; when that is set back,
    /// the time begins anew.
    #[must_use]
    pub fn open_for(mut self, duration: Duration) -> Self {
        self.open_for = duration;
        self
    }

    /// Whether everything that it and its clones are put around shares one circuit: for several handles of one server.
    #[must_use]
    pub fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// What its circuits did so far, in the order in which they were made.
    pub fn circuits(&self) -> Vec<CircuitStats> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|circuit| circuit.stats()).collect()
    }

    /// Puts it around an index.
    pub fn around_metadata(
        &self,
        backend: impl IntoMetadataBackend,
        context: &OpenContext,
    ) -> Arc<dyn MetadataBackend> {
        let backend = backend.into_metadata_backend();
        let policy = Breaking(self.circuit(&backend, context));
        Arc::new(Around::new(backend, policy))
    }

    /// Puts it around blobs.
    pub fn around_blobs(&self, backend: impl IntoBlobBackend, context: &OpenContext) -> Arc<dyn BlobBackend> {
        let backend = backend.into_blob_backend();
        let policy = Breaking(self.circuit(&backend, context));
        Arc::new(Around::new(backend, policy))
    }

    fn circuit(&self, backend: &impl Display, context: &OpenContext) -> Arc<Circuit> {
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(circuit) = circuits.first().filter(|_| self.shared) {
            return circuit.clone();
        }
        let circuit = Circuit::new(backend.to_string(), self.threshold, self.open_for, context.clock.clone());
        let circuit = Arc::new(circuit);
        circuits.push(circuit.clone());
        circuit
    }
}

#[async_trait]
impl MetadataLayer for CircuitBreaker {
    async fn wrap_metadata(
        &self,
        backend: Arc<dyn MetadataBackend>,
        context: &LayerContext,
    ) -> Result<Arc<dyn MetadataBackend>> {
        Ok(self.around_metadata(backend, &context.open))
    }
}

#[async_trait]
impl BlobLayer for CircuitBreaker {
    fn check(&self, _: &BackendRegistry) -> Result<()> {
        Ok(())
    }

    async fn wrap_blobs(&self, backend: Arc<dyn BlobBackend>, context: &LayerContext) -> Result<Arc<dyn BlobBackend>> {
        Ok(self.around_blobs(backend, &context.open))
    }
}

struct Breaking(Arc<Circuit>);

impl Policy for Breaking {
    fn show(&self, inner: &dyn Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CircuitBreaker({inner})")
    }

    async fn once<B, A, R>(&self, inner: &Arc<B>, operation: Operation, arguments: A, call: Call<B, A, R>) -> Result<R>
    where
        B: ?Sized + Display + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        if operation.effect == Effect::Close {
            return call(inner.clone(), arguments).await;
        }
        let pass = self.0.enter().map_err(|error| error.operation(operation.name))?;
        let result = call(inner.clone(), arguments).await;
        pass.note(&result);
        result
    }
}
