//! Everything but putting and getting values.

use super::Engine;
use crate::{
    Change, Condition, EntryKey, Filter, MetadataStats, Outcome, Page, Patch, Query, Reclaim, ReclaimOrder, Reclaimed,
    Version,
};
use cacheness_core::{Error, ErrorKind, Result};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a clear waits for another one that is at it, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(30);
const BUSY_PAUSE: Duration = Duration::from_millis(2);

impl Engine {
    /// Removes a record; says whether one met the condition.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], and what the index returns.
    pub async fn remove(&self, key: &EntryKey, condition: Condition) -> Result<bool> {
        self.check_writable()?;
        let outcome = self.commit_one(Change::Remove { key: key.clone(), condition }).await?;
        Ok(matches!(outcome, Outcome::Applied { previous: Some(_), .. }))
    }

    /// Changes fields of a record; says whether one met the condition.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], and what the index returns.
    pub async fn patch(&self, key: &EntryKey, patch: Patch, condition: Condition) -> Result<bool> {
        self.check_writable()?;
        let change = Change::Patch { key: key.clone(), patch: Box::new(patch), condition };
        Ok(self.commit_one(change).await?.is_applied())
    }

    /// The next records of a query.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::InvalidQuery`], and what the index returns.
    pub async fn page(&self, query: &Query) -> Result<Page> {
        self.check_open()?;
        self.metadata.page(query, query.after.clone()).await
    }

    /// Removes every record that the filter means; returns how many. Others may be added meanwhile.
    ///
    /// # Errors
    ///
    /// As [`reclaim`](Self::reclaim).
    pub async fn remove_where(&self, filter: &Filter) -> Result<u64> {
        let plan = Reclaim::all(filter.clone(), ReclaimOrder::Key);
        self.reclaim(&plan, |_| {}).await
    }

    /// Gives back what the plan means, batch by batch; returns how many records that were. `removed` learns the keys of
    /// each batch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::ReadOnly`], [`ErrorKind::InvalidQuery`], and what the index returns; batches that
    /// were removed before the error stay removed.
    pub async fn reclaim(&self, plan: &Reclaim, mut removed: impl FnMut(&[EntryKey])) -> Result<u64> {
        self.check_writable()?;
        let start = Instant::now();
        let mut count = 0;
        loop {
            let Reclaimed { keys, condemned, more, busy } = self.metadata.reclaim(plan).await?;
            count += keys.len() as u64;
            removed(&keys);
            self.delete_replaced(&condemned).await;
            self.commit_and_forget(Vec::new()).await?;
            if busy && start.elapsed() > PATIENCE {
                let message = "somebody else has been removing records all the time";
                return Err(Error::new(ErrorKind::Unavailable, message).advice("try again when it is done"));
            }
            if busy {
                self.driver.runtime().sleep(BUSY_PAUSE).await;
            } else if !more {
                return Ok(count);
            }
        }
    }

    /// Drops a record that was judged bad, unless another version took its place since.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    pub async fn drop_judged(&self, key: &EntryKey, judged: Version) -> Result<bool> {
        self.remove(key, Condition::Version(judged)).await
    }

    /// Totals of the index.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], and what the index returns.
    pub async fn stats(&self) -> Result<MetadataStats> {
        self.check_open()?;
        Self::timed(self.time.as_deref(), self.metadata.stats()).await
    }

    /// Closes the store: later calls fail, and both backends release what they hold. A second close is no error.
    ///
    /// # Errors
    ///
    /// What the backends return.
    pub async fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let forgotten = self.commit_and_forget(Vec::new()).await.map(drop);
        let metadata = self.metadata.close().await;
        let blobs = self.blobs.close().await;
        forgotten.and(metadata).and(blobs)
    }
}
