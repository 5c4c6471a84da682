//! What a transaction holds locked, and what the changes make of it: the meaning of the contract, as in the reference.

use super::inline_bytes;
use crate::rows::{self, column};
use crate::totals::Totals;
use cacheness_storage::{
    BlobId, BlobRecord, Change, Condition, EntryKey, Error, ErrorKind, Fields, Outcome, Patch, Record, Result,
    Timestamp, Usage, Version,
};
use std::collections::BTreeMap;
use tokio_postgres::Row;

/// Records and blobs, before and after changes.
pub(crate) struct Held {
    now: Timestamp,
    pub(super) records: BTreeMap<EntryKey, Slot>,
    pub(super) blobs: BTreeMap<BlobId, BlobSlot>,
}

/// What is under a key.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) before: Option<Before>,
    pub(super) now: Option<State>,
    /// Whether the record of before was removed, whatever came after.
    pub(super) removed: bool,
    /// What was told of its use, beyond what the index knows.
    pub(super) used: Usage,
}

/// A record as the index holds it.
pub(super) struct Before {
    version: Version,
    blob: Option<BlobId>,
    stored_size: i64,
    row: Row,
}

/// A record, and what is to be written of it.
pub(super) enum State {
    /// Nothing, and it was not read.
    Stored,
    /// Nothing.
    Read(Box<Record>),
    /// Everything but its value.
    Patched(Box<Record>),
    /// Everything.
    Put(Box<Record>),
}

/// What is known of a blob.
#[derive(Default)]
pub(super) struct BlobSlot {
    pub(super) before: Option<BlobRecord>,
    pub(super) now: Option<BlobRecord>,
}

/// The columns of a lock before those of the record.
const LEAN: usize = 4;

impl Held {
    /// Reads what was locked at the time `now`.
    pub(crate) fn new(now: Timestamp, records: Vec<Row>, blobs: &[Row]) -> Result<Self> {
        let mut held = Self { now, records: BTreeMap::new(), blobs: BTreeMap::new() };
        for row in records {
            let before = Before {
                version: rows::version(&row, 1)?,
                blob: rows::blob(&row, 2)?,
                stored_size: column(&row, 3)?,
                row,
            };
            let key = rows::key(&before.row, 0)?;
            held.records.insert(key, Slot { before: Some(before), now: Some(State::Stored), ..Slot::default() });
        }
        for row in blobs {
            let blob = crate::blobs::record(row)?;
            held.blobs.insert(blob.id, BlobSlot { before: Some(blob.clone()), now: Some(blob) });
        }
        Ok(held)
    }

    /// Applies one change, if its condition is met.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<Outcome> {
        match change {
            Change::Put { record, condition } => self.put(record, condition),
            Change::Patch { key, patch, condition } => self.patch(key, patch, condition),
            Change::Remove { key, condition } => self.remove(key, condition),
            Change::Use { key, at, hits } => Ok(self.note_use(key, *at, *hits)),
            Change::Condemn { blob } => Ok(self.condemn(*blob)),
            Change::Require { blob } => Ok(match self.references(*blob) {
                None | Some(0) => Outcome::Condemned,
                Some(_) => applied_to_blob(),
            }),
            Change::Forget { blob } => Ok(self.forget(*blob)),
            _ => {
                Err(Error::new(ErrorKind::Unsupported, "this version of the PostgreSQL index does not know the change"))
            }
        }
    }

    fn put(&mut self, record: &Record, condition: &Condition) -> Result<Outcome> {
        let slot = self.records.entry(record.key.clone()).or_default();
        let previous = slot.version();
        if !slot.meets(condition, self.now)? {
            return Ok(Outcome::Unmet { current: previous });
        }
        let replaced = slot.blob();
        // The new reference comes first: putting a record again must not condemn the blob that it keeps.
        if let Some(id) = record.blob() {
            let blob = self.blobs.entry(id).or_default();
            match &mut blob.now {
                Some(blob) if blob.references == 0 => return Ok(Outcome::Condemned),
                Some(blob) => blob.references += 1,
                None => blob.now = Some(BlobRecord::named(id, record.content.digest, record.content.stored_size)),
            }
        }
        if previous.is_none() {
            slot.used = record.usage;
        }
        slot.now = Some(State::Put(Box::new(record.clone())));
        Ok(Outcome::Applied { previous, condemned: self.release(replaced) })
    }

    fn patch(&mut self, key: &EntryKey, patch: &Patch, condition: &Condition) -> Result<Outcome> {
        let slot = self.records.entry(key.clone()).or_default();
        let previous = slot.version();
        if previous.is_none() || !slot.meets(condition, self.now)? {
            return Ok(Outcome::Unmet { current: previous });
        }
        slot.read()?;
        slot.now = match slot.now.take() {
            Some(State::Put(mut record)) => {
                patch.apply(&mut record);
                Some(State::Put(record))
            }
            Some(State::Read(mut record) | State::Patched(mut record)) => {
                patch.apply(&mut record);
                Some(State::Patched(record))
            }
            other => other,
        };
        Ok(Outcome::Applied { previous, condemned: Vec::new() })
    }

    fn remove(&mut self, key: &EntryKey, condition: &Condition) -> Result<Outcome> {
        let slot = self.records.entry(key.clone()).or_default();
        let previous = slot.version();
        if !slot.meets(condition, self.now)? {
            return Ok(Outcome::Unmet { current: previous });
        }
        let removed = slot.remove();
        Ok(Outcome::Applied { previous, condemned: self.release(removed) })
    }

    fn note_use(&mut self, key: &EntryKey, at: Timestamp, hits: u64) -> Outcome {
        let slot = self.records.entry(key.clone()).or_default();
        let previous = slot.version();
        if previous.is_none() {
            return Outcome::Unmet { current: None };
        }
        slot.used.note(at, hits);
        Outcome::Applied { previous, condemned: Vec::new() }
    }

    fn condemn(&mut self, id: BlobId) -> Outcome {
        match self.references(id) {
            Some(0) => applied_to_blob(),
            Some(_) => Outcome::Unmet { current: None },
            None => {
                self.blobs.entry(id).or_default().now = Some(BlobRecord::condemned(id, self.now));
                applied_to_blob()
            }
        }
    }

    fn forget(&mut self, id: BlobId) -> Outcome {
        match self.references(id) {
            Some(0) => {
                self.blobs.entry(id).or_default().now = None;
                applied_to_blob()
            }
            None | Some(_) => Outcome::Unmet { current: None },
        }
    }

    /// How many records name a blob: none, when it is condemned.
    fn references(&self, id: BlobId) -> Option<u64> {
        self.blobs.get(&id)?.now.as_ref().map(|blob| blob.references)
    }

    /// Removes a record whatever is in it, for a reclaim; names its blob when that is condemned by it.
    pub(crate) fn reclaim(&mut self, key: &EntryKey) -> Vec<BlobId> {
        let removed = self.records.get_mut(key).and_then(Slot::remove);
        self.release(removed)
    }

    /// The version of the record under a key.
    pub(crate) fn version(&self, key: &EntryKey) -> Option<Version> {
        self.records.get(key)?.version()
    }

    /// Takes a reference away; names the blob when that was the last.
    fn release(&mut self, id: Option<BlobId>) -> Vec<BlobId> {
        let blob = id.and_then(|id| self.blobs.get_mut(&id)).and_then(|blob| blob.now.as_mut());
        match blob.filter(|blob| blob.references > 0) {
            None => Vec::new(),
            Some(blob) => {
                blob.references -= 1;
                blob.condemned_at = (blob.references == 0).then_some(self.now);
                if blob.references == 0 { vec![blob.id] } else { Vec::new() }
            }
        }
    }

    /// What the changes make of the totals.
    pub(crate) fn difference(&self) -> Totals {
        let mut totals = Totals::default();
        for (key, slot) in self.records.iter().filter(|(key, _)| !key.is_system()) {
            debug_assert!(!key.is_system());
            totals.add(slot.weight());
            totals.subtract(slot.before.as_ref().map(Before::weight).unwrap_or_default());
        }
        for blob in self.blobs.values() {
            totals.add(weight(blob.now.as_ref()));
            totals.subtract(weight(blob.before.as_ref()));
        }
        totals
    }
}

impl Slot {
    fn version(&self) -> Option<Version> {
        Some(match self.now.as_ref()? {
            State::Stored => self.before.as_ref()?.version,
            State::Read(record) | State::Patched(record) | State::Put(record) => record.version,
        })
    }

    fn blob(&self) -> Option<BlobId> {
        match self.now.as_ref()? {
            State::Stored => self.before.as_ref()?.blob,
            State::Read(record) | State::Patched(record) | State::Put(record) => record.blob(),
        }
    }

    fn weight(&self) -> Totals {
        match &self.now {
            None => Totals::default(),
            Some(State::Put(record)) => Totals { entries: 1, bytes: inline_bytes(record), ..Totals::default() },
            Some(_) => self.before.as_ref().map(Before::weight).unwrap_or_default(),
        }
    }

    /// Reads the record, if that was not done yet.
    fn read(&mut self) -> Result<Option<&Record>> {
        if let (Some(State::Stored), Some(before)) = (&self.now, &self.before) {
            self.now = Some(State::Read(Box::new(rows::record(&before.row, LEAN, Fields::HEAD)?)));
        }
        Ok(match &self.now {
            Some(State::Read(record) | State::Patched(record) | State::Put(record)) => Some(record),
            Some(State::Stored) | None => None,
        })
    }

    fn meets(&mut self, condition: &Condition, now: Timestamp) -> Result<bool> {
        Ok(match condition {
            Condition::Always => true,
            Condition::Absent => self.now.is_none(),
            Condition::Version(version) => self.version() == Some(*version),
            other => other.is_met(self.read()?, now),
        })
    }

    /// Removes the record; tells the blob that it named.
    fn remove(&mut self) -> Option<BlobId> {
        let blob = self.blob();
        self.removed |= self.now.is_some();
        self.now = None;
        self.used = Usage::default();
        blob
    }
}

impl Before {
    fn weight(&self) -> Totals {
        let bytes = if self.blob.is_none() { self.stored_size } else { 0 };
        Totals { entries: 1, bytes, ..Totals::default() }
    }
}

fn weight(blob: Option<&BlobRecord>) -> Totals {
    match blob {
        Some(blob) if blob.references > 0 => {
            Totals { blobs: 1, bytes: i64::try_from(blob.size).unwrap_or(i64::MAX), ..Totals::default() }
        }
        Some(_) => Totals { condemned: 1, ..Totals::default() },
        None => Totals::default(),
    }
}

fn applied_to_blob() -> Outcome {
    Outcome::Applied { previous: None, condemned: Vec::new() }
}
