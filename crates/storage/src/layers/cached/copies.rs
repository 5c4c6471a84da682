//! The local copies: found and verified, made, and taken away. Nothing that fails here fails a call.

use super::index::Index;
use super::seal::{SEAL_SIZE, opened, sealed};
use super::{CachedStats, Counters};
use crate::layers::replay::Replay;
use crate::layers::surroundings::Surroundings;
use crate::{BlobBackend, BlobId, BlobInfo, Error, ErrorKind, GetBlob, Payload, PutBlob, Result};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many names are listed together.
const BATCH: usize = 1000;

#[derive(Debug)]
pub(super) struct Copies {
    pub(super) local: Arc<dyn BlobBackend>,
    pub(super) surroundings: Surroundings,
    pub(super) counters: Arc<Counters>,
    pub(super) index: Mutex<Index>,
    /// What all copies together may take.
    pub(super) limit: u64,
    pub(super) read_only: bool,
}

impl Copies {
    /// A part of a blob, if there is a copy of it that is whole.
    pub(super) async fn find(&self, id: BlobId, range: Option<&Range<u64>>) -> Option<Payload> {
        let found = match self.local.get(&id, GetBlob::default()).await {
            Ok(found) => found,
            Err(error) => {
                self.failed("read", &error);
                return None;
            }
        };
        let Some(Payload { body, info: BlobInfo { size: takes, .. } }) = found else {
            self.index().remove(&id);
            return None;
        };
        let range = range.cloned();
        match self.surroundings.compute(move || opened(id, body, range.as_ref())).await {
            Ok(Some((body, size))) => {
                self.index().touch(id, takes);
                Some(Payload { info: BlobInfo::new(id, size), body })
            }
            Ok(None) => {
                self.counters.damaged.add(1);
                self.remove(&[id]).await;
                None
            }
            Err(error) => {
                self.failed("read", &error);
                None
            }
        }
    }

    /// Whether a blob of so many bytes can have a copy.
    pub(super) fn takes(&self, size: u64) -> bool {
        !self.read_only && size.saturating_add(SEAL_SIZE) <= self.limit
    }

    /// Makes a copy of a blob; says whether there is one.
    pub(super) async fn keep(&self, id: BlobId, source: Replay) -> bool {
        if !self.takes(source.size()) {
            self.counters.bypassed.add(1);
            return false;
        }
        match self.store(id, source).await {
            Ok(()) => true,
            Err(error) => {
                self.index().remove(&id);
                self.failed("written", &error);
                false
            }
        }
    }

    async fn store(&self, id: BlobId, source: Replay) -> Result<()> {
        let takes = source.size().saturating_add(SEAL_SIZE);
        self.list_if_due().await;
        let victims = self.index().make_room(takes, self.limit, self.limit - self.limit / 10);
        self.counters.evictions.add(victims.len() as u64);
        self.remove(&victims).await;
        self.index().add(id, takes);
        let staging = self.local.staging().map(ToOwned::to_owned);
        let staged = self.surroundings.compute(move || sealed(id, &source, staging.as_deref())).await?;
        match self.local.put(&id, staged, PutBlob::default()).await {
            // Another process was faster.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => {
                self.counters.copies.add(1);
                Ok(())
            }
        }
    }

    /// Takes copies away.
    pub(super) async fn remove(&self, ids: &[BlobId]) {
        if ids.is_empty() || self.read_only {
            return;
        }
        {
            let mut index = self.index();
            ids.iter().for_each(|id| index.remove(id));
        }
        if let Err(error) = self.local.delete(ids).await {
            self.failed("deleted", &error);
        }
    }

    /// Lists the directory before the first copy, and after every tenth of the limit: another process may use it, too.
    async fn list_if_due(&self) {
        let tick = {
            let mut index = self.index();
            if !index.is_due(self.limit / 10) {
                return;
            }
            index.listing()
        };
        match self.list().await {
            Ok(found) => self.index().listed(tick, found),
            Err(error) => self.failed("listed", &error),
        }
    }

    async fn list(&self) -> Result<Vec<BlobInfo>> {
        let mut found = Vec::new();
        loop {
            let page = self.local.list(found.last().map(|info: &BlobInfo| info.id), BATCH).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }

    /// Refuses a directory in which a store keeps its blobs: they would be taken for copies, and make room.
    pub(super) async fn check(&self) -> Result<()> {
        if self.local.head(&BlobId::STORE).await?.is_none() {
            return Ok(());
        }
        let message = format!("{} holds the blobs of a store, and local copies need a place of their own", self.local);
        Err(Error::new(ErrorKind::ForeignStore, message).advice("name an empty directory"))
    }

    pub(super) fn stats(&self) -> CachedStats {
        self.counters.stats(self.index().bytes())
    }

    fn failed(&self, _verb: &'static str, _error: &Error) {
        self.counters.failures.add(1);
        #[cfg(feature = "tracing")]
        tracing::warn!(copies = %self.local, error = %_error, action = _verb, "local copies fail");
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
