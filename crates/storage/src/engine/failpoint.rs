//! The places inside the protocol where a test can stop, fail or kill an engine. Without the feature they are nothing.

#[cfg(not(feature = "failpoints"))]
use super::Engine;
#[cfg(not(feature = "failpoints"))]
use cacheness_core::Result;

/// A place inside the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(feature = "failpoints"), allow(unreachable_pub, reason = "only tests see it"))]
pub enum Point {
    /// A put staged the bytes of its blob, and nothing is stored yet.
    Staged,
    /// A put stored its blob; the commit comes next.
    BlobStored,
    /// A put found a blob of the same content; the commit that shares it comes next.
    ContentFound,
    /// A commit was made and nobody was told. An error here is a lost reply.
    Committed,
    /// Blobs are condemned and not deleted yet.
    Condemned,
    /// Condemned blobs are deleted and not forgotten yet.
    Deleted,
    /// A read has the record and opens its blob next.
    RecordRead,
    /// A sweep saw blobs that no record names, and condemns them next.
    SweepListed,
}

#[cfg(not(feature = "failpoints"))]
impl Engine {
    #[inline(always)]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the other one may fail")]
    pub(super) fn reach(&self, _: Point) -> Result<()> {
        Ok(())
    }
}

#[cfg(feature = "failpoints")]
pub use set::Failpoints;

#[cfg(feature = "failpoints")]
mod set {
    use super::Point;
    use crate::engine::Engine;
    use cacheness_core::Result;
    use std::collections::BTreeMap;
    use std::fmt;
    use std::sync::{Arc, Mutex, PoisonError};

    type Action = Arc<dyn Fn() -> Result<()> + Send + Sync>;

    /// What happens at the points of one engine; clones share it. Nothing happens where nothing is set.
    ///
    /// ```
    /// use cacheness_storage::engine::{EngineOptions, Failpoints, Point};
    /// use cacheness_storage::{Error, ErrorKind, OpenContext, memory::*, sync::BlobStore};
    ///
    /// let failpoints = Failpoints::default();
    /// let mut options = EngineOptions::default();
    /// options.failpoints = failpoints.clone();
    /// let context = OpenContext::new();
    /// let store = BlobStore::builder()
    ///     .metadata_backend(MemoryMetadata::new(&context))
    ///     .blob_backend(MemoryBlobs::new(&context))
    ///     .options(options)
    ///     .open()?;
    /// failpoints.set(Point::Committed, || Err(Error::new(ErrorKind::Unavailable, "the reply is lost")));
    /// assert_eq!(store.put("key", "value").unwrap_err().kind(), ErrorKind::Unavailable);
    /// failpoints.clear(Point::Committed);
    /// assert_eq!(store.get::<String>("key")?.as_deref(), Some("value"));
    /// # Ok::<(), Error>(())
    /// ```
    #[derive(Clone, Default)]
    pub struct Failpoints(Arc<Mutex<BTreeMap<Point, Action>>>);

    impl Failpoints {
        /// Whoever reaches `point` runs `action` on his thread: it may wait, return the error that he then fails with, or
        /// end the process.
        pub fn set(&self, point: Point, action: impl Fn() -> Result<()> + Send + Sync + 'static) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(point, Arc::new(action));
        }

        /// Nothing happens at `point` any more.
        pub fn clear(&self, point: Point) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&point);
        }

        fn reach(&self, point: Point) -> Result<()> {
            let action = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&point).cloned();
            action.map_or(Ok(()), |action| action())
        }
    }

    impl fmt::Debug for Failpoints {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            f.debug_set().entries(set.keys()).finish()
        }
    }

    impl Engine {
        pub(in crate::engine) fn reach(&self, point: Point) -> Result<()> {
            self.options.failpoints.reach(point)
        }
    }
}
