//! The disk store of `cached`, on redb. Durable by default: every put waits for the device. Otherwise nothing is kept for sure
//! before a flush: `kill -9` loses everything that was put since. It has no calls for many.

use crate::Result;
use crate::store::{Manner, Opened, Store, absent};
use crate::value::Value;
use cached::{ConcurrentCached, RedbCache, SerializeCached};
use std::path::Path;

struct Cached<V> {
    cache: RedbCache<u64, V>,
    is_durable: bool,
}

pub(super) fn open<V: Value>(path: &Path, is_durable: bool) -> Opened<V> {
    let cache = RedbCache::builder("samples").disk_dir(path).durable(is_durable).build()?;
    Ok(Box::new(Cached { cache, is_durable }))
}

impl<V: Value> Store<V> for Cached<V> {
    fn put(&self, number: u64, value: &V, _payload: &[u8]) -> Result {
        Ok(self.cache.cache_set_ref(&number, value)?)
    }

    fn get(&self, number: u64) -> Result<V> {
        self.cache.cache_get(&number)?.ok_or_else(|| absent(number))
    }

    fn entries(&self) -> u64 {
        if self.is_durable { V::ENTRIES.min(5_000) } else { V::ENTRIES }
    }

    fn slower(&self, manner: Manner) -> u64 {
        match manner {
            _ if !self.is_durable => 1,
            Manner::AtOnce => 100,
            Manner::OneByOne | Manner::ByEightThreads => 20,
        }
    }
}
