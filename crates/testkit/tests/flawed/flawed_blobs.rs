//! Blobs in memory that many openings share, with one flaw at most.

use crate::place::{Place, Yield};
use cacheness_storage::memory::MemoryBlobs;
use cacheness_storage::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, Body, Bytes, Digest, DigestAlgorithm, Error, ErrorKind, GetBlob,
    Locality, Payload, PutBlob, Result, Staged, Timestamp, async_trait,
};
use cacheness_testkit::BlobSubject;
use std::fmt;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::{NamedTempFile, TempDir};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Flaw {
    Flawless,
    ClaimsToBlock,
    CursorMustExist,
    DeletesNothing,
    DeletesSayYes,
    DiscardsBlobs,
    EndsPayloads,
    ForgesDigests,
    ForgetsOnReopen,
    IgnoresEntityTags,
    KeepsStagedFiles,
    LimitsDeletes,
    ListsBackwards,
    ListsStagedFiles,
    MissingIsEmpty,
    Overwrites,
    PutsNothing,
    RangesIncludeTheEnd,
    ReadOnlyMakesStores,
    ReadOnlySeesNothing,
    ReadOnlyWrites,
    RefusesRangesBeyondTheEnd,
    RenamesItself,
    SaysSizeOfPart,
    StaysOpen,
    Truncates,
    TwoLines,
}

use Flaw::*;

pub(crate) fn subject(flaw: Flaw) -> BlobSubject {
    let place = Place::new();
    let staging = Arc::new(tempfile::tempdir().unwrap());
    BlobSubject::new(move |context| {
        let read_only = context.read_only;
        let inner = match read_only && flaw != ReadOnlyMakesStores {
            true => place.find(),
            false => Some(place.open(flaw == ForgetsOnReopen, || MemoryBlobs::new(&context))),
        };
        let staging = staging.clone();
        async move {
            let inner = inner.ok_or_else(|| Error::new(ErrorKind::Config, "there is no store"))?;
            let closed = AtomicBool::new(false);
            Ok(Flawed { inner, flaw, read_only, staging, closed, open: Mutex::default() })
        }
    })
}

pub(crate) struct Flawed {
    inner: Arc<MemoryBlobs>,
    flaw: Flaw,
    read_only: bool,
    staging: Arc<TempDir>,
    closed: AtomicBool,
    open: Mutex<Vec<File>>,
}

impl Flawed {
    async fn enter(&self) -> Result<()> {
        Yield::default().await;
        if self.closed.load(Ordering::SeqCst) && self.flaw != StaysOpen {
            return Err(Error::new(ErrorKind::Closed, "closed"));
        }
        Ok(())
    }

    async fn enter_to_change(&self) -> Result<()> {
        self.enter().await?;
        if self.read_only && self.flaw != ReadOnlyWrites {
            return Err(Error::new(ErrorKind::ReadOnly, "read-only"));
        }
        Ok(())
    }

    /// The payload in a file, of which a handle is kept.
    fn in_a_file(&self, payload: Payload) -> Result<Payload> {
        let Body::Bytes(bytes) = payload.body else { return Ok(payload) };
        let mut file = NamedTempFile::new_in(self.staging.path())?;
        file.write_all(&bytes)?;
        file.rewind()?;
        let size = bytes.len() as u64;
        self.open.lock().unwrap().push(file.reopen()?);
        Ok(Payload { info: payload.info, body: Body::File { file: file.into_file(), size } })
    }

    fn forged(&self, mut info: BlobInfo) -> BlobInfo {
        if self.flaw == ForgesDigests {
            info.digest = Some(Digest::of(DigestAlgorithm::Xxh3, b"other bytes"));
        }
        info
    }
}

#[async_trait]
impl BlobBackend for Flawed {
    fn info(&self) -> BackendInfo {
        let mut info = self.inner.info();
        info.locality = Locality::Host;
        info.capabilities.read_only = true;
        info.blocking = self.flaw == ClaimsToBlock;
        if self.flaw == RenamesItself && self.closed.load(Ordering::SeqCst) {
            info.name = "closed".into();
        }
        info
    }

    fn staging(&self) -> Option<&Path> {
        Some(self.staging.path()).filter(|_| !self.read_only)
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        self.enter_to_change().await?;
        match (self.flaw, payload) {
            (PutsNothing, payload) => Ok(BlobInfo::new(*id, payload.size())),
            (Truncates, Staged::Bytes(bytes)) => {
                let size = bytes.len();
                let mut info = self.inner.put(id, Staged::Bytes(bytes.slice(..size.min(65_536))), options).await?;
                info.size = size as u64;
                Ok(info)
            }
            (Truncates, Staged::File(file)) => {
                let size = file.len();
                let mut info = self.inner.put(id, Staged::Bytes(Bytes::new()), options).await?;
                info.size = size;
                Ok(info)
            }
            (KeepsStagedFiles, Staged::File(file)) => {
                let path = file.path().to_owned();
                let copy = std::fs::read(&path)?;
                let info = self.inner.put(id, Staged::File(file), options).await;
                std::fs::write(path, copy)?;
                info
            }
            (Overwrites, payload) => {
                self.inner.delete(&[*id]).await?;
                self.inner.put(id, payload, options).await
            }
            (_, payload) => self.inner.put(id, payload, options).await.map(|info| self.forged(info)),
        }
    }

    async fn get(&self, id: &BlobId, mut options: GetBlob) -> Result<Option<Payload>> {
        self.enter().await?;
        let size = self.inner.head(id).await?.map(|info| info.size);
        match (self.flaw, &mut options.range, size) {
            (RangesIncludeTheEnd, Some(range), _) => range.end = range.end.saturating_add(1),
            (RefusesRangesBeyondTheEnd, Some(range), Some(size)) if range.end > size => {
                return Err(Error::new(ErrorKind::Storage, "416"));
            }
            (MissingIsEmpty, _, None) => {
                return Ok(Some(Payload { info: BlobInfo::new(*id, 0), body: Body::Bytes(Bytes::new()) }));
            }
            (ReadOnlySeesNothing, ..) if self.read_only => return Ok(None),
            (IgnoresEntityTags, ..) => options.if_match = None,
            _ => {}
        }
        let Some(mut payload) = self.inner.get(id, options).await? else { return Ok(None) };
        match (self.flaw, &payload.body) {
            (EndsPayloads, _) => return self.in_a_file(payload).map(Some),
            (SaysSizeOfPart, Body::Bytes(bytes)) => payload.info.size = bytes.len() as u64,
            _ => {}
        }
        payload.info = self.forged(payload.info);
        Ok(Some(payload))
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.enter().await?;
        Ok(self.inner.head(id).await?.map(|info| self.forged(info)))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.enter_to_change().await?;
        match self.flaw {
            DeletesNothing => return Ok(vec![true; ids.len()]),
            LimitsDeletes if ids.len() > 1000 => return Err(Error::new(ErrorKind::Storage, "too many")),
            EndsPayloads => self.open.lock().unwrap().iter().try_for_each(|file| file.set_len(0))?,
            _ => {}
        }
        let there = self.inner.delete(ids).await?;
        Ok(if self.flaw == DeletesSayYes { vec![true; ids.len()] } else { there })
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.enter().await?;
        if let Some(id) = &after
            && self.flaw == CursorMustExist
            && self.inner.head(id).await?.is_none()
        {
            return Ok(Vec::new());
        }
        let mut infos = self.inner.list(after, limit).await?;
        match self.flaw {
            ListsBackwards => infos.reverse(),
            ListsStagedFiles if after.is_none() && std::fs::read_dir(self.staging.path())?.next().is_some() => {
                infos.insert(0, BlobInfo::new(BlobId::from_bytes([1; 16]), 0));
            }
            _ => {}
        }
        Ok(infos)
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.enter_to_change().await?;
        if self.flaw == DiscardsBlobs {
            let blobs = self.inner.list(None, 1000).await?;
            self.inner.delete(&blobs.iter().map(|blob| blob.id).collect::<Vec<_>>()).await?;
        }
        self.inner.discard_remnants(before).await
    }

    async fn close(&self) -> Result<()> {
        Yield::default().await;
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl fmt::Display for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory:{}", if self.flaw == TwoLines { "\n" } else { "" })
    }
}

impl fmt::Debug for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flawed({:?})", self.flaw)
    }
}
