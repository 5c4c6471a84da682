//! Blobs in memory.

use super::{NAME, closed};
use crate::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, Body, Capabilities, Digest, DigestAlgorithm, GetBlob, Locality,
    OpenContext, Payload, PutBlob, Staged,
};
use async_trait::async_trait;
use bytes::Bytes;
use cacheness_core::{Clock, Error, ErrorKind, Result, Timestamp};
use cacheness_handlers::SpooledFile;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io::Read;
use std::ops::{Bound, Range};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

type Blobs = BTreeMap<BlobId, (BlobInfo, Bytes)>;

/// Blobs in this process's memory: the measure for every other blob backend.
pub struct MemoryBlobs {
    clock: Arc<dyn Clock>,
    /// `None` after `close`.
    blobs: Mutex<Option<Blobs>>,
}

impl MemoryBlobs {
    /// A new, empty store.
    pub fn new(context: &OpenContext) -> Self {
        Self { clock: context.clock.clone(), blobs: Mutex::new(Some(Blobs::new())) }
    }

    fn with<R>(&self, operation: &'static str, work: impl FnOnce(&mut Blobs) -> R) -> Result<R> {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.as_mut().map(work).ok_or_else(|| closed(operation))
    }
}

#[async_trait]
impl BlobBackend for MemoryBlobs {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: NAME.into(),
            locality: Locality::Process,
            blocking: true,
            capabilities: Capabilities { if_match: true, exclusive_puts: true, ..Capabilities::default() },
        }
    }

    fn staging(&self) -> Option<&Path> {
        None
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let bytes = match payload {
            Staged::Bytes(bytes) => bytes,
            Staged::File(file) => read(&file)?,
        };
        let info = BlobInfo {
            digest: options.digest,
            etag: Some(Digest::of(DigestAlgorithm::Xxh3, &bytes).to_string()),
            content_type: options.content_type,
            modified_at: Some(self.clock.now()),
            metadata: options.metadata,
            ..BlobInfo::new(*id, bytes.len() as u64)
        };
        self.with("put", |blobs| match blobs.entry(*id) {
            Entry::Occupied(_) => {
                let message = format!("there is a blob {id} already");
                Err(Error::new(ErrorKind::AlreadyExists, message).operation("put").backend(self))
            }
            Entry::Vacant(place) => Ok(place.insert((info, bytes)).0.clone()),
        })?
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        let Some((info, bytes)) = self.with("get", |blobs| blobs.get(id).cloned())? else {
            return Ok(None);
        };
        if options.if_match.is_some_and(|etag| info.etag.as_ref() != Some(&etag)) {
            let message = format!("the blob {id} has another entity tag");
            return Err(Error::new(ErrorKind::Conflict, message).operation("get").backend(self));
        }
        let bytes = match options.range {
            Some(range) => bytes.slice(clipped(range, bytes.len())),
            None => bytes,
        };
        Ok(Some(Payload { info, body: Body::Bytes(bytes) }))
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.with("head", |blobs| blobs.get(id).map(|(info, _)| info.clone()))
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.with("delete", |blobs| ids.iter().map(|id| blobs.remove(id).is_some()).collect())
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.with("list", |blobs| {
            let next = blobs.range((from, Bound::Unbounded)).take(limit);
            next.map(|(_, (info, _))| info.clone()).collect()
        })
    }

    async fn discard_remnants(&self, _before: Timestamp) -> Result<u64> {
        self.with("discard remnants", |_| 0)
    }

    async fn close(&self) -> Result<()> {
        *self.blobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

impl fmt::Display for MemoryBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}:")
    }
}

impl fmt::Debug for MemoryBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBlobs({NAME}:)")
    }
}

fn read(file: &SpooledFile) -> Result<Bytes> {
    let mut bytes = Vec::new();
    file.reader()?
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io(ErrorKind::Storage, "a staged file cannot be read", source).operation("put"))?;
    Ok(bytes.into())
}

/// The part of a range that lies within `size` bytes.
fn clipped(range: Range<u64>, size: usize) -> Range<usize> {
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(size);
    let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
    start..end
}
