#![doc = include_str!("../README.md")]

mod backend;
mod blobs;
mod changes;
mod config;
mod expiring;
mod failure;
mod filter;
mod group;
mod known;
mod open;
mod page;
mod place;
mod random;
mod range;
mod ranked;
mod read_only;
mod readers;
mod reclaim;
mod rows;
mod schema;
mod statement;
mod totals;
mod transaction;
mod usage;
mod writer;

pub use backend::SqliteMetadata;
pub use config::SqliteConfig;

use cacheness_storage::{BackendRegistry, Result, options_from_url};

/// The scheme of URLs and the name in the registry.
const SCHEME: &str = "sqlite";

/// Registers the index under the scheme `sqlite`.
///
/// # Errors
///
/// [`ErrorKind::AlreadyRegistered`](cacheness_storage::ErrorKind::AlreadyRegistered) when the scheme is taken.
pub fn register(registry: &mut BackendRegistry) -> Result<()> {
    registry.add_metadata(SCHEME, "an index in a SQLite file, or in memory", |url, context| async move {
        SqliteMetadata::open(url.rest(), &context, options_from_url(&url)?)
    })?;
    registry.check_metadata_with(SCHEME, |url| options_from_url::<SqliteConfig>(url)?.check())
}
