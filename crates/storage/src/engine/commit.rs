//! Commits, and what becomes of the blobs that they left without a record.

use super::Engine;
use super::failpoint::Point;
use super::write::{NewEntry, put};
use crate::{BlobId, Change, Condition, EntryKey, Locality, OnUnmet, Outcome, Record, Usage};
use cacheness_core::{Error, ErrorKind, Result};
use std::sync::PoisonError;

impl Engine {
    /// Commits one change, forgets what was deleted before, and deletes what this commit condemned.
    pub(super) async fn commit_one(&self, change: Change) -> Result<Outcome> {
        self.commit_first(vec![change], OnUnmet::Skip).await
    }

    /// Commits the record of a new value with the changes that go with it; the outcome is the record's.
    pub(super) async fn commit_entry(&self, record: Record, entry: &NewEntry) -> Result<Outcome> {
        let changes = [put(record, entry)].into_iter().chain(entry.with.iter().cloned()).collect();
        self.commit_first(changes, entry.on_unmet).await
    }

    /// Removes a record, and makes other changes in the same commit, each on its own condition; says whether a record met
    /// the condition.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::ReadOnly`], and what the index returns.
    pub async fn remove_with(&self, key: &EntryKey, condition: Condition, with: Vec<Change>) -> Result<bool> {
        self.check_writable()?;
        let changes = [Change::Remove { key: key.clone(), condition }].into_iter().chain(with).collect();
        let outcome = self.commit_first(changes, OnUnmet::Skip).await?;
        Ok(matches!(outcome, Outcome::Applied { previous: Some(_), .. }))
    }

    /// Commits changes and deletes what they condemned; the outcome is that of the first one. Nothing else rides in a
    /// commit that is all or nothing.
    async fn commit_first(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Outcome> {
        let count = changes.len();
        let mut outcomes = match on_unmet {
            OnUnmet::Skip => self.commit_and_forget(changes).await?,
            OnUnmet::Abort => {
                let outcomes = self.metadata.commit(changes, OnUnmet::Abort).await?;
                self.reach(Point::Committed).map(|()| outcomes)?
            }
        };
        outcomes.truncate(count);
        for outcome in &outcomes {
            if let Outcome::Applied { condemned, .. } = outcome {
                self.delete_replaced(condemned).await;
            }
        }
        let no_outcome = || Error::new(ErrorKind::Internal, format!("{} gave no outcome", self.metadata));
        outcomes.into_iter().next().ok_or_else(no_outcome)
    }

    /// Commits changes, each on its own condition, and behind them that the blobs deleted before are forgotten.
    pub(super) async fn commit_and_forget(&self, mut changes: Vec<Change>) -> Result<Vec<Outcome>> {
        let deleted = std::mem::take(&mut *self.deleted.lock().unwrap_or_else(PoisonError::into_inner));
        changes.extend(deleted.iter().map(|&blob| Change::Forget { blob }));
        changes.append(&mut self.uses.lock().unwrap_or_else(PoisonError::into_inner));
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let committed = self.metadata.commit(changes, OnUnmet::Skip).await;
        if committed.is_err() {
            self.remember_deleted(deleted);
        }
        committed.and_then(|outcomes| self.reach(Point::Committed).map(|()| outcomes))
    }

    /// Has uses of records told by the next commit, whatever it is for. They are told once: when that fails, they are
    /// lost.
    pub fn tell_later(&self, uses: impl IntoIterator<Item = (EntryKey, Usage)>) {
        let told =
            |(key, usage): (EntryKey, Usage)| Some(Change::Use { key, at: usage.accessed_at?, hits: usage.hits });
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).extend(uses.into_iter().filter_map(told));
    }

    /// Tells uses of records now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::ReadOnly`], and what the index returns.
    pub async fn tell(&self, uses: impl IntoIterator<Item = (EntryKey, Usage)>) -> Result<()> {
        self.check_writable()?;
        self.tell_later(uses);
        self.commit_and_forget(Vec::new()).await.map(drop)
    }

    /// Deletes blobs whose last record is gone, right away where no other machine can be reading them; a sweep deletes
    /// the others. Nobody can name them any more: whoever shares a blob requires that records name it.
    pub(super) async fn delete_replaced(&self, condemned: &[BlobId]) {
        if condemned.is_empty() || self.blobs.info().locality == Locality::Shared {
            return;
        }
        // Best effort: they stay condemned in the index, and the sweep finds them.
        if self.reach(Point::Condemned).is_ok()
            && self.blobs.delete(condemned).await.is_ok()
            && self.reach(Point::Deleted).is_ok()
        {
            self.remember_deleted(condemned.to_vec());
        }
    }

    /// Deletes a blob that no commit named.
    pub(super) async fn discard(&self, blob: BlobId) {
        // Best effort: what stays is unreferenced, and the sweep finds it.
        drop(self.blobs.delete(&[blob]).await);
    }

    /// Deletes a blob after an error of the commit that named it. The commit may have happened, or may still happen:
    /// condemning the blob succeeds only if no record names it, and makes a late commit fail. Otherwise the blob stays.
    /// It stays condemned: once it were forgotten, a late commit would succeed.
    pub(super) async fn disown(&self, blob: BlobId) {
        let condemned = self.metadata.commit(vec![Change::Condemn { blob }], OnUnmet::Skip).await;
        if condemned.is_ok_and(|outcomes| outcomes.first().is_some_and(Outcome::is_applied)) {
            self.discard(blob).await;
        }
    }

    fn remember_deleted(&self, blobs: Vec<BlobId>) {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).extend(blobs);
    }
}
