//! The sweep: what crashes and interrupted puts left is condemned, deleted and forgotten, in this order and each with
//! its grace.

use super::Engine;
use super::failpoint::Point;
use super::leftover::{self, Owner};
use crate::{BlobId, BlobInfo, BlobQuery, BlobRecord, Change, Locality, OnUnmet, Outcome};
use cacheness_core::Result;
use std::collections::HashSet;
use std::time::Duration;

/// How many blobs are looked at together.
const BATCH: usize = 1000;

/// How long the index remembers the name of a deleted blob that no record ever named. A put that stood still for longer
/// between its blob and its commit would commit a record without a blob.
const TOMBSTONE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Swept {
    /// Blobs that no record names, condemned now; a sweep after the grace deletes them.
    pub condemned: u64,
    /// Condemned blobs that were deleted.
    pub deleted: u64,
    /// Blobs that the index forgot.
    pub forgotten: u64,
    /// Staging files of killed processes that were removed.
    pub staging_files: u64,
    /// What else interrupted puts had left at the blob backend, such as uploads that were never completed.
    pub remnants: u64,
    /// Blobs that belong to another store, and stay.
    pub foreign: u64,
    /// Blobs that no record names and that stay, because this index ends with its process and knows of no other's.
    pub unjudged: u64,
}

impl Engine {
    /// Removes what crashes and interrupted puts left behind: blobs that no record names, condemned blobs, staging
    /// files, and what else the blob backend may hold of interrupted puts.
    /// Any number of processes may sweep at once, beside any other work.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the backends return.
    /// What was done before an error stays done.
    pub async fn sweep(&self) -> Result<Swept> {
        self.check_writable()?;
        let mut swept = Swept::default();
        self.commit_and_forget(Vec::new()).await?;
        self.condemn_unreferenced(&mut swept).await?;
        self.delete_condemned(&mut swept).await?;
        if let Some(directory) = self.blobs.staging().map(ToOwned::to_owned) {
            let grace = self.options.grace;
            swept.staging_files = self.driver.compute(move || leftover::remove_files(&directory, grace)).await?;
        }
        let now = self.metadata.stats().await?.now;
        swept.remnants = self.blobs.discard_remnants(now.before(self.options.grace)).await?;
        Ok(swept)
    }

    /// Condemns blobs that are older than the grace and that the index does not know.
    async fn condemn_unreferenced(&self, swept: &mut Swept) -> Result<()> {
        let now = self.metadata.stats().await?.now;
        let judges = self.metadata.info().locality >= self.blobs.info().locality.min(Locality::Host);
        let mut after = None;
        loop {
            let page = self.blobs.list(after, BATCH).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            let old = |blob: &&BlobInfo| blob.modified_at.is_none_or(|at| now.since(at) >= self.options.grace);
            let candidates = page.iter().filter(old).map(|blob| blob.id).filter(|id| *id != BlobId::STORE).collect();
            let unknown = self.unknown(candidates).await?;
            if !judges {
                swept.unjudged += unknown.len() as u64;
                continue;
            }
            let mut ours = Vec::new();
            for id in unknown {
                match leftover::owner(&*self.blobs, &id, self.store).await? {
                    Owner::This => ours.push(id),
                    Owner::Other => swept.foreign += 1,
                    Owner::Gone => {}
                }
            }
            self.reach(Point::SweepListed)?;
            let changes = ours.iter().map(|&blob| Change::Condemn { blob }).collect();
            let outcomes = self.metadata.commit(changes, OnUnmet::Skip).await?;
            swept.condemned += outcomes.iter().filter(|outcome| outcome.is_applied()).count() as u64;
            self.reach(Point::Condemned)?;
        }
    }

    /// Those of some blobs that the index does not know.
    pub(super) async fn unknown(&self, ids: Vec<BlobId>) -> Result<Vec<BlobId>> {
        let known = self.metadata.blobs(&BlobQuery::Named(ids.clone())).await?;
        let known: HashSet<_> = known.iter().map(|blob| blob.id).collect();
        Ok(ids.into_iter().filter(|id| !known.contains(id)).collect())
    }

    /// Deletes condemned blobs after their grace, and lets the index forget those that nobody can name any more.
    async fn delete_condemned(&self, swept: &mut Swept) -> Result<()> {
        let now = self.metadata.stats().await?.now;
        let delete_grace = match self.blobs.info().locality {
            Locality::Shared => self.options.delete_grace,
            Locality::Host | Locality::Process => Duration::ZERO,
        };
        let mut after = None;
        loop {
            let query = BlobQuery::Condemned { until: now.before(delete_grace), after, limit: BATCH };
            let page = self.metadata.blobs(&query).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.condemned_at.map(|at| (at, last.id));
            // A blob that records named was counted, and nobody can name it again. One that none ever named may still
            // be on its way to its commit.
            let was_named = |blob: &BlobRecord| blob.digest.is_some();
            let waited = |blob: &BlobRecord, grace| blob.condemned_at.is_some_and(|at| now.since(at) >= grace);
            let due = |blob: &&BlobRecord| was_named(blob) || waited(blob, self.options.grace);
            let due: Vec<_> = page.iter().filter(due).collect();
            let ids: Vec<_> = due.iter().map(|blob| blob.id).collect();
            let deleted = self.blobs.delete(&ids).await?;
            swept.deleted += deleted.iter().filter(|deleted| **deleted).count() as u64;
            self.reach(Point::Deleted)?;
            let past = due.iter().filter(|blob| was_named(blob) || waited(blob, TOMBSTONE));
            let forget: Vec<_> = past.map(|blob| Change::Forget { blob: blob.id }).collect();
            if !forget.is_empty() {
                let outcomes = self.metadata.commit(forget, OnUnmet::Skip).await?;
                swept.forgotten += outcomes.iter().filter(|outcome: &&Outcome| outcome.is_applied()).count() as u64;
            }
        }
    }
}
