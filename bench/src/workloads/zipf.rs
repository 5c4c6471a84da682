//! How often what is asked for is in memory, when some things are asked for much more often than others.

use super::Workload;
use crate::Result;
use crate::fixtures::Fixtures;
use crate::numbers::mixed;
use crate::report::{Limit, Report};
use cacheness::{MemoryConfig, MemoryStats, sync::Cache};

pub(super) const ALL: &[Workload] = &[Workload {
    name: "zipf",
    what: "a million gets of 100 k entries by Zipf's law with exponent 1, memory for 5 % of them",
    bars: &[],
    run,
}];

const ENTRIES: u32 = 100_000;
const ROOM: u32 = ENTRIES / 20;
const GETS: u64 = 1_000_000;

fn value() -> Vec<f64> {
    vec![0.5; 128]
}

fn run(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let path = fixtures.path(workload.name);
    let cache = Cache::builder().dir(&path).memory(MemoryConfig::new().limit(1 << 30)).open()?;
    for start in (0..ENTRIES).step_by(10_000) {
        cache.put_many(&(start..start + 10_000).map(|number| (number, value())).collect::<Vec<_>>())?;
    }
    // What a copy takes is what a thousand of them take.
    for number in 0..1000_u32 {
        cache.get_shared::<Vec<f64>>(number)?;
    }
    let filled = memory(&cache)?;
    let copy = filled.bytes.div_ceil(filled.entries.max(1));
    cache.close()?;

    let limit = copy * u64::from(ROOM);
    let cache = Cache::builder().dir(&path).memory(MemoryConfig::new().limit(limit)).open()?;
    let moka = moka::sync::Cache::<u32, u64>::new(u64::from(ROOM));
    let steps = steps();
    let mut found = 0_u64;
    for call in 0..GETS {
        let number = drawn(&steps, call);
        cache.get_shared::<Vec<f64>>(number)?.ok_or("a miss on disk")?;
        match moka.get(&number) {
            Some(_) => found += 1,
            None => moka.insert(number, 1),
        }
    }
    let (ours, theirs) = (memory(&cache)?.hits as f64 / GETS as f64, found as f64 / GETS as f64);
    report.figure(workload, "copies of ours in memory at the end", memory(&cache)?.entries as f64, "", None);
    report.figure(workload, "hit ratio of moka", 100.0 * theirs, "%", None);
    report.figure(workload, "hit ratio", 100.0 * ours, "%", Some(Limit::AtLeast(100.0 * theirs - 1.0)));
    Ok(())
}

fn memory(cache: &Cache) -> Result<MemoryStats> {
    Ok(cache.stats()?.memory.ok_or("no memory layer")?)
}

/// The chance of each entry and all before it, times their sum.
fn steps() -> Vec<f64> {
    let mut sum = 0.0;
    let step = |rank: u32| {
        sum += 1.0 / f64::from(rank);
        sum
    };
    (1..=ENTRIES).map(step).collect()
}

/// The entry that a call asks for: its number is its rank.
fn drawn(steps: &[f64], call: u64) -> u32 {
    let chance = mixed(call) as f64 / u64::MAX as f64 * steps.last().copied().unwrap_or(1.0);
    let rank = steps.partition_point(|step| *step < chance);
    u32::try_from(rank).unwrap_or(0).min(ENTRIES - 1)
}
