//! Content addressing: values of the same stored bytes share a blob, counted by the index.

use super::Engine;
use super::failpoint::Point;
use super::write::{NewEntry, Written, put};
use crate::{BlobId, BlobQuery, Change, Content, Location, OnUnmet, Outcome};
use cacheness_core::Result;

impl Engine {
    /// Commits a value that names a blob of the same content; `None` when there is none, or its last record went away
    /// before the commit.
    pub(super) async fn share(&self, content: &Content, entry: &NewEntry) -> Result<Option<Written>> {
        let Some(blob) = self.blob_of(content).await? else { return Ok(None) };
        self.reach(Point::ContentFound)?;
        let record = self.record_of(entry, Location::Blob(blob), content.clone())?;
        let changes =
            [Change::Require { blob }, put(record, entry)].into_iter().chain(entry.with.iter().cloned()).collect();
        let outcomes = self.metadata.commit(changes, OnUnmet::Abort).await?;
        self.reach(Point::Committed)?;
        Ok(match &outcomes[..] {
            [_, Outcome::Applied { condemned, .. }, ..] => {
                self.delete_replaced(condemned).await;
                Some(Written::Committed)
            }
            [_, Outcome::Unmet { .. }, ..] => Some(Written::Unmet),
            // A change that goes with it was not met.
            [Outcome::Aborted, ..] if entry.on_unmet == OnUnmet::Abort => Some(Written::Unmet),
            _ => None,
        })
    }

    /// A blob that records name and that holds the same bytes. One that somebody took away cannot be shared.
    pub(super) async fn blob_of(&self, content: &Content) -> Result<Option<BlobId>> {
        for blob in self.metadata.blobs(&BlobQuery::Content(content.digest)).await? {
            let found = self.blobs.head(&blob.id).await?;
            if blob.size == content.stored_size && found.is_some_and(|found| found.size >= blob.size) {
                return Ok(Some(blob.id));
            }
        }
        Ok(None)
    }
}
