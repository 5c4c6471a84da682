//! The parts that names can mean: handlers and backends in one place.

use cacheness_core::{BackendUrl, Result};
use cacheness_handlers::HandlerRegistry;
use cacheness_storage::{BackendRegistry, memory};
use std::path::Path;

/// The handlers and backends that one cache knows.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// Which handler stores which type.
    pub handlers: HandlerRegistry,
    /// Which backend a URL's scheme means.
    pub backends: BackendRegistry,
}

/// The parts that a program was built with, and where they keep a cache that was given nothing but a directory.
///
/// The facade's bundle follows from its Cargo features. A program that needs another one implements it once and
/// names `Cache<Its>`.
pub trait Bundle: Send + Sync + 'static {
    /// Every compiled-in part.
    ///
    /// # Errors
    ///
    /// [`AlreadyRegistered`](cacheness_core::ErrorKind::AlreadyRegistered) when two parts claim one name.
    fn registry() -> Result<Registry>;

    /// The index of a cache in `dir`; `None` when no part can keep one there.
    fn metadata_in(dir: &Path) -> Option<BackendUrl>;

    /// The blobs of a cache in `dir`; `None` when no part can keep them there.
    fn blobs_in(dir: &Path) -> Option<BackendUrl>;
}

/// The parts that need no other crate: the standard handlers and the memory backends.
#[derive(Debug, Clone, Copy)]
pub enum Bare {}

impl Bundle for Bare {
    fn registry() -> Result<Registry> {
        let mut registry = Registry { handlers: HandlerRegistry::standard(), backends: BackendRegistry::empty() };
        memory::register(&mut registry.backends)?;
        Ok(registry)
    }

    fn metadata_in(_: &Path) -> Option<BackendUrl> {
        None
    }

    fn blobs_in(_: &Path) -> Option<BackendUrl> {
        None
    }
}
