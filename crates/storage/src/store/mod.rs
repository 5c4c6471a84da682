//! `BlobStore`: typed values under plain string keys, without any notion of time.

mod builder;
pub mod bundled;
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

/// The blocking face.
pub mod sync {
    /// A store whose names mean the parts of this crate: the standard handlers and `memory:`. Anything else is registered,
    /// or given to the builder ready.
    ///
    /// ```
    /// use cacheness_storage::sync::BlobStore;
    ///
    /// let store = BlobStore::builder().metadata("memory:").blobs("memory:").open()?;
    /// store.put("models/best", &vec![0.25, 0.75])?;
    /// assert_eq!(store.get::<Vec<f64>>("models/best")?, Some(vec![0.25, 0.75]));
    /// # Ok::<(), cacheness_storage::Error>(())
    /// ```
    pub type BlobStore = super::bundled::sync::BlobStore<crate::Bare>;
}

/// The async face.
pub mod future {
    /// A store whose names mean the parts of this crate: the standard handlers and `memory:`. Anything else is registered,
    /// or given to the builder ready.
    pub type BlobStore = super::bundled::future::BlobStore<crate::Bare>;
}
