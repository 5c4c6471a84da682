//! The index behind its contract.

use crate::changes::{Changes, Totals};
use crate::database::Store;
use crate::page::page;
use crate::reclaim::Plan;
use crate::records::Records;
use crate::schema::TOTALS;
use crate::{RedbConfig, SCHEME, references};
use cacheness_storage::{
    BackendInfo, BlobQuery, BlobRecord, Capabilities, Change, Clock, Coherence, Cursor, EntryKey, ErrorKind, Fields,
    Locality, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page, Query, Reclaim, Reclaimed, Record,
    Result, async_trait,
};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The index in a redb file. Readers wait for nobody; writers wait for each other.
pub struct RedbMetadata {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl RedbMetadata {
    /// Opens the index in the file at a path, which is made when it is missing. It blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for options out of bounds and a path that cannot be a file;
    /// [`ErrorKind::Unavailable`] while another process has the file open; [`ErrorKind::ForeignStore`] for a file that
    /// is not ours, which stays as it is; [`ErrorKind::FormatTooNew`] for one of a later version;
    /// [`ErrorKind::Corrupt`] for a damaged one; [`ErrorKind::Unsupported`] for opening read-only;
    /// [`ErrorKind::Permission`] and [`ErrorKind::OutOfSpace`] as the system says.
    pub fn open(path: impl AsRef<Path>, context: &OpenContext, config: RedbConfig) -> Result<Self> {
        let store = Store::open(path.as_ref(), context, &config, ErrorKind::Metadata)?;
        Ok(Self { store, clock: context.clock.clone() })
    }
}

/// What both backends say of themselves: the file outlives the process, and the next process finds it.
pub(crate) fn info() -> BackendInfo {
    let mut capabilities = Capabilities::default();
    capabilities.exclusive_puts = true;
    capabilities.full_durability = true;
    BackendInfo { name: SCHEME.into(), locality: Locality::Host, blocking: true, capabilities }
}

#[async_trait]
impl MetadataBackend for RedbMetadata {
    fn info(&self) -> BackendInfo {
        info()
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.store.read("get", |snapshot| {
            let records = Records::of(snapshot)?;
            keys.iter().map(|key| records.get(key, fields)).collect()
        })
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        self.store.write("commit", |transaction| {
            changes.iter().try_for_each(Change::check)?;
            let mut index = Changes::begin(transaction, self.clock.now())?;
            let mut outcomes = Vec::with_capacity(changes.len());
            for change in &changes {
                let outcome = index.apply(change)?;
                if on_unmet == OnUnmet::Abort && !outcome.is_applied() {
                    outcomes.fill(Outcome::Aborted);
                    outcomes.push(outcome);
                    outcomes.resize(changes.len(), Outcome::Aborted);
                    return Ok((outcomes, false));
                }
                outcomes.push(outcome);
            }
            index.finish()?;
            let has_changed = outcomes.iter().any(Outcome::is_applied);
            Ok((outcomes, has_changed))
        })
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        let now = self.clock.now();
        self.store.read("page", |snapshot| {
            query.filter.check()?;
            page(&Records::of(snapshot)?, query, after.as_ref(), now)
        })
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.store.read("blobs", |snapshot| references::query(snapshot, query))
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        let now = self.clock.now();
        let (plan, candidates) = self.store.read("reclaim", |snapshot| {
            let plan = Plan::of(plan)?;
            let candidates = plan.find(&Records::of(snapshot)?, now)?;
            Ok((plan, candidates))
        })?;
        self.store.write("reclaim", |transaction| {
            let mut index = Changes::begin(transaction, now)?;
            let reclaimed = plan.remove(&candidates, &mut index)?;
            index.finish()?;
            let has_changed = !reclaimed.keys.is_empty();
            Ok((reclaimed, has_changed))
        })
    }

    async fn stats(&self) -> Result<MetadataStats> {
        let totals = self.store.read("stats", |snapshot| Totals::read(&snapshot.open_table(TOTALS)?))?;
        Ok(MetadataStats {
            entries: totals.entries,
            bytes: u64::try_from(totals.bytes).unwrap_or(u64::MAX),
            blobs: totals.blobs,
            condemned: totals.condemned,
            now: self.clock.now(),
        })
    }

    fn committed(&self) -> Option<MetadataStats> {
        None
    }

    /// Not `Exclusive`: other backends of this process may share the file.
    fn coherence(&self) -> Coherence {
        Coherence::Probe
    }

    async fn close(&self) -> Result<()> {
        self.store.close();
        Ok(())
    }
}

impl fmt::Display for RedbMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.store.name)
    }
}

impl fmt::Debug for RedbMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedbMetadata({self})")
    }
}
