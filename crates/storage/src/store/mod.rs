//! `BlobStore`: typed values under plain string keys, without any notion of time.

mod builder;
mod face;
mod options;
mod ready;

pub use builder::BlobStoreBuilder;
pub use face::EntryPage;
pub use options::PutOptions;
pub use ready::{IntoBlobBackend, IntoMetadataBackend};

use crate::engine::Engine;
use crate::{EntryKey, Result};
use cacheness_core::Driver;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// What both faces of a store share.
pub(crate) struct Core {
    engine: Engine,
}

impl Core {
    fn driver(&self) -> &Driver {
        self.engine.driver()
    }
}

fn key(key: impl AsRef<str>) -> Result<EntryKey> {
    let key = EntryKey::new(key);
    key.check_user()?;
    Ok(key)
}

macro_rules! handle {
    ($(#[$meta:meta])* $name:literal) => {
        $(#[$meta])*
        pub struct BlobStore(pub(crate) Arc<Core>);

        impl Clone for BlobStore {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl fmt::Debug for BlobStore {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}::BlobStore({} + {})", $name, self.0.engine.metadata(), self.0.engine.blobs())
            }
        }

        impl BlobStore {
            /// A builder, to which at least the two backends must be given.
            pub fn builder() -> BlobStoreBuilder<Self> {
                BlobStoreBuilder::new(PhantomData)
            }

            pub(crate) fn core(&self) -> &Arc<Core> {
                &self.0
            }
        }
    };
}

/// The blocking face.
pub mod sync {
    use super::*;

    handle! {
        /// Typed values under string keys; every call blocks until it is done. Clones share one store.
        ///
        /// ```
        /// use cacheness_storage::{OpenContext, memory::{MemoryBlobs, MemoryMetadata}, sync::BlobStore};
        ///
        /// let context = OpenContext::new();
        /// let store = BlobStore::builder()
        ///     .metadata_backend(MemoryMetadata::new(&context))
        ///     .blob_backend(MemoryBlobs::new(&context))
        ///     .open()?;
        /// store.put("models/best", &vec![0.25, 0.75])?;
        /// assert_eq!(store.get::<Vec<f64>>("models/best")?, Some(vec![0.25, 0.75]));
        /// # Ok::<(), cacheness_storage::Error>(())
        /// ```
        "sync"
    }
}

/// The async face.
pub mod future {
    use super::*;

    handle! {
        /// Typed values under string keys; every call returns an [`Op`](cacheness_core::Op). Clones share one store.
        "future"
    }
}
