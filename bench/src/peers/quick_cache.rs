//! quick_cache: copies in memory alone. Nothing of it survives the process, and it knows of no other process.

use crate::sample::Sample;
use std::hash::Hash;
use std::sync::Arc;

pub(crate) type Cache<K> = quick_cache::sync::Cache<K, Arc<Sample>>;

/// A cache in which all of these stay.
pub(crate) fn filled<K: Copy + Eq + Hash>(entries: &[(K, Arc<Sample>)]) -> Cache<K> {
    let cache = Cache::new(entries.len() * 2);
    entries.iter().for_each(|(key, sample)| cache.insert(*key, sample.clone()));
    cache
}
