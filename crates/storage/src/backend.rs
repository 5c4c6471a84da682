//! The two contracts of a store: bytes at rest, and the index.

use crate::{
    BackendInfo, BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Coherence, Cursor, EntryKey, Fields, GetBlob,
    MetadataStats, OnUnmet, Outcome, Page, Payload, PutBlob, Query, Reclaim, Reclaimed, Record, Staged,
};
use async_trait::async_trait;
use cacheness_core::{Result, Timestamp};
use std::fmt::{Debug, Display};
use std::path::Path;

/// Bytes at rest. Names are the family's own, immutable and unique; a name is never used again.
///
/// What lies in the directory that [`staging`](Self::staging) lends under names that begin with `cacheness-` is ours to
/// sweep: the files of live processes are locked, the others are left by killed ones.
///
/// Opened read-only, it refuses every change with [`ErrorKind::ReadOnly`](crate::ErrorKind::ReadOnly).
///
/// `Display` prints the backend as users name it, without credentials.
///
/// # Errors
///
/// Every method: [`Permission`](crate::ErrorKind::Permission), [`OutOfSpace`](crate::ErrorKind::OutOfSpace),
/// [`Unavailable`](crate::ErrorKind::Unavailable), [`Timeout`](crate::ErrorKind::Timeout),
/// [`Closed`](crate::ErrorKind::Closed) after `close`, otherwise [`Storage`](crate::ErrorKind::Storage).
#[async_trait]
pub trait BlobBackend: Debug + Display + Send + Sync + 'static {
    /// What it is and what it can do.
    fn info(&self) -> BackendInfo;

    /// Where the spool may write, so that publishing a staged file moves it instead of copying it.
    fn staging(&self) -> Option<&Path>;

    /// Writes a blob under a name that was never used. Success means: complete, and as durable as asked.
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when there is a blob of that name, which stays as it is. Of
    /// several puts of one name at once only a backend that says so lets
    /// [one alone succeed](crate::Capabilities::exclusive_puts).
    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo>;

    /// Reads a blob, or a part of it; `None` when there is none.
    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>>;

    /// What is known of a blob, without reading it; `None` when there is none.
    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>>;

    /// Deletes blobs, [`BlobId::STORE`] too when it is named; says of each whether there was one. Deleting what is not there is no error.
    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>>;

    /// The next blobs after a name, in the order of names, at most `limit`. Foreign objects are passed over;
    /// [`BlobId::STORE`] is a blob like any other.
    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>>;

    /// Removes what interrupted puts left that is no blob and lies in no staging directory, such as the parts of an
    /// upload, as far as it began before a time; says how many there were.
    async fn discard_remnants(&self, before: Timestamp) -> Result<u64>;

    /// Releases what it holds. A second close is no error.
    async fn close(&self) -> Result<()>;
}

/// The index. It keeps timestamps and never interprets them.
///
/// It also counts the references to blobs: a put that names a blob adds one, and replacing or removing a record
/// takes one away; a blob without references is condemned in the same commit. A commit that names a condemned blob
/// is refused with [`Outcome::Condemned`].
///
/// Opened read-only, it refuses every change with [`ErrorKind::ReadOnly`](crate::ErrorKind::ReadOnly).
///
/// `Display` prints the backend as users name it, without credentials.
///
/// # Errors
///
/// Every method: [`Permission`](crate::ErrorKind::Permission), [`OutOfSpace`](crate::ErrorKind::OutOfSpace),
/// [`Unavailable`](crate::ErrorKind::Unavailable), [`Timeout`](crate::ErrorKind::Timeout),
/// [`Closed`](crate::ErrorKind::Closed) after `close`, [`Corrupt`](crate::ErrorKind::Corrupt) for a damaged index,
/// otherwise [`Metadata`](crate::ErrorKind::Metadata).
#[async_trait]
pub trait MetadataBackend: Debug + Display + Send + Sync + 'static {
    /// What it is and what it can do.
    fn info(&self) -> BackendInfo;

    /// The records of some keys, in the order of the keys, in one round trip.
    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>>;

    /// Applies changes in one transaction and says what became of each, in their order. When it returns `Ok`, every
    /// later read of every process sees what was applied.
    ///
    /// An error that leaves open whether the commit happened must not say that it is retryable. Damage of the record under
    /// a key is no obstacle to putting or removing it, unless the condition or a patch must read it.
    ///
    /// What does not pass [`Change::check`](crate::Change::check) is refused, and nothing is applied.
    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>>;

    /// The next records of a query, in the order of keys, without state between calls. System records are passed over.
    ///
    /// [`InvalidQuery`](crate::ErrorKind::InvalidQuery) for a filter that does not pass [`Filter::check`](crate::Filter::check).
    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page>;

    /// What it knows of blobs. It changes nothing.
    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>>;

    /// Gives space back in one bounded transaction.
    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed>;

    /// Totals, in constant time. Also the health check.
    async fn stats(&self) -> Result<MetadataStats>;

    /// The totals that the last commit or reclaim through this backend left, when it knows them without asking anybody.
    /// They count everything that was committed before it, by whomever. `None` makes a caller ask [`stats`](Self::stats).
    fn committed(&self) -> Option<MetadataStats>;

    /// How a memory copy of a record is proven fresh.
    fn coherence(&self) -> Coherence;

    /// Releases what it holds. A second close is no error.
    async fn close(&self) -> Result<()>;
}
