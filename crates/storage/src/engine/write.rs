//! The write protocol: blob first, then the commit that makes it visible, then what the commit replaced.

use super::Engine;
use super::failpoint::Point;
use super::pipeline::{self, Encoded};
use super::source::{Held, Source};
use super::staging::Payload;
use crate::{
    Annotations, BlobId, Change, Condition, Content, EntryKey, Location, ObjectTag, OnUnmet, Outcome, PutBlob, Record,
    Terms, Trailer, Usage,
};
use cacheness_core::{Error, ErrorKind, Result, Timestamp};

/// How often a put uploads anew because a sweep condemned its blob before the commit.
pub(super) const UPLOADS: usize = 3;

/// What a new record holds besides the value.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Its key.
    pub key: EntryKey,
    /// The full digest of the parameters that the key was made of.
    pub key_digest: Option<[u8; 32]>,
    /// What the value is put under.
    pub terms: Terms,
    /// From when on the value counts as expired.
    pub expires_at: Option<Timestamp>,
    /// From when on nobody needs the value, not even as a stale one.
    pub drop_at: Option<Timestamp>,
    /// What the user said about it.
    pub annotations: Annotations,
    /// What the key must be like before.
    pub condition: Condition,
    /// Changes of other keys in the same commit.
    pub with: Vec<Change>,
    /// Whether they are met together with the condition or not at all; among several puts at once they always are.
    pub on_unmet: OnUnmet,
}

impl NewEntry {
    /// A record of a value and nothing else.
    pub fn new(key: EntryKey, condition: Condition) -> Self {
        let (terms, annotations) = (Terms::default(), Annotations::default());
        let (with, on_unmet) = (Vec::new(), OnUnmet::Skip);
        Self { key, key_digest: None, terms, expires_at: None, drop_at: None, annotations, condition, with, on_unmet }
    }
}

/// What became of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is committed.
    Committed,
    /// The condition was not met, or that of a change that had to be met with it; nothing was stored.
    Unmet,
}

impl Engine {
    /// Stores a value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::ReadOnly`], [`ErrorKind::TooLarge`], what the handler and the backends
    /// return. After an error the old value, if there was one, is intact; only an error of the commit itself can leave
    /// open which one is there.
    pub async fn put(&self, source: Source<'_>, entry: NewEntry) -> Result<Written> {
        self.check_writable()?;
        entry.key.check_user()?;
        let encoded = self.encode_for(source, &entry).await?;
        self.place(encoded, &entry).await
    }

    /// Stores a value under the key that its content makes, unless it is there already; returns the key.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put); [`ErrorKind::Config`] for a store that is not content-addressable.
    pub async fn put_content(&self, source: Source<'_>) -> Result<EntryKey> {
        self.check_writable()?;
        let encoded = self.encode(source).await?;
        let not_addressable = || Error::new(ErrorKind::Config, "the store is not content-addressable");
        let key = EntryKey::new(encoded.content_key.as_ref().ok_or_else(not_addressable)?);
        let entry = NewEntry::new(key, Condition::Absent);
        self.place(encoded, &entry).await?;
        Ok(entry.key)
    }

    /// Runs the value of an entry through the pipeline.
    pub(super) async fn encode_for(&self, source: Source<'_>, entry: &NewEntry) -> Result<Encoded> {
        let mut encoded = self.encode(source).await?;
        let content = &mut encoded.content;
        if self.options.max_stored_size.is_some_and(|limit| content.stored_size > limit) {
            let message =
                format!("the value takes {} stored bytes, more than the whole store may hold", content.stored_size);
            return Err(Error::new(ErrorKind::TooLarge, message).key(&entry.key).advice("raise max_size"));
        }
        #[cfg(feature = "tracing")]
        tracing::trace!(
            handler = &*content.type_tag,
            raw_size = content.raw_size,
            stored_size = content.stored_size,
            codec = %content.encoding.codec,
            "encoded"
        );
        (content.key_digest, content.terms) = (entry.key_digest, entry.terms.clone());
        Ok(encoded)
    }

    /// Runs a value through the pipeline: a borrowed one here, any other where computations belong.
    pub(super) async fn encode(&self, source: Source<'_>) -> Result<Encoded> {
        let staging = self.blobs.staging();
        let Source { held, handler, format, type_name } = source;
        let held = match held {
            Held::Borrowed(_) => {
                let source = Source { held, handler, format, type_name };
                return pipeline::encode(source, &self.options, staging);
            }
            Held::Shared(value) => Held::Shared(value),
            Held::Encoded(bytes) => Held::Encoded(bytes),
            Held::Stored(encoded) => return Ok(*encoded),
            Held::Reader(reader) => Held::Reader(reader),
        };
        let owned = Source { held, handler, format, type_name };
        let (options, staging) = (self.options.clone(), staging.map(ToOwned::to_owned));
        self.driver.compute(move || pipeline::encode(owned, &options, staging.as_deref())).await
    }

    /// Puts the stored bytes where they belong: into the record, into a blob that holds the same, or into a new one.
    async fn place(&self, encoded: Encoded, entry: &NewEntry) -> Result<Written> {
        let Encoded { spool, content, .. } = encoded;
        if content.stored_size <= self.inline_limit() {
            let record = self.record_of(entry, Location::Inline(spool.finish()?.into_bytes()?), content)?;
            return Ok(match self.commit_entry(record, entry).await? {
                Outcome::Applied { .. } => Written::Committed,
                _ => Written::Unmet,
            });
        }
        if self.options.content_addressable
            && let Some(written) = self.share(&content, entry).await?
        {
            return Ok(written);
        }
        let mut payload = Payload::Spool(spool);
        for _ in 0..UPLOADS {
            let written;
            (written, payload) = self.upload(payload, &content, entry).await?;
            if let Some(written) = written {
                payload.recycle();
                return Ok(written);
            }
        }
        let message = format!("the blob was condemned {UPLOADS} times before its commit");
        Err(Error::new(ErrorKind::Conflict, message).key(&entry.key).retryable(true))
    }

    /// Stores a payload in a blob of a new name and commits; `None`, and the payload again, when a sweep condemned the
    /// blob in between.
    async fn upload(
        &self,
        payload: Payload,
        content: &Content,
        entry: &NewEntry,
    ) -> Result<(Option<Written>, Payload)> {
        let blob = self.mint_blob()?;
        let mut record = self.record_of(entry, Location::Blob(blob), content.clone())?;
        let payload = self.put_blob(blob, payload, &mut record).await?;
        if let Err(error) = self.reach(Point::BlobStored) {
            self.discard(blob).await;
            return Err(error);
        }
        match self.commit_entry(record, entry).await {
            Ok(Outcome::Applied { .. }) => Ok((Some(Written::Committed), payload)),
            Ok(outcome) => {
                self.discard(blob).await;
                Ok((if outcome == Outcome::Condemned { None } else { Some(Written::Unmet) }, payload))
            }
            Err(error) => {
                self.disown(blob).await;
                Err(error)
            }
        }
    }

    /// Stores a payload and its trailer under a blob's name, and notes in the record what the store calls it; gives the
    /// payload back for another attempt.
    pub(super) async fn put_blob(&self, blob: BlobId, payload: Payload, record: &mut Record) -> Result<Payload> {
        let trailer = Trailer {
            blob,
            store: self.store,
            key: record.key.clone(),
            created_at: record.created_at,
            expires_at: record.expires_at,
            content: record.content.clone(),
        };
        let (memory, directory) = (self.options.staging_memory, self.blobs.staging().map(ToOwned::to_owned));
        let stage = move || payload.stage(&trailer, memory, directory.as_deref());
        let (staged, payload) = self.driver.compute(stage).await?;
        self.reach(Point::Staged)?;
        let digest = Some(record.content.digest);
        let options = PutBlob { durability: self.options.durability, digest, ..PutBlob::default() };
        let info = self.blobs.put(&blob, staged, options).await?;
        record.content.object = ObjectTag::of(&info);
        Ok(payload)
    }

    /// The record of a new value.
    pub(super) fn record_of(&self, entry: &NewEntry, location: Location, content: Content) -> Result<Record> {
        let now = self.clock.now();
        Ok(Record {
            key: entry.key.clone(),
            version: self.mint_version()?,
            created_at: now,
            updated_at: now,
            expires_at: entry.expires_at,
            drop_at: entry.drop_at,
            content,
            location,
            annotations: entry.annotations.clone(),
            usage: Usage::default(),
            signature: None,
        })
    }
}

/// The change that makes a new value visible.
pub(super) fn put(record: Record, entry: &NewEntry) -> Change {
    Change::Put { record: Box::new(record), condition: entry.condition.clone() }
}
