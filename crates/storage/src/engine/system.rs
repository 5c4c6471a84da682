//! Small records of the family's own, such as leases: under names that no user's key can have.

use super::Engine;
use crate::{
    Annotations, Change, Condition, Content, Digest, DigestAlgorithm, EntryKey, Fields, Location, Record, Terms, Usage,
    Version,
};
use bytes::Bytes;
use cacheness_core::{Result, Rng, Timestamp};
use cacheness_handlers::{Encoding, Extra};

/// A record of the family's own, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemRecord {
    /// What it holds.
    pub bytes: Bytes,
    /// Its version.
    pub version: Version,
    /// From when on it counts for nothing.
    pub expires_at: Option<Timestamp>,
}

impl From<Record> for SystemRecord {
    /// Without its bytes when they were not read.
    fn from(record: Record) -> Self {
        let bytes = if let Location::Inline(bytes) = record.location { bytes } else { Bytes::new() };
        Self { bytes, version: record.version, expires_at: record.expires_at }
    }
}

impl Engine {
    /// Reads a record of the family's own.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub async fn system(&self, name: &str) -> Result<Option<SystemRecord>> {
        let record = self.record(&EntryKey::system(name), Fields::VALUE).await?;
        Ok(record.map(SystemRecord::from))
    }

    /// Reads records of the family's own in one round trip, in the order of their names.
    ///
    /// # Errors
    ///
    /// As [`system`](Self::system).
    pub async fn systems<const N: usize>(&self, names: [&str; N]) -> Result<[Option<SystemRecord>; N]> {
        let mut records = self.records(&names.map(EntryKey::system), Fields::VALUE).await?.into_iter();
        Ok(names.map(|_| records.next().flatten().map(SystemRecord::from)))
    }

    /// Writes a record of the family's own where it meets the condition; returns its version then.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the index returns.
    pub async fn put_system(
        &self,
        name: &str,
        bytes: impl Into<Bytes>,
        expires_at: Option<Timestamp>,
        condition: Condition,
    ) -> Result<Option<Version>> {
        self.check_writable()?;
        let now = self.clock().now();
        let record = Record { expires_at, ..record(EntryKey::system(name), bytes.into(), now, &*self.rng)? };
        let version = record.version;
        let outcome = self.commit_one(Change::Put { record: Box::new(record), condition }).await?;
        Ok(outcome.is_applied().then_some(version))
    }

    /// Writes a record of the family's own that says who holds it, as its description; says whether it met the condition.
    ///
    /// # Errors
    ///
    /// As [`put_system`](Self::put_system).
    pub async fn hold_system(
        &self,
        name: &str,
        holder: &str,
        expires_at: Timestamp,
        condition: Condition,
    ) -> Result<bool> {
        self.check_writable()?;
        let now = self.clock().now();
        let mut record = record(EntryKey::system(name), Bytes::new(), now, &*self.rng)?;
        record.expires_at = Some(expires_at);
        record.annotations.description = Some(holder.into());
        Ok(self.commit_one(Change::Put { record: Box::new(record), condition }).await?.is_applied())
    }

    /// Removes a record of the family's own; says whether one met the condition.
    ///
    /// # Errors
    ///
    /// As [`put_system`](Self::put_system).
    pub async fn remove_system(&self, name: &str, condition: Condition) -> Result<bool> {
        self.remove(&EntryKey::system(name), condition).await
    }
}

/// A record that holds these bytes.
pub(super) fn record(key: EntryKey, bytes: Bytes, now: Timestamp, rng: &dyn Rng) -> Result<Record> {
    let size = bytes.len() as u64;
    Ok(Record {
        key,
        version: Version::mint(rng)?,
        created_at: now,
        updated_at: now,
        expires_at: None,
        drop_at: None,
        content: Content {
            type_tag: "system".into(),
            type_name: "".into(),
            format: "raw".into(),
            format_version: 1,
            schema: None,
            extra: Extra::new(),
            encoding: Encoding::NONE,
            raw_size: size,
            stored_size: size,
            digest: Digest::of(DigestAlgorithm::Xxh3, &bytes),
            key_digest: None,
            terms: Terms::default(),
            object: None,
        },
        location: Location::Inline(bytes),
        annotations: Annotations::default(),
        usage: Usage::default(),
        signature: None,
    })
}
