//! Content addressing: values of the same stored bytes share a blob, counted by the index.

use super::Engine;
use super::failpoint::Point;
use super::write::{NewEntry, Written, put};
use crate::{BlobInfo, BlobQuery, Change, Content, Location, ObjectTag, OnUnmet, Outcome};
use cacheness_core::Result;

impl Engine {
    /// Commits a value that names a blob of the same content; `None` when there is none, or its last record went away
    /// before the commit.
    pub(super) async fn share(&self, content: &Content, entry: &NewEntry) -> Result<Option<Written>> {
        let Some(found) = self.blob_of(content).await? else { return Ok(None) };
        self.reach(Point::ContentFound)?;
        let blob = found.id;
        let content = Content { object: ObjectTag::of(&found), ..content.clone() };
        let record = self.record_of(entry, Location::Blob(blob), content)?;
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
    pub(super) async fn blob_of(&self, content: &Content) -> Result<Option<BlobInfo>> {
        for blob in self.metadata.blobs(&BlobQuery::Content(content.digest)).await? {
            if blob.size == content.stored_size
                && let Some(found) = self.blobs.head(&blob.id).await?
                && found.size >= blob.size
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
