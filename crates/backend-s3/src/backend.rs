//! `S3Blobs`: the blob contract over a prefix of a bucket.

use crate::bucket::Bucket;
use crate::{S3Config, S3Usage};
use cacheness_storage::{
    BackendInfo, BackendRegistry, BlobBackend, BlobId, BlobInfo, Capabilities, Error, ErrorKind, GetBlob, Locality,
    OpenContext, Payload, PutBlob, Result, Staged, Timestamp, async_trait,
};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The name that URLs begin with.
const NAME: &str = "s3";

/// Registers the scheme `s3:`.
///
/// # Errors
///
/// [`ErrorKind::AlreadyRegistered`] when the name is taken.
pub fn register(registry: &mut BackendRegistry) -> Result<()> {
    registry.add_blobs(NAME, "blobs in S3 and stores that speak its protocol", async |url, context| {
        S3Blobs::open(S3Config::from_url(&url)?, &context).await
    })?;
    registry.check_blobs_with(NAME, |url| S3Config::from_url(url).map(drop))
}

/// Blobs as objects below a prefix of a bucket.
pub struct S3Blobs {
    bucket: Arc<Bucket>,
    read_only: bool,
    closed: AtomicBool,
}

impl S3Blobs {
    /// Opens the store below a prefix, which is claimed for cacheness when it is new: by an object that tells the layout
    /// of keys, and one that conditional puts are tried on. A [read-only](OpenContext::read_only) opening makes neither.
    ///
    /// It must be polled on tokio, which later drives all requests, by who opens it or by who calls it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for options out of bounds, a bucket that does not exist or is in another region, a
    /// `shard_chars` other than the recorded one, a runtime that drives no network I/O, and read-only where no store is;
    /// [`ErrorKind::Permission`] for wrong, expired or missing credentials and rights;
    /// [`ErrorKind::ForeignStore`] and [`ErrorKind::FormatTooNew`] for a layout object that is not ours or of a later
    /// version; [`ErrorKind::Unavailable`] and [`ErrorKind::Timeout`] when the store cannot be reached.
    pub async fn open(config: S3Config, context: &OpenContext) -> Result<Self> {
        let name = config.to_string();
        let bucket = Bucket::open(config, context).await.map_err(|error| error.operation("open").backend(name))?;
        Ok(Self { bucket: Arc::new(bucket), read_only: context.read_only, closed: AtomicBool::new(false) })
    }

    /// What this backend asked of its store since it was opened.
    pub fn usage(&self) -> S3Usage {
        self.bucket.meter.usage()
    }

    /// Runs an operation on the open store.
    pub(crate) async fn run<R>(
        &self,
        operation: &'static str,
        run: impl AsyncFnOnce(&Arc<Bucket>) -> Result<R>,
    ) -> Result<R> {
        let result = match self.closed.load(Ordering::Acquire) {
            false => run(&self.bucket).await,
            true => Err(Error::new(ErrorKind::Closed, "the backend was closed")),
        };
        result.map_err(|error| error.operation(operation).backend(self))
    }

    fn check_writable(&self) -> Result<()> {
        if self.read_only {
            return Err(Error::new(ErrorKind::ReadOnly, "the store was opened read-only and takes no changes")
                .advice("open it without read_only"));
        }
        Ok(())
    }
}

#[async_trait]
impl BlobBackend for S3Blobs {
    fn info(&self) -> BackendInfo {
        let mut capabilities = Capabilities::default();
        capabilities.if_match = true;
        capabilities.exclusive_puts = self.bucket.exclusive;
        capabilities.full_durability = true;
        capabilities.read_only = true;
        BackendInfo { name: NAME.into(), locality: Locality::Shared, blocking: false, capabilities }
    }

    fn staging(&self) -> Option<&Path> {
        self.bucket.config.staging.as_deref().filter(|_| !self.read_only)
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        self.run("put a blob", async |bucket| {
            self.check_writable()?;
            bucket.put(id, payload, options).await
        })
        .await
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        self.run("get a blob", async |bucket| bucket.get(id, options).await).await
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.run("look up a blob", async |bucket| Ok(bucket.head(id).await?.map(|told| told.info))).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.run("delete blobs", async |bucket| {
            self.check_writable()?;
            bucket.delete(ids).await
        })
        .await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.run("list blobs", async |bucket| bucket.list(after, limit).await).await
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.run("abort uploads", async |bucket| {
            self.check_writable()?;
            bucket.abort_uploads(before).await
        })
        .await
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}

impl fmt::Display for S3Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bucket.config.fmt(f)
    }
}

impl fmt::Debug for S3Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Blobs({self})")
    }
}
