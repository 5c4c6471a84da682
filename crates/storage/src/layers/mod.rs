//! Layers: backends around backends, which make the ones below them dependable or fast.
//!
//! | layer | for | what it does |
//! |---|---|---|
//! | [`Retry`] | index, blobs | makes calls again that failed for a passing reason |
//! | [`CircuitBreaker`] | index, blobs | leaves a sick backend alone for a while |
//! | [`Timeout`] | index, blobs | ends the wait for a call that takes too long |
//! | [`Cached`] | blobs | keeps local copies of remote blobs |
//! | [`Failover`] | blobs | keeps blobs in several places |
//!
//! Each is put around a backend that is ready, or given to a builder, which puts them around what it opens in the order in
//! which they were given: the first is the innermost. A stack prints itself.
//!
//! ```
//! use cacheness_storage::layers::{CircuitBreaker, Retry, Timeout};
//! use cacheness_storage::sync::BlobStore;
//!
//! let retry = Retry::new();
//! let store = BlobStore::builder()
//!     .metadata("memory:")
//!     .blobs("memory:")
//!     .layer(Timeout::new())
//!     .layer(CircuitBreaker::new())
//!     .layer_blobs(retry.clone())
//!     .open()?;
//! store.put("key", "value")?;
//! let stack = "CircuitBreaker(Timeout(30s, memory:))";
//! assert_eq!(format!("{store:?}"), format!("sync::BlobStore({stack} + Retry(3, {stack}))"));
//! assert!(retry.stats().attempts > 0);
//! # Ok::<(), cacheness_storage::Error>(())
//! ```
//!
//! A layer blocks when all that is below it does: its futures are ready on their first poll then, and it waits in place. Otherwise
//! it waits on the runtime of the [`OpenContext`](crate::OpenContext), by default threads without an executor.

mod around;
mod breaker;
mod cached;
mod circuit;
mod counter;
mod failover;
pub(crate) mod hop;
mod layer;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) mod observed;
mod replay;
mod retry;
mod surroundings;
mod timeout;

pub use breaker::CircuitBreaker;
pub use cached::{Cached, CachedStats};
pub use circuit::{CircuitState, CircuitStats};
pub use failover::{Failover, FailoverStats, MemberStats};
pub use layer::{BlobLayer, LayerContext, MetadataLayer};
pub use retry::{Retry, RetryStats};
pub use timeout::{Timeout, TimeoutStats};
