//! Deleting: many objects in a request. Stores do not say whether there was one, so that is asked before.

use crate::bucket::Bucket;
use crate::failure::{error, is_missing};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use cacheness_storage::{BlobId, Error, ErrorKind, Result};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// No store deletes more objects in a request.
const BATCH: usize = 1000;

/// How many objects are asked about at once.
const QUESTIONS: usize = 32;

impl Bucket {
    /// Deletes blobs; says of each whether there was one.
    pub(crate) async fn delete(self: &Arc<Self>, ids: &[BlobId]) -> Result<Vec<bool>> {
        let mut there = self.existing(ids).await?;
        for batch in ids.chunks(BATCH) {
            let ids: Vec<BlobId> = batch.iter().copied().filter(|id| there.contains(id)).collect();
            match &ids[..] {
                [] => {}
                [id] => self.delete_one(id).await?,
                ids => self.delete_many(ids).await?,
            }
        }
        // Who is named twice is there once.
        Ok(ids.iter().map(|id| there.remove(id)).collect())
    }

    /// Those of some blobs that are there.
    async fn existing(self: &Arc<Self>, ids: &[BlobId]) -> Result<HashSet<BlobId>> {
        let mut there = HashSet::new();
        let mut questions = JoinSet::new();
        let mut ids = ids.iter().copied();
        loop {
            while questions.len() < QUESTIONS
                && let Some(id) = ids.next()
            {
                let bucket = self.clone();
                questions.spawn(async move { Ok((id, bucket.head(&id).await?.is_some())) });
            }
            let Some(answer) = questions.join_next().await else { return Ok(there) };
            let ended = |_| Error::new(ErrorKind::Internal, "the runtime ended while blobs were deleted");
            let answer: Result<(BlobId, bool)> = answer.map_err(ended)?;
            if let (id, true) = answer? {
                there.insert(id);
            }
        }
    }

    async fn delete_one(&self, id: &BlobId) -> Result<()> {
        match self.client.delete_object().bucket(self.name()).key(self.layout.key(id)).send().await {
            Err(failure) if !is_missing(&failure) => Err(error(&failure)),
            _ => Ok(()),
        }
    }

    async fn delete_many(&self, ids: &[BlobId]) -> Result<()> {
        let invalid = |_| Error::new(ErrorKind::Internal, "a deletion without a key");
        let objects: Result<Vec<_>, _> =
            ids.iter().map(|id| ObjectIdentifier::builder().key(self.layout.key(id)).build()).collect();
        let objects = Delete::builder().set_objects(Some(objects.map_err(invalid)?)).quiet(true).build();
        let request = self.client.delete_objects().bucket(self.name()).delete(objects.map_err(invalid)?);
        let deleted = request.send().await.map_err(|failure| error(&failure))?;
        let refused = deleted.errors().iter().find(|refused| refused.code() != Some("NoSuchKey"));
        match refused.map(|refused| refused.code().unwrap_or_default()) {
            None => Ok(()),
            Some("AccessDenied") => {
                Err(Error::new(ErrorKind::Permission, "the store refuses to delete").advice("grant s3:DeleteObject"))
            }
            Some(code @ ("InternalError" | "SlowDown" | "ServiceUnavailable")) => {
                Err(Error::new(ErrorKind::Unavailable, format!("the store fails to delete: {code}")))
            }
            Some(code) => {
                let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(100).collect();
                Err(Error::new(ErrorKind::Storage, format!("the store does not delete: {code}")))
            }
        }
    }
}
