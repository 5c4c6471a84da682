//! `FsBlobs`: the blob contract over a directory of files.

use crate::FsConfig;
use crate::directory::SYNCS_DIRECTORIES;
use crate::layout::{Layout, STAGING};
use crate::root::{Root, failed};
use cacheness_storage::{
    BackendInfo, BackendRegistry, BackendUrl, BlobBackend, BlobId, BlobInfo, Capabilities, Durability, Error,
    ErrorKind, GetBlob, Locality, OpenContext, Payload, PutBlob, Result, Staged, Timestamp, async_trait,
    options_from_url,
};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// The name that URLs begin with.
const NAME: &str = "fs";

/// Registers the scheme `fs:`.
///
/// # Errors
///
/// [`ErrorKind::AlreadyRegistered`] when the name is taken.
pub fn register(registry: &mut BackendRegistry) -> Result<()> {
    registry
        .add_blobs(NAME, "blobs as files below a directory", async |url, context| FsBlobs::from_url(&url, &context))?;
    registry.check_blobs_with(NAME, |url| Layout::new(parts(url)?.1.shard_chars).map(drop))
}

/// The path and the options that a URL names.
fn parts(url: &BackendUrl) -> Result<(&str, FsConfig)> {
    let config = options_from_url(url)?;
    let path = url.rest();
    if path.is_empty() || path.starts_with("//") && !path.starts_with("///") {
        return Err(Error::new(ErrorKind::Config, "the URL names no directory of this machine")
            .advice("write fs:relative/path or fs:/absolute/path"));
    }
    Ok((path, config))
}

/// Blobs as files below a directory.
pub struct FsBlobs {
    path: PathBuf,
    /// `None` when it was opened read-only.
    staging: Option<PathBuf>,
    shared: bool,
    root: RwLock<Option<Root>>,
}

impl FsBlobs {
    /// Opens the blob directory at `path`, which is made when it is missing, with what is missing above it. A
    /// [read-only](OpenContext::read_only) opening makes nothing, and lends no staging directory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a `shard_chars` above 4 or other than the recorded one, when `path` is a file, and
    /// read-only when it is no blob directory;
    /// [`ErrorKind::ForeignStore`] for a directory with other things in it; [`ErrorKind::FormatTooNew`] for one of a
    /// later version; [`ErrorKind::Corrupt`] for a damaged layout file; [`ErrorKind::Permission`] when it cannot be
    /// read, or written.
    pub fn open(path: impl AsRef<Path>, context: &OpenContext, config: FsConfig) -> Result<Self> {
        let path = path.as_ref();
        let open = || {
            let layout = Layout::new(config.shard_chars)?;
            let absolute = std::path::absolute(path).map_err(|error| failed("resolved", path, error))?;
            let staging = (!context.read_only).then(|| absolute.join(STAGING));
            let root =
                if context.read_only { Root::open_read_only(absolute, layout)? } else { Root::open(absolute, layout)? };
            if context.durability == Durability::Full && !context.read_only {
                root.settle()?;
            }
            Ok(Self { path: path.to_owned(), staging, shared: config.shared, root: RwLock::new(Some(root)) })
        };
        open().map_err(|error: Error| error.operation("open").backend(Name(path)))
    }

    fn from_url(url: &BackendUrl, context: &OpenContext) -> Result<Self> {
        let (path, config) = parts(url)?;
        Self::open(path, context, config)
    }

    /// Runs an operation on the open directory.
    fn run<R>(&self, operation: &'static str, run: impl FnOnce(&Root) -> Result<R>) -> Result<R> {
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        let result = match &*root {
            Some(root) => run(root),
            None => Err(Error::new(ErrorKind::Closed, "the backend was closed")),
        };
        result.map_err(|error| error.operation(operation).backend(self))
    }

    /// Runs an operation that changes the open directory.
    fn change<R>(&self, operation: &'static str, change: impl FnOnce(&Root) -> Result<R>) -> Result<R> {
        self.run(operation, |root| match self.staging {
            Some(_) => change(root),
            None => {
                Err(Error::new(ErrorKind::ReadOnly, "the blob directory was opened read-only and takes no changes")
                    .advice("open it without read_only"))
            }
        })
    }
}

#[async_trait]
impl BlobBackend for FsBlobs {
    fn info(&self) -> BackendInfo {
        let mut capabilities = Capabilities::default();
        capabilities.exclusive_puts = true;
        capabilities.full_durability = SYNCS_DIRECTORIES;
        capabilities.read_only = true;
        BackendInfo {
            name: NAME.into(),
            locality: if self.shared { Locality::Shared } else { Locality::Host },
            blocking: true,
            capabilities,
        }
    }

    fn staging(&self) -> Option<&Path> {
        self.staging.as_deref()
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        self.change("put a blob", |root| root.publish(id, payload, options.durability))
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        self.run("get a blob", |root| root.read(id, &options))
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.run("look up a blob", |root| Ok(root.facts(id)?.map(|facts| facts.describe(id))))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.change("delete blobs", |root| ids.iter().map(|id| root.delete(id)).collect())
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.run("list blobs", |root| root.list(after, limit))
    }

    async fn discard_remnants(&self, _before: Timestamp) -> Result<u64> {
        self.change("discard remnants", |_| Ok(0))
    }

    async fn close(&self) -> Result<()> {
        self.root.write().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

impl fmt::Display for FsBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Name(&self.path).fmt(f)
    }
}

impl fmt::Debug for FsBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FsBlobs({self})")
    }
}

/// Shows a path as the URL that names it.
struct Name<'a>(&'a Path);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}:{}", self.0.display())
    }
}
