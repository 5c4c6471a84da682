//! The engine: the write protocol and the read protocol over any pair of backends. It has no TTL and no face.
//!
//! `BlobStore` and the cache stand on it; a program uses those. What is public here may change with every version.

mod alias;
mod batch;
mod commit;
mod failpoint;
mod identity;
mod leftover;
mod manage;
mod marker;
mod migrate;
mod options;
mod payload;
mod pipeline;
mod read;
mod reader;
mod share;
mod source;
mod staging;
mod sweep;
mod system;
mod time;
mod together;
mod verify;
mod write;

pub use alias::{Aliased, Target};
#[cfg(feature = "failpoints")]
pub use failpoint::{Failpoints, Point};
pub use migrate::{MigrateOptions, Migrated, Migration};
pub use options::{Compression, EngineOptions};
pub use payload::Stored;
pub use read::{Found, Lookup};
pub use reader::ValueReader;
pub use source::{Async, Blocking, Face, Source};
pub use sweep::Swept;
pub use system::SystemRecord;
pub use verify::{Problem, Verified};
pub use write::{NewEntry, Written};

use crate::layers::hop;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::layers::observed;
use crate::{BlobBackend, BlobId, Change, DigestAlgorithm, Locality, MetadataBackend, StoreId, Version};
use cacheness_core::face::Placement;
use cacheness_core::{Clock, Driver, Error, ErrorKind, Result, Rng, Runtime};
use cacheness_handlers::HandlerRegistry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use time::SharedTime;

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// The index.
    pub metadata: Arc<dyn MetadataBackend>,
    /// The bytes.
    pub blobs: Arc<dyn BlobBackend>,
    /// Which handler stores which type.
    pub handlers: HandlerRegistry,
    /// Where work runs.
    pub runtime: Arc<dyn Runtime>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The chance.
    pub rng: Arc<dyn Rng>,
    /// The rest.
    pub options: EngineOptions,
}

/// Lets the one blocking backend of a pair hop.
fn if_mixed(mut parts: Parts) -> Parts {
    match (parts.metadata.info().blocking, parts.blobs.info().blocking) {
        (true, false) => parts.metadata = hop::metadata(parts.metadata, &parts.runtime),
        (false, true) => parts.blobs = hop::blobs(parts.blobs, &parts.runtime),
        _ => {}
    }
    parts
}

/// One open store.
#[derive(Debug)]
pub struct Engine {
    metadata: Arc<dyn MetadataBackend>,
    blobs: Arc<dyn BlobBackend>,
    handlers: HandlerRegistry,
    driver: Driver,
    clock: Arc<dyn Clock>,
    /// The same clock, where it has to be set by that of the index.
    time: Option<Arc<SharedTime>>,
    rng: Arc<dyn Rng>,
    options: EngineOptions,
    store: StoreId,
    closed: AtomicBool,
    /// Blobs that are deleted and wait for the next commit to be forgotten.
    deleted: Mutex<Vec<BlobId>>,
    /// Uses of records that wait for the next commit to be told.
    uses: Mutex<Vec<Change>>,
}

impl Engine {
    /// Opens the store that lies in a pair of backends, or makes one of a pair that is empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a pair that cannot work together or a runtime that does not fit,
    /// [`ErrorKind::ForeignStore`] when index and blobs belong to different stores, and what the backends return.
    pub async fn open(parts: Parts) -> Result<Self> {
        identity::check_pair(&*parts.metadata, &*parts.blobs, &parts.options)?;
        let parts = if_mixed(parts);
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        let parts =
            Parts { metadata: observed::metadata(parts.metadata), blobs: observed::blobs(parts.blobs), ..parts };
        let blocking = parts.metadata.info().blocking && parts.blobs.info().blocking;
        let placement = if blocking { Placement::Local } else { Placement::Remote };
        let driver = Driver::new(parts.runtime.clone(), placement)?;
        let store = identity::agree(&parts).await?;
        let Parts { metadata, blobs, handlers, clock, rng, mut options, .. } = parts;
        if options.content_addressable {
            options.digest = DigestAlgorithm::Blake3;
        }
        let is_shared = metadata.info().locality == Locality::Shared;
        let time = is_shared.then(|| Arc::new(SharedTime::new(clock.clone())));
        if time.is_some() {
            Self::timed(time.as_deref(), metadata.stats()).await?;
        }
        let clock = time.clone().map_or(clock, |time| time as Arc<dyn Clock>);
        let closed = AtomicBool::new(false);
        let (deleted, uses) = (Mutex::default(), Mutex::default());
        Ok(Self { metadata, blobs, handlers, driver, clock, time, rng, options, store, closed, deleted, uses })
    }

    /// The identity of the store.
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// Whether values of the same stored bytes share a blob.
    pub fn is_content_addressable(&self) -> bool {
        self.options.content_addressable
    }

    /// Where its work happens.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Its clock: the machine's, set by that of an index that many machines share.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Its handlers.
    pub fn handlers(&self) -> &HandlerRegistry {
        &self.handlers
    }

    /// Its index.
    pub fn metadata(&self) -> &dyn MetadataBackend {
        &*self.metadata
    }

    /// Its bytes.
    pub fn blobs(&self) -> &dyn BlobBackend {
        &*self.blobs
    }

    /// A version that no record ever had.
    ///
    /// # Errors
    ///
    /// As [`Rng::fill`].
    pub fn mint_version(&self) -> Result<Version> {
        Version::mint(&*self.rng)
    }

    fn mint_blob(&self) -> Result<BlobId> {
        BlobId::mint(&*self.rng)
    }

    /// Payloads of at most so many stored bytes ride in the record.
    fn inline_limit(&self) -> u64 {
        self.options.inline_limit
    }

    /// Refuses after the close.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`].
    pub fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, "the store was closed").advice("open it again"));
        }
        Ok(())
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.options.read_only {
            return Err(Error::new(ErrorKind::ReadOnly, "the store was opened read-only").advice("open it for writing"));
        }
        Ok(())
    }
}
