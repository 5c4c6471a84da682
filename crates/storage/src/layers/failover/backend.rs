//! The blobs of several backends, as those of one.

use super::merge::merged;
use super::{Counters, MemberStats, Options, is_sick};
use crate::layers::counter::Counter;
use crate::layers::replay::Replay;
use crate::layers::surroundings::Surroundings;
use crate::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, Capabilities, Durability, Error, ErrorKind, GetBlob, Payload, PutBlob,
    Result, Staged, Timestamp,
};
use async_trait::async_trait;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub(super) struct FailoverBlobs {
    /// At least one.
    pub(super) members: Vec<Arc<Member>>,
    pub(super) options: Options,
    pub(super) durability: Durability,
    pub(super) surroundings: Surroundings,
    pub(super) counters: Arc<Counters>,
    pub(super) repairing: Mutex<HashSet<BlobId>>,
}

/// One of the backends.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) backend: Arc<dyn BlobBackend>,
    failures: Counter,
    sick: AtomicBool,
}

impl Member {
    pub(super) fn new(backend: Arc<dyn BlobBackend>) -> Self {
        Self { backend, failures: Counter::default(), sick: AtomicBool::new(false) }
    }

    /// Notes how a call went; an error names the one that it is about.
    pub(super) fn note<T>(&self, result: Result<T>) -> Result<T> {
        let is_sick = result.as_ref().is_err_and(|error| is_sick(error.kind()));
        self.failures.add(u64::from(is_sick));
        self.sick.store(is_sick, Ordering::Relaxed);
        result.map_err(|error| error.backend(&self.backend))
    }

    pub(super) fn stats(&self) -> MemberStats {
        MemberStats {
            backend: self.backend.to_string(),
            failures: self.failures.get(),
            healthy: !self.sick.load(Ordering::Relaxed),
        }
    }
}

impl FailoverBlobs {
    fn first(&self) -> Result<&Arc<Member>> {
        self.members.first().ok_or_else(|| Error::new(ErrorKind::Internal, "there is no backend to fail over from"))
    }

    /// Looks whether a blob is there, and whole.
    pub(super) async fn verify(&self, member: &Member, id: BlobId, size: u64) -> Result<()> {
        let found = member.note(member.backend.head(&id).await)?;
        if found.as_ref().is_some_and(|info| info.size == size) {
            return Ok(());
        }
        self.counters.unverified.add(1);
        let message = match found {
            Some(info) => format!("the blob {id} has {} bytes right after {size} were put", info.size),
            None => format!("the blob {id} is not there right after it was put"),
        };
        Err(Error::new(ErrorKind::Storage, message).operation("put a blob").backend(&member.backend))
    }

    /// Stores a blob in the first of the backends that can be reached; says which that was.
    async fn put_first(
        &self,
        id: BlobId,
        payload: Staged,
        options: &PutBlob,
        source: &Replay,
    ) -> Result<(usize, BlobInfo)> {
        let first = self.first()?;
        let size = source.size();
        let mut stored = self.put_in(first, id, payload, options, size).await;
        if !self.options.take_over {
            return stored.map(|info| (0, info));
        }
        let locality = first.backend.info().locality;
        for (at, member) in self.members.iter().enumerate().skip(1) {
            if !stored.as_ref().is_err_and(|error| is_sick(error.kind())) {
                break;
            }
            // Who reads through the first elsewhere could not see it.
            if member.backend.info().locality < locality {
                continue;
            }
            let (source, directory) = (source.clone(), member.backend.staging().map(ToOwned::to_owned));
            let staged = self.surroundings.compute(move || source.stage(directory.as_deref())).await?;
            match self.put_in(member, id, staged, options, size).await {
                Ok(info) => {
                    self.counters.writes_taken_over.add(1);
                    return Ok((at, info));
                }
                // What the first said counts.
                Err(error) if is_sick(error.kind()) => {}
                Err(error) => stored = Err(error),
            }
        }
        stored.map(|info| (0, info))
    }

    async fn put_in(
        &self,
        member: &Member,
        id: BlobId,
        payload: Staged,
        options: &PutBlob,
        size: u64,
    ) -> Result<BlobInfo> {
        let info = member.note(member.backend.put(&id, payload, options.clone()).await)?;
        if self.options.verify_writes {
            self.verify(member, id, size).await?;
        }
        Ok(info)
    }

    /// Copies a blob to all others; a failure is an error only when all are required.
    async fn replicate(&self, id: BlobId, at: usize, source: &Replay, options: &PutBlob) -> Result<()> {
        for (other, member) in self.members.iter().enumerate().filter(|(other, _)| *other != at) {
            // The ones before could not be reached just now.
            let copied = match other < at && !self.options.require_all {
                true => continue,
                false => self.copy(member, id, source.clone(), options.clone()).await,
            };
            let Err(error) = copied else {
                self.counters.copies.add(1);
                continue;
            };
            self.counters.copies_failed.add(1);
            #[cfg(feature = "tracing")]
            tracing::warn!(blob = %id, backend = %member.backend, %error, "a blob has one copy less");
            if self.options.require_all {
                let is_gone = self.delete(&[id]).await.is_ok();
                return Err(error.retryable(is_gone));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl BlobBackend for FailoverBlobs {
    fn info(&self) -> BackendInfo {
        let infos = || self.members.iter().map(|member| member.backend.info());
        let mut capabilities = Capabilities::default();
        capabilities.full_durability = infos().all(|info| info.capabilities.full_durability);
        capabilities.read_only = infos().all(|info| info.capabilities.read_only);
        BackendInfo {
            name: "failover".into(),
            locality: infos().next().map_or(crate::Locality::Process, |first| first.locality),
            blocking: self.surroundings.blocking,
            capabilities,
        }
    }

    fn staging(&self) -> Option<&Path> {
        self.members.first().and_then(|first| first.backend.staging())
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let source = Replay::of(&payload)?;
        let (at, info) = self.put_first(*id, payload, &options, &source).await?;
        self.replicate(*id, at, &source, &options).await?;
        Ok(info)
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        if options.if_match.is_some() {
            let message = "each of the backends has entity tags of its own, so if_match compares nothing";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let (mut missing, mut failed) = (Vec::new(), None);
        for (at, member) in self.members.iter().enumerate() {
            match member.note(member.backend.get(id, options.clone()).await) {
                Ok(Some(payload)) => {
                    self.counters.reads_taken_over.add(u64::from(at > 0));
                    self.repair(*id, member, missing).await;
                    return Ok(Some(payload));
                }
                Ok(None) => missing.push(member.clone()),
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        let mut failed = None;
        for (at, member) in self.members.iter().enumerate() {
            match member.note(member.backend.head(id).await) {
                Ok(Some(info)) => {
                    self.counters.reads_taken_over.add(u64::from(at > 0));
                    return Ok(Some(info));
                }
                Ok(None) => {}
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        let (mut deleted, mut failed) = (vec![false; ids.len()], None);
        // The last first: a reader who finds nothing in the first finds nothing behind it, and repairs nothing.
        for member in self.members.iter().rev() {
            match member.note(member.backend.delete(ids).await) {
                Ok(there) => deleted.iter_mut().zip(there).for_each(|(deleted, there)| *deleted |= there),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(deleted), Err)
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        let mut listings = Vec::with_capacity(self.members.len());
        for member in &self.members {
            listings.push(member.note(member.backend.list(after, limit).await)?);
        }
        Ok(merged(listings, limit))
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        let mut discarded = 0;
        for member in &self.members {
            discarded += member.note(member.backend.discard_remnants(before).await)?;
        }
        Ok(discarded)
    }

    async fn close(&self) -> Result<()> {
        let mut closed = Ok(());
        for member in &self.members {
            closed = closed.and(member.backend.close().await);
        }
        closed
    }
}

impl fmt::Display for FailoverBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failover(")?;
        for (at, member) in self.members.iter().enumerate() {
            write!(f, "{}{}", if at > 0 { ", " } else { "" }, member.backend)?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for FailoverBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
