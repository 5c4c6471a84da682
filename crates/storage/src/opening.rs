//! What the builders of stores and caches share: where the backends are, everything that is wrong, told at once, and the
//! way from there to an engine.
//!
//! What is public here may change with every version.

use crate::engine::{Engine, EngineOptions, Parts};
use crate::layers::{BlobLayer, LayerContext, MetadataLayer};
use crate::{BackendRegistry, BlobBackend, Bundle, MetadataBackend, OpenContext, Registry};
use cacheness_core::{BackendUrl, Clock, Driver, Error, ErrorKind, Result, Rng, Runtime, SystemClock, SystemRng};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is wrong with the options of a builder: all of it, in the order it was found.
#[derive(Debug, Default)]
pub struct Problems(Vec<Error>);

impl Problems {
    /// Keeps an error.
    pub fn add(&mut self, error: Error) {
        self.0.push(error);
    }

    /// Keeps the error, or gives what passed.
    pub fn sift<T>(&mut self, checked: Result<T>) -> Option<T> {
        checked.map_err(|error| self.0.push(error)).ok()
    }

    /// What was built, which is there when nothing was wrong; otherwise the only problem as it is, or several as one
    /// [`ErrorKind::Config`] that names each of them.
    fn settle<T>(mut self, built: Option<T>) -> Result<T> {
        match (built, self.0.len()) {
            (Some(built), 0) => Ok(built),
            (_, 0) => Err(Error::new(ErrorKind::Internal, "a builder has no result, and no reason")),
            (_, 1) => Err(self.0.remove(0)),
            _ => {
                let lines: Vec<_> = self.0.iter().map(Error::to_string).collect();
                Err(Error::new(ErrorKind::Config, lines.join("; ")))
            }
        }
    }
}

/// Everything an engine is opened from, as a builder was told.
#[derive(Debug)]
pub struct Opening {
    /// The handlers and backends that names can mean.
    pub registry: Result<Registry>,
    /// Where index and blobs are.
    pub places: Places,
    /// Where work runs; the bundle's when `None`.
    pub runtime: Option<Arc<dyn Runtime>>,
    default_runtime: fn() -> Result<Arc<dyn Runtime>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The chance.
    pub rng: Arc<dyn Rng>,
    /// How values are stored.
    pub options: EngineOptions,
}

impl Opening {
    /// With the bundle's parts, and nowhere yet.
    pub fn of<B: Bundle>() -> Self {
        Self {
            registry: B::registry(),
            places: Places::of::<B>(),
            runtime: None,
            default_runtime: B::runtime,
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
            options: EngineOptions::default(),
        }
    }

    /// Checks everything that can be checked without opening anything, besides the problems that only this builder knows.
    ///
    /// # Errors
    ///
    /// The only problem as it is; several as one [`ErrorKind::Config`] that names each of them.
    pub fn check<T>(self, mut problems: Problems, own: T) -> Result<(Checked, T)> {
        let Self { registry, places, runtime, default_runtime, clock, rng, options } = self;
        let registry = problems.sift(registry);
        let pair = registry.as_ref().and_then(|registry| places.check(&registry.backends, &mut problems));
        let options = problems.sift(check_options(&options)).map(|()| options);
        let runtime = problems.sift(runtime.map_or_else(default_runtime, Ok));
        let checked = registry.zip(pair).zip(options).zip(runtime);
        let (((registry, pair), options), runtime) = problems.settle(checked)?;
        Ok((Checked { registry, pair, runtime, clock, rng, options }, own))
    }
}

/// What is left to do is opening.
pub struct Checked {
    registry: Registry,
    pair: Pair,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
}

impl Checked {
    /// What drives the opening.
    pub fn driver(&self) -> Driver {
        Driver::opening(self.runtime.clone())
    }

    /// Whether nothing may be changed.
    pub fn is_read_only(&self) -> bool {
        self.options.read_only
    }

    /// The chance.
    pub fn rng(&self) -> Arc<dyn Rng> {
        self.rng.clone()
    }

    /// Opens backends and engine.
    ///
    /// # Errors
    ///
    /// What opening the backends returns, and as [`Engine::open`].
    pub async fn open(self) -> Result<Engine> {
        let Self { registry, pair, runtime, clock, rng, options } = self;
        let context = OpenContext::new()
            .clock(clock.clone())
            .rng(rng.clone())
            .runtime(runtime.clone())
            .durability(options.durability)
            .read_only(options.read_only);
        let (metadata, blobs) = pair.open(&registry.backends, &context).await?;
        Engine::open(Parts { metadata, blobs, handlers: registry.handlers, runtime, clock, rng, options }).await
    }
}

/// Refuses options with which nothing could be stored.
fn check_options(options: &EngineOptions) -> Result<()> {
    if options.max_value_size == 0 {
        return Err(Error::new(ErrorKind::Config, "the largest value would have 0 bytes")
            .advice("leave the limit out for 4 GiB, or open read-only to store nothing"));
    }
    Ok(())
}

/// Where index and blobs are, as a builder was told.
pub struct Places {
    dir: Option<PathBuf>,
    metadata: Option<Place<dyn MetadataBackend, String>>,
    blobs: Option<Place<dyn BlobBackend, String>>,
    layers: Layers,
    defaults: fn(&Path) -> (Option<BackendUrl>, Option<BackendUrl>),
}

/// What is put around index and blobs, the innermost first.
#[derive(Default)]
struct Layers {
    metadata: Vec<Box<dyn MetadataLayer>>,
    blobs: Vec<Box<dyn BlobLayer>>,
}

/// A backend: by URL, or ready.
enum Place<B: ?Sized, U> {
    Url(U),
    Ready(Arc<B>),
}

impl Places {
    /// Nowhere yet; in a directory, where the bundle keeps them.
    pub fn of<B: Bundle>() -> Self {
        let defaults = |dir: &Path| (B::metadata_in(dir), B::blobs_in(dir));
        Self { dir: None, metadata: None, blobs: None, layers: Layers::default(), defaults }
    }

    /// The directory for what is not named otherwise.
    pub fn dir(&mut self, dir: &Path) {
        self.dir = Some(dir.to_owned());
    }

    /// The index, by URL.
    pub fn metadata_url(&mut self, url: String) {
        self.metadata = Some(Place::Url(url));
    }

    /// The blobs, by URL.
    pub fn blobs_url(&mut self, url: String) {
        self.blobs = Some(Place::Url(url));
    }

    /// The index, ready.
    pub fn metadata_backend(&mut self, backend: Arc<dyn MetadataBackend>) {
        self.metadata = Some(Place::Ready(backend));
    }

    /// The blobs, ready.
    pub fn blob_backend(&mut self, backend: Arc<dyn BlobBackend>) {
        self.blobs = Some(Place::Ready(backend));
    }

    /// One more layer around the index.
    pub fn layer_metadata(&mut self, layer: impl MetadataLayer) {
        self.layers.metadata.push(Box::new(layer));
    }

    /// One more layer around the blobs.
    pub fn layer_blobs(&mut self, layer: impl BlobLayer) {
        self.layers.blobs.push(Box::new(layer));
    }

    /// Checks everything that can be checked without opening anything: names, schemes, and URLs where their backend
    /// has a check for them.
    fn check(self, backends: &BackendRegistry, problems: &mut Problems) -> Option<Pair> {
        let (metadata_in, blobs_in) = match self.dir.as_deref().map(|dir| problems.sift(check_dir(dir))) {
            Some(Some(dir)) => {
                let (metadata, blobs) = (self.defaults)(dir);
                (InDir::Place(metadata), InDir::Place(blobs))
            }
            Some(None) => (InDir::Refused, InDir::Refused),
            None => (InDir::NoDir, InDir::NoDir),
        };
        let metadata = find(self.metadata, metadata_in, "metadata", |url| backends.check_metadata(url), problems);
        let blobs = find(self.blobs, blobs_in, "blob", |url| backends.check_blobs(url), problems);
        let layers = self.layers;
        for layer in &layers.blobs {
            problems.sift(layer.check(backends));
        }
        Some(Pair { metadata: metadata?, blobs: blobs?, layers })
    }
}

/// What the directory has for a backend that was not named.
enum InDir {
    NoDir,
    /// The directory cannot be used, which is told already.
    Refused,
    Place(Option<BackendUrl>),
}

/// Refuses a directory that no URL can name.
fn check_dir(dir: &Path) -> Result<&Path> {
    match dir.to_str() {
        Some("") => Err(Error::new(ErrorKind::Config, "the directory has an empty name")
            .advice("name one; \".\" is the current directory")),
        Some(_) => Ok(dir),
        None => Err(Error::new(ErrorKind::Config, format!("the path of the directory {} is not UTF-8", dir.display()))
            .advice("choose another name, or give the builder ready backends")),
    }
}

/// Where a backend is: as named, or where a directory has it.
fn find<B: ?Sized>(
    named: Option<Place<B, String>>,
    in_dir: InDir,
    what: &str,
    check: impl FnOnce(&BackendUrl) -> Result<()>,
    problems: &mut Problems,
) -> Option<Place<B, BackendUrl>> {
    let missing = |advice| Err(Error::new(ErrorKind::Config, format!("there is no {what} backend")).advice(advice));
    let url = match (named, in_dir) {
        (Some(Place::Ready(backend)), _) => return Some(Place::Ready(backend)),
        (Some(Place::Url(url)), _) => url.parse().map_err(|error: Error| error.backend(format_args!("the {what} URL"))),
        (None, InDir::Place(Some(url))) => Ok(url),
        (None, InDir::Refused) => return None,
        (None, InDir::Place(None)) => {
            missing("nothing compiled in keeps one in a directory: name it by URL, or enable its Cargo feature")
        }
        (None, InDir::NoDir) => missing("give the builder a directory, a URL or a ready backend"),
    };
    let url = problems.sift(url)?;
    problems.sift(check(&url))?;
    Some(Place::Url(url))
}

/// Index and blobs that can be opened, as far as that shows before.
struct Pair {
    metadata: Place<dyn MetadataBackend, BackendUrl>,
    blobs: Place<dyn BlobBackend, BackendUrl>,
    layers: Layers,
}

impl Pair {
    /// Opens what is not ready, and puts the layers around it.
    async fn open(
        self,
        backends: &BackendRegistry,
        context: &OpenContext,
    ) -> Result<(Arc<dyn MetadataBackend>, Arc<dyn BlobBackend>)> {
        let mut metadata = match self.metadata {
            Place::Url(url) => backends.open_metadata(&url, context).await?,
            Place::Ready(backend) => backend,
        };
        let mut blobs = match self.blobs {
            Place::Url(url) => backends.open_blobs(&url, context).await?,
            Place::Ready(backend) => backend,
        };
        let context = LayerContext::new(context.clone(), backends.clone());
        for layer in self.layers.metadata {
            metadata = layer.wrap_metadata(metadata, &context).await?;
        }
        for layer in self.layers.blobs {
            blobs = layer.wrap_blobs(blobs, &context).await?;
        }
        Ok((metadata, blobs))
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("dir", &self.dir).finish_non_exhaustive()
    }
}
