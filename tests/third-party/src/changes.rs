//! Commits: changes applied one after the other inside a write transaction.

use crate::failure::{Result, unknown};
use crate::records;
use crate::references::References;
use crate::schema::{PAYLOADS, RECORDS, Row, TOTALS, USES};
use cacheness_storage::{
    BlobId, BlobRecord, Change, Condition, Content, EntryKey, Error, ErrorKind, Location, Outcome, Patch, Reclaim,
    Record, Timestamp, Usage, Version,
};
use redb::{ReadableTable, Table, WriteTransaction};

/// The index inside a write transaction.
pub(crate) struct Changes<'t> {
    rows: Table<'t, &'static str, Row<'static>>,
    payloads: Table<'t, &'static str, &'static [u8]>,
    uses: Table<'t, &'static str, (Option<i64>, u64)>,
    references: References<'t>,
    kept: Table<'t, (), (u64, u128, u64, u64)>,
    totals: Totals,
    now: Timestamp,
}

/// What the index adds up. Bytes have room for more than any one size.
#[derive(Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) entries: u64,
    pub(crate) bytes: u128,
    pub(crate) blobs: u64,
    pub(crate) condemned: u64,
}

/// What a change must know of a record that is there, or will be.
#[derive(Clone, Copy)]
struct Stub {
    version: Version,
    blob: Option<BlobId>,
    size: u64,
}

impl<'t> Changes<'t> {
    pub(crate) fn begin(transaction: &'t WriteTransaction, now: Timestamp) -> Result<Self> {
        let kept = transaction.open_table(TOTALS)?;
        Ok(Self {
            rows: transaction.open_table(RECORDS)?,
            payloads: transaction.open_table(PAYLOADS)?,
            uses: transaction.open_table(USES)?,
            references: References::of(transaction)?,
            totals: Totals::read(&kept)?,
            kept,
            now,
        })
    }

    /// Writes the totals, last of all.
    pub(crate) fn finish(mut self) -> Result<()> {
        let Totals { entries, bytes, blobs, condemned } = self.totals;
        self.kept.insert((), (entries, bytes, blobs, condemned))?;
        Ok(())
    }

    /// Whether a reclaim has given enough back.
    pub(crate) fn is_enough(&self, plan: &Reclaim) -> bool {
        plan.is_enough(u64::try_from(self.totals.bytes).unwrap_or(u64::MAX), self.totals.entries)
    }

    /// Applies a change if its condition is met; otherwise nothing changes.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<Outcome> {
        match change {
            Change::Put { record, condition } => self.put(record, condition),
            Change::Patch { key, patch, condition } => self.patch(key, patch, condition),
            Change::Remove { key, condition } => self.remove(key, condition),
            Change::Use { key, at, hits } => self.note_use(key, *at, *hits),
            Change::Condemn { blob } => match self.references.get(*blob)? {
                Some(known) if known.references > 0 => Ok(Outcome::Unmet { current: None }),
                Some(_) => Ok(applied_to_blob()),
                None => {
                    self.set_blob(*blob, Some(&BlobRecord::condemned(*blob, self.now)))?;
                    Ok(applied_to_blob())
                }
            },
            Change::Require { blob } => match self.references.get(*blob)? {
                Some(known) if known.references > 0 => Ok(applied_to_blob()),
                _ => Ok(Outcome::Condemned),
            },
            Change::Forget { blob } => match self.references.get(*blob)? {
                Some(known) if known.references == 0 => {
                    self.set_blob(*blob, None)?;
                    Ok(applied_to_blob())
                }
                _ => Ok(Outcome::Unmet { current: None }),
            },
            _ => Err(unknown("the change").into()),
        }
    }

    fn put(&mut self, record: &Record, condition: &Condition) -> Result<Outcome> {
        let (before, is_met) = self.examine(&record.key, condition)?;
        let previous = before.map(|stub| stub.version);
        if !is_met {
            return Ok(Outcome::Unmet { current: previous });
        }
        // The new reference comes first: putting a record again must not condemn the blob that it keeps.
        if let Some(id) = record.blob()
            && !self.refer(id, &record.content)?
        {
            return Ok(Outcome::Condemned);
        }
        let key = record.key.as_str();
        match &record.location {
            Location::Inline(payload) => drop(self.payloads.insert(key, &**payload)?),
            Location::Blob(_) => drop(self.payloads.remove(key)?),
            Location::Omitted => {
                return Err(Error::new(ErrorKind::Internal, "a record cannot be put without its payload").into());
            }
        }
        records::write(&mut self.rows, record)?;
        if before.is_none() {
            records::write_usage(&mut self.uses, &record.key, record.usage)?;
        }
        let after = Stub { version: record.version, blob: record.blob(), size: record.content.stored_size };
        self.totals.replace(&record.key, before, Some(after));
        Ok(Outcome::Applied { previous, condemned: self.release(before)? })
    }

    fn patch(&mut self, key: &EntryKey, patch: &Patch, condition: &Condition) -> Result<Outcome> {
        let (before, is_met) = self.examine(key, condition)?;
        let previous = before.map(|stub| stub.version);
        let row = self.rows.get(key.as_str())?;
        let (Some(row), true) = (row, is_met) else {
            return Ok(Outcome::Unmet { current: previous });
        };
        let mut record = records::head(key, &row.value(), true).map_err(|error| error.key(key))?;
        drop(row);
        patch.apply(&mut record);
        records::write(&mut self.rows, &record)?;
        Ok(Outcome::Applied { previous, condemned: Vec::new() })
    }

    fn note_use(&mut self, key: &EntryKey, at: Timestamp, hits: u64) -> Result<Outcome> {
        let (Some(used), _) = self.examine(key, &Condition::Always)? else {
            return Ok(Outcome::Unmet { current: None });
        };
        let mut usage = records::usage(&self.uses, key)?;
        usage.note(at, hits);
        records::write_usage(&mut self.uses, key, usage)?;
        Ok(Outcome::Applied { previous: Some(used.version), condemned: Vec::new() })
    }

    /// Removes a record.
    pub(crate) fn remove(&mut self, key: &EntryKey, condition: &Condition) -> Result<Outcome> {
        let (before, is_met) = self.examine(key, condition)?;
        let previous = before.map(|stub| stub.version);
        if !is_met {
            return Ok(Outcome::Unmet { current: previous });
        }
        self.rows.remove(key.as_str())?;
        self.payloads.remove(key.as_str())?;
        records::write_usage(&mut self.uses, key, Usage::default())?;
        self.totals.replace(key, before, None);
        Ok(Outcome::Applied { previous, condemned: self.release(before)? })
    }

    /// What is under a key, and whether it meets a condition. Only a filter reads more than the stub, so a damaged
    /// record can be replaced and removed.
    fn examine(&self, key: &EntryKey, condition: &Condition) -> Result<(Option<Stub>, bool)> {
        let Some(row) = self.rows.get(key.as_str())? else {
            return Ok((None, condition.is_met(None, self.now)));
        };
        let row = row.value();
        let (version, _, blob, size, ..) = row;
        let stub = Stub { version: Version::from_bytes(*version), blob: blob.map(|id| BlobId::from_bytes(*id)), size };
        let is_met = match condition {
            Condition::Always => true,
            Condition::Absent => false,
            Condition::Version(version) => stub.version == *version,
            filtered => {
                let record = records::head(key, &row, true).map_err(|error| error.key(key))?;
                filtered.is_met(Some(&record), self.now)
            }
        };
        Ok((Some(stub), is_met))
    }

    /// Adds a reference to a blob; false when it is condemned.
    fn refer(&mut self, id: BlobId, content: &Content) -> Result<bool> {
        let blob = match self.references.get(id)? {
            Some(blob) if blob.references == 0 => return Ok(false),
            Some(mut blob) => {
                blob.references += 1;
                blob
            }
            None => BlobRecord::named(id, content.digest, content.stored_size),
        };
        self.set_blob(id, Some(&blob))?;
        Ok(true)
    }

    /// Takes away the reference of a record that is gone; names its blob when that was the last.
    fn release(&mut self, gone: Option<Stub>) -> Result<Vec<BlobId>> {
        let Some(id) = gone.and_then(|stub| stub.blob) else { return Ok(Vec::new()) };
        let Some(mut blob) = self.references.get(id)?.filter(|blob| blob.references > 0) else {
            return Ok(Vec::new());
        };
        blob.references -= 1;
        blob.condemned_at = (blob.references == 0).then_some(self.now);
        self.set_blob(id, Some(&blob))?;
        Ok(if blob.references == 0 { vec![id] } else { Vec::new() })
    }

    fn set_blob(&mut self, id: BlobId, after: Option<&BlobRecord>) -> Result<()> {
        let before = self.references.set(id, after)?;
        self.totals.replace_blob(before.as_ref(), after);
        Ok(())
    }
}

impl Totals {
    pub(crate) fn read(table: &impl ReadableTable<(), (u64, u128, u64, u64)>) -> Result<Self> {
        let (entries, bytes, blobs, condemned) = table.get(())?.map(|row| row.value()).unwrap_or_default();
        Ok(Self { entries, bytes, blobs, condemned })
    }

    fn replace(&mut self, key: &EntryKey, before: Option<Stub>, after: Option<Stub>) {
        if key.is_system() {
            return;
        }
        let inside = |stub: Stub| if stub.blob.is_none() { u128::from(stub.size) } else { 0 };
        step(&mut self.entries, before.is_some(), after.is_some());
        self.bytes = (self.bytes + after.map_or(0, inside)).saturating_sub(before.map_or(0, inside));
    }

    fn replace_blob(&mut self, before: Option<&BlobRecord>, after: Option<&BlobRecord>) {
        let is_named = |blob: Option<&BlobRecord>| blob.is_some_and(|blob| blob.references > 0);
        let is_condemned = |blob: Option<&BlobRecord>| blob.is_some_and(|blob| blob.references == 0);
        let bytes =
            |blob: Option<&BlobRecord>| blob.filter(|blob| blob.references > 0).map_or(0, |blob| u128::from(blob.size));
        step(&mut self.blobs, is_named(before), is_named(after));
        step(&mut self.condemned, is_condemned(before), is_condemned(after));
        self.bytes = (self.bytes + bytes(after)).saturating_sub(bytes(before));
    }
}

/// Counts one more or one less.
fn step(count: &mut u64, before: bool, after: bool) {
    *count = (*count + u64::from(after)).saturating_sub(u64::from(before));
}

fn applied_to_blob() -> Outcome {
    Outcome::Applied { previous: None, condemned: Vec::new() }
}
