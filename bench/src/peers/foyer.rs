//! foyer, hybrid, written to disk on insertion, with next to no memory, so that a get reads the disk. A put is acknowledged
//! before it is written, and is dropped when the device falls behind: `kill -9` loses what was put last.

use crate::sample::{Sample, Samples};
use crate::store::{Action, Contender, ENTRIES, absent};
use crate::timing::{Stretch, each};
use crate::{Failure, Result};
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder, HybridCachePolicy,
    HybridCacheProperties, Location,
};
use std::path::Path;
use tokio::runtime::Runtime;

struct Foyer {
    cache: HybridCache<u64, Sample>,
    runtime: Runtime,
}

pub(super) fn open(path: &Path) -> Result<Box<dyn Contender>> {
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

impl Foyer {
    fn put(&self, number: u64, sample: &Sample) {
        let properties = HybridCacheProperties::default().with_location(Location::OnDisk);
        self.cache.insert_with_properties(number, sample.clone(), properties);
    }

    fn get(&self, number: u64) -> Result<Sample> {
        let found = self.runtime.block_on(async { self.cache.get(&number).await })?;
        Ok(found.ok_or_else(|| absent(number))?.value().clone())
    }
}

impl Contender for Foyer {
    /// As many as there are to be; what was dropped meanwhile is put again.
    fn fill(&self, samples: &Samples) -> Result {
        let mut missing: Vec<u64> = (0..ENTRIES).collect();
        for _ in 0..10 {
            for stretch in missing.chunks(2_000) {
                for number in stretch {
                    self.put(*number, samples.of(*number)?.0);
                }
                self.runtime.block_on(self.cache.storage().wait());
            }
            missing.retain(|number| self.get(*number).is_err());
            if missing.is_empty() {
                return Ok(());
            }
        }
        Err(Failure::from(format!("{} of {ENTRIES} entries do not stay", missing.len())))
    }

    fn stretch<'s>(&'s self, action: Action, samples: &'s Samples) -> Stretch<'s> {
        match action {
            Action::Get => each(move |call| self.get(action.number(call, ENTRIES))),
            Action::PutOver | Action::PutNew => each(move |call| {
                self.put(action.number(call, ENTRIES), samples.of(call)?.0);
                Ok(())
            }),
        }
    }
}
