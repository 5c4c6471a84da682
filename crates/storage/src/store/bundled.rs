//! The two handles, and the store that each of them shares. Their type names a [`Bundle`]: what their builder knows.
//!
//! Programs use the `BlobStore` of the facade or of this crate; a library that takes any store takes a `BlobStore<B>`.

use super::{BlobStoreBuilder, Core};
use crate::Bundle;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

macro_rules! handle {
    ($(#[$meta:meta])* $face:literal) => {
        $(#[$meta])*
        pub struct BlobStore<B> {
            core: Arc<Core>,
            bundle: PhantomData<fn() -> B>,
        }

        impl<B> BlobStore<B> {
            pub(crate) fn from_core(core: Arc<Core>) -> Self {
                Self { core, bundle: PhantomData }
            }

            pub(crate) fn core(&self) -> &Arc<Core> {
                &self.core
            }
        }

        impl<B> Clone for BlobStore<B> {
            fn clone(&self) -> Self {
                Self::from_core(self.core.clone())
            }
        }

        impl<B> fmt::Debug for BlobStore<B> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let engine = &self.core.engine;
                write!(f, concat!($face, "::BlobStore({} + {})"), engine.metadata(), engine.blobs())
            }
        }

        impl<B: Bundle> BlobStore<B> {
            /// A builder with the bundle's parts.
            pub fn builder() -> BlobStoreBuilder<Self> {
                BlobStoreBuilder::new::<B>()
            }
        }
    };
}

/// The blocking face.
pub mod sync {
    use super::*;
    use cacheness_core::Result;

    handle! {
        /// Typed values under string keys; every call blocks until it is done. Clones share one store.
        "sync"
    }

    impl<B: Bundle> BlobStore<B> {
        /// Opens the store in a directory, which is created when it is missing.
        ///
        /// # Errors
        ///
        /// As [`BlobStoreBuilder::open`].
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
        /// Typed values under string keys; every call returns an [`Op`]. Clones share one store.
        "future"
    }

    impl<B: Bundle> BlobStore<B> {
        /// Opens the store in a directory, which is created when it is missing.
        ///
        /// # Errors
        ///
        /// As [`BlobStoreBuilder::open`].
        pub fn open(dir: impl AsRef<Path>) -> Op<Self> {
            Self::builder().dir(dir).open()
        }
    }
}

/// Both faces of a store over the same backends can live side by side.
impl<B> From<sync::BlobStore<B>> for future::BlobStore<B> {
    fn from(store: sync::BlobStore<B>) -> Self {
        Self::from_core(store.core().clone())
    }
}

impl<B> From<future::BlobStore<B>> for sync::BlobStore<B> {
    fn from(store: future::BlobStore<B>) -> Self {
        Self::from_core(store.core().clone())
    }
}
