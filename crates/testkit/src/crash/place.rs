//! Where a store lies, and how it is opened there.

use super::Pair;
use super::operation::STAGED_IN_MEMORY;
use cacheness_core::{Driver, Error, ErrorKind, Result, Runtime};
use cacheness_storage::engine::{Compression, EngineOptions, Failpoints};
use cacheness_storage::sync::BlobStore;
use cacheness_storage::{Locality, OpenContext};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

type Open<'a> = dyn Fn(PathBuf) -> Result<Pair> + 'a;

/// A directory, and how the backends of a store are opened there.
pub(super) struct Place<'a> {
    directory: PathBuf,
    runtime: Arc<dyn Runtime>,
    open: Box<Open<'a>>,
}

impl<'a> Place<'a> {
    pub(super) fn new<F>(
        directory: PathBuf,
        runtime: &Arc<dyn Runtime>,
        open: &'a impl Fn(PathBuf, OpenContext) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Pair>> + 'a,
    {
        let driver = Driver::opening(runtime.clone());
        let context = OpenContext::new().runtime(runtime.clone());
        let open = move |directory| driver.run(open(directory, context.clone()));
        Self { directory, runtime: runtime.clone(), open: Box::new(open) }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens the store: nothing is given time, so that all that a sweep may ever do is done at once.
    pub(super) fn open(&self, recurring: bool, failpoints: Failpoints) -> Result<(Pair, BlobStore)> {
        let pair = (self.open)(self.directory.clone())?;
        for locality in [pair.metadata.info().locality, pair.blobs.info().locality] {
            if locality == Locality::Process {
                let message =
                    format!("{} and {}: what ends with its process survives nothing", pair.metadata, pair.blobs);
                return Err(Error::new(ErrorKind::Config, message));
            }
        }
        let mut options = EngineOptions::default();
        options.compression = Compression::NONE;
        options.staging_memory = STAGED_IN_MEMORY;
        options.content_addressable = recurring;
        (options.grace, options.delete_grace) = (Duration::ZERO, Duration::ZERO);
        options.allow_split_locality = true;
        options.failpoints = failpoints;
        let store = BlobStore::builder()
            .metadata_backend(pair.metadata.clone())
            .blob_backend(pair.blobs.clone())
            .runtime(self.runtime.clone())
            .options(options)
            .open()?;
        Ok((pair, store))
    }

    /// Runs a future of the backends to its end.
    pub(super) fn run<R>(&self, future: impl Future<Output = Result<R>>) -> Result<R> {
        Driver::opening(self.runtime.clone()).run(future)
    }
}
