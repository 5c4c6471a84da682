//! `Cached`: local copies of the blobs of a remote backend.

mod backend;
mod copies;
mod index;
mod seal;

use super::counter::Counter;
use super::hop;
use super::layer::{BlobLayer, LayerContext};
use super::surroundings::Surroundings;
use crate::{BackendRegistry, BlobBackend, IntoBlobBackend, OpenContext};
use async_trait::async_trait;
use backend::CachedBlobs;
use cacheness_core::flight::Flights;
use cacheness_core::size::{IntoSize, Size};
use cacheness_core::{BackendUrl, Error, ErrorKind, Result};
use copies::Copies;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What local copies may take unless told otherwise, in bytes.
const LIMIT: u64 = 1_000_000_000;

/// Keeps copies of the blobs of a remote backend in a local one, usually a directory, up to 1 GB unless told otherwise. What
/// was used longest ago makes room, down to 90 %.
///
/// Blobs are immutable and their names are never used again, so a copy never becomes stale and needs no time to live. It can
/// be damaged: each is verified whenever it is read, all of it, and what does not pass is fetched again. Copies outlive the
/// process: after a restart they are found by their names, and make room by the time they were made at.
///
/// - One caller fetches a blob, the others who want it wait for him. A read of a part that does not begin at the blob's
///   start goes past the copies, and so does one that ends more than 64 KiB before the blob's end.
/// - A put stores a copy, too, unless [`write_through`](Self::write_through) is off.
/// - Whatever fails locally, a full disk too, is counted and fails no call.
/// - What is deleted here goes from both. What another machine deletes stays here until it makes room: no record names it.
/// - Several processes may use one directory. Each looks at it again after every tenth of the limit that it stored, so that
///   together they stay below the limit and a tenth of it for each.
/// - Opened read-only, it reads copies and makes none.
/// - `head`, `list`, the marker of the store and reads that [bypass copies](crate::GetBlob::bypass_copies), as those of
///   `verify` do, are always answered by the remote backend.
///
/// ```
/// use cacheness_storage::layers::Cached;
/// use cacheness_storage::memory::MemoryBlobs;
/// use cacheness_storage::OpenContext;
///
/// let context = OpenContext::new();
/// let cached = Cached::in_backend(MemoryBlobs::new(&context), "100 MB");
/// let blobs = cacheness_storage::block_on(cached.around_blobs(MemoryBlobs::new(&context), &context))?;
/// assert_eq!(blobs.to_string(), "Cached(memory:, memory:)");
/// assert_eq!(cached.stats().hits, 0);
/// # Ok::<(), cacheness_storage::Error>(())
/// ```
#[derive(Clone)]
pub struct Cached {
    place: Place,
    limit: Result<u64, Arc<Error>>,
    write_through: bool,
    counters: Arc<Counters>,
    made: Arc<Mutex<Vec<Weak<Copies>>>>,
}

#[derive(Clone)]
enum Place {
    Url(Result<BackendUrl, Arc<Error>>),
    Ready(Arc<dyn BlobBackend>),
}

#[derive(Debug, Default)]
struct Counters {
    hits: Counter,
    misses: Counter,
    bypassed: Counter,
    copies: Counter,
    evictions: Counter,
    damaged: Counter,
    failures: Counter,
}

impl Counters {
    fn stats(&self, bytes: u64) -> CachedStats {
        CachedStats {
            hits: self.hits.get(),
            misses: self.misses.get(),
            bypassed: self.bypassed.get(),
            bytes,
            copies: self.copies.get(),
            evictions: self.evictions.get(),
            damaged: self.damaged.get(),
            failures: self.failures.get(),
        }
    }
}

/// What a [`Cached`] did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CachedStats {
    /// Reads that a local copy answered.
    pub hits: u64,
    /// Reads that it could have answered, had there been one.
    pub misses: u64,
    /// Reads of parts, and blobs that are larger than all copies may be.
    pub bypassed: u64,
    /// What the copies take now, in bytes, as far as this process knows.
    pub bytes: u64,
    /// Copies that were made.
    pub copies: u64,
    /// Copies that made room for others.
    pub evictions: u64,
    /// Copies that were damaged, and were dropped.
    pub damaged: u64,
    /// Local calls that failed.
    pub failures: u64,
}

impl Cached {
    /// Copies in a directory, which is made when it is missing, up to a number of bytes or to words such as `"10 GiB"`. It
    /// needs the backend that is registered as `fs`.
    pub fn in_dir(dir: impl AsRef<Path>, limit: impl IntoSize) -> Self {
        let url = match dir.as_ref().to_str() {
            Some(dir) => Ok(BackendUrl::new("fs", dir)),
            None => Err(Error::new(ErrorKind::Config, "the path of the directory for local copies is not UTF-8")),
        };
        Self::new(Place::Url(url.map_err(Arc::new))).max(limit)
    }

    /// Copies in the backend that a URL names.
    pub fn in_url(url: impl Into<String>) -> Self {
        Self::new(Place::Url(url.into().parse().map_err(Arc::new)))
    }

    /// Copies in a backend that is ready.
    pub fn in_backend(local: impl IntoBlobBackend, limit: impl IntoSize) -> Self {
        Self::new(Place::Ready(local.into_blob_backend())).max(limit)
    }

    fn new(place: Place) -> Self {
        Self { place, limit: Ok(LIMIT), write_through: true, counters: Arc::default(), made: Arc::default() }
    }

    /// What all copies together may take: a number of bytes, or words. Zero, and words that are no size, are errors at open.
    #[must_use]
    pub fn max(mut self, limit: impl IntoSize) -> Self {
        self.limit = limit.into_size().map(|Size(bytes)| bytes).map_err(Arc::new);
        self
    }

    /// Whether a put makes a copy, too. It does unless set.
    #[must_use]
    pub fn write_through(mut self, write_through: bool) -> Self {
        self.write_through = write_through;
        self
    }

    /// What it and its clones did so far.
    pub fn stats(&self) -> CachedStats {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = made.iter().filter_map(Weak::upgrade).map(|copies| copies.stats().bytes).sum();
        self.counters.stats(bytes)
    }

    /// Puts it around blobs; its own backend must be [ready](Self::in_backend).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a limit that is none, and for a place that only a URL names;
    /// [`ErrorKind::ForeignStore`] for one in which a store keeps its blobs; what looking there returns.
    pub async fn around_blobs(
        &self,
        backend: impl IntoBlobBackend,
        context: &OpenContext,
    ) -> Result<Arc<dyn BlobBackend>> {
        match &self.place {
            Place::Ready(local) => self.around(backend.into_blob_backend(), local.clone(), context).await,
            Place::Url(url) => Err(Error::new(ErrorKind::Config, format!("nobody opened {}", named(url)?))
                .advice("give the layer to a builder, or a backend that is ready")),
        }
    }

    async fn around(
        &self,
        upstream: Arc<dyn BlobBackend>,
        local: Arc<dyn BlobBackend>,
        context: &OpenContext,
    ) -> Result<Arc<dyn BlobBackend>> {
        let limit = self.limit()?;
        let mut both = [upstream, local];
        let blocking = hop::if_mixed(&mut both, &context.runtime);
        let [upstream, local] = both;
        let copies = Arc::new(Copies {
            local,
            surroundings: Surroundings::new(context, blocking),
            counters: self.counters.clone(),
            index: Mutex::default(),
            limit,
            read_only: context.read_only,
        });
        copies.check().await?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|copies| copies.strong_count() > 0);
        made.push(Arc::downgrade(&copies));
        let write_through = self.write_through;
        Ok(Arc::new(CachedBlobs { upstream, copies, fetches: Flights::default(), write_through }))
    }

    fn limit(&self) -> Result<u64> {
        match &self.limit {
            Ok(0) => Err(Error::new(ErrorKind::Config, "local copies of at most 0 bytes")
                .advice("leave the layer out, or give it room")),
            Ok(limit) => Ok(*limit),
            Err(error) => Err(again(error)),
        }
    }
}

fn named(url: &Result<BackendUrl, Arc<Error>>) -> Result<&BackendUrl> {
    url.as_ref().map_err(again)
}

/// An error that is told more than once.
fn again(error: &Arc<Error>) -> Error {
    Error::new(error.kind(), error.to_string())
}

#[async_trait]
impl BlobLayer for Cached {
    fn check(&self, backends: &BackendRegistry) -> Result<()> {
        self.limit()?;
        match &self.place {
            Place::Url(url) => backends.check_blobs(named(url)?),
            Place::Ready(_) => Ok(()),
        }
    }

    async fn wrap_blobs(&self, backend: Arc<dyn BlobBackend>, context: &LayerContext) -> Result<Arc<dyn BlobBackend>> {
        let local = match &self.place {
            Place::Ready(local) => local.clone(),
            Place::Url(url) => match context.backends.open_blobs(named(url)?, &context.open).await {
                // Nothing may be made, so there are no copies.
                Err(_) if context.open.read_only => return Ok(backend),
                opened => opened?,
            },
        };
        self.around(backend, local, &context.open).await
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.place {
            Place::Url(url) => named(url).map_or_else(|error| error.to_string(), ToString::to_string),
            Place::Ready(local) => local.to_string(),
        };
        let limit = self.limit.as_ref().ok();
        f.debug_struct("Cached").field("place", &place).field("limit", &limit).finish_non_exhaustive()
    }
}
