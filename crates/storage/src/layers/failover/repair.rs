//! Read repair: a blob that was found late is copied to those that had nothing.

use super::backend::{FailoverBlobs, Member};
use crate::layers::replay::Replay;
use crate::{BlobId, ErrorKind, GetBlob, Payload, PutBlob, Result};
use std::sync::{Arc, PoisonError};

impl FailoverBlobs {
    /// Copies a blob from where it is to those without it, unless somebody is at it already. A failure is counted, and is
    /// none of the reader's.
    pub(super) async fn repair(&self, id: BlobId, from: &Member, missing: Vec<Arc<Member>>) {
        if missing.is_empty() || !self.options.repair {
            return;
        }
        let Some(_repairing) = Repairing::begin(self, id) else { return };
        let source = self.source(id, from).await;
        for member in missing {
            let copied = match &source {
                Ok(Some((source, options))) => self.copy(&member, id, source.clone(), options.clone()).await,
                // Deleted meanwhile: there is nothing to repair.
                Ok(None) => return,
                Err(_) => {
                    self.counters.repairs_failed.add(1);
                    return;
                }
            };
            match copied {
                Ok(()) => self.counters.repairs.add(1),
                Err(_) => self.counters.repairs_failed.add(1),
            }
        }
    }

    /// All of a blob, and how to store it again.
    async fn source(&self, id: BlobId, from: &Member) -> Result<Option<(Replay, PutBlob)>> {
        let Some(Payload { info, body }) = from.backend.get(&id, GetBlob::default()).await? else { return Ok(None) };
        let options = PutBlob {
            durability: self.durability,
            digest: info.digest,
            content_type: info.content_type,
            metadata: info.metadata,
            ..PutBlob::default()
        };
        Ok(Some((Replay::read(body)?, options)))
    }

    /// Stores a blob in one more place.
    pub(super) async fn copy(&self, member: &Member, id: BlobId, source: Replay, options: PutBlob) -> Result<()> {
        let size = source.size();
        let directory = member.backend.staging().map(ToOwned::to_owned);
        let staged = self.surroundings.compute(move || source.stage(directory.as_deref())).await?;
        let stored = member.note(member.backend.put(&id, staged, options).await);
        match stored {
            // Somebody else was faster, or an earlier attempt was not known to have succeeded.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let there = member.note(member.backend.head(&id).await)?;
                if there.is_some_and(|info| info.size == size) { Ok(()) } else { Err(error) }
            }
            Err(error) => Err(error),
            Ok(_) if self.options.verify_writes => self.verify(member, id, size).await,
            Ok(_) => Ok(()),
        }
    }
}

/// A blob that is being repaired, until this is dropped.
struct Repairing<'b> {
    blobs: &'b FailoverBlobs,
    id: BlobId,
}

impl<'b> Repairing<'b> {
    fn begin(blobs: &'b FailoverBlobs, id: BlobId) -> Option<Self> {
        let mut repairing = blobs.repairing.lock().unwrap_or_else(PoisonError::into_inner);
        repairing.insert(id).then_some(Self { blobs, id })
    }
}

impl Drop for Repairing<'_> {
    fn drop(&mut self) {
        self.blobs.repairing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
