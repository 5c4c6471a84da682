//! foyer, hybrid, written to disk on insertion, with next to no memory, so that a get reads the disk. A put is acknowledged
//! before it is written, and is dropped when the device falls behind: `kill -9` loses what was put last. It has no calls for
//! many.

use super::slow;
use crate::store::{Manner, Opened, Store, absent};
use crate::value::{Batch, Source, Value};
use crate::{Failure, Result};
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder, HybridCachePolicy,
    HybridCacheProperties, Location,
};
use std::ops::Range;
use std::path::Path;
use tokio::runtime::Runtime;

/// Bytes that its flushers have room for, with as many to spare: what is put beyond that is dropped. Entries take pages.
const ROOM: usize = 8 << 20;
const PAGE: usize = 4096;

struct Foyer<V: Value> {
    cache: HybridCache<u64, V>,
    runtime: Runtime,
}

pub(super) fn open<V: Value>(path: &Path) -> Opened<V> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let device = FsDeviceBuilder::new(path).with_capacity(1 << 30).build()?;
    let cache = runtime.block_on(
        HybridCacheBuilder::new()
            .with_policy(HybridCachePolicy::WriteOnInsertion)
            .memory(16)
            .storage()
            .with_engine_config(BlockEngineConfig::new(device))
            .build(),
    )?;
    Ok(Box::new(Foyer { cache, runtime }))
}

impl<V: Value> Store<V> for Foyer<V> {
    fn put(&self, number: u64, value: &V, _payload: &[u8]) -> Result {
        let properties = HybridCacheProperties::default().with_location(Location::OnDisk);
        self.cache.insert_with_properties(number, value.clone(), properties);
        Ok(())
    }

    fn get(&self, number: u64) -> Result<V> {
        let found = self.runtime.block_on(async { self.cache.get(&number).await })?;
        Ok(found.ok_or_else(|| absent(number))?.value().clone())
    }

    /// As many as there are to be; what was dropped meanwhile is put again.
    fn fill(&self, numbers: Range<u64>, mut source: V::Source) -> Result {
        let at_once = ROOM / source.of(0)?.1.len().next_multiple_of(PAGE);
        let mut missing: Vec<u64> = numbers.clone().collect();
        for _ in 0..10 {
            for stretch in missing.chunks(at_once.max(1)) {
                self.put_many(&Batch::of(stretch.iter().map(|number| (*number, *number)), &mut source)?)?;
                self.runtime.block_on(self.cache.storage().wait());
            }
            missing.retain(|number| self.get(*number).is_err());
            if missing.is_empty() {
                return Ok(());
            }
        }
        Err(Failure::from(format!("{} of {} entries do not stay", missing.len(), numbers.end - numbers.start)))
    }

    fn slower(&self, manner: Manner) -> u64 {
        slow(manner)
    }
}
