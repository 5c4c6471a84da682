//! Opening a `BlobStore`.

use super::bundled::{future, sync};
use super::{Core, IntoBlobBackend, IntoMetadataBackend};
use crate::engine::EngineOptions;
use crate::layers::{BlobLayer, MetadataLayer};
use crate::opening::{Checked, Opening, Problems};
use crate::{Bundle, Durability, Registry};
use cacheness_core::{Clock, Op, Result, Rng, Runtime};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

/// Collects what a [`BlobStore`](sync::BlobStore) is made of. Nothing is checked or opened before
/// [`open`](Self::open).
#[derive(Debug)]
pub struct BlobStoreBuilder<S> {
    opening: Opening,
    store: PhantomData<fn() -> S>,
}

impl<S> BlobStoreBuilder<S> {
    pub(super) fn new<B: Bundle>() -> Self {
        Self { opening: Opening::of::<B>(), store: PhantomData }
    }

    /// The directory of the store; index and blobs lie there unless they are named otherwise.
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

    /// The handlers and backends that names can mean, in the place of the compiled-in ones.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.opening.registry = Ok(registry);
        self
    }

    /// Where work runs; the bundle's unless set.
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

    /// Whether values of the same stored bytes share one blob, whatever their keys, and
    /// [`put_new`](sync::BlobStore::put_new) makes the key from the content. No unless set.
    #[must_use]
    pub fn content_addressable(mut self, share: bool) -> Self {
        self.opening.options.content_addressable = share;
        self
    }

    /// Whether nothing may be made or changed: not even what opening makes otherwise. Ready backends must have been
    /// opened so, too ([`OpenContext::read_only`](crate::OpenContext::read_only)). No unless set.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.opening.options.read_only = read_only;
        self
    }

    /// What an acknowledged put survives: `kill -9` unless set. Ready backends must have been opened with the same
    /// ([`OpenContext::durability`](crate::OpenContext::durability)).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.opening.options.durability = durability;
        self
    }

    /// How values are stored: everything at once, also what the methods above set.
    #[must_use]
    pub fn options(mut self, options: EngineOptions) -> Self {
        self.opening.options = options;
        self
    }
}

async fn open(checked: Checked) -> Result<Arc<Core>> {
    Ok(Arc::new(Core { engine: checked.open().await? }))
}

impl<B: Bundle> BlobStoreBuilder<sync::BlobStore<B>> {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for options that are wrong, all of them in one line, or that the
    /// backends cannot keep, [`ErrorKind::UnknownBackend`](crate::ErrorKind::UnknownBackend) for a URL whose scheme
    /// nobody registered, [`ErrorKind::AsyncContext`](crate::ErrorKind::AsyncContext) for a remote backend inside an
    /// async context, and what opening the backends and
    /// [`Engine::open`](crate::engine::Engine::open) return.
    pub fn open(self) -> Result<sync::BlobStore<B>> {
        let opened = || {
            let (checked, ()) = self.opening.check(Problems::default(), ())?;
            checked.driver().run(open(checked)).map(sync::BlobStore::from_core)
        };
        opened().map_err(|error| error.operation("open"))
    }
}

impl<B: Bundle> BlobStoreBuilder<future::BlobStore<B>> {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// As for the blocking face, except that remote backends are welcome.
    pub fn open(self) -> Op<future::BlobStore<B>> {
        match self.opening.check(Problems::default(), ()) {
            Ok((checked, ())) => Op::new(&checked.driver(), async move {
                open(checked).await.map(future::BlobStore::from_core).map_err(|error| error.operation("open"))
            }),
            Err(error) => Op::ready(Err(error.operation("open"))),
        }
    }
}
