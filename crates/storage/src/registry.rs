//! Backends by name: what a URL's scheme means.

use crate::{BlobBackend, Durability, MetadataBackend};
use cacheness_core::runtime::BoxFuture;
use cacheness_core::{BackendUrl, Clock, Error, ErrorKind, Result, SystemClock};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

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
}

impl Default for OpenContext {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), durability: Durability::default(), read_only: false }
    }
}

impl OpenContext {
    /// The machine's clock, and the default durability.
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

    /// Whether nothing may be made or changed.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }
}

type Open<B> = dyn Fn(BackendUrl, OpenContext) -> BoxFuture<'static, Result<Arc<B>>> + Send + Sync;

/// How to open the backends of one contract, by name.
struct Openers<B: ?Sized>(BTreeMap<String, Opener<B>>);

struct Opener<B: ?Sized> {
    description: String,
    open: Arc<Open<B>>,
}

/// What a registry says about one of its backends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendEntry<'a> {
    /// The name, which is the scheme of its URLs.
    pub name: &'a str,
    /// A sentence for people.
    pub description: &'a str,
}

/// The metadata and blob backends that URLs can name. Nothing registers itself.
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

    /// Removes a metadata backend; says whether there was one.
    pub fn remove_metadata(&mut self, name: &str) -> bool {
        self.metadata.0.remove(name).is_some()
    }

    /// Removes a blob backend; says whether there was one.
    pub fn remove_blobs(&mut self, name: &str) -> bool {
        self.blobs.0.remove(name).is_some()
    }

    /// The metadata backends, by name.
    pub fn metadata_backends(&self) -> impl Iterator<Item = BackendEntry<'_>> {
        self.metadata.iter()
    }

    /// The blob backends, by name.
    pub fn blob_backends(&self) -> impl Iterator<Item = BackendEntry<'_>> {
        self.blobs.iter()
    }

    /// Opens the metadata backend that the URL names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownBackend`] for a scheme that is not registered, naming those that are; what opening returns.
    pub async fn open_metadata(&self, url: &BackendUrl, context: &OpenContext) -> Result<Arc<dyn MetadataBackend>> {
        self.metadata.open("metadata", url, context).await
    }

    /// Opens the blob backend that the URL names.
    ///
    /// # Errors
    ///
    /// As [`open_metadata`](Self::open_metadata).
    pub async fn open_blobs(&self, url: &BackendUrl, context: &OpenContext) -> Result<Arc<dyn BlobBackend>> {
        self.blobs.open("blob", url, context).await
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
        self.0.insert(name.into(), Opener { description: description.into(), open: Arc::new(open) });
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = BackendEntry<'_>> {
        self.0.iter().map(|(name, opener)| BackendEntry { name, description: &opener.description })
    }

    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    async fn open(&self, contract: &str, url: &BackendUrl, context: &OpenContext) -> Result<Arc<B>> {
        let Some(opener) = self.0.get(url.scheme()) else {
            let message = format!("no {contract} backend is named {:?}", url.scheme());
            let known = self.names().join(", ");
            return Err(Error::new(ErrorKind::UnknownBackend, message)
                .operation("open")
                .advice(format!("known here: {known}; others need their Cargo feature or a registration")));
        };
        (opener.open)(url.clone(), context.clone()).await.map_err(|error| error.operation("open").backend(url))
    }
}

impl<B: ?Sized> Clone for Openers<B> {
    fn clone(&self) -> Self {
        let copy = |opener: &Opener<B>| Opener { description: opener.description.clone(), open: opener.open.clone() };
        Self(self.0.iter().map(|(name, opener)| (name.clone(), copy(opener))).collect())
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
    serde_urlencoded::from_str(url.query())
        .map_err(|source| Error::new(ErrorKind::Config, format!("the options of {url} are wrong")).source(source))
}
