//! The two handles, and the cache that each of them shares.

use crate::core::Core;
use crate::{Bare, Bundle, CacheBuilder};
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

macro_rules! handle {
    ($(#[$meta:meta])* $face:literal) => {
        $(#[$meta])*
        pub struct Cache<B = Bare> {
            core: Arc<Core>,
            bundle: PhantomData<fn() -> B>,
        }

        impl<B> Cache<B> {
            pub(crate) fn from_core(core: Arc<Core>) -> Self {
                Self { core, bundle: PhantomData }
            }

            pub(crate) fn core(&self) -> &Arc<Core> {
                &self.core
            }
        }

        impl<B> Clone for Cache<B> {
            fn clone(&self) -> Self {
                Self::from_core(self.core.clone())
            }
        }

        impl<B> fmt::Debug for Cache<B> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let engine = &self.core.engine;
                write!(f, concat!($face, "::Cache({} + {})"), engine.metadata(), engine.blobs())
            }
        }

        impl<B: Bundle> Cache<B> {
            /// A builder with the bundle's parts.
            pub fn builder() -> CacheBuilder<Self> {
                CacheBuilder::new::<B>()
            }
        }
    };
}

/// The blocking face.
pub mod sync {
    use super::*;
    use cacheness_core::Result;

    handle! {
        /// A cache whose every call blocks until it is done. Clones share it.
        "sync"
    }

    impl<B: Bundle> Cache<B> {
        /// Opens the cache in a directory, which is created when it is missing.
        ///
        /// # Errors
        ///
        /// As [`CacheBuilder::open`].
        pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
            Self::builder().dir(dir).open()
        }
    }
}

/// The async face.
pub mod future {
    use super::*;
    use cacheness_core::Op;

    handle! {
        /// A cache whose every call returns an [`Op`]. Clones share it.
        "future"
    }

    impl<B: Bundle> Cache<B> {
        /// Opens the cache in a directory, which is created when it is missing.
        ///
        /// # Errors
        ///
        /// As [`CacheBuilder::open`].
        pub fn open(dir: impl AsRef<Path>) -> Op<Self> {
            Self::builder().dir(dir).open()
        }
    }
}

impl<B> From<sync::Cache<B>> for future::Cache<B> {
    fn from(cache: sync::Cache<B>) -> Self {
        Self::from_core(cache.core().clone())
    }
}

impl<B> From<future::Cache<B>> for sync::Cache<B> {
    fn from(cache: future::Cache<B>) -> Self {
        Self::from_core(cache.core().clone())
    }
}
