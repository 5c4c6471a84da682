//! Moving what is in one store to another, whatever their backends: page by page, in any number of attempts.

use super::staging::Payload;
use super::{Engine, payload, together};
use crate::{
    BlobId, BlobQuery, Body, Change, Condition, EntryKey, Fields, Filter, Location, ObjectTag, OnUnmet, Outcome, Query,
    Record,
};
use cacheness_core::{Error, ErrorKind, Result};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// How many records are looked at together.
const PAGE: usize = 256;

/// How many blobs are on their way at once.
const AT_ONCE: usize = 8;

/// How entries are moved to another store.
#[derive(Clone, Default)]
#[must_use = "options do nothing by themselves"]
pub struct MigrateOptions {
    progress: Option<Arc<Progress>>,
}

type Progress = dyn Fn(&Migrated) + Send + Sync;

impl MigrateOptions {
    /// Everything, without telling anybody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells how far it is, after every 256 entries at the latest.
    pub fn on_progress(mut self, progress: impl Fn(&Migrated) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }
}

impl fmt::Debug for MigrateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MigrateOptions").field("tells", &self.progress.is_some()).finish()
    }
}

/// What a migration has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Migrated {
    /// Entries that the source had when it began, those too that are not meant.
    pub total: u64,
    /// Entries that were looked at.
    pub examined: u64,
    /// Entries that were copied.
    pub copied: u64,
    /// Stored bytes of the copied entries.
    pub bytes: u64,
    /// Entries that an earlier attempt had copied.
    pub present: u64,
    /// Entries that stay at the destination as they are, because they were changed there since.
    pub kept: u64,
    /// Entries that were removed or replaced at the source meanwhile.
    pub overtaken: u64,
    /// Entries that were left, because they are damaged: their value cannot be returned at the source either.
    pub damaged: u64,
}

/// Which records move, and what is changed in them on the way.
pub struct Migration {
    /// Which records.
    pub filter: Filter,
    /// What a record becomes at the destination.
    pub adapt: Box<dyn Fn(&mut Record) + Send + Sync>,
    /// The rest.
    pub options: MigrateOptions,
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration").field("filter", &self.filter).finish_non_exhaustive()
    }
}

impl Migration {
    /// Moves everything as it is.
    pub fn new(options: MigrateOptions) -> Self {
        Self { filter: Filter::All, adapt: Box::new(|_| {}), options }
    }
}

/// A record on its way.
struct Move {
    record: Record,
    condition: Condition,
    /// Whether other records of the source name its blob.
    is_shared: bool,
}

/// What became of the bytes of a record.
enum Carried {
    /// They are at the destination, which the change makes known.
    There(Change),
    Overtaken,
    Damaged,
}

impl Engine {
    /// Copies records with their bytes to another store, each verified. What an earlier attempt copied is passed over; what
    /// was changed at the destination later than here stays. System records are not moved.
    ///
    /// Both engines have to be driven where this is polled, as [`beside`](Self::beside) has it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when both are the same store, [`ErrorKind::Closed`], [`ErrorKind::ReadOnly`], and what the
    /// backends of either return. What was copied before stays: another attempt goes on from there.
    pub async fn migrate_to(&self, to: &Engine, migration: &Migration) -> Result<Migrated> {
        self.check_open()?;
        to.check_writable()?;
        if self.store == to.store {
            let message = format!("{} and {} belong to the same store", self.metadata, to.metadata);
            return Err(Error::new(ErrorKind::Config, message).advice("name another place as the destination"));
        }
        let mut migrated = Migrated { total: self.metadata.stats().await?.entries, ..Migrated::default() };
        let mut query = Query::new().filter(migration.filter.clone()).limit(PAGE).fields(Fields::ALL);
        loop {
            let page = self.metadata.page(&query, query.after.clone()).await?;
            migrated.examined += (page.records.len() + page.unreadable.len()) as u64;
            migrated.damaged += page.unreadable.len() as u64;
            let moves = self.moves(to, page.records, &mut migrated).await?;
            self.carry_all(to, moves, migration, &mut migrated).await?;
            if let Some(progress) = &migration.options.progress {
                progress(&migrated);
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(migrated),
            }
        }
    }

    /// Those of some records that the destination lacks, or has in an earlier version.
    async fn moves(&self, to: &Engine, records: Vec<Record>, migrated: &mut Migrated) -> Result<Vec<Move>> {
        let keys: Vec<EntryKey> = records.iter().map(|record| record.key.clone()).collect();
        let there = to.metadata.get(&keys, Fields::LEAST).await?;
        let mut moves = Vec::new();
        for (record, there) in records.into_iter().zip(there) {
            let condition = match there {
                None => Condition::Absent,
                Some(there) if there.version == record.version => {
                    migrated.present += 1;
                    continue;
                }
                Some(there) if there.updated_at >= record.updated_at => {
                    migrated.kept += 1;
                    continue;
                }
                Some(there) => Condition::Version(there.version),
            };
            moves.push(Move { record, condition, is_shared: false });
        }
        let blobs: Vec<BlobId> = moves.iter().filter_map(|one| one.record.blob()).collect();
        if !blobs.is_empty() {
            let known = self.metadata.blobs(&BlobQuery::Named(blobs)).await?;
            let shared: HashSet<_> = known.iter().filter(|blob| blob.references > 1).map(|blob| blob.id).collect();
            moves.iter_mut().for_each(|one| one.is_shared = one.record.blob().is_some_and(|id| shared.contains(&id)));
        }
        Ok(moves)
    }

    async fn carry_all(
        &self,
        to: &Engine,
        moves: Vec<Move>,
        migration: &Migration,
        migrated: &mut Migrated,
    ) -> Result<()> {
        let (shared, own): (Vec<_>, Vec<_>) = moves.into_iter().partition(|one| one.is_shared);
        let mut changes = Vec::with_capacity(own.len());
        let mut own = own.into_iter().peekable();
        while own.peek().is_some() {
            let carrying = own.by_ref().take(AT_ONCE).map(|one| self.carry(to, one, migration)).collect();
            for carried in together::all(carrying).await {
                match carried {
                    Ok(carried) => changes.extend(migrated.note(carried)),
                    Err(error) => {
                        to.discard_all(&changes).await;
                        return Err(error);
                    }
                }
            }
        }
        to.settle(changes, migrated).await?;
        for one in shared {
            // One after the other: the second record of a blob finds what the first one brought.
            let change = match to.share_moved(&one, migration).await? {
                Some(changes) => changes,
                None => migrated.note(self.carry(to, one, migration).await?).into_iter().collect(),
            };
            to.settle(change, migrated).await?;
        }
        Ok(())
    }

    /// Brings the bytes of a record to the destination.
    async fn carry(&self, to: &Engine, one: Move, migration: &Migration) -> Result<Carried> {
        let Move { mut record, condition, .. } = one;
        if record.blob().is_some() {
            let Some(stored) = self.stored(&record, true).await? else {
                let again = self.record(&record.key, Fields::LEAST).await?;
                let is_same = again.is_some_and(|again| again.version == record.version);
                return Ok(if is_same { Carried::Damaged } else { Carried::Overtaken });
            };
            let content = record.content.clone();
            let verified = to.driver.compute(move || payload::verify(&content, stored)).await;
            let payload = match verified {
                Ok(stored) => match stored.0 {
                    Body::Bytes(bytes) => Payload::Memory(bytes),
                    Body::File { file, .. } => Payload::File(file),
                },
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(Carried::Damaged),
                Err(error) => return Err(error),
            };
            let blob = to.mint_blob()?;
            record.content.object = None;
            to.put_blob(blob, payload, &mut record).await?;
            record.location = Location::Blob(blob);
        }
        (migration.adapt)(&mut record);
        Ok(Carried::There(Change::Put { record: Box::new(record), condition }))
    }

    /// The changes that name a blob that is here already and holds the same bytes.
    async fn share_moved(&self, one: &Move, migration: &Migration) -> Result<Option<Vec<Change>>> {
        let Some(found) = self.blob_of(&one.record.content).await? else { return Ok(None) };
        let blob = found.id;
        let mut record = Record { location: Location::Blob(blob), ..one.record.clone() };
        record.content.object = ObjectTag::of(&found);
        (migration.adapt)(&mut record);
        let put = Change::Put { record: Box::new(record), condition: one.condition.clone() };
        Ok(Some(vec![Change::Require { blob }, put]))
    }

    /// Commits what was brought here.
    async fn settle(&self, changes: Vec<Change>, migrated: &mut Migrated) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let shares = matches!(changes.first(), Some(Change::Require { .. }));
        let on_unmet = if shares { OnUnmet::Abort } else { OnUnmet::Skip };
        let sizes: Vec<_> = changes.iter().map(|change| (stored_size(change), blob_of(change))).collect();
        let outcomes = match self.metadata.commit(changes, on_unmet).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                for blob in sizes.iter().filter_map(|(_, blob)| *blob).filter(|_| !shares) {
                    self.disown(blob).await;
                }
                return Err(error);
            }
        };
        for (outcome, (size, blob)) in outcomes.into_iter().zip(sizes) {
            let Some(size) = size else { continue };
            if let Outcome::Applied { condemned, .. } = outcome {
                migrated.copied += 1;
                migrated.bytes += size;
                self.delete_replaced(&condemned).await;
            } else {
                // Somebody put something here meanwhile, or took away what was to be shared: another attempt sees to it.
                migrated.kept += 1;
                if let Some(blob) = blob.filter(|_| !shares) {
                    self.discard(blob).await;
                }
            }
        }
        Ok(())
    }

    /// Deletes the blobs of changes that are not going to be committed.
    async fn discard_all(&self, changes: &[Change]) {
        for blob in changes.iter().filter_map(blob_of) {
            self.discard(blob).await;
        }
    }
}

impl Migrated {
    fn note(&mut self, carried: Carried) -> Option<Change> {
        match carried {
            Carried::There(change) => return Some(change),
            Carried::Overtaken => self.overtaken += 1,
            Carried::Damaged => self.damaged += 1,
        }
        None
    }
}

fn blob_of(change: &Change) -> Option<BlobId> {
    if let Change::Put { record, .. } = change { record.blob() } else { None }
}

/// `None` for what is no record.
fn stored_size(change: &Change) -> Option<u64> {
    if let Change::Put { record, .. } = change { Some(record.content.stored_size) } else { None }
}
