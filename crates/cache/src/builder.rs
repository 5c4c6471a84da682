//! Opening a cache.

use crate::core::OnInvalid;
use crate::degraded::OnBackendError;
use crate::limits::EvictionPolicy;
use crate::memory::MemoryConfig;
use crate::opening::{Own, Plan};
use crate::options::StoreParameters;
use crate::{Bundle, Registry, future, sync};
use cacheness_core::size::IntoSize;
use cacheness_core::{Clock, Op, Result, Rng, Runtime};
use cacheness_storage::engine::Compression;
use cacheness_storage::layers::{BlobLayer, MetadataLayer, Timeout};
use cacheness_storage::opening::Opening;
use cacheness_storage::{Durability, IntoBlobBackend, IntoMetadataBackend};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Collects what a cache is made of. Nothing is checked or opened before [`open`](Self::open).
#[derive(Debug)]
pub struct CacheBuilder<C> {
    opening: Opening,
    own: Own,
    cache: PhantomData<fn() -> C>,
}

impl<C> CacheBuilder<C> {
    pub(crate) fn new<B: Bundle>() -> Self {
        Self { opening: Opening::of::<B>(), own: Own::default(), cache: PhantomData }
    }

    /// The directory of the cache; index and blobs lie there unless they are named otherwise.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.opening.places.dir(dir.as_ref());
        self
    }

    /// The index, by URL: `sqlite:index.db`, `memory:`.
    #[must_use]
    pub fn metadata(mut self, url: impl Into<String>) -> Self {
        self.opening.places.metadata_url(url.into());
        self
    }

    /// The blobs, by URL: `fs:/srv/blobs`, `memory:`.
    #[must_use]
    pub fn blobs(mut self, url: impl Into<String>) -> Self {
        self.opening.places.blobs_url(url.into());
        self
    }

    /// The index, ready.
    #[must_use]
    pub fn metadata_backend(mut self, backend: impl IntoMetadataBackend) -> Self {
        self.opening.places.metadata_backend(backend.into_metadata_backend());
        self
    }

    /// The blobs, ready.
    #[must_use]
    pub fn blob_backend(mut self, backend: impl IntoBlobBackend) -> Self {
        self.opening.places.blob_backend(backend.into_blob_backend());
        self
    }

    /// A layer around index and blobs, each for itself. The layer given first is the innermost.
    #[must_use]
    pub fn layer(mut self, layer: impl MetadataLayer + BlobLayer + Clone) -> Self {
        self.opening.places.layer_metadata(layer.clone());
        self.opening.places.layer_blobs(layer);
        self
    }

    /// A layer around the index. The layer given first is the innermost.
    #[must_use]
    pub fn layer_metadata(mut self, layer: impl MetadataLayer) -> Self {
        self.opening.places.layer_metadata(layer);
        self
    }

    /// A layer around the blobs. The layer given first is the innermost.
    #[must_use]
    pub fn layer_blobs(mut self, layer: impl BlobLayer) -> Self {
        self.opening.places.layer_blobs(layer);
        self
    }

    /// How long a call of the index may take; it is a [`Timeout`] layer, so retries given before it share the time.
    #[must_use]
    pub fn metadata_timeout(self, limit: Duration) -> Self {
        self.layer_metadata(Timeout::after(limit))
    }

    /// How long a call of the blobs may take, besides a second for every MiB of a transfer; it is a [`Timeout`] layer, so
    /// retries given before it share the time.
    #[must_use]
    pub fn blob_timeout(self, limit: Duration) -> Self {
        self.layer_blobs(Timeout::after(limit))
    }

    /// The handlers and backends that names can mean, in the place of the compiled-in ones.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.opening.registry = Ok(registry);
        self
    }

    /// How long values live that are put without a TTL of their own; for ever unless set. Zero is an error of `open`.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.own.default_ttl = Some(ttl);
        self
    }

    /// What all values together may take at rest: a number of bytes, or words such as `"10 GiB"`. 10 GB unless set.
    ///
    /// After a put that went above it, the entries that the [policy](Self::eviction) names first go until the
    /// [low-water mark](Self::low_water) is reached. A value that is larger on its own is refused. Zero is an error of `open`.
    #[must_use]
    pub fn max_size(mut self, size: impl IntoSize) -> Self {
        self.own.max_size = Some(size.into_size());
        self
    }

    /// No limit of size.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        (self.own.limits.max_bytes, self.own.max_size) = (None, None);
        self
    }

    /// How many entries there may be; any number unless set. Zero is an error of `open`.
    #[must_use]
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.own.limits.max_entries = Some(entries);
        self
    }

    /// Which entries make room for others; the least recently used unless set.
    #[must_use]
    pub fn eviction(mut self, policy: EvictionPolicy) -> Self {
        self.own.limits.policy = policy;
        self
    }

    /// The part of a limit that an eviction goes down to, in percent from 1 to 100; 80 unless set.
    #[must_use]
    pub fn low_water(mut self, percent: u8) -> Self {
        self.own.limits.low_water = percent;
        self
    }

    /// Copies of values in this process's memory: 64 MiB, W-TinyLFU, each proven fresh before it is served, unless set.
    #[must_use]
    pub fn memory(mut self, config: MemoryConfig) -> Self {
        self.own.memory = Some(config);
        self
    }

    /// No copies in memory.
    #[must_use]
    pub fn no_memory(mut self) -> Self {
        self.own.memory = None;
        self
    }

    /// Whether expired entries are removed when the cache is opened. They are not unless set.
    #[must_use]
    pub fn cleanup_on_open(mut self, clean_up: bool) -> Self {
        self.own.cleanup.on_open = clean_up;
        self
    }

    /// Removes expired entries in the background so often, until the cache is closed, which waits for it, or its last
    /// handle is dropped. Nothing does so unless set. Zero is an error of `open`.
    #[must_use]
    pub fn cleanup_every(mut self, interval: Duration) -> Self {
        self.own.cleanup.every = Some(interval);
        self
    }

    /// How long the others wait for a process that computes a key and died meanwhile; 10 s unless set. Zero is an error of
    /// `open`.
    ///
    /// Of all processes that share an index, one computes a key: it takes a lease, a small record in the index, which it
    /// renews three times in that time until it has stored the value. A longer stop of the process costs the lease, and
    /// then the value is returned to its caller, and not stored. No hit takes a lease.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.own.lease = Some(lease);
        self
    }

    /// Computes without asking other processes: each computes for itself then, and an `invalidate` or `clear` in another
    /// one does not keep what is being computed here from being stored.
    #[must_use]
    pub fn no_lease(mut self) -> Self {
        self.own.lease = None;
        self
    }

    /// Whether the parameters of keys are kept beside entries: for [`Entry::parameters`](crate::Entry::parameters), for
    /// filters, and so that `explain` can name the nearest ones. Off unless set.
    #[must_use]
    pub fn store_parameters(mut self, parameters: StoreParameters) -> Self {
        self.own.parameters = parameters;
        self
    }

    /// What a get does with an entry that cannot be returned. [`OnInvalid::Miss`] unless set.
    #[must_use]
    pub fn on_invalid(mut self, policy: OnInvalid) -> Self {
        self.own.on_invalid = policy;
        self
    }

    /// What operations do when a backend is sick; [`OnBackendError::Fail`] unless set. Opening fails in any case.
    #[must_use]
    pub fn on_backend_error(mut self, policy: OnBackendError) -> Self {
        self.own.on_backend_error = policy;
        self
    }

    /// What compresses values: arrays shuffled with lz4, objects above 4 KiB with zstd 3, unless set.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.opening.options.compression = compression;
        self
    }

    /// What an acknowledged put survives: `kill -9` unless set.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.opening.options.durability = durability;
        self
    }

    /// The largest value in bytes before the codec; 4 GiB unless set. Zero is an error of `open`.
    #[must_use]
    pub fn max_value_size(mut self, bytes: u64) -> Self {
        self.opening.options.max_value_size = bytes;
        self
    }

    /// Whether nothing may be made or changed: not even what opening makes otherwise, nor what a get finds damaged. No
    /// unless set.
    ///
    /// It works in a directory that this process may only read. What another process writes stays visible.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.opening.options.read_only = read_only;
        self
    }

    /// How old a blob that no entry names must be before a sweep condemns it, and how long after that another deletes it;
    /// an hour unless set.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.opening.options.grace = grace;
        self
    }

    /// How long the blob of a replaced or removed entry stays on a backend that many machines share, for those who read
    /// it; 15 minutes unless set.
    #[must_use]
    pub fn delete_grace(mut self, grace: Duration) -> Self {
        self.opening.options.delete_grace = grace;
        self
    }

    /// Allows an index that only this machine sees beside blobs that many machines see.
    #[must_use]
    pub fn allow_split_locality(mut self, allow: bool) -> Self {
        self.opening.options.allow_split_locality = allow;
        self
    }

    /// Where work runs; the bundle's unless set: with the facade a pool of threads, and tokio with the feature of that
    /// name.
    #[must_use]
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.opening.runtime = Some(runtime);
        self
    }

    /// The time; the machine's unless set.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.opening.clock = Arc::new(clock);
        self
    }

    /// The chance; the operating system's unless set.
    #[must_use]
    pub fn rng(mut self, rng: impl Rng) -> Self {
        self.opening.rng = Arc::new(rng);
        self
    }

    fn plan(self) -> Result<Plan> {
        Plan::of(self.opening, self.own)
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
            plan.driver().run(plan.open()).map(sync::Cache::from_core)
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
            Ok(plan) => Op::new(&plan.driver(), async move {
                plan.open().await.map(future::Cache::from_core).map_err(|error| error.operation("open"))
            }),
            Err(error) => Op::ready(Err(error.operation("open"))),
        }
    }
}
