#![doc = include_str!("../README.md")]

mod at_once;
mod background;
mod batch;
mod builder;
mod compute;
mod core;
mod counters;
mod default;
mod degraded;
mod deliver;
mod explain;
mod face;
mod handle;
mod hashed;
mod health;
mod key;
mod lease;
mod limits;
mod liveness;
mod manage;
mod memory;
mod migrate;
mod observe;
mod opening;
mod options;
mod owed;
mod presets;
mod read;
mod sight;
mod stats;
mod tags;
#[cfg(feature = "tokio")]
mod tokio_runtime;
mod ttl;
mod uses;

pub use builder::CacheBuilder;
pub use cacheness_core::policy::Policy as MemoryPolicy;
pub use cacheness_core::size::{IntoSize, Size};
pub use cacheness_core::{Error, ErrorKind, Op, Result};
pub use cacheness_storage::engine::Compression;
pub use cacheness_storage::{Bare, Bundle, Registry};
pub use cacheness_storage::{
    Cursor, Entry, EntryPage, Field, Filter, MigrateOptions, Migrated, Problem, Query, Swept, ValueReader, Verified,
};
pub use compute::ComputeOptions;
pub use core::OnInvalid;
pub use degraded::OnBackendError;
pub use explain::{Difference, Explanation, Nearest, Verdict};
pub use face::GetOrPut;
pub use handle::{future, sync};
pub use health::{BackendHealth, Health, HealthCheck};
pub use key::{FileContent, Key, KeySpec, Unordered, canonical_bytes, file, hash_content, unordered};
pub use limits::EvictionPolicy;
pub use memory::{MemoryConfig, MemoryStats};
pub use options::{CopyOptions, PutOptions, StoreParameters};
pub use stats::{Ages, HandlerStats, MissReason, Stats};
#[cfg(feature = "tokio")]
pub use tokio_runtime::TokioRuntime;
pub use ttl::{GetOptions, Ttl};
