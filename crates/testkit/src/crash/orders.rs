//! What a process is told to do, in its environment, and what it tells, in lines on its standard output.

use super::operation::Operation;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::engine::Point;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, iter};

const ORDERS: &str = "CACHENESS_CRASH_ORDERS";
const DIRECTORY: &str = "CACHENESS_CRASH_DIRECTORY";

/// What our lines begin with: the test harness writes to the same stream, and not always whole lines.
const MARK: &str = "crash> ";

/// What a process is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orders {
    /// Which process of the round it is.
    pub(super) process: usize,
    /// Where its chance begins.
    pub(super) seed: u64,
    /// The seed of its first value that nobody put before; the next ones follow.
    pub(super) fresh: u64,
    /// Whether it puts few contents again and again into a content-addressable store.
    pub(super) recurring: bool,
    /// Whether it begins with what is worst for others: it takes away every value, and what no entry names.
    pub(super) clears: bool,
    /// Whether it sweeps.
    pub(super) sweeps: bool,
    /// Where to wait for a word or the end, and at which passing.
    pub(super) halt: Option<(Point, u64)>,
}

/// Every point of the protocol.
pub(super) fn points() -> impl Iterator<Item = Point> {
    iter::successors(Some(Point::Staged), |point| {
        Some(match point {
            Point::Staged => Point::BlobStored,
            Point::BlobStored => Point::Committed,
            Point::Committed => Point::Condemned,
            Point::Condemned => Point::Deleted,
            Point::Deleted => Point::ContentFound,
            Point::ContentFound => Point::SweepListed,
            Point::SweepListed => Point::RecordRead,
            Point::RecordRead => return None,
        })
    })
}

impl Orders {
    /// The orders of this process and the directory of its store, if it has any.
    pub(super) fn given() -> Result<Option<(Self, PathBuf)>> {
        let (Some(text), Some(directory)) = (env::var_os(ORDERS), env::var_os(DIRECTORY)) else { return Ok(None) };
        let orders = text.to_str().and_then(Self::parse);
        let wrong = || Error::new(ErrorKind::Internal, format!("orders that nobody gave: {text:?}"));
        Ok(Some((orders.ok_or_else(wrong)?, directory.into())))
    }

    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [process, seed, fresh, recurring, clears, sweeps, point, passing] = words[..] else { return None };
        let point = points().find(|known| format!("{known:?}") == point);
        Some(Self {
            process: process.parse().ok()?,
            seed: seed.parse().ok()?,
            fresh: fresh.parse().ok()?,
            recurring: recurring.parse().ok()?,
            clears: clears.parse().ok()?,
            sweeps: sweeps.parse().ok()?,
            halt: point.zip(passing.parse().ok()),
        })
    }

    /// Gives the orders to a process that is started next.
    pub(super) fn give(&self, command: &mut Command, directory: &Path) {
        let Self { process, seed, fresh, recurring, clears, sweeps, halt } = self;
        let halt = halt.map_or("none 0".into(), |(point, passing)| format!("{point:?} {passing}"));
        let text = format!("{process} {seed} {fresh} {recurring} {clears} {sweeps} {halt}");
        command.env(ORDERS, text).env(DIRECTORY, directory);
    }
}

/// A line of a process, or about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) process: usize,
    pub(super) told: Told,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// The operation comes next.
    Begin(Operation),
    /// The operation returned, with this result.
    Done(String),
    /// The operation failed, with this error.
    Failed(String),
    /// The process waits where it was told to.
    Halted,
    /// There is nothing more to do.
    End,
    /// The process is dead: what it began has happened by now, or never will.
    Dead,
}

impl Line {
    pub(super) fn text(&self) -> String {
        let told = match &self.told {
            Told::Begin(operation) => format!("begin {operation}"),
            Told::Done(result) => format!("done {result}"),
            Told::Failed(error) => format!("failed {}", error.replace('\n', " ")),
            Told::Halted => "halted ".into(),
            Told::End => "end ".into(),
            Told::Dead => "dead ".into(),
        };
        format!("{MARK}{} {told}\n", self.process)
    }

    /// Reads a line; `None` for one that is not ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (_, text) = text.trim_end_matches('\n').rsplit_once(MARK)?;
        let (process, text) = text.split_once(' ')?;
        let (word, rest) = text.split_once(' ')?;
        let told = match word {
            "begin" => Told::Begin(Operation::parse(rest)?),
            "done" => Told::Done(rest.into()),
            "failed" => Told::Failed(rest.into()),
            "halted" => Told::Halted,
            "end" => Told::End,
            "dead" => Told::Dead,
            _ => return None,
        };
        Some(Self { process: process.parse().ok()?, told })
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::Content;
    use super::super::operation::Manner;
    use super::*;

    #[test]
    fn a_line_is_found_behind_what_the_test_harness_wrote() {
        let put = Operation::Put(Manner::Reader, "key-3".into(), Content { seed: 7, size: 9 });
        for told in [Told::Begin(put), Told::Done(String::new()), Told::Failed("a b".into()), Told::Halted, Told::Dead]
        {
            let line = Line { process: 1, told };
            assert_eq!(Line::parse(&format!("test name ... {}", line.text())), Some(line));
        }
        assert_eq!(Line::parse("test name ... ok"), None);
    }

    #[test]
    fn orders_arrive_as_they_were_given() {
        for halt in points().map(|point| Some((point, 5))).chain([None]) {
            let orders =
                Orders { process: 1, seed: u64::MAX, fresh: 3, recurring: true, clears: true, sweeps: false, halt };
            let mut command = Command::new("none");
            orders.give(&mut command, Path::new("none"));
            let given = command.get_envs().find(|(name, _)| *name == ORDERS).and_then(|(_, value)| value?.to_str());
            assert_eq!(given.and_then(Orders::parse), Some(orders));
        }
    }
}
