#![doc = include_str!("../README.md")]

mod bundle;

pub use bundle::Bundled;
pub use cacheness_cache::{
    Ages, BackendHealth, ComputeOptions, CopyOptions, Cursor, Difference, Entry, EntryPage, Error, ErrorKind,
    EvictionPolicy, Explanation, Field, Filter, GetOptions, GetOrPut, HandlerStats, Health, IntoSize, Key, KeySpec,
    MemoryConfig, MemoryPolicy, MemoryStats, MigrateOptions, Migrated, MissReason, Nearest, OnBackendError, OnInvalid,
    Op, Problem, PutOptions, Query, Registry, Result, Size, Stats, StoreParameters, Swept, Ttl, ValueReader, Verdict,
    Verified, key, unordered,
};
pub use cacheness_cache::{
    Bundle, CacheBuilder, Compression, FileContent, HealthCheck, Unordered, canonical_bytes, file, hash_content,
};
pub use sync::{default_cache, reset_default, set_default};

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

    /// Makes a cache of either face the default of the process, and closes the one that was it before, for all who have it;
    /// says whether there was one. The same cache again stays open.
    ///
    /// ```
    /// use cacheness::sync::Cache;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// cacheness::set_default(Cache::open(dir.path().join("project"))?)?;
    /// cacheness::default_cache()?.put("answer", &42)?; // anywhere in the program
    /// assert!(cacheness::reset_default()?); // closes it, so that all that was noted is told
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) for a cache that is closed: nothing is changed then. What closing the other one
    /// returns; this one is the default then all the same.
    pub fn set_default(cache: impl Into<Cache>) -> crate::Result<bool> {
        cache.into().set_default()
    }

    /// The default cache of the process: the one that was set, or one in `./cache`, which is opened when there is none, once
    /// however many ask. A default that was closed is none.
    ///
    /// # Errors
    ///
    /// As [`Cache::open`]; the next one who asks tries again.
    pub fn default_cache() -> crate::Result<Cache> {
        Cache::default_cache()
    }

    /// Closes the default cache of the process, for all who have it; says whether there was one. The next one who asks for
    /// it opens the one in `./cache`.
    ///
    /// # Errors
    ///
    /// What closing it returns; it is the default no more all the same.
    pub fn reset_default() -> crate::Result<bool> {
        Cache::reset_default()
    }
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

    /// As [`sync::set_default`](crate::sync::set_default): both faces share one default.
    ///
    /// # Errors
    ///
    /// As for the blocking face.
    pub async fn set_default(cache: impl Into<Cache>) -> crate::Result<bool> {
        cache.into().set_default().await
    }

    /// As [`sync::default_cache`](crate::sync::default_cache).
    ///
    /// # Errors
    ///
    /// As for the blocking face.
    pub async fn default_cache() -> crate::Result<Cache> {
        Cache::default_cache().await
    }

    /// As [`sync::reset_default`](crate::sync::reset_default).
    ///
    /// # Errors
    ///
    /// As for the blocking face.
    pub async fn reset_default() -> crate::Result<bool> {
        Cache::reset_default().await
    }
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
    #[cfg(feature = "postgres")]
    pub use cacheness_backend_postgres as postgres;
    #[cfg(feature = "s3")]
    pub use cacheness_backend_s3 as s3;
    #[cfg(feature = "sqlite")]
    pub use cacheness_backend_sqlite as sqlite;
    pub use cacheness_storage::memory;
}

#[cfg(feature = "tokio")]
pub use cacheness_cache::TokioRuntime;
