#![doc = include_str!("../README.md")]

mod backend;
mod blobs;
mod commit;
mod config;
mod failure;
mod feed;
mod filter;
mod listener;
mod number;
mod page;
mod pipeline;
mod pool;
mod reading;
mod reclaim;
mod rows;
mod schema;
mod search;
mod server;
mod statements;
mod tables;
mod tls;
mod totals;

pub use backend::PostgresMetadata;
pub use config::{NotificationMode, PostgresConfig, SslMode};
pub use pool::PoolStats;

use cacheness_storage::{BackendRegistry, Result};

/// The name in the registry, and the scheme of URLs.
const SCHEME: &str = "postgres";

/// What the scheme of a URL may be instead.
const LONG_SCHEME: &str = "postgresql";

/// Registers the index under the schemes `postgres` and `postgresql`.
///
/// # Errors
///
/// [`ErrorKind::AlreadyRegistered`](cacheness_storage::ErrorKind::AlreadyRegistered) when one of them is taken.
pub fn register(registry: &mut BackendRegistry) -> Result<()> {
    for scheme in [SCHEME, LONG_SCHEME] {
        registry.add_metadata(scheme, "an index in PostgreSQL, for many machines", |url, context| async move {
            PostgresMetadata::open(&url, &context).await
        })?;
        registry.check_metadata_with(scheme, |url| server::parse(url).map(drop))?;
    }
    Ok(())
}
