//! Applying changes inside a transaction: conditions, records, references to blobs, totals.

use crate::failure::{corrupt, failure};
use crate::group::Batch;
use crate::known::{Known, SystemKeys};
use crate::rows::{self, select};
use crate::statement::run;
use crate::totals::{Added, Difference, Totals};
use crate::usage;
use cacheness_storage::{
    BlobId, Change, Condition, Digest, EntryKey, Error, ErrorKind, Fields, Location, OnUnmet, Outcome, Patch, Record,
    Result, Timestamp, Usage, Version,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A transaction that changes the index.
pub(crate) struct Changes<'c> {
    connection: &'c Connection,
    /// The time of the batch.
    pub(crate) now: Timestamp,
    /// What the index held before.
    known: Known,
    difference: Difference,
    added: Option<Added>,
}

/// The record under a key before a change, as far as the change needs it.
struct Previous {
    id: i64,
    version: Version,
    created_at: Timestamp,
    blob: Option<BlobId>,
    stored_size: i64,
    /// The record without its payload, when a filter or a patch needs it.
    record: Option<Record>,
}

impl<'c> Changes<'c> {
    /// Changes in a transaction that has begun, of which this much is known.
    pub(crate) fn new(connection: &'c Connection, now: Timestamp, known: Option<&Known>) -> Result<Self> {
        let known = known.map_or_else(|| Known::read(connection), |known| Ok(known.clone()))?;
        Ok(Self { connection, now, known, difference: Difference::default(), added: None })
    }

    /// Applies the changes of a batch. After an error, and when the batch [is aborted](Batch::is_aborted), the caller
    /// takes back what was written.
    pub(crate) fn apply_all(&mut self, batch: &Batch) -> Result<Vec<Outcome>> {
        let mut outcomes = vec![Outcome::Aborted; batch.changes.len()];
        let sorted = batch.sorted();
        let order: &mut dyn Iterator<Item = (usize, &Change)> = match sorted {
            Some(sorted) => &mut sorted.into_iter(),
            None => &mut batch.changes.iter().enumerate(),
        };
        for (place, change) in order {
            let outcome = self.apply(change)?;
            let is_over = batch.on_unmet == OnUnmet::Abort && !outcome.is_applied();
            if is_over {
                outcomes.fill(Outcome::Aborted);
            }
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = outcome;
            }
            if is_over {
                break;
            }
        }
        Ok(outcomes)
    }

    /// Writes what the changes add up to, and returns what is known then. The transaction ends with it.
    pub(crate) fn finish(self) -> Result<Known> {
        let kept = self.known.kept.changed(self.connection, &self.difference, self.added)?;
        Ok(Known { kept, ..self.known })
    }

    /// Takes back what was noted since `before`, as the transaction takes back what was written.
    pub(crate) fn restore(&mut self, before: Difference) {
        self.difference = before;
        self.known.system = SystemKeys::Unknown;
    }

    /// What the changes make of the totals so far.
    pub(crate) fn difference(&self) -> Difference {
        self.difference
    }

    fn apply(&mut self, change: &Change) -> Result<Outcome> {
        match change {
            Change::Put { record, condition } => self.put(record, condition),
            Change::Patch { key, patch, condition } => self.patch(key, patch, condition),
            Change::Remove { key, condition } => self.remove(key, condition),
            Change::Use { key, at, hits } => self.note_use(key, *at, *hits),
            Change::Condemn { blob } => self.condemn(blob),
            Change::Require { blob } => self.require(blob),
            Change::Forget { blob } => self.forget(blob),
            _ => Err(Error::new(ErrorKind::Unsupported, "this version of the SQLite index does not know the change")),
        }
    }

    fn put(&mut self, record: &Record, condition: &Condition) -> Result<Outcome> {
        let stored_size = rows::stored_size(record)?;
        let is_inline = matches!(record.location, Location::Inline(_));
        let may_be_new = matches!(condition, Condition::Always | Condition::Absent);
        // The look at the record before costs as much as putting it, and where it is not there nothing else is written.
        if is_inline && may_be_new && self.known.trend.expects_new() && self.insert(record, stored_size)? {
            return Ok(Outcome::Applied { previous: None, condemned: Vec::new() });
        }
        let previous = self.previous(&record.key, needed_by(condition))?;
        self.known.trend.note(previous.is_none());
        if !is_met(condition, previous.as_ref(), self.now) {
            return Ok(Outcome::Unmet { current: previous.map(|previous| previous.version) });
        }
        // The new reference comes first: putting a record again must not condemn the blob that it keeps.
        if let Location::Blob(id) = &record.location
            && !self.add_reference(id, &record.content.digest, stored_size)?
        {
            return Ok(Outcome::Condemned);
        }
        match &previous {
            Some(previous) => {
                let mut statement = self.connection.prepare_cached(rows::UPDATE).map_err(failure)?;
                rows::write(&mut statement, &previous.id, record)?;
                if record.created_at < previous.created_at {
                    usage::predate(self.connection, previous.id, record.created_at)?;
                }
                self.count(&record.key, previous.id, -1, previous.blob, previous.stored_size);
                self.count(&record.key, previous.id, 1, record.blob(), stored_size);
            }
            None => {
                if !self.insert(record, stored_size)? {
                    return Err(corrupt("a key is in the index and is not found there").key(&record.key));
                }
            }
        }
        self.applied(previous)
    }

    /// Adds a record; `false` when there is one of its key.
    fn insert(&mut self, record: &Record, stored_size: i64) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(rows::INSERT).map_err(failure)?;
        if !rows::write(&mut statement, &record.key.as_str(), record)? {
            return Ok(false);
        }
        let id = self.connection.last_insert_rowid();
        let first = self.added.map_or(id, |added| added.first.min(id));
        self.added = Some(Added { first, last: id });
        self.count(&record.key, id, 1, record.blob(), stored_size);
        if record.key.is_system() {
            self.known.system.add(&record.key);
        }
        if record.usage != Usage::default() {
            usage::write(self.connection, id, record.created_at, record.usage)?;
        }
        Ok(true)
    }

    fn patch(&mut self, key: &EntryKey, patch: &Patch, condition: &Condition) -> Result<Outcome> {
        let needed = needed_by(condition).unwrap_or(Fields::LEAST);
        let Some(mut previous) = self.previous(key, Some(needed))? else {
            return Ok(Outcome::Unmet { current: None });
        };
        if !is_met(condition, Some(&previous), self.now) {
            return Ok(Outcome::Unmet { current: Some(previous.version) });
        }
        let Some(mut record) = previous.record.take() else { return Err(corrupt("a record cannot be read")) };
        patch.apply(&mut record);
        let fields = params![
            previous.id,
            record.version.as_bytes(),
            record.updated_at.as_micros(),
            record.expires_at.map(Timestamp::as_micros),
            record.drop_at.map(Timestamp::as_micros),
            record.signature.as_deref(),
        ];
        let update = "UPDATE records SET version = ?2, updated_at = ?3, expires_at = ?4, drop_at = ?5, signature = ?6 \
            WHERE id = ?1";
        run(self.connection, update, fields)?;
        if patch.annotations.is_some() {
            let (metadata, tags) = rows::annotations_as_json(&record.annotations).map_err(|error| error.key(key))?;
            let fields = params![previous.id, metadata, tags, record.annotations.description];
            let update = "UPDATE records SET metadata = ?2, tags = ?3, description = ?4 WHERE id = ?1";
            run(self.connection, update, fields)?;
        }
        Ok(Outcome::Applied { previous: Some(previous.version), condemned: Vec::new() })
    }

    fn remove(&mut self, key: &EntryKey, condition: &Condition) -> Result<Outcome> {
        let previous = match key.is_system() && self.known.system.lack(key, self.connection)? {
            true => None,
            false => self.previous(key, needed_by(condition))?,
        };
        if !is_met(condition, previous.as_ref(), self.now) {
            return Ok(Outcome::Unmet { current: previous.map(|previous| previous.version) });
        }
        if let Some(previous) = &previous {
            self.delete(previous.id, key, previous.blob, previous.stored_size)?;
        }
        self.applied(previous)
    }

    fn note_use(&self, key: &EntryKey, at: Timestamp, hits: u64) -> Result<Outcome> {
        let select = "SELECT id, version, created_at, (SELECT accessed_at FROM usage WHERE usage.id = records.id), \
            (SELECT hits FROM usage WHERE usage.id = records.id) FROM records WHERE key = ?1";
        let mut statement = self.connection.prepare_cached(select).map_err(failure)?;
        let mut found = statement.query([key.as_str()]).map_err(failure)?;
        let Some(row) = found.next().map_err(failure)? else { return Ok(Outcome::Unmet { current: None }) };
        let column = |column| row.get_ref(column).map_err(failure);
        let (id, version, created_at) = (integer(row, 0)?, rows::version(row, 1)?, integer(row, 2)?);
        let mut used = rows::usage(column(3)?, column(4)?)?;
        used.note(at, hits);
        usage::write(self.connection, id, Timestamp::from_micros(created_at), used)?;
        Ok(Outcome::Applied { previous: Some(version), condemned: Vec::new() })
    }

    /// Removes the record in a row, if it still has this version, and names its blob when that is condemned now.
    pub(crate) fn delete_version(
        &mut self,
        id: i64,
        version: &Version,
        condemned: &mut Vec<BlobId>,
    ) -> Result<Option<EntryKey>> {
        let select = "SELECT key, stored_size, blob FROM records WHERE id = ?1 AND version = ?2";
        let mut statement = self.connection.prepare_cached(select).map_err(failure)?;
        let mut found = statement.query(params![id, version.as_bytes()]).map_err(failure)?;
        let Some(row) = found.next().map_err(failure)? else { return Ok(None) };
        let (key, stored_size, blob) = (rows::key(row, 0)?, integer(row, 1)?, rows::blob(row, 2)?);
        self.delete(id, &key, blob, stored_size)?;
        if let Some(blob) = blob
            && self.release(&blob)?
        {
            condemned.push(blob);
        }
        Ok(Some(key))
    }

    /// The totals before this transaction.
    pub(crate) fn committed(&self) -> Totals {
        self.known.kept.totals
    }

    /// Brings rows of `usage` up to date whose records were overwritten.
    pub(crate) fn refresh_usage(&self, stale: &[i64]) -> Result<()> {
        stale.iter().try_for_each(|id| usage::refresh(self.connection, *id))
    }

    /// Gives a usage to records that have none, in the order of their rows, as many as a transaction should; says
    /// whether it got any further.
    pub(crate) fn complete_usage(&mut self) -> Result<bool> {
        let before = self.known.kept.usage_to;
        self.known.kept.usage_to = usage::complete(self.connection, before)?;
        Ok(self.known.kept.usage_to > before)
    }

    /// Deletes the row of a record; the reference to its blob stays.
    fn delete(&mut self, id: i64, key: &EntryKey, blob: Option<BlobId>, stored_size: i64) -> Result<()> {
        run(self.connection, "DELETE FROM records WHERE id = ?1", params![id])?;
        usage::delete(self.connection, id)?;
        self.count(key, id, -1, blob, stored_size);
        if key.is_system() {
            self.known.system.remove(key);
        }
        Ok(())
    }

    /// Counts the record in a row in or out, without its blob.
    fn count(&mut self, key: &EntryKey, row: i64, sign: i64, blob: Option<BlobId>, stored_size: i64) {
        if !key.is_system() {
            let bytes = if blob.is_none() { sign * stored_size } else { 0 };
            self.difference.add_record(row, &self.known.kept, Totals { entries: sign, bytes, ..Totals::default() });
        }
    }

    fn applied(&mut self, previous: Option<Previous>) -> Result<Outcome> {
        let condemned = match previous.as_ref().and_then(|previous| previous.blob) {
            Some(blob) if self.release(&blob)? => vec![blob],
            _ => Vec::new(),
        };
        Ok(Outcome::Applied { previous: previous.map(|previous| previous.version), condemned })
    }

    /// Adds a reference to a blob; `false` when the blob is condemned.
    ///
    /// Here and where one is taken: single-row statements that return nothing. SQLite writes a journal of its own for each of
    /// the others.
    fn add_reference(&mut self, id: &BlobId, digest: &Digest, size: i64) -> Result<bool> {
        let insert = "INSERT INTO blobs (id, digest, size, refs) VALUES (?1, ?2, ?3, 1) ON CONFLICT DO NOTHING";
        if run(self.connection, insert, params![id.as_bytes(), digest.to_bytes(), size])? == 1 {
            self.difference.add(Totals { blobs: 1, bytes: size, ..Totals::default() });
            return Ok(true);
        }
        let update = "UPDATE blobs SET refs = refs + 1 WHERE id = ?1 AND condemned_at IS NULL";
        Ok(run(self.connection, update, params![id.as_bytes()])? == 1)
    }

    /// Takes a reference from a blob; says whether it was the last, so that the blob is condemned now.
    fn release(&mut self, id: &BlobId) -> Result<bool> {
        let select = "SELECT refs, size FROM blobs WHERE id = ?1 AND refs > 0";
        let mut select = self.connection.prepare_cached(select).map_err(failure)?;
        let counted: Option<(i64, i64)> =
            select.query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(failure)?;
        let Some((references, size)) = counted else {
            return Err(corrupt("a record names a blob that the index does not count"));
        };
        if references > 1 {
            run(self.connection, "UPDATE blobs SET refs = refs - 1 WHERE id = ?1", params![id.as_bytes()])?;
            return Ok(false);
        }
        let condemn = "UPDATE blobs SET refs = 0, condemned_at = ?2 WHERE id = ?1";
        run(self.connection, condemn, params![id.as_bytes(), self.now.as_micros()])?;
        self.difference.add(Totals { blobs: -1, bytes: -size, condemned: 1, ..Totals::default() });
        Ok(true)
    }

    fn condemn(&mut self, id: &BlobId) -> Result<Outcome> {
        let insert = "INSERT INTO blobs (id, size, refs, condemned_at) VALUES (?1, 0, 0, ?2) ON CONFLICT DO NOTHING";
        if run(self.connection, insert, params![id.as_bytes(), self.now.as_micros()])? == 1 {
            self.difference.add(Totals { condemned: 1, ..Totals::default() });
            return Ok(applied_to_blob());
        }
        match self.references(id)? {
            Some(0) => Ok(applied_to_blob()),
            _ => Ok(Outcome::Unmet { current: None }),
        }
    }

    fn require(&mut self, id: &BlobId) -> Result<Outcome> {
        match self.references(id)? {
            None | Some(0) => Ok(Outcome::Condemned),
            Some(_) => Ok(applied_to_blob()),
        }
    }

    /// How many records name a blob: none, when it is condemned.
    fn references(&self, id: &BlobId) -> Result<Option<i64>> {
        let select = "SELECT refs FROM blobs WHERE id = ?1";
        let mut select = self.connection.prepare_cached(select).map_err(failure)?;
        select.query_row([id.as_bytes()], |row| row.get(0)).optional().map_err(failure)
    }

    fn forget(&mut self, id: &BlobId) -> Result<Outcome> {
        let delete = "DELETE FROM blobs WHERE id = ?1 AND condemned_at IS NOT NULL";
        if run(self.connection, delete, params![id.as_bytes()])? == 0 {
            return Ok(Outcome::Unmet { current: None });
        }
        self.difference.add(Totals { condemned: -1, ..Totals::default() });
        Ok(applied_to_blob())
    }

    /// Reads what a change must know of the record under its key; the record itself when fields of it are asked for.
    fn previous(&self, key: &EntryKey, fields: Option<Fields>) -> Result<Option<Previous>> {
        let select = match fields {
            None => "SELECT id, stored_size, version, blob, created_at FROM records WHERE key = ?1",
            Some(fields) => select!(fields, "id, stored_size, ", " WHERE key = ?1"),
        };
        let mut statement = self.connection.prepare_cached(select).map_err(failure)?;
        let mut found = statement.query([key.as_str()]).map_err(failure)?;
        let Some(row) = found.next().map_err(failure)? else { return Ok(None) };
        let record = fields.map(|fields| rows::record(row, 2, key.clone(), fields)).transpose();
        let record = record.map_err(|error| error.key(key))?;
        let (version, blob, created_at) = match &record {
            None => (rows::version(row, 2)?, rows::blob(row, 3)?, Timestamp::from_micros(integer(row, 4)?)),
            Some(record) => (record.version, record.blob(), record.created_at),
        };
        Ok(Some(Previous { id: integer(row, 0)?, stored_size: integer(row, 1)?, version, created_at, blob, record }))
    }
}

fn integer(row: &Row<'_>, column: usize) -> Result<i64> {
    row.get(column).map_err(failure)
}

fn applied_to_blob() -> Outcome {
    Outcome::Applied { previous: None, condemned: Vec::new() }
}

/// What a condition needs of the record beyond its version; `None` when it needs no more.
fn needed_by(condition: &Condition) -> Option<Fields> {
    match condition {
        Condition::Always | Condition::Absent | Condition::Version(_) => None,
        Condition::AbsentUnless(filter) | Condition::Present(filter) => Some(crate::filter::needed_by(filter)),
        _ => Some(Fields::HEAD),
    }
}

fn is_met(condition: &Condition, previous: Option<&Previous>, now: Timestamp) -> bool {
    match (condition, previous) {
        (Condition::Always, _) => true,
        (Condition::Absent, previous) => previous.is_none(),
        (Condition::Version(version), previous) => previous.is_some_and(|previous| previous.version == *version),
        (condition, previous) => condition.is_met(previous.and_then(|previous| previous.record.as_ref()), now),
    }
}
