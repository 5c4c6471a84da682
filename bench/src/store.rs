//! What the workloads on disk ask of every subject: samples under numbers.

use crate::Result;
use crate::numbers::spread;
use crate::sample::{Sample, Samples};
use crate::timing::{Stretch, each};
use cacheness::sync::Cache;
use std::ops::Range;

/// Entries in every store on disk while it is measured.
pub(crate) const ENTRIES: u64 = 200_000;

/// Numbers from which on nothing was stored before.
const NEW: u64 = 1 << 32;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Get,
    /// A put where there is something.
    PutOver,
    /// A put where there was nothing.
    PutNew,
}

impl Action {
    /// The number that a call is about, in a store with so many entries.
    pub(crate) fn number(self, call: u64, entries: u64) -> u64 {
        match self {
            Self::Get | Self::PutOver => spread(call, entries),
            Self::PutNew => NEW + call,
        }
    }
}

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

    /// How many entries it holds when it is measured. A store that takes long to fill holds fewer, to its advantage.
    fn entries(&self) -> u64 {
        ENTRIES
    }
}

/// What takes part in the workloads on disk.
pub(crate) trait Contender {
    /// Stores what is there when it is measured.
    fn fill(&self, samples: &Samples) -> Result;

    /// What it does in its turns.
    fn stretch<'s>(&'s self, action: Action, samples: &'s Samples) -> Stretch<'s>;
}

impl<S: Store> Contender for S {
    fn fill(&self, samples: &Samples) -> Result {
        Store::fill(self, 0..self.entries(), samples)
    }

    fn stretch<'s>(&'s self, action: Action, samples: &'s Samples) -> Stretch<'s> {
        let entries = self.entries();
        match action {
            Action::Get => each(move |call| self.get(action.number(call, entries))),
            Action::PutOver | Action::PutNew => each(move |call| {
                let (sample, payload) = samples.of(call)?;
                self.put(action.number(call, entries), sample, payload)
            }),
        }
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
