//! What the builders of stores and caches share: where the backends are, and everything that is wrong, told at once.
//!
//! What is public here may change with every version.

use crate::engine::EngineOptions;
use crate::{BackendRegistry, BlobBackend, Bundle, MetadataBackend, OpenContext};
use cacheness_core::{BackendUrl, Error, ErrorKind, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is wrong with the options of a builder: all of it, in the order it was found.
#[derive(Debug, Default)]
pub struct Problems(Vec<Error>);

impl Problems {
    /// Keeps the error, or gives what passed.
    pub fn sift<T>(&mut self, checked: Result<T>) -> Option<T> {
        checked.map_err(|error| self.0.push(error)).ok()
    }

    /// What was built, which is there when nothing was wrong.
    ///
    /// # Errors
    ///
    /// The only problem as it is; several as one [`ErrorKind::Config`] that names each of them.
    pub fn settle<T>(mut self, built: Option<T>) -> Result<T> {
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

/// Refuses options with which nothing could be stored.
///
/// # Errors
///
/// [`ErrorKind::Config`].
pub fn check_options(options: &EngineOptions) -> Result<()> {
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
    defaults: fn(&Path) -> (Option<BackendUrl>, Option<BackendUrl>),
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
        Self { dir: None, metadata: None, blobs: None, defaults }
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

    /// Checks everything that can be checked without opening anything: names, schemes, and the options in URLs where the
    /// backend lets them be checked.
    pub fn check(self, backends: &BackendRegistry, problems: &mut Problems) -> Option<Pair> {
        let dir = match self.dir.as_deref().map(check_dir).transpose() {
            Ok(dir) => dir,
            Err(error) => {
                problems.sift::<()>(Err(error));
                // What would be in it is not missing, too.
                None
            }
        };
        let in_dir = dir.map(self.defaults);
        let named = self.dir.is_some();
        let (metadata_in, blobs_in) = in_dir.unwrap_or_default();
        let metadata = settle(self.metadata, metadata_in, "metadata", named, |url| backends.check_metadata(url));
        let blobs = settle(self.blobs, blobs_in, "blob", named, |url| backends.check_blobs(url));
        let (metadata, blobs) = (problems.sift(metadata), problems.sift(blobs));
        Some(Pair { metadata: metadata?, blobs: blobs? })
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("dir", &self.dir).finish_non_exhaustive()
    }
}
