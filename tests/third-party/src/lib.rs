#![doc = include_str!("../README.md")]

mod blobs;
mod changes;
mod config;
mod database;
mod failure;
mod metadata;
mod page;
mod reclaim;
mod records;
mod references;
mod schema;

pub use blobs::RedbBlobs;
pub use config::RedbConfig;
pub use metadata::RedbMetadata;

use cacheness_storage::{BackendRegistry, Result, options_from_url};

/// The scheme of URLs and the name in the registry.
const SCHEME: &str = "redb";

/// Registers both backends under the scheme `redb`.
///
/// # Errors
///
/// [`ErrorKind::AlreadyRegistered`](cacheness_storage::ErrorKind::AlreadyRegistered) when the scheme is taken.
pub fn register(registry: &mut BackendRegistry) -> Result<()> {
    registry.add_metadata(SCHEME, "an index in a redb file", |url, context| async move {
        RedbMetadata::open(url.rest(), &context, options_from_url(&url)?)
    })?;
    registry.add_blobs(SCHEME, "blobs in a redb file", |url, context| async move {
        RedbBlobs::open(url.rest(), &context, options_from_url(&url)?)
    })
}
