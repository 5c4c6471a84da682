//! Backends by name: what a URL's scheme means.

use crate::{BlobBackend, Durability, MetadataBackend};
use cacheness_core::runtime::BoxFuture;
use cacheness_core::{BackendUrl, Clock, Error, ErrorKind, Result, Rng, Runtime, SystemClock, SystemRng, ThreadPool};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

const METADATA: &str = "metadata";
const BLOB: &str = "blob";

/// What a backend is opened with, besides its URL.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenContext {
    /// The time that conditions are evaluated at, unless the backend is shared and has its own.
    pub clock: Arc<dyn Clock>,
    /// What an acknowledged commit survives.
    pub durability: Durability,
    /// Open what is there, make nothing, change nothing. A backend that honours it says so in its
    /// [`Capabilities`](crate::Capabilities); one that cannot refuses with
    /// [`Unsupported`](crate::ErrorKind::Unsupported), and makes nothing.
    pub read_only: bool,
    /// Where work runs. A backend that needs network I/O refuses one that
    /// [drives none](cacheness_core::Runtime::drives_io).
    pub runtime: Arc<dyn Runtime>,
    /// The chance.
    pub rng: Arc<dyn Rng>,
}

impl Default for OpenContext {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            durability: Durability::default(),
            read_only: false,
            runtime: Arc::new(ThreadPool::global()),
            rng: Arc::new(SystemRng),
        }
    }
}

impl OpenContext {
    /// The machine's clock and chance, the default durability, and threads without network I/O.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another durability.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Another runtime.
    #[must_use]
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = runtime;
        self
    }

    /// Another source of chance.
    #[must_use]
    pub fn rng(mut self, rng: Arc<dyn Rng>) -> Self {
        self.rng = rng;
        self
    }

    /// Whether nothing may be made or changed.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }
}

type Open<B> = dyn Fn(BackendUrl, OpenContext) -> BoxFuture<'static, Result<Arc<B>>> + Send + Sync;
type Check = dyn Fn(&BackendUrl) -> Result<()> + Send + Sync;

/// How to open the backends of one contract, by name.
struct Openers<B: ?Sized>(BTreeMap<String, Opener<B>>);

struct Opener<B: ?Sized> {
    description: String,
    built_in: bool,
    check: Option<Arc<Check>>,
    open: Arc<Open<B>>,
}

/// What a registry says about one of its backends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendEntry<'a> {
    /// The name, which is the scheme of its URLs.
    pub name: &'a str,
    /// Whether it was compiled in; not for what a program added.
    pub built_in: bool,
    /// A sentence for people.
    pub description: &'a str,
}

/// The metadata and blob backends that URLs can name. Nothing registers itself.
///
/// ```
/// use cacheness_storage::{BackendRegistry, ErrorKind, memory};
///
/// let mut registry = BackendRegistry::empty();
/// memory::register(&mut registry)?;
/// for backend in registry.metadata_backends() {
///     println!("{}: {}", backend.name, backend.description);
/// }
/// registry.remove_metadata("memory")?;
/// assert_eq!(registry.remove_metadata("memory").unwrap_err().kind(), ErrorKind::UnknownBackend);
/// # Ok::<(), cacheness_storage::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct BackendRegistry {
    metadata: Openers<dyn MetadataBackend>,
    blobs: Openers<dyn BlobBackend>,
}

impl BackendRegistry {
    /// A registry without backends.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Registers a metadata backend under the scheme `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyRegistered`] when the name is taken.
    pub fn add_metadata<F, B>(
        &mut self,
        name: &str,
        description: &str,
        open: impl Fn(BackendUrl, OpenContext) -> F + Send + Sync + 'static,
    ) -> Result<()>
    where
        F: Future<Output = Result<B>> + Send + 'static,
        B: MetadataBackend,
    {
        self.metadata.add(name, description, move |url, context| {
            let opening = open(url, context);
            Box::pin(async move { Ok(Arc::new(opening.await?) as Arc<dyn MetadataBackend>) })
        })
    }

    /// Registers a blob backend under the scheme `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyRegistered`] when the name is taken.
    pub fn add_blobs<F, B>(
        &mut self,
        name: &str,
        description: &str,
        open: impl Fn(BackendUrl, OpenContext) -> F + Send + Sync + 'static,
    ) -> Result<()>
    where
        F: Future<Output = Result<B>> + Send + 'static,
        B: BlobBackend,
    {
        self.blobs.add(name, description, move |url, context| {
            let opening = open(url, context);
            Box::pin(async move { Ok(Arc::new(opening.await?) as Arc<dyn BlobBackend>) })
        })
    }

    /// Has every URL of the metadata backend `name` looked at before anything is opened, so that what is wrong with one
    /// is told together with everything else that is. The check must not touch the place that the URL names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownBackend`] when there is none of that name, naming those there are.
    pub fn check_metadata_with(
        &mut self,
        name: &str,
        check: impl Fn(&BackendUrl) -> Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        self.metadata.check_with(METADATA, name, Arc::new(check))
    }

    /// Has every URL of the blob backend `name` looked at, as
    /// [`check_metadata_with`](Self::check_metadata_with).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn check_blobs_with(
        &mut self,
        name: &str,
        check: impl Fn(&BackendUrl) -> Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        self.blobs.check_with(BLOB, name, Arc::new(check))
    }

    /// Removes a metadata backend, built-in ones too. What it stored stays where it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownBackend`] when there is none of that name, naming those there are.
    pub fn remove_metadata(&mut self, name: &str) -> Result<()> {
        self.metadata.remove(METADATA, name)
    }

    /// Removes a blob backend, built-in ones too. What it stored stays where it is.
    ///
    /// # Errors
    ///
    /// As [`remove_metadata`](Self::remove_metadata).
    pub fn remove_blobs(&mut self, name: &str) -> Result<()> {
        self.blobs.remove(BLOB, name)
    }

    /// Marks every backend that is registered now as built in: for the bundle of parts that a program is compiled with.
    pub fn mark_built_in(&mut self) {
        self.metadata.0.values_mut().for_each(|opener| opener.built_in = true);
        self.blobs.0.values_mut().for_each(|opener| opener.built_in = true);
    }

    /// The metadata backends, by name.
    pub fn metadata_backends(&self) -> impl Iterator<Item = BackendEntry<'_>> {
        self.metadata.iter()
    }

    /// The blob backends, by name.
    pub fn blob_backends(&self) -> impl Iterator<Item = BackendEntry<'_>> {
        self.blobs.iter()
    }

    /// Looks at a URL of a metadata backend without opening anything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownBackend`] for a scheme that is not registered, naming those that are; what the backend's
    /// [check](Self::check_metadata_with) returns.
    pub fn check_metadata(&self, url: &BackendUrl) -> Result<()> {
        self.metadata.check(METADATA, url)
    }

    /// Looks at a URL of a blob backend without opening anything.
    ///
    /// # Errors
    ///
    /// As [`check_metadata`](Self::check_metadata).
    pub fn check_blobs(&self, url: &BackendUrl) -> Result<()> {
        self.blobs.check(BLOB, url)
    }

    /// Opens the metadata backend that the URL names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownBackend`] for a scheme that is not registered, naming those that are; what opening returns.
    pub async fn open_metadata(&self, url: &BackendUrl, context: &OpenContext) -> Result<Arc<dyn MetadataBackend>> {
        self.metadata.open(METADATA, url, context).await
    }

    /// Opens the blob backend that the URL names.
    ///
    /// # Errors
    ///
    /// As [`open_metadata`](Self::open_metadata).
    pub async fn open_blobs(&self, url: &BackendUrl, context: &OpenContext) -> Result<Arc<dyn BlobBackend>> {
        self.blobs.open(BLOB, url, context).await
    }
}

impl fmt::Debug for BackendRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendRegistry")
            .field("metadata", &self.metadata.names())
            .field("blobs", &self.blobs.names())
            .finish()
    }
}

impl<B: ?Sized> Openers<B> {
    fn add(
        &mut self,
        name: &str,
        description: &str,
        open: impl Fn(BackendUrl, OpenContext) -> BoxFuture<'static, Result<Arc<B>>> + Send + Sync + 'static,
    ) -> Result<()> {
        if self.0.contains_key(name) {
            let message = format!("a backend named {name:?} is registered already");
            return Err(Error::new(ErrorKind::AlreadyRegistered, message).advice("remove it first, or choose a name"));
        }
        let description = description.into();
        self.0.insert(name.into(), Opener { description, built_in: false, check: None, open: Arc::new(open) });
        Ok(())
    }

    fn check_with(&mut self, contract: &str, name: &str, check: Arc<Check>) -> Result<()> {
        match self.0.get_mut(name) {
            Some(opener) => opener.check = Some(check),
            None => return Err(self.unknown(contract, name)),
        }
        Ok(())
    }

    fn remove(&mut self, contract: &str, name: &str) -> Result<()> {
        self.0.remove(name).map(drop).ok_or_else(|| self.unknown(contract, name))
    }

    fn iter(&self) -> impl Iterator<Item = BackendEntry<'_>> {
        self.0.iter().map(|(name, opener)| BackendEntry {
            name,
            built_in: opener.built_in,
            description: &opener.description,
        })
    }

    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    fn get(&self, contract: &str, name: &str) -> Result<&Opener<B>> {
        self.0.get(name).ok_or_else(|| self.unknown(contract, name))
    }

    fn unknown(&self, contract: &str, name: &str) -> Error {
        let known = match self.names() {
            names if names.is_empty() => "none is known here".to_owned(),
            names => format!("known here: {}", names.join(", ")),
        };
        Error::new(ErrorKind::UnknownBackend, format!("no {contract} backend is named {name:?}"))
            .advice(format!("{known}; others need their Cargo feature or a registration"))
    }

    fn check(&self, contract: &str, url: &BackendUrl) -> Result<()> {
        match &self.get(contract, url.scheme())?.check {
            Some(check) => check(url),
            None => Ok(()),
        }
    }

    async fn open(&self, contract: &str, url: &BackendUrl, context: &OpenContext) -> Result<Arc<B>> {
        let opener = self.get(contract, url.scheme()).map_err(|error| error.operation("open"))?;
        (opener.open)(url.clone(), context.clone()).await.map_err(|error| error.operation("open").backend(url))
    }
}

impl<B: ?Sized> Clone for Opener<B> {
    fn clone(&self) -> Self {
        let Self { description, built_in, check, open } = self;
        Self { description: description.clone(), built_in: *built_in, check: check.clone(), open: open.clone() }
    }
}

impl<B: ?Sized> Clone for Openers<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: ?Sized> Default for Openers<B> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// The options in a URL's query, for a backend's `config.rs`: derive `Deserialize` with `default` and
/// `deny_unknown_fields`.
///
/// # Errors
///
/// [`ErrorKind::Config`] for unknown names and values that do not fit.
pub fn options_from_url<T: DeserializeOwned>(url: &BackendUrl) -> Result<T> {
    serde_urlencoded::from_str(url.query()).map_err(|source| {
        let message = match wrong_option::<T>(url.query()) {
            Some(name) => format!("the option {name:?} of {url} is wrong"),
            None => format!("the options of {url} are wrong"),
        };
        Error::new(ErrorKind::Config, message).source(source).advice("the backend's documentation lists its options")
    })
}

/// The option that makes those before it wrong: what reads them does not tell.
fn wrong_option<T: DeserializeOwned>(query: &str) -> Option<String> {
    let options: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    let are_right = |count: &usize| {
        let first = serde_urlencoded::to_string(options.get(..*count).unwrap_or_default());
        first.is_ok_and(|first| serde_urlencoded::from_str::<T>(&first).is_ok())
    };
    let right = (0..options.len()).take_while(are_right).last()?;
    options.get(right).map(|(name, _)| name.clone())
}
