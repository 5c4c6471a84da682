//! The two handles, and the cache that each of them shares.

use crate::core::Core;
use crate::key::Namespace;
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

        impl<B> Cache<B> {
            /// The part of the cache that has this name. Keys in it are others than the same parameters make elsewhere;
            /// `entries`, `clear`, `invalidate_where` and `invalidate_tag` of its handle mean its entries alone. Limits,
            /// statistics and closing are those of the whole cache, and the whole cache's handle means all entries.
            ///
            /// ```
            /// use cacheness_cache::{Bare, sync::Cache};
            ///
            /// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open()?;
            /// let (red, blue) = (cache.namespace("red")?, cache.namespace("blue")?);
            /// red.put("answer", &42)?;
            /// assert_eq!(blue.get::<i32>("answer")?, None);
            /// assert_eq!((blue.clear()?, red.clear()?), (0, 1));
            /// # Ok::<(), cacheness_cache::Error>(())
            /// ```
            ///
            /// # Errors
            ///
            /// [`Config`](crate::ErrorKind::Config) for a name that is empty, longer than 64 characters, reserved
            /// (`default`, `system`, or beginning with `.` or `_`), or has others than letters, digits, `.`, `_` and `-`.
            pub fn namespace(&self, name: &str) -> cacheness_core::Result<Self> {
                let namespace = Namespace::new(name).map_err(|error| error.operation("namespace"))?;
                let core = Core { shared: self.core.shared.clone(), namespace: Some(namespace) };
                Ok(Self::from_core(Arc::new(core)))
            }

            /// Begins to count hits, misses, puts and evictions anew, for all handles of the cache. What is in it is not
            /// changed.
            pub fn reset_stats(&self) {
                self.core.counters.reset();
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
        ///
        /// Hits in memory are ready at the first poll, on the thread that polls, and hop to no other one; what takes more
        /// than 16 KiB to decode does.
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
