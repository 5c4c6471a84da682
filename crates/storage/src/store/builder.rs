//! Opening a `BlobStore`.

use super::{Core, IntoBlobBackend, IntoMetadataBackend, future, sync};
use crate::engine::{Engine, EngineOptions, Parts};
use crate::{BlobBackend, Durability, MetadataBackend};
use cacheness_core::{Clock, Driver, Error, ErrorKind, Op, Result, Rng, Runtime, SystemClock, SystemRng, ThreadPool};
use cacheness_handlers::HandlerRegistry;
use std::marker::PhantomData;
use std::sync::Arc;

/// Collects what a [`BlobStore`](sync::BlobStore) is made of.
#[derive(Debug)]
pub struct BlobStoreBuilder<S> {
    metadata: Option<Arc<dyn MetadataBackend>>,
    blobs: Option<Arc<dyn BlobBackend>>,
    handlers: HandlerRegistry,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
    face: PhantomData<fn() -> S>,
}

impl<S> BlobStoreBuilder<S> {
    pub(super) fn new(face: PhantomData<fn() -> S>) -> Self {
        Self {
            metadata: None,
            blobs: None,
            handlers: HandlerRegistry::standard(),
            runtime: Arc::new(ThreadPool::global()),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            options: EngineOptions::default(),
            face,
        }
    }

    /// The index.
    #[must_use]
    pub fn metadata_backend(mut self, backend: impl IntoMetadataBackend) -> Self {
        self.metadata = Some(backend.into_metadata_backend());
        self
    }

    /// The bytes.
    #[must_use]
    pub fn blob_backend(mut self, backend: impl IntoBlobBackend) -> Self {
        self.blobs = Some(backend.into_blob_backend());
        self
    }

    /// Which handler stores which type.
    #[must_use]
    pub fn handlers(mut self, handlers: HandlerRegistry) -> Self {
        self.handlers = handlers;
        self
    }

    /// Where work runs.
    #[must_use]
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = runtime;
        self
    }

    /// The time.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The chance.
    #[must_use]
    pub fn rng(mut self, rng: impl Rng) -> Self {
        self.rng = Arc::new(rng);
        self
    }

    /// Whether values of the same stored bytes share one blob, whatever their keys, and
    /// [`put_new`](sync::BlobStore::put_new) makes the key from the content. No unless set.
    #[must_use]
    pub fn content_addressable(mut self, share: bool) -> Self {
        self.options.content_addressable = share;
        self
    }

    /// Whether nothing may be made or changed: not even what opening makes otherwise. The backends must have been
    /// opened so, too ([`OpenContext::read_only`](crate::OpenContext::read_only)). No unless set.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = read_only;
        self
    }

    /// What an acknowledged put survives: `kill -9` unless set. The backends must have been opened with the same
    /// ([`OpenContext::durability`](crate::OpenContext::durability)).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = durability;
        self
    }

    /// How values are stored.
    #[must_use]
    pub fn options(mut self, options: EngineOptions) -> Self {
        self.options = options;
        self
    }

    fn parts(self) -> Result<(Driver, Parts)> {
        let missing = |what| {
            Error::new(ErrorKind::Config, format!("the store has no {what} backend"))
                .operation("open")
                .advice("give one to the builder")
        };
        let metadata = self.metadata.ok_or_else(|| missing("metadata"))?;
        let blobs = self.blobs.ok_or_else(|| missing("blob"))?;
        let Self { handlers, runtime, clock, rng, options, .. } = self;
        Ok((Driver::opening(runtime.clone()), Parts { metadata, blobs, handlers, runtime, clock, rng, options }))
    }
}

impl BlobStoreBuilder<sync::BlobStore> {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// As [`Engine::open`]; [`ErrorKind::Config`] without backends.
    pub fn open(self) -> Result<sync::BlobStore> {
        let (driver, parts) = self.parts()?;
        let engine = driver.run(Engine::open(parts))?;
        Ok(sync::BlobStore(Arc::new(Core { engine })))
    }
}

impl BlobStoreBuilder<future::BlobStore> {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// As [`Engine::open`]; [`ErrorKind::Config`] without backends.
    pub fn open(self) -> Op<future::BlobStore> {
        match self.parts() {
            Ok((driver, parts)) => Op::new(&driver, async move {
                let engine = Engine::open(parts).await?;
                Ok(future::BlobStore(Arc::new(Core { engine })))
            }),
            Err(error) => Op::ready(Err(error)),
        }
    }
}
