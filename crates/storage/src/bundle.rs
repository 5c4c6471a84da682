//! The parts that names can mean: handlers and backends in one place, and what a program is compiled with.

use crate::{BackendRegistry, memory};
use cacheness_core::{BackendUrl, Result, Runtime, ThreadPool};
use cacheness_handlers::HandlerRegistry;
use std::path::Path;
use std::sync::Arc;

/// The handlers and backends that one store or cache knows. Nothing registers itself.
///
/// Whoever is given one fills it; a program that looks for plug-ins needs nothing else. It may come to know more kinds of
/// parts, so it cannot be written out:
///
/// ```
/// use cacheness_storage::memory::MemoryMetadata;
/// use cacheness_storage::{Bare, Bundle, Registry, Result};
///
/// // What a plug-in brings, however it was found.
/// type Plugin = fn(&mut Registry) -> Result<()>;
/// let found: [Plugin; 1] = [|registry| {
///     registry.backends.add_metadata("mine", "an index", |_, context| async move { Ok(MemoryMetadata::new(&context)) })
/// }];
/// let mut registry = Bare::registry()?;
/// for register in found {
///     register(&mut registry)?;
/// }
/// assert!(registry.backends.metadata_backends().any(|backend| backend.name == "mine"));
/// # Ok::<(), cacheness_storage::Error>(())
/// ```
///
/// ```compile_fail,E0639
/// use cacheness_storage::{BackendRegistry, Registry};
///
/// Registry { handlers: cacheness_handlers::HandlerRegistry::empty(), backends: BackendRegistry::empty() };
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Registry {
    /// Which handler stores which type.
    pub handlers: HandlerRegistry,
    /// Which backend a URL's scheme means.
    pub backends: BackendRegistry,
}

impl Registry {
    /// Marks everything that is registered now as built in: the last thing that [`Bundle::registry`] does.
    #[must_use]
    pub fn built_in(mut self) -> Self {
        self.handlers.mark_built_in();
        self.backends.mark_built_in();
        self
    }
}

/// The parts that a program was built with, and where they keep a store that was given nothing but a directory.
///
/// The facade's bundle follows from its Cargo features. A program that needs another one implements it once and names
/// `Cache<Its>` and `BlobStore<Its>`.
pub trait Bundle: Send + Sync + 'static {
    /// Every compiled-in part, [marked](Registry::built_in) as such.
    ///
    /// # Errors
    ///
    /// [`AlreadyRegistered`](cacheness_core::ErrorKind::AlreadyRegistered) when two parts claim one name.
    fn registry() -> Result<Registry>;

    /// The index of a store in `dir`; `None` when no part can keep one there.
    fn metadata_in(dir: &Path) -> Option<BackendUrl>;

    /// The blobs of a store in `dir`; `None` when no part can keep them there.
    fn blobs_in(dir: &Path) -> Option<BackendUrl>;

    /// Where work runs, unless a builder is told otherwise: a small pool of threads, on which no remote backend works.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](cacheness_core::ErrorKind::Unavailable) when it cannot be started.
    fn runtime() -> Result<Arc<dyn Runtime>> {
        Ok(Arc::new(ThreadPool::global()))
    }
}

/// The parts that need no other crate: the standard handlers and the memory backends.
#[derive(Debug, Clone, Copy)]
pub enum Bare {}

impl Bundle for Bare {
    fn registry() -> Result<Registry> {
        let mut registry = Registry { handlers: HandlerRegistry::standard(), backends: BackendRegistry::empty() };
        memory::register(&mut registry.backends)?;
        Ok(registry.built_in())
    }

    fn metadata_in(_: &Path) -> Option<BackendUrl> {
        None
    }

    fn blobs_in(_: &Path) -> Option<BackendUrl> {
        None
    }
}
