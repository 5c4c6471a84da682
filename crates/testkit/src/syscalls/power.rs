//! What a worker did, and what would be left of it had the power gone out.

use super::disk::{Disk, Inode, Operation, Tree};
use super::follow::{FOLLOWED, Follower};
use super::{Worker, call, failed, strace, temporary_directory};
use crate::SeededRng;
use cacheness_core::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// The longest string that is recorded, in bytes.
const LONGEST: usize = 32 << 20;

/// What a worker did to its directory and reported, in the order in which it happened.
#[derive(Debug)]
pub struct Recording {
    operations: Vec<Operation>,
    lines: Vec<String>,
}

/// What a loss of power left.
#[derive(Debug)]
#[non_exhaustive]
pub struct PowerLoss<'a> {
    /// The worker's directory, as it would be. It may be changed; it is removed after the check.
    pub directory: &'a Path,
    /// What the worker had reported.
    pub lines: &'a [String],
    /// How many operations on the disk there had been.
    done: usize,
    has_leftovers: bool,
}

impl Worker {
    /// Runs the worker to its end and records what it does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without `strace`; [`ErrorKind::Internal`] when the worker fails;
    /// [`ErrorKind::Unsupported`] for calls that cannot be followed, such as shared memory maps of files, `io_uring`, or
    /// strings of more than 32 MiB; [`ErrorKind::Timeout`] after two minutes.
    ///
    /// [`ErrorKind::Config`]: cacheness_core::ErrorKind::Config
    /// [`ErrorKind::Internal`]: cacheness_core::ErrorKind::Internal
    /// [`ErrorKind::Timeout`]: cacheness_core::ErrorKind::Timeout
    /// [`ErrorKind::Unsupported`]: cacheness_core::ErrorKind::Unsupported
    pub fn record(&self) -> Result<Recording> {
        let home = tempfile::tempdir().map_err(failed("a temporary directory could not be made"))?;
        let limit = format!("-s{LONGEST}");
        let trace = format!("trace={FOLLOWED}");
        let run = strace::run(self, home, &[limit, "-e".into(), trace, "-e".into(), "raw=?read,?readv".into()])?;
        run.check()?;
        let mut follower = Follower::new(&run.directory, &run.stdout, &self.ignored);
        for event in call::events(&run.trace)? {
            follower.event(&event)?;
        }
        Ok(Recording::of(follower.finish()))
    }
}

impl Recording {
    fn of(operations: Vec<Operation>) -> Self {
        let said = |operation: &Operation| if let Operation::Say(line) = operation { Some(line.clone()) } else { None };
        Self { lines: operations.iter().filter_map(said).collect(), operations }
    }

    /// What the worker reported.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Checks what is left when only that is which was synced: bytes of a file, by a sync of the file, and names, by a
    /// sync of their directory. The power goes out after every sync and after every line. Returns how often.
    ///
    /// # Errors
    ///
    /// The error of the first check that fails, with the moment.
    pub fn only_synced(&self, mut check: impl FnMut(&PowerLoss<'_>) -> Result<()>) -> Result<usize> {
        let mut last = None;
        let mut checks = 0;
        self.replay(|disk, operation, lines| {
            if !matches!(operation, Operation::Sync { .. } | Operation::Say(_)) {
                return Ok(());
            }
            let left = (disk.certain(), lines.len());
            if last.as_ref() != Some(&left) {
                checks += 1;
                lose(&left.0, lines, disk.operations(), false, &mut check)?;
            }
            last = Some(left);
            Ok(())
        })?;
        Ok(checks)
    }

    /// Checks what is left when, besides what was synced, chance kept some of the rest: each page that was written, each
    /// new size, each name added or removed, independently. The power goes out after every line, and at so many `more`
    /// moments. Returns how often.
    ///
    /// # Errors
    ///
    /// The error of the first check that fails, with the moment.
    pub fn with_leftovers(
        &self,
        seed: u64,
        more: usize,
        mut check: impl FnMut(&PowerLoss<'_>) -> Result<()>,
    ) -> Result<usize> {
        let rng = SeededRng::new(seed);
        let mut at = vec![0_usize; self.operations.len()];
        for _ in 0..more {
            let chosen = usize::try_from(rng.below(at.len() as u64)).unwrap_or(0);
            at.get_mut(chosen).into_iter().for_each(|times| *times += 1);
        }
        let mut times = at.into_iter();
        let mut checks = 0;
        self.replay(|disk, operation, lines| {
            let here = times.next().unwrap_or(0) + usize::from(matches!(operation, Operation::Say(_)));
            for _ in 0..here {
                checks += 1;
                lose(&disk.with_leftovers(&rng), lines, disk.operations(), true, &mut check)?;
            }
            Ok(())
        })?;
        Ok(checks)
    }

    /// Shows the disk after each operation, and the lines so far.
    fn replay(&self, mut after: impl FnMut(&Disk, &Operation, &[String]) -> Result<()>) -> Result<()> {
        let mut disk = Disk::new();
        let mut said = 0;
        for operation in &self.operations {
            disk.apply(operation);
            said += usize::from(matches!(operation, Operation::Say(_)));
            after(&disk, operation, self.lines.get(..said).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Makes a directory of what is left, and checks it.
fn lose(
    left: &Tree,
    lines: &[String],
    done: usize,
    has_leftovers: bool,
    check: &mut impl FnMut(&PowerLoss<'_>) -> Result<()>,
) -> Result<()> {
    let home = temporary_directory()?;
    let directory = home.path().join("disk");
    write(left, &directory, &mut HashMap::new()).map_err(failed("what is left could not be written"))?;
    let loss = PowerLoss { directory: &directory, lines, done, has_leftovers };
    check(&loss).map_err(|error| Error::new(error.kind(), format!("{loss}: {error}")))
}

/// Writes a tree to a free path.
fn write(tree: &Tree, path: &Path, links: &mut HashMap<Inode, PathBuf>) -> io::Result<()> {
    match tree {
        Tree::File(inode, bytes) => match links.get(inode) {
            Some(first) => fs::hard_link(first, path),
            None => {
                links.insert(*inode, path.to_owned());
                fs::write(path, bytes)
            }
        },
        Tree::Directory(names) => {
            fs::create_dir(path)?;
            names.iter().try_for_each(|(name, tree)| write(tree, &path.join(name), links))
        }
    }
}

impl fmt::Display for PowerLoss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = if self.has_leftovers { "some of what was not synced, too" } else { "only what was synced" };
        let line = self.lines.last().map_or("no line", String::as_str);
        write!(f, "power loss after operation {}, after {line:?}, which left {kept}", self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cacheness_core::ErrorKind;

    /// A file with two names and synced text, then a line, then text that is not synced, then another line.
    fn recording() -> Recording {
        let file = Disk::new().next_inode();
        let name = |name: &str| Operation::Name { directory: Disk::ROOT, name: name.into(), inode: file };
        let write = |text: &str| Operation::Write { file, at: 0, bytes: text.into() };
        let sync = |inode| Operation::Sync { inode, before: usize::MAX };
        Recording::of(vec![
            Operation::Make { is_directory: false },
            name("a"),
            name("b"),
            sync(Disk::ROOT),
            write("one"),
            sync(file),
            sync(file),
            Operation::Say("first".into()),
            write("two"),
            Operation::Say("second".into()),
        ])
    }

    #[test]
    fn the_power_goes_out_after_every_sync_and_every_line() {
        let mut seen = Vec::new();
        let checks = recording().only_synced(|loss| {
            fs::write(loss.directory.join("a"), [fs::read(loss.directory.join("a"))?, b"!".to_vec()].concat())?;
            seen.push((fs::read_to_string(loss.directory.join("b"))?, loss.lines.join(" ")));
            Ok(())
        });
        let expected = [("!", ""), ("one!", ""), ("one!", "first"), ("one!", "first second")];
        assert_eq!(checks.unwrap(), expected.len());
        assert_eq!(seen, expected.map(|(text, lines)| (text.to_owned(), lines.to_owned())));
    }

    #[test]
    fn leftovers_come_and_go_with_the_seed() {
        let texts = |seed| {
            let mut texts = Vec::new();
            let mut note = |loss: &PowerLoss<'_>| {
                texts.push(fs::read_to_string(loss.directory.join("a")).unwrap_or_default());
                Ok(())
            };
            assert_eq!(recording().with_leftovers(seed, 10, &mut note).unwrap(), 12);
            texts
        };
        assert_eq!(texts(1), texts(1));
        let last: Vec<_> = (0..50).map(|seed| texts(seed).pop().unwrap()).collect();
        assert!(last.iter().any(|text| text == "one") && last.iter().any(|text| text == "two"), "{last:?}");
    }

    #[test]
    fn a_check_that_fails_is_told_with_its_moment() {
        let refuse = |loss: &PowerLoss<'_>| match loss.lines.len() {
            0 => Ok(()),
            _ => Err(Error::new(ErrorKind::Corrupt, "it is lost")),
        };
        let error = recording().only_synced(refuse).unwrap_err();
        let expected = "power loss after operation 8, after \"first\", which left only what was synced: it is lost";
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Corrupt, expected));
    }
}
