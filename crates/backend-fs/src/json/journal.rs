//! The open journal: the lines of all processes are read as they come, and ours are added under the lock.

use super::line::{Header, Line, MAX_HEADER};
use super::opening::{Identity, Look, failed, gone, open};
use super::snapshot;
use cacheness_storage::memory::Index;
use cacheness_storage::{Durability, Error, ErrorKind, Result, Timestamp};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// So many changes more than twice those that are needed are too many.
const SPARE_CHANGES: u64 = 100;

/// An open journal, and the index that its lines make.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    writable: bool,
    file: File,
    identity: Identity,
    generation: u64,
    /// The end of the last line that the index knows.
    position: u64,
    /// The lines up to there, without the header.
    lines: u64,
    /// The changes in these lines.
    changes: u64,
    /// The index is no longer what the lines make, or the file is in doubt: everything is read again.
    is_stale: bool,
    /// Lines may be missing on the device although a later sync succeeds.
    is_in_doubt: bool,
    pub(super) index: Index,
}

impl Journal {
    /// Reads the journal at `path`, all complete lines of it.
    pub(super) fn load(path: &Path, writable: bool) -> Result<Self> {
        let file = open(path, writable)?;
        let look = Look::of(&file).map_err(|error| failed("read", path, error))?;
        let mut journal = Self {
            path: path.to_owned(),
            writable,
            file,
            identity: look.identity,
            generation: 0,
            position: 0,
            lines: 0,
            changes: 0,
            is_stale: false,
            is_in_doubt: false,
            index: Index::default(),
        };
        let (header, size) = read_header(&journal.file, path)?;
        (journal.generation, journal.position) = (header.generation, size);
        journal.read_to(look.size)?;
        Ok(journal)
    }

    /// Makes sure that the file at `path` is an index of a version that is known.
    pub(super) fn check_header(path: &Path) -> Result<()> {
        read_header(&open(path, false)?, path).map(drop)
    }

    /// Reads the complete lines that end before `size`, the file's size not long ago.
    fn read_to(&mut self, size: u64) -> Result<()> {
        let unreadable = |error| failed("read", &self.path, error);
        (&self.file).seek(SeekFrom::Start(self.position)).map_err(unreadable)?;
        let file = self.file.try_clone().map_err(unreadable)?;
        let mut input = BufReader::with_capacity(1 << 16, file.take(size.saturating_sub(self.position)));
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.read_until(b'\n', &mut line).map_err(|error| failed("read", &self.path, error))?;
            let Some((b'\n', text)) = line.split_last() else { return Ok(()) };
            let is_last = self.position + read as u64 == size;
            if is_last && text.contains(&0) {
                // The power went out before all of it was on the device: what is missing reads as zeros.
                return Ok(());
            }
            self.changes += self.replay(text)?;
            self.position += read as u64;
            self.lines += 1;
        }
    }

    /// Does what the next line says, and tells how many changes it holds.
    fn replay(&mut self, text: &[u8]) -> Result<u64> {
        let damaged = |problem: &dyn std::fmt::Display, kind| {
            let message = format!("line {} of {} is damaged: {problem}", self.lines + 2, self.path.display());
            Error::new(kind, message)
                .advice("nothing was changed; repair the line, without its sum, while no process has the index open")
        };
        let line = Line::parse(text).map_err(|error| damaged(&error, error.kind()))?;
        let is_possible = line.changes.iter().all(|change| self.index.replay(change.effect(), line.at));
        self.index.keep();
        if !is_possible {
            return Err(damaged(&"it does not follow from the lines before", ErrorKind::Corrupt));
        }
        Ok(line.changes.len() as u64)
    }

    /// Brings the index to what the file says now.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        if !self.is_stale {
            let look = Look::at(&self.path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => gone(&self.path, error),
                _ => failed("reached", &self.path, error),
            })?;
            if look.identity == self.identity && look.size >= self.position {
                if look.size == self.position {
                    return Ok(());
                }
                self.is_stale = self.read_to(look.size).is_err();
            } else {
                self.is_stale = true;
            }
        }
        if self.is_stale {
            let is_in_doubt = self.is_in_doubt;
            *self = Self { is_in_doubt, ..Self::load(&self.path, self.writable)? };
        }
        Ok(())
    }

    /// Brings the index to what the file says now, and the file's end to the end of a line. For the holder of the
    /// exclusive lock.
    pub(super) fn catch_up_to_write(&mut self) -> Result<()> {
        self.catch_up()?;
        let mut tail = Vec::new();
        let read = (&self.file).seek(SeekFrom::Start(self.position)).and_then(|_| (&self.file).read_to_end(&mut tail));
        read.map_err(|error| failed("read", &self.path, error))?;
        if tail.is_empty() {
            return Ok(());
        }
        if Line::parse(&tail).is_err() {
            // A process was killed while it wrote it, or the power went out: nobody was told that it is there.
            return self.file.set_len(self.position).map_err(|error| failed("repaired", &self.path, error));
        }
        // Only its end is missing.
        let changes = self.replay(&tail).inspect_err(|_| self.is_stale = true)?;
        (&self.file).write_all(b"\n").map_err(|error| {
            self.is_stale = true;
            failed("repaired", &self.path, error)
        })?;
        self.position += tail.len() as u64 + 1;
        self.lines += 1;
        self.changes += changes;
        Ok(())
    }

    /// Adds a line of so many changes for the steps of the index that are not kept, and keeps them, or takes them back
    /// when it cannot. For the holder of the exclusive lock.
    pub(super) fn append(&mut self, line: &[u8], changes: u64, durability: Durability) -> Result<()> {
        if let Err(error) = (&self.file).write_all(line) {
            self.index.take_back();
            // What is left after the last line otherwise, whoever writes next cuts off.
            let _ = self.file.set_len(self.position);
            return Err(failed("written", &self.path, error));
        }
        self.index.keep();
        self.position += line.len() as u64;
        self.lines += 1;
        self.changes += changes;
        if durability == Durability::Full {
            // The line stays: others may have read it.
            self.file.sync_data().map_err(|error| {
                self.is_in_doubt = true;
                failed("synced", &self.path, error).retryable(false)
            })?;
        }
        Ok(())
    }

    /// Writes everything anew when there are too many changes, or lines that may be lost. For the holder of the exclusive
    /// lock, who is up to date.
    pub(super) fn compact(&mut self, now: Timestamp) -> Result<()> {
        let needed = self.index.records().len() as u64 + self.index.stats(now).condemned;
        if self.is_in_doubt || self.changes > 2 * needed + SPARE_CHANGES {
            let generation = self.generation.saturating_add(1);
            let written = snapshot::write(&self.path, generation, &self.index, now)?;
            let look = Look::of(&written.file).map_err(|error| failed("read", &self.path, error))?;
            self.identity = look.identity;
            self.file = written.file;
            (self.generation, self.position) = (generation, written.size);
            (self.lines, self.changes) = (written.lines, written.lines);
            self.is_in_doubt = false;
        }
        Ok(())
    }
}

/// The header, and how many bytes it has.
fn read_header(mut file: &File, path: &Path) -> Result<(Header, u64)> {
    let mut line = Vec::new();
    let read = file.rewind().and_then(|()| BufReader::new(file.take(MAX_HEADER)).read_until(b'\n', &mut line));
    read.map_err(|error| failed("read", path, error))?;
    Ok((Header::from_line(&line)?, line.len() as u64))
}
