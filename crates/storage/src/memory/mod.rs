//! A store in this process's memory, gone when it is closed: the plainest backends that keep the contracts, and the
//! measure for all others.

mod blobs;
mod index;
mod metadata;
mod scan;
mod totals;

pub use blobs::MemoryBlobs;
pub use index::{Effect, Index};
pub use metadata::MemoryMetadata;

use crate::{BackendRegistry, BackendUrl, Error, ErrorKind, Result, options_from_url};
use serde::Deserialize;

/// The name of both backends, and the scheme of their URLs.
const NAME: &str = "memory";

/// Registers [`MemoryMetadata`] and [`MemoryBlobs`] for `memory:` URLs. Every opening makes a new, empty store.
///
/// ```
/// use cacheness_core::runtime::block_on;
/// use cacheness_storage::{BackendRegistry, OpenContext, memory};
///
/// let mut registry = BackendRegistry::empty();
/// memory::register(&mut registry)?;
/// let index = block_on(registry.open_metadata(&"memory:".parse()?, &OpenContext::new()))?;
/// assert_eq!(block_on(index.stats())?.entries, 0);
/// # Ok::<(), cacheness_core::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::AlreadyRegistered`] when the name is taken.
pub fn register(registry: &mut BackendRegistry) -> Result<()> {
    registry.add_metadata(NAME, "records in this process's memory", |url, context| async move {
        check(&url)?;
        Ok(MemoryMetadata::new(&context))
    })?;
    registry.add_blobs(NAME, "blobs in this process's memory", |url, context| async move {
        check(&url)?;
        Ok(MemoryBlobs::new(&context))
    })?;
    registry.check_metadata_with(NAME, check)?;
    registry.check_blobs_with(NAME, check)
}

/// What a `memory:` URL may set: nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {}

fn check(url: &BackendUrl) -> Result<()> {
    let Options {} = options_from_url(url)?;
    if url.rest().is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, format!("{url} names a place, and memory has none")).advice("write memory:"))
}

fn closed(operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, "the store was closed").operation(operation).backend(format_args!("{NAME}:"))
}
