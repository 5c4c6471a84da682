//! The records and the counts of blobs, changed step by step with a journal that can take every step back.

use super::totals::Totals;
use crate::{
    BlobId, BlobQuery, BlobRecord, Change, Condition, EntryKey, Fields, MetadataStats, OnUnmet, Outcome, Record,
    Version,
};
use cacheness_core::Timestamp;
use std::collections::BTreeMap;

/// An index in memory with the whole meaning of the contract: what [`MemoryMetadata`](super::MemoryMetadata) stands on,
/// and any backend that keeps its records in memory and writes their changes down elsewhere.
///
/// Changes are steps that can be taken back until they are kept: a backend applies a commit, writes its [`Effect`]s
/// down, and calls [`keep`](Self::keep) when that succeeded, otherwise [`take_back`](Self::take_back). The same effects
/// in the same order, [`replay`](Self::replay)ed at the same times, make the same index.
///
/// ```
/// use cacheness_storage::memory::Index;
/// use cacheness_storage::{BlobId, Change, OnUnmet, Timestamp};
///
/// let now = Timestamp::from_micros(1);
/// let (mut index, mut copy) = (Index::default(), Index::default());
/// let condemn = Change::Condemn { blob: BlobId::from_bytes([1; 16]) };
/// index.commit(vec![condemn], OnUnmet::Abort, now, |effect| assert!(copy.replay(effect, now)));
/// assert_eq!(index.stats(now).condemned, 1);
/// assert_eq!(copy.stats(now), index.stats(now));
/// index.take_back();
/// assert_eq!(index.stats(now).condemned, 0);
/// ```
#[derive(Debug, Default)]
pub struct Index {
    records: BTreeMap<EntryKey, Box<Record>>,
    blobs: BTreeMap<BlobId, BlobRecord>,
    totals: Totals,
    journal: Vec<Step>,
}

/// A step to take back: what was there before it.
#[derive(Debug)]
enum Step {
    Record(EntryKey, Option<Box<Record>>),
    Blob(BlobId, Option<BlobRecord>),
}

/// What an applied change did to an index, whatever its condition was. What follows from it is no effect of its own: the
/// references that it adds and takes away, and the blobs that it condemns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect<'a> {
    /// This record is under its key.
    Put(&'a Record),
    /// No record is under this key.
    Remove(&'a EntryKey),
    /// The record under this key was used, last at this time and so many times.
    Use(&'a EntryKey, Timestamp, u64),
    /// This is known of a blob. How many records name it is counted, not told.
    Blob(&'a BlobRecord),
    /// Nothing is known of this blob.
    Forget(BlobId),
}

impl Index {
    /// All records, system records too, by key.
    pub fn records(&self) -> &BTreeMap<EntryKey, Box<Record>> {
        &self.records
    }

    /// All that is known of blobs, by name.
    pub fn all_blobs(&self) -> &BTreeMap<BlobId, BlobRecord> {
        &self.blobs
    }

    /// What is read of the record under a key.
    pub fn get(&self, key: &EntryKey, fields: Fields) -> Option<Record> {
        self.records.get(key).map(|record| projected(record, fields))
    }

    /// The totals, at the time `now`.
    pub fn stats(&self, now: Timestamp) -> MetadataStats {
        let Totals { entries, bytes, blobs, condemned } = self.totals;
        MetadataStats { entries, bytes: u64::try_from(bytes).unwrap_or(u64::MAX), blobs, condemned, now }
    }

    /// What is known of the blobs that a query means.
    pub fn blobs(&self, query: &BlobQuery) -> Vec<BlobRecord> {
        match query {
            BlobQuery::Named(ids) => ids.iter().filter_map(|id| self.blobs.get(id).cloned()).collect(),
            BlobQuery::Content(digest) => {
                let shared = |blob: &&BlobRecord| blob.references > 0 && blob.digest == Some(*digest);
                self.blobs.values().find(shared).cloned().into_iter().collect()
            }
            BlobQuery::Condemned { until, after, limit } => {
                let place = |blob: &BlobRecord| blob.condemned_at.map(|at| (at, blob.id));
                let mut condemned: Vec<_> = self
                    .blobs
                    .values()
                    .filter(|blob| place(blob).is_some_and(|place| place.0 <= *until && Some(place) > *after))
                    .cloned()
                    .collect();
                condemned.sort_by_key(place);
                condemned.truncate(*limit);
                condemned
            }
        }
    }

    /// Applies the changes of a commit at the time `now` and tells `applied` each effect, in their order. When the commit
    /// is aborted all steps are taken back, and what was told is void: [`is_changed`](Self::is_changed) says so.
    pub fn commit(
        &mut self,
        changes: Vec<Change>,
        on_unmet: OnUnmet,
        now: Timestamp,
        mut applied: impl FnMut(Effect<'_>),
    ) -> Vec<Outcome> {
        let count = changes.len();
        let mut outcomes = Vec::with_capacity(count);
        for change in changes {
            let outcome = self.apply(change, now, &mut applied);
            if on_unmet == OnUnmet::Abort && !outcome.is_applied() {
                self.take_back();
                outcomes.fill(Outcome::Aborted);
                outcomes.push(outcome);
                outcomes.resize(count, Outcome::Aborted);
                return outcomes;
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Applies one change, if its condition is met, and tells its effect.
    pub(super) fn apply(&mut self, change: Change, now: Timestamp, mut applied: impl FnMut(Effect<'_>)) -> Outcome {
        let (steps, key) = (self.journal.len(), change.key().cloned());
        let used = match &change {
            Change::Use { key, at, hits } => Some((key.clone(), *at, *hits)),
            _ => None,
        };
        let blob = match &change {
            Change::Condemn { blob } | Change::Forget { blob } => Some(*blob),
            _ => None,
        };
        let outcome = self.carry_out(change, now);
        if self.journal.len() > steps {
            if let Some((key, at, hits)) = &used {
                applied(Effect::Use(key, *at, *hits));
            } else if let Some(key) = &key {
                let record = self.records.get(key).map(|record| Effect::Put(record));
                applied(record.unwrap_or(Effect::Remove(key)));
            } else if let Some(id) = blob {
                applied(self.blobs.get(&id).map_or(Effect::Forget(id), Effect::Blob));
            }
        }
        outcome
    }

    /// Does once more what was done at the time `at`; says whether it could be done. Removing and using what is not there
    /// can.
    pub fn replay(&mut self, effect: Effect<'_>, at: Timestamp) -> bool {
        match effect {
            Effect::Put(record) => self.put(Box::new(record.clone()), &Condition::Always, at).is_applied(),
            Effect::Remove(key) => self.remove(key.clone(), &Condition::Always, at).is_applied(),
            Effect::Use(key, used_at, hits) => {
                self.note_use(key, used_at, hits);
                true
            }
            Effect::Blob(blob) => {
                let references = self.references(blob.id).unwrap_or(0);
                let possible = (references == 0) == blob.condemned_at.is_some();
                if possible {
                    self.set_blob(blob.id, Some(BlobRecord { references, ..blob.clone() }));
                }
                possible
            }
            Effect::Forget(id) => match self.references(id) {
                Some(0) => {
                    self.set_blob(id, None);
                    true
                }
                None => true,
                Some(_) => false,
            },
        }
    }

    /// Whether there are steps that are not kept.
    pub fn is_changed(&self) -> bool {
        !self.journal.is_empty()
    }

    fn carry_out(&mut self, change: Change, now: Timestamp) -> Outcome {
        match change {
            Change::Put { record, condition } => self.put(record, &condition, now),
            Change::Patch { key, patch, condition } => match self.records.get(&key) {
                Some(record) if condition.is_met(Some(record), now) => {
                    let mut patched = record.clone();
                    patch.apply(&mut patched);
                    let previous = Some(record.version);
                    self.set_record(key, Some(patched));
                    Outcome::Applied { previous, condemned: Vec::new() }
                }
                current => Outcome::Unmet { current: current.map(|record| record.version) },
            },
            Change::Remove { key, condition } => self.remove(key, &condition, now),
            Change::Use { key, at, hits } => self.note_use(&key, at, hits),
            Change::Condemn { blob } => match self.references(blob) {
                Some(0) => applied_to_blob(),
                Some(_) => Outcome::Unmet { current: None },
                None => {
                    self.set_blob(blob, Some(BlobRecord::condemned(blob, now)));
                    applied_to_blob()
                }
            },
            Change::Require { blob } => match self.references(blob) {
                None | Some(0) => Outcome::Condemned,
                Some(_) => applied_to_blob(),
            },
            Change::Forget { blob } => match self.references(blob) {
                Some(0) => {
                    self.set_blob(blob, None);
                    applied_to_blob()
                }
                None | Some(_) => Outcome::Unmet { current: None },
            },
        }
    }

    /// Makes all steps since the last call final.
    pub fn keep(&mut self) {
        self.journal.clear();
    }

    /// Takes all steps back since the last [`keep`](Self::keep).
    pub fn take_back(&mut self) {
        for step in std::mem::take(&mut self.journal).into_iter().rev() {
            match step {
                Step::Record(key, before) => self.set_record(key, before),
                Step::Blob(id, before) => self.set_blob(id, before),
            }
        }
        self.journal.clear();
    }

    fn note_use(&mut self, key: &EntryKey, at: Timestamp, hits: u64) -> Outcome {
        let Some(record) = self.records.get(key) else { return Outcome::Unmet { current: None } };
        let mut used = record.clone();
        used.usage.note(at, hits);
        let previous = Some(used.version);
        self.set_record(key.clone(), Some(used));
        Outcome::Applied { previous, condemned: Vec::new() }
    }

    fn put(&mut self, mut record: Box<Record>, condition: &Condition, now: Timestamp) -> Outcome {
        let current = self.records.get(&record.key).map(|record| &**record);
        let previous = version(current);
        if !condition.is_met(current, now) {
            return Outcome::Unmet { current: previous };
        }
        let replaced = current.and_then(Record::blob);
        if let Some(current) = current {
            record.usage = current.usage;
        }
        // The new reference comes first: putting a record again must not condemn the blob that it keeps.
        if let Some(id) = record.blob() {
            let named = match self.blobs.get(&id) {
                Some(blob) if blob.references == 0 => return Outcome::Condemned,
                Some(blob) => BlobRecord { references: blob.references + 1, ..blob.clone() },
                None => BlobRecord::named(id, record.content.digest, record.content.stored_size),
            };
            self.set_blob(id, Some(named));
        }
        self.set_record(record.key.clone(), Some(record));
        Outcome::Applied { previous, condemned: self.release(replaced, now) }
    }

    fn remove(&mut self, key: EntryKey, condition: &Condition, now: Timestamp) -> Outcome {
        let current = self.records.get(&key).map(|record| &**record);
        let previous = version(current);
        if !condition.is_met(current, now) {
            return Outcome::Unmet { current: previous };
        }
        if current.is_none() {
            return Outcome::Applied { previous, condemned: Vec::new() };
        }
        let removed = current.and_then(Record::blob);
        self.set_record(key, None);
        Outcome::Applied { previous, condemned: self.release(removed, now) }
    }

    /// Takes a reference away; names the blob when that was the last.
    fn release(&mut self, id: Option<BlobId>, now: Timestamp) -> Vec<BlobId> {
        let Some(blob) = id.and_then(|id| self.blobs.get(&id)).filter(|blob| blob.references > 0) else {
            return Vec::new();
        };
        let (id, references) = (blob.id, blob.references - 1);
        let condemned_at = (references == 0).then_some(now);
        self.set_blob(id, Some(BlobRecord { references, condemned_at, ..blob.clone() }));
        if references == 0 { vec![id] } else { Vec::new() }
    }

    /// How many records name a blob: none, when it is condemned.
    fn references(&self, id: BlobId) -> Option<u64> {
        self.blobs.get(&id).map(|blob| blob.references)
    }

    fn set_record(&mut self, key: EntryKey, record: Option<Box<Record>>) {
        self.totals.add_record(record.as_deref());
        let before = match record {
            Some(record) => self.records.insert(key.clone(), record),
            None => self.records.remove(&key),
        };
        self.totals.subtract_record(before.as_deref());
        self.journal.push(Step::Record(key, before));
    }

    fn set_blob(&mut self, id: BlobId, blob: Option<BlobRecord>) {
        self.totals.add_blob(blob.as_ref());
        let before = match blob {
            Some(blob) => self.blobs.insert(id, blob),
            None => self.blobs.remove(&id),
        };
        self.totals.subtract_blob(before.as_ref());
        self.journal.push(Step::Blob(id, before));
    }
}

pub(super) fn projected(record: &Record, fields: Fields) -> Record {
    let mut record = record.clone();
    fields.project(&mut record);
    record
}

fn version(record: Option<&Record>) -> Option<Version> {
    record.map(|record| record.version)
}

fn applied_to_blob() -> Outcome {
    Outcome::Applied { previous: None, condemned: Vec::new() }
}
