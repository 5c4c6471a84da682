//! Many at once: one commit for all puts or removals, one round trip for all records.

use super::Engine;
use super::pipeline::Encoded;
use super::read::{Found, Lookup};
use super::source::Source;
use super::staging::Payload;
use super::write::{NewEntry, UPLOADS, put};
use crate::{BlobId, Change, Condition, Content, EntryKey, Fields, Location, OnUnmet, Outcome, Patch, Record};
use cacheness_core::{Error, ErrorKind, Result};

/// A put of a batch on its way to the commit.
struct Prepared {
    entry: NewEntry,
    content: Content,
    bytes: Bytes,
}

/// Where the stored bytes of a prepared put are.
enum Bytes {
    InRecord(bytes::Bytes),
    /// To be stored in a blob of a new name.
    Waiting(Payload),
    InBlob(BlobId, Payload),
}

impl Engine {
    /// Stores values, all or none. The conditions of the entries are met together or nothing is stored; says whether they
    /// were.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put); nothing is stored then, unless the error is the commit's own.
    pub async fn put_many(&self, puts: Vec<(Source<'_>, NewEntry)>) -> Result<bool> {
        self.check_writable()?;
        let mut prepared = Vec::with_capacity(puts.len());
        for (source, entry) in puts {
            entry.key.check_user()?;
            let Encoded { spool, content, .. } = self.encode_for(source, &entry).await?;
            let bytes = match content.stored_size <= self.inline_limit() {
                true => Bytes::InRecord(spool.finish()?.into_bytes()?),
                false => Bytes::Waiting(Payload::Spool(spool)),
            };
            prepared.push(Prepared { entry, content, bytes });
        }
        let stored = self.put_prepared(&mut prepared).await;
        for blob in prepared.iter().filter_map(Prepared::blob) {
            match &stored {
                Ok(true) => {}
                Ok(false) => self.discard(blob).await,
                Err(_) => self.disown(blob).await,
            }
        }
        stored
    }

    async fn put_prepared(&self, prepared: &mut [Prepared]) -> Result<bool> {
        if prepared.is_empty() {
            return Ok(true);
        }
        for _ in 0..UPLOADS {
            let mut changes = Vec::with_capacity(prepared.len());
            for put_one in &mut *prepared {
                let record = self.upload_prepared(put_one).await?;
                changes.push(put(record, &put_one.entry));
            }
            changes.extend(prepared.iter().flat_map(|put_one| put_one.entry.with.iter().cloned()));
            let outcomes = self.commit_all(changes).await?;
            if outcomes.iter().all(Outcome::is_applied) {
                return Ok(true);
            }
            if !outcomes.contains(&Outcome::Condemned) {
                return Ok(false);
            }
            for (put_one, _) in
                prepared.iter_mut().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Condemned)
            {
                put_one.bytes.upload_again();
            }
        }
        Err(Error::new(ErrorKind::Conflict, format!("a blob was condemned {UPLOADS} times before its commit"))
            .retryable(true))
    }

    /// The record of a prepared put, whose bytes are stored now.
    async fn upload_prepared(&self, prepared: &mut Prepared) -> Result<Record> {
        let Prepared { entry, content, bytes } = prepared;
        let location = match bytes {
            Bytes::InRecord(bytes) => Location::Inline(bytes.clone()),
            Bytes::InBlob(blob, _) => Location::Blob(*blob),
            Bytes::Waiting(_) => Location::Blob(self.mint_blob()?),
        };
        let mut record = self.record_of(entry, location, content.clone())?;
        if let (Some(blob), Bytes::Waiting(payload)) = (record.blob(), &mut *bytes) {
            let payload = std::mem::replace(payload, Payload::Memory(bytes::Bytes::new()));
            *bytes = Bytes::InBlob(blob, self.put_blob(blob, payload, &mut record).await?);
            content.object.clone_from(&record.content.object);
        }
        Ok(record)
    }

    /// Commits changes, all or none, and deletes what they condemned.
    pub(super) async fn commit_all(&self, changes: Vec<Change>) -> Result<Vec<Outcome>> {
        let outcomes = self.metadata().commit(changes, OnUnmet::Abort).await?;
        for outcome in &outcomes {
            if let Outcome::Applied { condemned, .. } = outcome {
                self.delete_replaced(condemned).await;
            }
        }
        Ok(outcomes)
    }

    /// Removes records, each on the condition; says how many met it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::ReadOnly`], and what the index returns; nothing is removed then.
    pub async fn remove_many(&self, keys: Vec<EntryKey>, condition: &Condition) -> Result<u64> {
        let remove = |key| Change::Remove { key, condition: condition.clone() };
        self.change_many(keys.into_iter().map(remove).collect()).await
    }

    /// Changes fields of records, each on the condition; says how many met it.
    ///
    /// # Errors
    ///
    /// As [`remove_many`](Self::remove_many).
    pub async fn patch_many(&self, patches: Vec<(EntryKey, Patch)>, condition: &Condition) -> Result<u64> {
        let patch = |(key, patch)| Change::Patch { key, patch: Box::new(patch), condition: condition.clone() };
        self.change_many(patches.into_iter().map(patch).collect()).await
    }

    async fn change_many(&self, changes: Vec<Change>) -> Result<u64> {
        let outcomes = self.change(changes).await?;
        let met = |outcome: &&Outcome| matches!(outcome, Outcome::Applied { previous: Some(_), .. });
        Ok(outcomes.iter().filter(met).count() as u64)
    }

    /// Makes changes in one commit, each on its own condition; says what became of each.
    ///
    /// # Errors
    ///
    /// As [`remove_many`](Self::remove_many).
    pub async fn change(&self, changes: Vec<Change>) -> Result<Vec<Outcome>> {
        self.check_writable()?;
        let count = changes.len();
        let mut outcomes = self.commit_and_forget(changes).await?;
        outcomes.truncate(count);
        for outcome in &outcomes {
            if let Outcome::Applied { condemned, .. } = outcome {
                self.delete_replaced(condemned).await;
            }
        }
        Ok(outcomes)
    }

    /// Opens the values of keys, in their order, after one round trip to the index. `judge` as in [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub async fn find_many<J>(
        &self,
        keys: &[EntryKey],
        fields: Fields,
        judge: impl Fn(usize, &Record) -> Result<(), J>,
    ) -> Result<Vec<Lookup<J>>> {
        let records = self.records(keys, fields).await?;
        self.open_values(records, keys, fields, judge).await
    }

    /// Opens the values of records that were just read, in the order of their keys. `judge` as in [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub async fn open_values<J>(
        &self,
        records: Vec<Option<Record>>,
        keys: &[EntryKey],
        fields: Fields,
        judge: impl Fn(usize, &Record) -> Result<(), J>,
    ) -> Result<Vec<Lookup<J>>> {
        let mut found = Vec::with_capacity(keys.len());
        for (place, (record, key)) in records.into_iter().zip(keys).enumerate() {
            let Some(record) = record else {
                found.push(Lookup::Absent);
                continue;
            };
            if let Err(verdict) = judge(place, &record) {
                found.push(Lookup::Refused(verdict));
                continue;
            }
            found.push(match self.stored(&record, false).await? {
                Some(stored) => Lookup::Found(Found { record, stored }),
                // Replaced meanwhile, or lost.
                None => self.find(key, fields, |record| judge(place, record)).await?,
            });
        }
        Ok(found)
    }
}

impl Prepared {
    fn blob(&self) -> Option<BlobId> {
        if let Bytes::InBlob(blob, _) = &self.bytes { Some(*blob) } else { None }
    }
}

impl Bytes {
    /// The blob was condemned: the payload goes into another one.
    fn upload_again(&mut self) {
        if let Self::InBlob(_, payload) = self {
            let payload = std::mem::replace(payload, Payload::Memory(bytes::Bytes::new()));
            *self = Self::Waiting(payload);
        }
    }
}
