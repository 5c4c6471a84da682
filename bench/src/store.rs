//! What the workloads on disk ask of every subject: samples under numbers.

use crate::Result;
use crate::sample::{Sample, Samples};
use cacheness::sync::Cache;
use std::ops::Range;

/// Samples on disk under numbers, kept as a program that picked this store would keep them.
pub(crate) trait Store {
    /// Stores a sample. `payload` is the sample encoded, for stores that take bytes: a present to them.
    fn put(&self, number: u64, sample: &Sample, payload: &[u8]) -> Result;

    /// The sample, decoded.
    fn get(&self, number: u64) -> Result<Sample>;

    /// Stores many, as fast as it goes.
    fn fill(&self, numbers: Range<u64>, samples: &Samples) -> Result {
        numbers.into_iter().try_for_each(|number| {
            let (sample, payload) = samples.of(number)?;
            self.put(number, sample, payload)
        })
    }

    /// How many entries it holds when it is measured, of those that are wanted. A store that takes long to fill holds
    /// fewer, to its advantage.
    fn entries(&self, wanted: u64) -> u64 {
        wanted
    }

    /// How many times fewer calls it makes in a turn, so that nobody waits for it.
    fn slower(&self) -> u64 {
        1
    }
}

/// Ours, with the keys that programs have.
impl Store for Cache {
    fn put(&self, number: u64, sample: &Sample, _payload: &[u8]) -> Result {
        Cache::put(self, ("user", number), sample)?;
        Ok(())
    }

    fn get(&self, number: u64) -> Result<Sample> {
        Cache::get(self, ("user", number))?.ok_or_else(|| absent(number))
    }

    fn fill(&self, numbers: Range<u64>, samples: &Samples) -> Result {
        for start in numbers.clone().step_by(10_000) {
            let stretch = start..numbers.end.min(start + 10_000);
            let entry = |number| Ok((("user", number), samples.of(number)?.0.clone()));
            self.put_many(&stretch.map(entry).collect::<Result<Vec<_>>>()?)?;
        }
        Ok(())
    }
}

pub(crate) fn absent(number: u64) -> crate::Failure {
    format!("{number} is not there").into()
}
