//! The index behind the contract.

use crate::group::Batch;
use crate::read_only::ReadOnly;
use crate::readers::Readers;
use crate::reclaim::Candidates;
use crate::totals::Totals;
use crate::writer::Writer;
use crate::{SCHEME, SqliteConfig, blobs, open, page, place, usage};
use cacheness_core::SystemRng;
use cacheness_storage::{
    BackendInfo, BlobQuery, BlobRecord, Capabilities, Change, Clock, Coherence, Cursor, EntryKey, Error, ErrorKind,
    Fields, Generations, Locality, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, Query, Reclaim,
    ReclaimOrder, Reclaimed, Record, Result, async_trait,
};
use rusqlite::Connection;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

/// The name of an index in memory, in the place of a path.
const MEMORY: &str = ":memory:";

/// How long a reclaim waits for the write lock before it says that somebody else is at it.
const RECLAIM_PATIENCE: Duration = Duration::from_secs(1);

/// The index in one SQLite file, or in memory.
///
/// Commits go through one connection and share transactions; reads go through a small pool of others and wait for
/// nobody. Any number of processes of one machine may open the same file.
pub struct SqliteMetadata {
    name: String,
    clock: Arc<dyn Clock>,
    index: Index,
    /// Held by the reclaim that is at it.
    reclaiming: Mutex<()>,
}

enum Index {
    /// One connection for all.
    Memory(Writer),
    /// The readers come first: SQLite moves its log into the file when the last connection closes, and only one that
    /// writes can do it.
    File(Readers, Writer),
    ReadOnly(ReadOnly),
}

impl SqliteMetadata {
    /// Opens the index at a path, or in memory for the path `:memory:`. It blocks.
    ///
    /// A file that is missing is created, readable and writable for its owner only, and so are its directories. A
    /// [read-only](OpenContext::read_only) opening makes and changes nothing; what others write meanwhile it shows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for options out of bounds, a path that is no file, or a network file system, and read-only
    /// for a missing or empty file and for `:memory:`;
    /// [`ErrorKind::ForeignStore`] for a file that is no index, which stays as it is;
    /// [`ErrorKind::FormatTooNew`] for an index of a later format version; [`ErrorKind::Corrupt`] for a damaged one;
    /// [`ErrorKind::Permission`] and [`ErrorKind::OutOfSpace`] as the system says; [`ErrorKind::Unavailable`] when
    /// other processes keep it locked; [`ErrorKind::ReadOnly`] when a log must be moved into the file before a read-only
    /// opening can read it.
    pub fn open(path: impl AsRef<Path>, context: &OpenContext, config: SqliteConfig) -> Result<Self> {
        let path = path.as_ref();
        let name = format!("{SCHEME}:{}", path.display());
        Self::open_named(&name, path, context, &config).map_err(|error| error.operation("open").backend(&name))
    }

    fn open_named(name: &str, path: &Path, context: &OpenContext, config: &SqliteConfig) -> Result<Self> {
        config.check()?;
        let index = if path == Path::new(MEMORY) {
            if context.read_only {
                let message = "an index in memory is empty when it is opened, and read-only nobody could fill it";
                return Err(Error::new(ErrorKind::Config, message).advice("leave read_only out, or name a file"));
            }
            let generations = Generations::in_process();
            Index::Memory(Writer::new(open::memory(config)?, generations, context.clock.clone(), config.busy_timeout()))
        } else {
            let path = std::path::absolute(path).map_err(|source| {
                Error::io(ErrorKind::Config, "the path of the index is wrong", source).advice("write sqlite:index.db")
            })?;
            if context.read_only {
                Index::ReadOnly(ReadOnly::open(path, config)?)
            } else {
                let writer = open::writer(&path, context.durability, config)?;
                Totals::read(&writer)?;
                let reader = |_| {
                    let reader = open::reader(&path, config)?;
                    open::keep_pages(&reader).map(|()| reader)
                };
                let readers = (0..config.readers).map(reader).collect::<Result<_>>()?;
                let generations = Generations::open(place::generations(&path)?)?;
                let writer = Writer::new(writer, generations, context.clock.clone(), config.busy_timeout());
                Index::File(Readers::new(readers), writer)
            }
        };
        Ok(Self { name: name.to_owned(), clock: context.clock.clone(), index, reclaiming: Mutex::new(()) })
    }

    fn read<R>(&self, work: impl Fn(&Connection) -> Result<R>) -> Result<R> {
        match &self.index {
            Index::Memory(writer) => writer.with(work),
            Index::File(readers, _) => readers.with(work),
            Index::ReadOnly(index) => index.read(work),
        }
    }

    fn writer(&self) -> Result<&Writer> {
        match &self.index {
            Index::Memory(writer) | Index::File(_, writer) => Ok(writer),
            Index::ReadOnly(index) => index.refuse(),
        }
    }

    fn commit_now(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        let writer = self.writer()?;
        changes.iter().try_for_each(Change::check)?;
        writer.commit(Batch { changes, on_unmet })
    }

    fn reclaim_now(&self, plan: &Reclaim) -> Result<Reclaimed> {
        let writer = self.writer()?;
        let (filter, order, limit) = match plan {
            Reclaim::Entries { filter, order, limit, .. } => (filter, *order, *limit),
            _ => return Err(Error::new(ErrorKind::Unsupported, "the SQLite index does not know the plan")),
        };
        filter.check()?;
        let _alone = match self.reclaiming.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(Reclaimed { busy: true, ..Reclaimed::default() }),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Ok(guard) => guard,
        };
        if matches!(order, ReclaimOrder::Used | ReclaimOrder::Hits) && !self.complete_usage(writer)? {
            return Ok(Reclaimed { busy: true, ..Reclaimed::default() });
        }
        let now = self.clock.now();
        let find = |connection: &Connection| Candidates::find(connection, filter, order, limit, now, &SystemRng);
        let candidates = self.read(find)?;
        let mut all = Reclaimed::default();
        for part in candidates.parts() {
            let done = match writer.try_reclaim(RECLAIM_PATIENCE, |changes| part.remove(changes, plan)) {
                Ok(Some(done)) => done,
                Ok(None) if all.keys.is_empty() => return Ok(Reclaimed { busy: true, ..Reclaimed::default() }),
                Err(error) if all.keys.is_empty() => return Err(error),
                // What is removed is removed; whoever wants more learns why not.
                Ok(None) | Err(_) => return Ok(Reclaimed { more: true, ..all }),
            };
            all.keys.extend(done.keys);
            all.condemned.extend(done.condemned);
            if !done.more {
                return Ok(all);
            }
        }
        all.more = candidates.more;
        Ok(all)
    }

    /// Gives a usage to records that have none, so that an eviction need not read them; `false` when somebody else keeps
    /// the write lock.
    fn complete_usage(&self, writer: &Writer) -> Result<bool> {
        while self.read(usage::lags)? {
            match writer.try_change(RECLAIM_PATIENCE, |changes| changes.complete_usage(), |_| &[]) {
                Ok(Some(true)) => {}
                Ok(Some(false)) => break,
                Ok(None) => return Ok(false),
                // An eviction is what makes room: it finds its way without.
                Err(error) if error.kind() == ErrorKind::OutOfSpace => break,
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl MetadataBackend for SqliteMetadata {
    fn info(&self) -> BackendInfo {
        let on_disk = !matches!(self.index, Index::Memory(_));
        let mut capabilities = Capabilities::default();
        capabilities.full_durability = on_disk;
        capabilities.read_only = on_disk;
        let locality = if on_disk { Locality::Host } else { Locality::Process };
        BackendInfo { name: SCHEME.into(), locality, blocking: true, capabilities }
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.read(|connection| page::records(connection, keys, fields)).map_err(|error| error.backend(self))
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        self.commit_now(changes, on_unmet).map_err(|error| error.backend(self))
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        let now = self.clock.now();
        let checked = query.filter.check();
        checked
            .and_then(|()| self.read(|connection| page::page(connection, query, after.as_ref(), now)))
            .map_err(|error| error.backend(self))
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.read(|connection| blobs::query(connection, query)).map_err(|error| error.backend(self))
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        self.reclaim_now(plan).map_err(|error| error.backend(self))
    }

    async fn stats(&self) -> Result<MetadataStats> {
        let totals = self.read(Totals::read).map_err(|error| error.backend(self))?;
        Ok(totals.stats(self.clock.now()))
    }

    fn committed(&self) -> Option<MetadataStats> {
        let (Index::Memory(writer) | Index::File(_, writer)) = &self.index else { return None };
        Some(writer.committed()?.stats(self.clock.now()))
    }

    fn coherence(&self) -> Coherence {
        let reader = match &self.index {
            Index::Memory(writer) | Index::File(_, writer) => Some(writer.generations().reader()),
            Index::ReadOnly(index) => index.generations(),
        };
        reader.cloned().map_or(Coherence::Probe, Coherence::Generations)
    }

    async fn close(&self) -> Result<()> {
        match &self.index {
            Index::Memory(writer) => writer.close(),
            Index::File(readers, writer) => {
                readers.close();
                writer.close();
            }
            Index::ReadOnly(index) => index.close(),
        }
        Ok(())
    }
}

impl fmt::Display for SqliteMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for SqliteMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteMetadata({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::failure;
    use cacheness_core::runtime::block_on;
    use cacheness_storage::{Condition, Filter};
    use cacheness_testkit::records::sample;

    #[test]
    fn an_eviction_needs_no_room_to_begin() {
        let index = SqliteMetadata::open(MEMORY, &OpenContext::new(), SqliteConfig::default()).unwrap();
        let put = |n| Change::Put { record: Box::new(sample(&format!("{n:04}"))), condition: Condition::Always };
        index.commit_now((0..2000).map(put).collect(), OnUnmet::Skip).unwrap();
        let query = |sql: &str| {
            let number =
                |connection: &Connection| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failure);
            index.writer().unwrap().with(number).unwrap()
        };
        query("PRAGMA max_page_count = 1");
        let filter = Filter::All;
        let order = ReclaimOrder::Used;
        let plan = Reclaim::Entries { filter, order, limit: 10, until_bytes: None, until_entries: None };
        let reclaimed = block_on(index.reclaim(&plan)).unwrap();
        assert_eq!(reclaimed.keys, (0..10).map(|n| format!("{n:04}").into()).collect::<Vec<EntryKey>>());
        assert_eq!(query("SELECT usage_to FROM totals"), 0, "there was room after all");
    }
}
