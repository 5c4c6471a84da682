//! A small index that people can read: one file of JSON lines, a journal that is compacted now and then.
//!
//! ```
//! use cacheness_backend_fs::json::{JsonConfig, JsonMetadata};
//! use cacheness_core::runtime::block_on;
//! use cacheness_storage::{MetadataBackend, OpenContext};
//!
//! let home = tempfile::tempdir()?;
//! let index = JsonMetadata::open(home.path().join("index.jsonl"), &OpenContext::new(), JsonConfig::new())?;
//! assert_eq!(block_on(index.stats())?.entries, 0);
//! # Ok::<(), cacheness_core::Error>(())
//! ```

mod backend;
mod base64;
mod config;
mod journal;
mod line;
mod lock;
mod opening;
mod record;
mod snapshot;

pub use backend::JsonMetadata;
pub use config::JsonConfig;

use cacheness_storage::{BackendRegistry, BackendUrl, Error, ErrorKind, Result, options_from_url};

/// The name that URLs begin with.
const NAME: &str = "json";

/// Registers the scheme `json:`, as in `json:cache/index.jsonl?max_entries=5000`.
///
/// ```
/// use cacheness_storage::BackendRegistry;
///
/// let mut registry = BackendRegistry::empty();
/// cacheness_backend_fs::json::register(&mut registry)?;
/// assert!(registry.metadata_backends().any(|backend| backend.name == "json"));
/// # Ok::<(), cacheness_core::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::AlreadyRegistered`] when the name is taken.
pub fn register(registry: &mut BackendRegistry) -> Result<()> {
    registry.add_metadata(NAME, "a small index in one file of JSON lines", async |url, context| {
        let (path, config) = parts(&url)?;
        JsonMetadata::open(path, &context, config)
    })?;
    registry.check_metadata_with(NAME, |url| parts(url).map(drop))
}

/// The path and the options that a URL names.
fn parts(url: &BackendUrl) -> Result<(&str, JsonConfig)> {
    let config: JsonConfig = options_from_url(url)?;
    config.check()?;
    let path = url.rest();
    if path.is_empty() || path.starts_with("//") && !path.starts_with("///") {
        return Err(Error::new(ErrorKind::Config, "the URL names no file of this machine")
            .advice("write json:relative/index.jsonl or json:/absolute/index.jsonl"));
    }
    Ok((path, config))
}
