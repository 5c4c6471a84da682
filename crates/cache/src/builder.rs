//! Opening a cache.

use crate::compute::Flights;
use crate::core::{Core, OnInvalid};
use crate::options::check_ttl;
use crate::stats::Counters;
use crate::{Bundle, Registry, future, sync};
use cacheness_core::{Clock, Driver, Op, Result, Rng, Runtime, SystemClock, SystemRng};
use cacheness_storage::engine::{Compression, Engine, EngineOptions, Parts};
use cacheness_storage::opening::{Pair, Places, Problems, check_options};
use cacheness_storage::{Durability, IntoBlobBackend, IntoMetadataBackend, OpenContext};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Collects what a cache is made of. Nothing is checked or opened before [`open`](Self::open).
#[derive(Debug)]
pub struct CacheBuilder<C> {
    registry: Result<Registry>,
    places: Places,
    default_runtime: fn() -> Result<Arc<dyn Runtime>>,
    default_ttl: Option<Duration>,
    on_invalid: OnInvalid,
    runtime: Option<Arc<dyn Runtime>>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
    cache: PhantomData<fn() -> C>,
}

impl<C> CacheBuilder<C> {
    pub(crate) fn new<B: Bundle>() -> Self {
        Self {
            registry: B::registry(),
            places: Places::of::<B>(),
            default_runtime: B::runtime,
            default_ttl: None,
            on_invalid: OnInvalid::default(),
            runtime: None,
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            options: EngineOptions::default(),
            cache: PhantomData,
        }
    }

    /// The directory of the cache; index and blobs lie there unless they are named otherwise.
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

    /// How long values live that are put without a TTL of their own; for ever unless set. Zero is an error of `open`.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = Some(ttl);
        self
    }

    /// What a get does with an entry that cannot be returned. [`OnInvalid::Miss`] unless set.
    #[must_use]
    pub fn on_invalid(mut self, policy: OnInvalid) -> Self {
        self.on_invalid = policy;
        self
    }

    /// What compresses values: arrays shuffled with lz4, objects above 4 KiB with zstd 3, unless set.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.options.compression = compression;
        self
    }

    /// What an acknowledged put survives: `kill -9` unless set.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = durability;
        self
    }

    /// The largest value in bytes before the codec; 4 GiB unless set. Zero is an error of `open`.
    #[must_use]
    pub fn max_value_size(mut self, bytes: u64) -> Self {
        self.options.max_value_size = bytes;
        self
    }

    /// Whether nothing may be made or changed: not even what opening makes otherwise, nor what a get finds damaged. No
    /// unless set.
    ///
    /// It works in a directory that this process may only read. What another process writes stays visible.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = read_only;
        self
    }

    /// How old a blob that no entry names must be before a sweep condemns it, and how long after that another deletes it;
    /// an hour unless set.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// How long the blob of a replaced or removed entry stays on a backend that many machines share, for those who read
    /// it; 15 minutes unless set.
    #[must_use]
    pub fn delete_grace(mut self, grace: Duration) -> Self {
        self.options.delete_grace = grace;
        self
    }

    /// Allows an index that only this machine sees beside blobs that many machines see.
    #[must_use]
    pub fn allow_split_locality(mut self, allow: bool) -> Self {
        self.options.allow_split_locality = allow;
        self
    }

    /// Where work runs; the bundle's unless set: with the facade a pool of threads, and tokio with the feature of that
    /// name.
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

    /// Checks everything that can be checked without opening anything.
    fn plan(self) -> Result<Plan> {
        let mut problems = Problems::default();
        let registry = problems.sift(self.registry);
        let pair = registry.as_ref().and_then(|registry| self.places.check(&registry.backends, &mut problems));
        let default_ttl = problems.sift(self.default_ttl.map(check_ttl).transpose());
        let options = problems.sift(check_options(&self.options)).map(|()| self.options);
        let runtime = problems.sift(self.runtime.map_or_else(self.default_runtime, Ok));
        let plan = registry.zip(pair).zip(default_ttl).zip(options).zip(runtime);
        let ((((registry, pair), default_ttl), options), runtime) = problems.settle(plan)?;
        let Self { on_invalid, clock, rng, .. } = self;
        Ok(Plan { registry, pair, default_ttl, on_invalid, runtime, clock, rng, options })
    }
}

struct Plan {
    registry: Registry,
    pair: Pair,
    default_ttl: Option<Duration>,
    on_invalid: OnInvalid,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
}

impl Plan {
    async fn open(self) -> Result<Arc<Core>> {
        let Self { registry, pair, default_ttl, on_invalid, runtime, clock, rng, options } = self;
        let context =
            OpenContext::new().clock(clock.clone()).durability(options.durability).read_only(options.read_only);
        let (metadata, blobs) = pair.open(&registry.backends, &context).await?;
        let parts = Parts { metadata, blobs, handlers: registry.handlers, runtime, clock, rng, options };
        let engine = Engine::open(parts).await?;
        Ok(Arc::new(Core {
            engine,
            default_ttl,
            on_invalid,
            counters: Counters::default(),
            flights: Flights::default(),
        }))
    }
}

impl<B: Bundle> CacheBuilder<sync::Cache<B>> {
    /// Opens the cache.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for options that are wrong, all of them in one line, or that the backends cannot keep,
    /// [`UnknownBackend`](crate::ErrorKind::UnknownBackend) for a URL whose scheme nobody registered, [`AsyncContext`](crate::ErrorKind::AsyncContext) for a remote
    /// backend inside an async context, and what opening the backends returns:
    /// [`Permission`](crate::ErrorKind::Permission), [`ForeignStore`](crate::ErrorKind::ForeignStore), [`FormatTooNew`](crate::ErrorKind::FormatTooNew), [`Unavailable`](crate::ErrorKind::Unavailable).
    pub fn open(self) -> Result<sync::Cache<B>> {
        let open = || {
            let plan = self.plan()?;
            Driver::opening(plan.runtime.clone()).run(plan.open()).map(sync::Cache::from_core)
        };
        open().map_err(|error| error.operation("open"))
    }
}

impl<B: Bundle> CacheBuilder<future::Cache<B>> {
    /// Opens the cache.
    ///
    /// # Errors
    ///
    /// As for the blocking face, except that remote backends are welcome.
    pub fn open(self) -> Op<future::Cache<B>> {
        match self.plan() {
            Ok(plan) => Op::new(&Driver::opening(plan.runtime.clone()), async move {
                plan.open().await.map(future::Cache::from_core).map_err(|error| error.operation("open"))
            }),
            Err(error) => Op::ready(Err(error.operation("open"))),
        }
    }
}
