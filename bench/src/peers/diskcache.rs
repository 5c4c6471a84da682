//! diskcache, of Python: SQLite with `synchronous = NORMAL`, as ours, so that `kill -9` loses nothing that was acknowledged. It
//! measures itself, call by call, in the turns that it is given. Many are put in one transaction, and got in a loop.

use super::python::Script;
use crate::Result;
use crate::store::{Action, Manner};
use crate::timing::Stretch;
use crate::value::Value;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// Answers `get`, `put` and `put_many` of some numbers with the nanoseconds it took.
const SCRIPT: &str = include_str!("diskcache.py");

/// A cache of one kind of value.
pub(super) struct Diskcache {
    script: Script,
    entries: u64,
}

impl Diskcache {
    pub(super) fn open<V: Value>(path: &Path) -> Result<Self> {
        let script = Script::start(SCRIPT, &[&path.to_string_lossy(), V::KEY])?;
        Ok(Self { script, entries: V::ENTRIES.min(20_000) })
    }

    pub(super) fn fill(&self) -> Result {
        for start in (0..self.entries).step_by(1000) {
            self.ask("put_many", start..self.entries.min(start + 1000))?;
        }
        Ok(())
    }

    /// What it does in its turns; an error if it cannot do that.
    pub(super) fn stretch(&self, action: Action, manner: Manner) -> Result<Stretch<'_>> {
        let verb = match (action, manner) {
            (_, Manner::ByEightThreads) => return Err("threads of one interpreter take turns".into()),
            (Action::Get, _) => "get",
            (_, Manner::OneByOne) => "put",
            (_, Manner::AtOnce) => "put_many",
        };
        let number = move |call| action.number(manner, call, self.entries);
        Ok(Box::new(move |calls: Range<u64>| self.ask(verb, calls.map(number))))
    }

    fn ask(&self, verb: &str, mut numbers: impl Iterator<Item = u64>) -> Result<Duration> {
        let mut line = String::from(verb);
        numbers.try_for_each(|number| write!(line, " {number}"))?;
        Ok(Duration::from_nanos(self.script.ask(&line)?.parse()?))
    }
}
