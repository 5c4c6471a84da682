//! Opening a cache.

use crate::core::{Core, OnInvalid};
use crate::options::check_ttl;
use crate::stats::Counters;
use crate::{Bundle, Registry, future, sync};
use cacheness_core::{BackendUrl, Clock, Driver, Error, ErrorKind, Op, Result, Rng, Runtime, SystemClock, SystemRng};
use cacheness_storage::engine::{Compression, Engine, EngineOptions, Parts};
use cacheness_storage::{BlobBackend, Durability, IntoBlobBackend, IntoMetadataBackend, MetadataBackend, OpenContext};
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Collects what a cache is made of. Nothing is checked or opened before [`open`](Self::open).
pub struct CacheBuilder<C> {
    registry: Result<Registry>,
    defaults: fn(&Path) -> (Option<BackendUrl>, Option<BackendUrl>),
    dir: Option<PathBuf>,
    metadata: Option<Choice<dyn MetadataBackend>>,
    blobs: Option<Choice<dyn BlobBackend>>,
    default_ttl: Option<Duration>,
    on_invalid: OnInvalid,
    runtime: Option<Arc<dyn Runtime>>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
    cache: PhantomData<fn() -> C>,
}

enum Choice<B: ?Sized> {
    Url(String),
    Ready(Arc<B>),
}

impl<C> CacheBuilder<C> {
    pub(crate) fn new<B: Bundle>() -> Self {
        Self {
            registry: B::registry(),
            defaults: |dir| (B::metadata_in(dir), B::blobs_in(dir)),
            dir: None,
            metadata: None,
            blobs: None,
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
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// The index, by URL: `sqlite:index.db`, `memory:`.
    #[must_use]
    pub fn metadata(mut self, url: impl Into<String>) -> Self {
        self.metadata = Some(Choice::Url(url.into()));
        self
    }

    /// The blobs, by URL: `fs:/srv/blobs`, `memory:`.
    #[must_use]
    pub fn blobs(mut self, url: impl Into<String>) -> Self {
        self.blobs = Some(Choice::Url(url.into()));
        self
    }

    /// The index, ready.
    #[must_use]
    pub fn metadata_backend(mut self, backend: impl IntoMetadataBackend) -> Self {
        self.metadata = Some(Choice::Ready(backend.into_metadata_backend()));
        self
    }

    /// The blobs, ready.
    #[must_use]
    pub fn blob_backend(mut self, backend: impl IntoBlobBackend) -> Self {
        self.blobs = Some(Choice::Ready(backend.into_blob_backend()));
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

    /// The largest value in bytes before the codec; 4 GiB unless set.
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

    /// Where work runs; a pool of threads, and tokio with the feature of that name, unless set.
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
    fn plan(mut self) -> Result<Plan> {
        let registry = self.registry?;
        let default_ttl = self.default_ttl.map(check_ttl).transpose()?;
        let dir = self.dir.as_deref().map(check_dir).transpose()?;
        let (metadata_in, blobs_in) = dir.map(self.defaults).unwrap_or_default();
        let metadata = place(self.metadata.take(), metadata_in, "metadata", self.dir.is_some())?;
        let blobs = place(self.blobs.take(), blobs_in, "blob", self.dir.is_some())?;
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => default_runtime()?,
        };
        let Self { on_invalid, clock, rng, options, .. } = self;
        Ok(Plan { registry, metadata, blobs, default_ttl, on_invalid, runtime, clock, rng, options })
    }
}

/// Refuses a directory that no URL can name.
fn check_dir(dir: &Path) -> Result<&Path> {
    match dir.to_str() {
        Some("") => Err(Error::new(ErrorKind::Config, "the directory of the cache has an empty name")
            .advice("name one; \".\" is the current directory")),
        Some(_) => Ok(dir),
        None => Err(Error::new(ErrorKind::Config, format!("the path of the directory {} is not UTF-8", dir.display()))
            .advice("choose another name, or give the builder ready backends")),
    }
}

/// Where a backend is: as named, or where a directory has it.
fn place<B: ?Sized>(
    choice: Option<Choice<B>>,
    default: Option<BackendUrl>,
    what: &str,
    has_dir: bool,
) -> Result<Place<B>> {
    match (choice, default) {
        (Some(Choice::Ready(backend)), _) => Ok(Place::Ready(backend)),
        (Some(Choice::Url(url)), _) => Ok(Place::Url(url.parse()?)),
        (None, Some(url)) => Ok(Place::Url(url)),
        (None, None) => {
            let advice = match has_dir {
                true => "no compiled-in backend keeps it in a directory: name one by URL, or enable its Cargo feature",
                false => "give the builder a directory, or name it by URL",
            };
            Err(Error::new(ErrorKind::Config, format!("the cache has no {what} backend")).advice(advice))
        }
    }
}

enum Place<B: ?Sized> {
    Url(BackendUrl),
    Ready(Arc<B>),
}

#[cfg(feature = "tokio")]
fn default_runtime() -> Result<Arc<dyn Runtime>> {
    Ok(crate::TokioRuntime::global()?)
}

#[cfg(not(feature = "tokio"))]
fn default_runtime() -> Result<Arc<dyn Runtime>> {
    Ok(Arc::new(cacheness_core::ThreadPool::global()))
}

struct Plan {
    registry: Registry,
    metadata: Place<dyn MetadataBackend>,
    blobs: Place<dyn BlobBackend>,
    default_ttl: Option<Duration>,
    on_invalid: OnInvalid,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
}

impl Plan {
    async fn open(self) -> Result<Arc<Core>> {
        let Self { registry, default_ttl, on_invalid, runtime, clock, rng, options, .. } = self;
        let context =
            OpenContext::new().clock(clock.clone()).durability(options.durability).read_only(options.read_only);
        let metadata = match self.metadata {
            Place::Url(url) => registry.backends.open_metadata(&url, &context).await?,
            Place::Ready(backend) => backend,
        };
        let blobs = match self.blobs {
            Place::Url(url) => registry.backends.open_blobs(&url, &context).await?,
            Place::Ready(backend) => backend,
        };
        let parts = Parts { metadata, blobs, handlers: registry.handlers, runtime, clock, rng, options };
        let engine = Engine::open(parts).await?;
        Ok(Arc::new(Core { engine, default_ttl, on_invalid, counters: Counters::default() }))
    }
}

impl<B: Bundle> CacheBuilder<sync::Cache<B>> {
    /// Opens the cache.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for options that contradict each other or the backends,
    /// [`ErrorKind::UnknownBackend`] for a URL whose scheme nobody registered, [`ErrorKind::AsyncContext`] for a remote
    /// backend inside an async context, and what opening the backends returns:
    /// [`ErrorKind::Permission`], [`ErrorKind::ForeignStore`], [`ErrorKind::FormatTooNew`], [`ErrorKind::Unavailable`].
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

impl<C> fmt::Debug for CacheBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("dir", &self.dir)
            .field("default_ttl", &self.default_ttl)
            .finish_non_exhaustive()
    }
}
