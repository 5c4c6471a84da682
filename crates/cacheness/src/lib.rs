#![doc = include_str!("../README.md")]

mod bundle;

pub use bundle::Bundled;
pub use cacheness_cache::{
    Ages, CopyOptions, Cursor, Entry, EntryPage, Error, ErrorKind, EvictionPolicy, Field, FileContent, Filter,
    GetOptions, GetOrPut, HandlerStats, IntoSize, Key, KeySpec, MemoryConfig, MemoryPolicy, MemoryStats, MissReason,
    OnInvalid, Op, Problem, PutOptions, Query, Registry, Result, Size, Stats, StoreParameters, Swept, Ttl, ValueReader,
    Verified, file, hash_content, key, unordered,
};
pub use cacheness_cache::{Bundle, CacheBuilder, Compression, Unordered, canonical_bytes};

/// The blocking face.
pub mod sync {
    /// A cache with every compiled-in part, whose every call blocks until it is done.
    ///
    /// ```
    /// use cacheness::{key, sync::Cache};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let cache = Cache::open(dir.path().join("cache"))?;
    /// cache.put(key! { city: "Oslo", year: 2026 }, &vec![1.5, 2.5])?;
    /// let hit: Option<Vec<f64>> = cache.get(key! { year: 2026, city: "Oslo" })?;
    /// assert_eq!(hit, Some(vec![1.5, 2.5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub type Cache = cacheness_cache::sync::Cache<crate::Bundled>;

    /// A store of typed values under string keys, with every compiled-in part; it knows no TTL.
    ///
    /// ```
    /// use cacheness::sync::BlobStore;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let store = BlobStore::open(dir.path().join("models"))?;
    /// store.put("best", &vec![0.25, 0.75])?;
    /// assert_eq!(store.get::<Vec<f64>>("best")?, Some(vec![0.25, 0.75]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub type BlobStore = cacheness_storage::bundled::sync::BlobStore<crate::Bundled>;
}

/// The async face.
pub mod future {
    /// A cache with every compiled-in part, whose every call returns an [`Op`](crate::Op).
    ///
    /// It needs no particular executor.
    ///
    /// ```
    /// use cacheness::future::Cache;
    ///
    /// # cacheness::core::runtime::block_on(async {
    /// # let dir = tempfile::tempdir()?;
    /// let cache = Cache::open(dir.path().join("cache")).await?;
    /// cache.put(("user", 42), "Ada").await?;
    /// assert_eq!(cache.get::<String>(("user", 42)).await?.as_deref(), Some("Ada"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub type Cache = cacheness_cache::future::Cache<crate::Bundled>;

    /// A store of typed values under string keys, with every compiled-in part; it knows no TTL.
    pub type BlobStore = cacheness_storage::bundled::future::BlobStore<crate::Bundled>;
}

/// Errors, clock, chance, runtime.
pub mod core {
    pub use cacheness_core::*;
}

/// How values become bytes: handlers, codecs, their registry.
pub mod handlers {
    #[cfg(feature = "ndarray")]
    pub use cacheness_handler_ndarray as ndarray;
    pub use cacheness_handlers::*;
}

/// The storage floor: backend contracts, records, queries, `BlobStore`.
pub mod storage {
    pub use cacheness_storage::*;
}

/// Backends to be made by hand and given to a builder.
pub mod backends {
    #[cfg(feature = "fs")]
    pub use cacheness_backend_fs as fs;
    #[cfg(feature = "sqlite")]
    pub use cacheness_backend_sqlite as sqlite;
    pub use cacheness_storage::memory;
}

#[cfg(feature = "tokio")]
pub use cacheness_cache::TokioRuntime;
