//! Which parts the Cargo features brought, and where they keep a cache that was given nothing but a directory.

use cacheness_cache::{Bare, Bundle, Registry};
use cacheness_core::{BackendUrl, Result};
use std::path::Path;

/// Every compiled-in part: `cacheness::sync::Cache` is `cacheness_cache::sync::Cache<Bundled>`, and so is `BlobStore`.
#[derive(Debug, Clone, Copy)]
pub enum Bundled {}

impl Bundle for Bundled {
    fn registry() -> Result<Registry> {
        #[allow(unused_mut)]
        let mut registry = Bare::registry()?;
        #[cfg(feature = "fs")]
        cacheness_backend_fs::register(&mut registry.backends)?;
        #[cfg(feature = "fs")]
        cacheness_backend_fs::json::register(&mut registry.backends)?;
        #[cfg(feature = "sqlite")]
        cacheness_backend_sqlite::register(&mut registry.backends)?;
        #[cfg(feature = "postgres")]
        cacheness_backend_postgres::register(&mut registry.backends)?;
        #[cfg(feature = "s3")]
        cacheness_backend_s3::register(&mut registry.backends)?;
        #[cfg(feature = "ndarray")]
        cacheness_handler_ndarray::register(&mut registry.handlers)?;
        Ok(registry.built_in())
    }

    fn metadata_in(dir: &Path) -> Option<BackendUrl> {
        let (scheme, file) = match (cfg!(feature = "sqlite"), cfg!(feature = "fs")) {
            (true, _) => ("sqlite", "index.db"),
            (false, true) => ("json", "index.jsonl"),
            (false, false) => return None,
        };
        Some(BackendUrl::new(scheme, dir.join(file).to_string_lossy()))
    }

    fn blobs_in(dir: &Path) -> Option<BackendUrl> {
        cfg!(feature = "fs").then(|| BackendUrl::new("fs", dir.join("blobs").to_string_lossy()))
    }

    #[cfg(feature = "tokio")]
    fn runtime() -> Result<std::sync::Arc<dyn cacheness_core::Runtime>> {
        Ok(cacheness_cache::TokioRuntime::global()?)
    }
}
