//! Hits in memory, beside caches that are nothing else.

use super::{Bar, Workload};
use crate::Result;
use crate::numbers::{key_of, spread};
#[cfg(not(feature = "peers"))]
use crate::peers::NOT_BUILT;
#[cfg(feature = "peers")]
use crate::peers::quick_cache;
use crate::race::{Pace, Race};
use crate::report::{Limit, Report};
use crate::sample::Sample;
use crate::timing::each;
use cacheness::{Key, MemoryConfig, sync::Cache};
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "mem_hit_key",
        what: "a prepared key to a shared 1 KiB struct; a change by another process is seen by the very next get",
        bars: &[Bar::OfFloor(2.0)],
        run: |workload, fixtures, report| keys(workload, fixtures.path(workload.name), MemoryConfig::new(), report),
    },
    Workload {
        name: "mem_hit_key_stale",
        what: "the same, with copies served for an hour without a proof that they are fresh, as asked for",
        bars: &[Bar::OfFloor(1.0)],
        run: |workload, fixtures, report| {
            let config = MemoryConfig::new().staleness(Duration::from_hours(1));
            keys(workload, fixtures.path(workload.name), config, report)
        },
    },
    Workload {
        name: "mem_hit_tuple",
        what: "the key (\"user\", i) to a shared 1 KiB struct, coherent with other processes",
        bars: &[Bar::OfFloor(3.0)],
        run: |workload, fixtures, report| tuples(workload, fixtures.path(workload.name), report),
    },
];

/// Entries, all of them in memory.
const ENTRIES: u64 = 10_000;

/// A cache with so many entries, all of them copied to memory.
pub(crate) fn warm(path: PathBuf, config: MemoryConfig, entries: u64) -> Result<Cache> {
    let cache = Cache::builder().dir(path).memory(config.limit(1 << 30)).open()?;
    let samples: Vec<_> = (0..entries).map(|number| (("user", number), Sample::numbered(number))).collect();
    cache.put_many(&samples)?;
    for number in 0..entries {
        cache.get_shared::<Sample>(("user", number))?;
    }
    cache.reset_stats();
    Ok(cache)
}

fn keys(workload: &Workload, path: PathBuf, config: MemoryConfig, report: &mut Report) -> Result {
    let cache = warm(path, config, ENTRIES)?;
    let order: Vec<u64> = (0..ENTRIES).map(|call| spread(call, ENTRIES)).collect();
    let ours: Vec<Key> = order.iter().map(|number| Key::of(("user", number))).collect::<Result<_, _>>()?;
    let theirs: Vec<u128> = order.iter().map(|number| u128::from_be_bytes(key_of(*number))).collect();
    race(workload, &cache, &ours, &theirs, report)
}

fn tuples(workload: &Workload, path: PathBuf, report: &mut Report) -> Result {
    let cache = warm(path, MemoryConfig::new(), ENTRIES)?;
    let order: Vec<_> = (0..ENTRIES).map(|call| ("user", spread(call, ENTRIES))).collect();
    race(workload, &cache, &order, &order, report)
}

/// Ours against caches in memory, each with its keys in the order in which they are asked for.
fn race<O, T>(workload: &Workload, cache: &Cache, ours: &[O], theirs: &[T], report: &mut Report) -> Result
where
    O: serde::Serialize + Copy,
    T: Copy + Eq + Hash + Send + Sync + 'static,
{
    let before = cache.stats()?;
    let entries: Vec<_> =
        theirs.iter().zip(0..).map(|(key, number)| (*key, Arc::new(Sample::numbered(number)))).collect();
    let moka = moka::sync::Cache::<T, Arc<Sample>>::new(ENTRIES * 2);
    entries.iter().for_each(|(key, sample)| moka.insert(*key, sample.clone()));
    moka.run_pending_tasks();

    let race = Race::new(Pace::NANOS)
        .ours(each(|call| Ok(cache.get_shared::<Sample>(at(ours, call)?)?.ok_or("a miss")?)))
        .floor("moka", each(|call| Ok(moka.get(&at(theirs, call)?).ok_or("a miss")?)));
    #[cfg(feature = "peers")]
    let quick = quick_cache::filled(&entries);
    #[cfg(feature = "peers")]
    let race = race.subject("quick_cache", each(|call| Ok(quick.get(&at(theirs, call)?).ok_or("a miss")?)));
    #[cfg(not(feature = "peers"))]
    let race = race.absent("quick_cache", NOT_BUILT);
    race.run(workload, report)?;

    let after = cache.stats()?;
    let hits = after.hits - before.hits;
    let in_memory = |stats: &cacheness::Stats| stats.memory.map_or(0, |memory| memory.hits);
    let served = (in_memory(&after) - in_memory(&before)) as f64 / hits as f64;
    report.figure(workload, "hits that were served from memory", served, "of 1", Some(Limit::AtLeast(1.0)));
    Ok(())
}

fn at<K: Copy>(keys: &[K], call: u64) -> Result<K> {
    keys.get(usize::try_from(call)? % keys.len().max(1)).copied().ok_or_else(|| "no keys".into())
}
