//! diskcache, of Python: SQLite with `synchronous = NORMAL`, as ours, so that `kill -9` loses nothing that was acknowledged. It
//! measures itself, call by call, in the turns that it is given.

use super::python::Script;
use crate::Result;
use crate::sample::Samples;
use crate::store::{Action, Contender};
use crate::timing::Stretch;
use std::path::Path;
use std::time::Duration;

/// Answers `fill N` and, with the nanoseconds of the call, `get N` and `put N`.
const SCRIPT: &str = include_str!("diskcache.py");
const ENTRIES: u64 = 20_000;

struct Diskcache(Script);

pub(super) fn open(path: &Path) -> Result<Box<dyn Contender>> {
    Ok(Box::new(Diskcache(Script::start(SCRIPT, &[&path.to_string_lossy()])?)))
}

impl Contender for Diskcache {
    fn fill(&self, _samples: &Samples) -> Result {
        self.0.ask(&format!("fill {ENTRIES}")).map(drop)
    }

    fn stretch<'s>(&'s self, action: Action, _samples: &'s Samples) -> Stretch<'s> {
        let verb = if action == Action::Get { "get" } else { "put" };
        Box::new(move |calls| {
            let time = |call| Ok(self.0.ask(&format!("{verb} {}", action.number(call, ENTRIES)))?.parse::<u64>()?);
            Ok(Duration::from_nanos(calls.map(time).sum::<Result<u64>>()?))
        })
    }
}
