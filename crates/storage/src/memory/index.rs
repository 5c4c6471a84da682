//! The records and the counts of blobs, changed step by step with a journal that can take every step back.

use crate::{BlobId, BlobQuery, BlobRecord, Change, Condition, EntryKey, Outcome, Record, Version};
use cacheness_core::Timestamp;
use std::collections::BTreeMap;

/// All that a store knows. The totals follow every step, so they are never summed.
#[derive(Default)]
pub(super) struct Index {
    records: BTreeMap<EntryKey, Box<Record>>,
    blobs: BTreeMap<BlobId, BlobRecord>,
    totals: Totals,
    journal: Vec<Step>,
}

/// A step to take back: what was there before it.
enum Step {
    Record(EntryKey, Option<Box<Record>>),
    Blob(BlobId, Option<BlobRecord>),
}

#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) entries: u64,
    pub(super) bytes: u128,
    pub(super) blobs: u64,
    pub(super) condemned: u64,
}

impl Index {
    pub(super) fn records(&self) -> &BTreeMap<EntryKey, Box<Record>> {
        &self.records
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// What is known of blobs.
    pub(super) fn blobs(&self, query: &BlobQuery) -> Vec<BlobRecord> {
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

    /// Applies one change, if its condition is met.
    pub(super) fn apply(&mut self, change: Change, now: Timestamp) -> Outcome {
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
    pub(super) fn keep(&mut self) {
        self.journal.clear();
    }

    /// Takes all steps back since the last [`keep`](Self::keep).
    pub(super) fn take_back(&mut self) {
        for step in std::mem::take(&mut self.journal).into_iter().rev() {
            match step {
                Step::Record(key, before) => self.set_record(key, before),
                Step::Blob(id, before) => self.set_blob(id, before),
            }
        }
        self.journal.clear();
    }

    fn put(&mut self, record: Box<Record>, condition: &Condition, now: Timestamp) -> Outcome {
        let current = self.records.get(&record.key).map(|record| &**record);
        let previous = version(current);
        if !condition.is_met(current, now) {
            return Outcome::Unmet { current: previous };
        }
        let replaced = current.and_then(Record::blob);
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

impl Totals {
    fn add_record(&mut self, record: Option<&Record>) {
        let (entries, bytes) = weight(record);
        self.entries += entries;
        self.bytes += bytes;
    }

    fn subtract_record(&mut self, record: Option<&Record>) {
        let (entries, bytes) = weight(record);
        self.entries -= entries;
        self.bytes -= bytes;
    }

    fn add_blob(&mut self, blob: Option<&BlobRecord>) {
        match blob {
            Some(blob) if blob.references > 0 => {
                self.blobs += 1;
                self.bytes += u128::from(blob.size);
            }
            Some(_) => self.condemned += 1,
            None => {}
        }
    }

    fn subtract_blob(&mut self, blob: Option<&BlobRecord>) {
        match blob {
            Some(blob) if blob.references > 0 => {
                self.blobs -= 1;
                self.bytes -= u128::from(blob.size);
            }
            Some(_) => self.condemned -= 1,
            None => {}
        }
    }
}

/// How many entries and bytes a record stands for, without its blob.
fn weight(record: Option<&Record>) -> (u64, u128) {
    match record {
        Some(record) if !record.key.is_system() => match record.blob() {
            Some(_) => (1, 0),
            None => (1, record.content.stored_size.into()),
        },
        _ => (0, 0),
    }
}

fn version(record: Option<&Record>) -> Option<Version> {
    record.map(|record| record.version)
}

fn applied_to_blob() -> Outcome {
    Outcome::Applied { previous: None, condemned: Vec::new() }
}
