//! The disk store of `cached`, on redb. Durable by default: every put waits for the device. Otherwise nothing is kept for sure
//! before a flush: `kill -9` loses everything that was put since.

use crate::Result;
use crate::sample::Sample;
use crate::store::{Contender, ENTRIES, Store, absent};
use cached::{ConcurrentCached, RedbCache, SerializeCached};
use std::path::Path;

struct Cached {
    cache: RedbCache<u64, Sample>,
    is_durable: bool,
}

pub(super) fn open(path: &Path, is_durable: bool) -> Result<Box<dyn Contender>> {
    let cache = RedbCache::builder("samples").disk_dir(path).durable(is_durable).build()?;
    Ok(Box::new(Cached { cache, is_durable }))
}

impl Store for Cached {
    fn put(&self, number: u64, sample: &Sample, _payload: &[u8]) -> Result {
        Ok(self.cache.cache_set_ref(&number, sample)?)
    }

    fn get(&self, number: u64) -> Result<Sample> {
        self.cache.cache_get(&number)?.ok_or_else(|| absent(number))
    }

    fn entries(&self) -> u64 {
        if self.is_durable { 5_000 } else { ENTRIES }
    }
}
