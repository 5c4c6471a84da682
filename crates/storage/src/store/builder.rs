//! Opening a `BlobStore`.

use super::bundled::{future, sync};
use super::{Core, IntoBlobBackend, IntoMetadataBackend};
use crate::engine::{Engine, EngineOptions, Parts};
use crate::opening::{Pair, Places, Problems, check_options};
use crate::{Bundle, Durability, OpenContext, Registry};
use cacheness_core::{Clock, Driver, Op, Result, Rng, Runtime, SystemClock, SystemRng};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

/// Collects what a [`BlobStore`](sync::BlobStore) is made of. Nothing is checked or opened before
/// [`open`](Self::open).
#[derive(Debug)]
pub struct BlobStoreBuilder<S> {
    registry: Result<Registry>,
    places: Places,
    default_runtime: fn() -> Result<Arc<dyn Runtime>>,
    runtime: Option<Arc<dyn Runtime>>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
    store: PhantomData<fn() -> S>,
}

impl<S> BlobStoreBuilder<S> {
    pub(super) fn new<B: Bundle>() -> Self {
        Self {
            registry: B::registry(),
            places: Places::of::<B>(),
            default_runtime: B::runtime,
            runtime: None,
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            options: EngineOptions::default(),
            store: PhantomData,
        }
    }

    /// The directory of the store; index and blobs lie there unless they are named otherwise.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.places.dir(dir.as_ref());
        self
    }

    /// The index, by URL: `sqlite:index.db`, `memory:`.
    #[must_use]
    pub fn metadata(mut self, url: impl Into<String>) -> Self {
        self.places.metadata_url(url.into());
        self
    }

    /// The blobs, by URL: `fs:/srv/blobs`, `memory:`.
    #[must_use]
    pub fn blobs(mut self, url: impl Into<String>) -> Self {
        self.places.blobs_url(url.into());
        self
    }

    /// The index, ready.
    #[must_use]
    pub fn metadata_backend(mut self, backend: impl IntoMetadataBackend) -> Self {
        self.places.metadata_backend(backend.into_metadata_backend());
        self
    }

    /// The blobs, ready.
    #[must_use]
    pub fn blob_backend(mut self, backend: impl IntoBlobBackend) -> Self {
        self.places.blob_backend(backend.into_blob_backend());
        self
    }

    /// The handlers and backends that names can mean, in the place of the compiled-in ones.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Ok(registry);
        self
    }

    /// Where work runs; the bundle's unless set.
    #[must_use]
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// The time; the machine's unless set.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The chance; the operating system's unless set.
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

    /// Whether nothing may be made or changed: not even what opening makes otherwise. Ready backends must have been
    /// opened so, too ([`OpenContext::read_only`]). No unless set.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = read_only;
        self
    }

    /// What an acknowledged put survives: `kill -9` unless set. Ready backends must have been opened with the same
    /// ([`OpenContext::durability`]).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = durability;
        self
    }

    /// How values are stored: everything at once, also what the methods above set.
    #[must_use]
    pub fn options(mut self, options: EngineOptions) -> Self {
        self.options = options;
        self
    }

    /// Checks everything that can be checked without opening anything.
    fn plan(self) -> Result<Plan> {
        let mut problems = Problems::default();
        let registry = problems.sift(self.registry);
        let pair = registry.as_ref().and_then(|registry| self.places.check(&registry.backends, &mut problems));
        let options = problems.sift(check_options(&self.options)).map(|()| self.options);
        let runtime = problems.sift(self.runtime.map_or_else(self.default_runtime, Ok));
        let plan = registry.zip(pair).zip(options).zip(runtime);
        let (((registry, pair), options), runtime) = problems.settle(plan)?;
        Ok(Plan { registry, pair, runtime, clock: self.clock, rng: self.rng, options })
    }
}

struct Plan {
    registry: Registry,
    pair: Pair,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
}

impl Plan {
    async fn open(self) -> Result<Arc<Core>> {
        let Self { registry, pair, runtime, clock, rng, options } = self;
        let context =
            OpenContext::new().clock(clock.clone()).durability(options.durability).read_only(options.read_only);
        let (metadata, blobs) = pair.open(&registry.backends, &context).await?;
        let parts = Parts { metadata, blobs, handlers: registry.handlers, runtime, clock, rng, options };
        Ok(Arc::new(Core { engine: Engine::open(parts).await? }))
    }
}

impl<B: Bundle> BlobStoreBuilder<sync::BlobStore<B>> {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for options that are wrong, all of them in one line, or that the
    /// backends cannot keep, [`ErrorKind::UnknownBackend`](crate::ErrorKind::UnknownBackend) for a URL whose scheme
    /// nobody registered, [`ErrorKind::AsyncContext`](crate::ErrorKind::AsyncContext) for a remote backend inside an
    /// async context, and what opening the backends and [`Engine::open`] return.
    pub fn open(self) -> Result<sync::BlobStore<B>> {
        let open = || {
            let plan = self.plan()?;
            Driver::opening(plan.runtime.clone()).run(plan.open()).map(sync::BlobStore::from_core)
        };
        open().map_err(|error| error.operation("open"))
    }
}

impl<B: Bundle> BlobStoreBuilder<future::BlobStore<B>> {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// As for the blocking face, except that remote backends are welcome.
    pub fn open(self) -> Op<future::BlobStore<B>> {
        match self.plan() {
            Ok(plan) => Op::new(&Driver::opening(plan.runtime.clone()), async move {
                plan.open().await.map(future::BlobStore::from_core).map_err(|error| error.operation("open"))
            }),
            Err(error) => Op::ready(Err(error.operation("open"))),
        }
    }
}
