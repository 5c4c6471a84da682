//! `JsonMetadata`: the contract of an index over one file of JSON lines.

use super::journal::Journal;
use super::line::Draft;
use super::lock::Lock;
use super::opening::{is_there, make_directories, resolved, settle};
use super::{JsonConfig, NAME, snapshot};
use crate::directory::SYNCS_DIRECTORIES;
use cacheness_storage::memory::{Effect, Index};
use cacheness_storage::{
    BackendInfo, BlobQuery, BlobRecord, Capabilities, Change, Clock, Coherence, Cursor, Durability, EntryKey, Error,
    ErrorKind, Fields, Locality, Location, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, Query,
    Reclaim, Reclaimed, Record, Result, Timestamp, async_trait,
};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// An index of a few thousand records in one file of JSON lines.
///
/// All processes of one machine may use it at once. Each holds every record in memory, reads what others added before
/// it answers, and adds one line a commit.
pub struct JsonMetadata {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    durability: Durability,
    max_entries: u64,
    read_only: bool,
    /// `None` after `close`.
    open: Mutex<Option<Open>>,
}

struct Open {
    /// `None` when it was opened read-only and nobody ever wrote, or the lock may not be read.
    lock: Option<Lock>,
    journal: Journal,
}

impl JsonMetadata {
    /// Opens the index at `path`, which is made when it is missing or empty, with the directories above it. A
    /// [read-only](OpenContext::read_only) opening makes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for options out of bounds, when `path` is no file, and read-only when there is none;
    /// [`ErrorKind::ForeignStore`] for a file with other things in it; [`ErrorKind::FormatTooNew`] for one of a later
    /// version; [`ErrorKind::Corrupt`] for a damaged one, with the number of the line; [`ErrorKind::Permission`] when it
    /// cannot be read, or written.
    pub fn open(path: impl AsRef<Path>, context: &OpenContext, config: JsonConfig) -> Result<Self> {
        let path = path.as_ref();
        let open = || {
            config.check()?;
            let resolved = resolved(path)?;
            if context.read_only { Open::read_only(&resolved) } else { Open::writable(&resolved, context) }
        };
        let open = open().map_err(|error: Error| error.operation("open").backend(Name(path)))?;
        Ok(Self {
            path: path.to_owned(),
            clock: context.clock.clone(),
            durability: context.durability,
            max_entries: config.max_entries,
            read_only: context.read_only,
            open: Mutex::new(Some(open)),
        })
    }

    fn with<R>(&self, operation: &'static str, run: impl FnOnce(&mut Open) -> Result<R>) -> Result<R> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match &mut *open {
            Some(open) => run(open),
            None => Err(Error::new(ErrorKind::Closed, "the index was closed")),
        };
        result.map_err(|error| error.operation(operation).backend(self))
    }

    /// Reads the index as it is now.
    fn read<R>(&self, operation: &'static str, read: impl FnOnce(&Index) -> R) -> Result<R> {
        self.with(operation, |open| {
            open.catch_up()?;
            Ok(read(&open.journal.index))
        })
    }

    /// Changes the index as it is now, and writes down what changed.
    fn change<R>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut Index, Timestamp, &mut dyn FnMut(Effect<'_>)) -> R,
    ) -> Result<R> {
        self.with(operation, |open| {
            let Some(lock) = open.lock.as_ref().filter(|_| !self.read_only) else {
                return Err(Error::new(ErrorKind::ReadOnly, "the index was opened read-only and takes no changes")
                    .advice("open it without read_only"));
            };
            let _held = lock.exclusive()?;
            let journal = &mut open.journal;
            journal.catch_up_to_write()?;
            let now = self.clock.now();
            let entries = journal.index.stats(now).entries;
            let mut draft = Draft::new(now);
            let result = change(&mut journal.index, now, &mut |effect| draft.push(effect));
            if journal.index.is_changed() {
                let changes = draft.changes();
                let line = self.check_room(entries, journal.index.stats(now).entries).and_then(|()| draft.finish());
                let line = line.inspect_err(|_| journal.index.take_back())?;
                journal.append(&line, changes, self.durability)?;
                // What is committed is committed: a file that cannot be compacted only grows.
                let _ = journal.compact(now);
            }
            Ok(result)
        })
    }

    fn check_room(&self, before: u64, after: u64) -> Result<()> {
        if after <= self.max_entries || after <= before {
            return Ok(());
        }
        let message = format!("the JSON index is full: it takes {} entries (max_entries)", self.max_entries);
        Err(Error::new(ErrorKind::OutOfSpace, message)
            .advice("move to the SQLite index (sqlite:index.db), which is made for more, or remove entries"))
    }
}

impl Open {
    fn read_only(path: &Path) -> Result<Self> {
        if !is_there(path)? {
            let message = format!("there is no index at {}, and a read-only opening makes none", path.display());
            return Err(Error::new(ErrorKind::Config, message).advice("give an existing one, or open it for writing"));
        }
        let lock = Lock::open_read_only(path);
        let journal = Self::load(path, lock.as_ref(), false)?;
        Ok(Self { lock, journal })
    }

    fn writable(path: &Path, context: &OpenContext) -> Result<Self> {
        if is_there(path)? {
            // Nothing is made beside a file that is not ours.
            Journal::check_header(path)?;
        } else {
            make_directories(path)?;
        }
        let lock = Lock::open(path)?;
        let held = lock.exclusive()?;
        snapshot::remove_leftover(path)?;
        if !is_there(path)? {
            snapshot::write(path, 1, &Index::default(), context.clock.now())?;
        }
        let journal = Journal::load(path, true)?;
        settle(path, context.durability)?;
        drop(held);
        Ok(Self { lock: Some(lock), journal })
    }

    /// Reads a journal that others may be writing.
    fn load(path: &Path, lock: Option<&Lock>, writable: bool) -> Result<Journal> {
        Journal::load(path, writable).or_else(|error| match lock {
            Some(lock) if error.kind() == ErrorKind::Corrupt => {
                let _held = lock.shared()?;
                Journal::load(path, writable)
            }
            _ => Err(error),
        })
    }

    fn catch_up(&mut self) -> Result<()> {
        let caught_up = self.journal.catch_up();
        match (&self.lock, caught_up) {
            // A torn end that was cut off and overwritten while it was read looks like damage.
            (Some(lock), Err(error)) if error.kind() == ErrorKind::Corrupt => {
                let _held = lock.shared()?;
                self.journal.catch_up()
            }
            (_, caught_up) => caught_up,
        }
    }
}

#[async_trait]
impl MetadataBackend for JsonMetadata {
    fn info(&self) -> BackendInfo {
        let mut capabilities = Capabilities::default();
        capabilities.full_durability = SYNCS_DIRECTORIES;
        capabilities.read_only = true;
        BackendInfo { name: NAME.into(), locality: Locality::Host, blocking: true, capabilities }
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.read("get", |index| keys.iter().map(|key| index.get(key, fields)).collect())
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        changes.iter().try_for_each(check).map_err(|error| error.operation("commit").backend(self))?;
        self.change("commit", |index, now, applied| index.commit(changes, on_unmet, now, applied))
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        query.filter.check()?;
        let now = self.clock.now();
        self.read("page", |index| index.page(query, after.as_ref(), now))
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.read("blobs", |index| index.blobs(query))
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        match plan {
            Reclaim::Entries { filter, .. } => filter.check()?,
            _ => return Err(Error::new(ErrorKind::Unsupported, "the JSON index does not know this plan")),
        }
        self.change("reclaim", |index, now, applied| index.reclaim(plan, now, applied))
    }

    async fn stats(&self) -> Result<MetadataStats> {
        let now = self.clock.now();
        self.read("stats", |index| index.stats(now))
    }

    fn committed(&self) -> Option<MetadataStats> {
        None
    }

    fn coherence(&self) -> Coherence {
        Coherence::Probe
    }

    async fn close(&self) -> Result<()> {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

fn check(change: &Change) -> Result<()> {
    match change {
        Change::Put { record, .. } if record.location == Location::Omitted => {
            Err(Error::new(ErrorKind::Internal, "a record cannot be put without its payload").key(&record.key))
        }
        change => change.check(),
    }
}

impl fmt::Display for JsonMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Name(&self.path).fmt(f)
    }
}

impl fmt::Debug for JsonMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonMetadata({self})")
    }
}

/// Shows a path as the URL that names it.
struct Name<'a>(&'a Path);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}:{}", self.0.display())
    }
}
