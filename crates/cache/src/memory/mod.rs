//! The memory layer: copies of values in this process, each proven fresh before it is served.
//!
//! Two kinds of locks. A *shard* holds the copies of some keys, and a hit takes its lock alone, shortly. The *order*
//! knows every copy's place in the eviction policy, and whoever puts a copy in or takes one out holds it first and the
//! shards one after the other. Hits leave their slots in a small buffer of the shard, which goes to the order when it is
//! full, and before anything is evicted.

mod config;
mod copy;
mod layer;
mod order;
mod proof;
mod shard;
mod stats;
#[cfg(test)]
mod tests;

pub use config::MemoryConfig;
pub(crate) use copy::MemoryCopy;
pub(crate) use layer::{MemoryLayer, MemoryLookup};
pub(crate) use proof::Ticket;
pub use stats::MemoryStats;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// No code of others runs under these locks, so what a panic elsewhere poisoned is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
