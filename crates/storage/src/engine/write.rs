//! The write protocol: blob first, then the commit that makes it visible, then what the commit replaced.

use super::Engine;
use super::pipeline::{self, Encoded};
use super::source::{Held, Source};
use crate::{
    Annotations, BlobId, Change, Condition, Content, EntryKey, Locality, Location, OnUnmet, Outcome, PutBlob, Record,
    Staged, Trailer, Version,
};
use cacheness_core::{Error, ErrorKind, Result, Timestamp};
use cacheness_handlers::Spooled;
use std::io::Write;
use std::sync::PoisonError;

/// How often a put uploads anew because a sweep condemned its blob before the commit.
const UPLOADS: usize = 3;

/// What a new record holds besides the value.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Its key.
    pub key: EntryKey,
    /// The full digest of the parameters that the key was made of.
    pub key_digest: Option<[u8; 32]>,
    /// From when on the value counts as expired.
    pub expires_at: Option<Timestamp>,
    /// What the user said about it.
    pub annotations: Annotations,
    /// What the key must be like before.
    pub condition: Condition,
}

/// What became of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is committed under this version.
    Committed(Version),
    /// The condition was not met; nothing was stored.
    Unmet,
}

impl Engine {
    /// Stores a value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::TooLarge`], what the handler and the backends return. After an error the
    /// old value, if there was one, is intact; only an error of the commit itself can leave open which one is there.
    pub async fn put(&self, source: Source<'_>, entry: NewEntry) -> Result<Written> {
        self.check_open()?;
        entry.key.check_user()?;
        for _ in 0..UPLOADS {
            let encoded = self.encode(&source, entry.key_digest).await?;
            if let Some(written) = self.commit_value(encoded, &entry).await? {
                return Ok(written);
            }
        }
        let message = format!("the blob was condemned {UPLOADS} times before its commit");
        Err(Error::new(ErrorKind::Conflict, message).key(&entry.key).retryable(true))
    }

    async fn encode(&self, source: &Source<'_>, key_digest: Option<[u8; 32]>) -> Result<Encoded> {
        let staging = self.blobs.staging();
        let held = match &source.held {
            Held::Borrowed(_) => return pipeline::encode(source, &self.options, staging, key_digest),
            Held::Shared(value) => Held::Shared(value.clone()),
            Held::Encoded(bytes) => Held::Encoded(bytes.clone()),
        };
        let (handler, format, type_name) = (source.handler.clone(), source.format.clone(), source.type_name);
        let owned = Source { held, handler, format, type_name };
        let (options, staging) = (self.options.clone(), staging.map(ToOwned::to_owned));
        self.driver.compute(move || pipeline::encode(&owned, &options, staging.as_deref(), key_digest)).await
    }

    /// Uploads and commits; `None` when the blob was condemned in between.
    async fn commit_value(&self, encoded: Encoded, entry: &NewEntry) -> Result<Option<Written>> {
        let now = self.clock.now();
        let version = self.mint_version()?;
        let (location, content) = self.place(encoded, entry, now).await?;
        let blob = if let Location::Blob(id) = location { Some(id) } else { None };
        let record = Record {
            key: entry.key.clone(),
            version,
            created_at: now,
            updated_at: now,
            expires_at: entry.expires_at,
            drop_at: None,
            content,
            location,
            annotations: entry.annotations.clone(),
            signature: None,
        };
        let change = Change::Put { record: Box::new(record), condition: entry.condition.clone() };
        match self.commit_one(change).await {
            Ok(Outcome::Applied { .. }) => Ok(Some(Written::Committed(version))),
            Ok(outcome) => {
                if let Some(id) = blob {
                    // Best effort: what stays is unreferenced, and the sweep finds it.
                    drop(self.blobs.delete(&[id]).await);
                }
                Ok(if outcome == Outcome::Condemned { None } else { Some(Written::Unmet) })
            }
            Err(error) => {
                if let Some(id) = blob {
                    self.disown(id).await;
                }
                Err(error)
            }
        }
    }

    /// Deletes a blob after an error of the commit that named it. The commit may have happened, or may still happen:
    /// condemning the blob succeeds only if no record names it, and makes a late commit fail. Otherwise the blob stays.
    async fn disown(&self, blob: BlobId) {
        let condemned = self.metadata.commit(vec![Change::Condemn { blob }], OnUnmet::Skip).await;
        if condemned.is_ok_and(|outcomes| outcomes.first().is_some_and(Outcome::is_applied)) {
            self.delete_condemned(&[blob]).await;
        }
    }

    /// Puts the stored bytes where they belong: into the record, or into a blob of a new name.
    async fn place(&self, encoded: Encoded, entry: &NewEntry, now: Timestamp) -> Result<(Location, Content)> {
        let Encoded { mut spool, content } = encoded;
        if content.stored_size <= self.options.inline_limit {
            return match spool.finish()? {
                Spooled::Memory(bytes) => Ok((Location::Inline(bytes), content)),
                Spooled::File(file) => {
                    let mut bytes = Vec::new();
                    std::io::copy(&mut file.reader()?, &mut bytes)?;
                    Ok((Location::Inline(bytes.into()), content))
                }
            };
        }
        let blob = BlobId::mint(&*self.rng)?;
        let trailer = Trailer {
            blob,
            store: self.store,
            key: entry.key.clone(),
            created_at: now,
            expires_at: entry.expires_at,
            content,
        };
        let end = trailer.to_bytes();
        let stage = move || {
            spool.write_all(&end)?;
            Ok(match spool.finish()? {
                Spooled::Memory(bytes) => Staged::Bytes(bytes),
                Spooled::File(file) => Staged::File(file),
            })
        };
        let staged = self.driver.compute(stage).await?;
        let digest = Some(trailer.content.digest);
        let options = PutBlob { durability: self.options.durability, digest, ..PutBlob::default() };
        self.blobs.put(&blob, staged, options).await?;
        Ok((Location::Blob(blob), trailer.content))
    }

    /// Commits one change, forgets what was deleted before, and deletes what this commit condemned.
    pub(super) async fn commit_one(&self, change: Change) -> Result<Outcome> {
        let outcomes = self.commit_and_forget(vec![change]).await?;
        let no_outcome = || Error::new(ErrorKind::Internal, format!("{} gave no outcome", self.metadata));
        let outcome = outcomes.into_iter().next().ok_or_else(no_outcome)?;
        if let Outcome::Applied { condemned, .. } = &outcome {
            self.delete_condemned(condemned).await;
        }
        Ok(outcome)
    }

    /// Deletes condemned blobs right away where no other machine can be reading them; a sweep deletes the others.
    pub(super) async fn delete_condemned(&self, condemned: &[BlobId]) {
        if condemned.is_empty() || self.blobs.info().locality == Locality::Shared {
            return;
        }
        // Best effort: they stay condemned in the index, and the sweep finds them.
        if self.blobs.delete(condemned).await.is_ok() {
            self.remember_deleted(condemned.to_vec());
        }
    }

    /// Commits changes, and behind them that the blobs deleted before are forgotten.
    pub(super) async fn commit_and_forget(&self, mut changes: Vec<Change>) -> Result<Vec<Outcome>> {
        let deleted = std::mem::take(&mut *self.deleted.lock().unwrap_or_else(PoisonError::into_inner));
        changes.extend(deleted.iter().map(|&blob| Change::Forget { blob }));
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let committed = self.metadata.commit(changes, OnUnmet::Skip).await;
        if committed.is_err() {
            self.remember_deleted(deleted);
        }
        committed
    }

    fn remember_deleted(&self, blobs: Vec<BlobId>) {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).extend(blobs);
    }
}
