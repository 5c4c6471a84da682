//! The blobs of a remote backend, with local copies of those that were read or put here.

use super::copies::Copies;
use crate::layers::replay::Replay;
use crate::{BackendInfo, BlobBackend, BlobId, BlobInfo, Body, GetBlob, Payload, PutBlob, Result, Staged, Timestamp};
use async_trait::async_trait;
use cacheness_core::flight::{Flights, Turn};
use std::fmt;
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// More than any trailer has that a key and a handler of usual size make: a read of a value asks for all of its blob but
/// that, and so much more makes it whole.
const TAIL: u64 = 64 << 10;

/// How the fetch of a blob went, for those who waited for it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Landing {
    /// There is a copy now.
    Kept,
    /// There is none: each goes for himself.
    Alone,
}

pub(super) struct CachedBlobs {
    pub(super) upstream: Arc<dyn BlobBackend>,
    pub(super) copies: Arc<Copies>,
    pub(super) fetches: Flights<BlobId, Landing>,
    pub(super) write_through: bool,
}

impl CachedBlobs {
    /// Fetches a blob of which there is no copy, and makes one.
    async fn fetch(&self, id: BlobId, options: GetBlob) -> Result<Option<Payload>> {
        let copies = &self.copies;
        let lead = match copies.surroundings.wait(self.fetches.join(id)).await? {
            Turn::Lead(lead) => lead,
            Turn::Landed(Landing::Kept) => {
                if let Some(payload) = copies.find(id, options.range.as_ref()).await {
                    copies.counters.hits.add(1);
                    return Ok(Some(payload));
                }
                copies.counters.misses.add(1);
                return self.upstream.get(&id, options).await;
            }
            Turn::Landed(Landing::Alone) => {
                copies.counters.misses.add(1);
                return self.upstream.get(&id, options).await;
            }
        };
        // Another fetch may have landed between the look for a copy and the lead.
        if let Some(payload) = copies.find(id, options.range.as_ref()).await {
            lead.land(Landing::Kept);
            copies.counters.hits.add(1);
            return Ok(Some(payload));
        }
        copies.counters.misses.add(1);
        let asked = options.range.map(|range| range.end);
        let wide = GetBlob { range: asked.map(|end| 0..end.saturating_add(TAIL)), ..GetBlob::default() };
        let fetched = match self.upstream.get(&id, wide).await {
            Ok(Some(payload)) => payload,
            other => {
                lead.land(Landing::Alone);
                return other;
            }
        };
        let Payload { info, body } = fetched;
        if size_of(&body) != info.size {
            copies.counters.bypassed.add(1);
            lead.land(Landing::Alone);
            return Ok(Some(Payload { info, body: shortened(body, asked) }));
        }
        // A blob that was deleted meanwhile gets no copy.
        let (body, is_kept) = match lead.begin_commit() {
            true => self.copy(id, body).await?,
            false => (body, false),
        };
        lead.land(if is_kept { Landing::Kept } else { Landing::Alone });
        Ok(Some(Payload { info, body: shortened(body, asked) }))
    }

    /// Makes a copy of a whole blob, and gives its bytes back, to be read from their start.
    async fn copy(&self, id: BlobId, body: Body) -> Result<(Body, bool)> {
        match body {
            Body::Bytes(bytes) => {
                let is_kept = self.copies.keep(id, Replay::Bytes(bytes.clone())).await;
                Ok((Body::Bytes(bytes), is_kept))
            }
            Body::File { mut file, size } => {
                let start = file.stream_position()?;
                let source = Replay::read(Body::File { file: file.try_clone()?, size })?;
                let is_kept = self.copies.keep(id, source).await;
                // The handle that was read shares its position with this one.
                file.seek(SeekFrom::Start(start))?;
                Ok((Body::File { file, size }, is_kept))
            }
        }
    }
}

fn size_of(body: &Body) -> u64 {
    match body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::File { size, .. } => *size,
    }
}

/// The first bytes of a body, up to where they were asked for.
fn shortened(body: Body, asked: Option<u64>) -> Body {
    let Some(asked) = asked else { return body };
    match body {
        Body::Bytes(bytes) => {
            let end = usize::try_from(asked).unwrap_or(usize::MAX).min(bytes.len());
            Body::Bytes(bytes.slice(..end))
        }
        Body::File { file, size } => Body::File { file, size: size.min(asked) },
    }
}

#[async_trait]
impl BlobBackend for CachedBlobs {
    fn info(&self) -> BackendInfo {
        BackendInfo { blocking: self.copies.surroundings.blocking, ..self.upstream.info() }
    }

    fn staging(&self) -> Option<&Path> {
        self.upstream.staging().or_else(|| self.copies.local.staging().filter(|_| !self.copies.read_only))
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let keeps = self.write_through && *id != BlobId::STORE && self.copies.takes(payload.size());
        let source = if keeps { Replay::of(&payload).ok() } else { None };
        let info = self.upstream.put(id, payload, options).await?;
        if let Some(source) = source {
            self.copies.keep(*id, source).await;
        }
        Ok(info)
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        if *id == BlobId::STORE || options.bypass_copies || options.if_match.is_some() {
            return self.upstream.get(id, options).await;
        }
        if let Some(payload) = self.copies.find(*id, options.range.as_ref()).await {
            self.copies.counters.hits.add(1);
            return Ok(Some(payload));
        }
        if self.copies.read_only || options.range.as_ref().is_some_and(|range| range.start > 0) {
            self.copies.counters.bypassed.add(1);
            return self.upstream.get(id, options).await;
        }
        self.fetch(*id, options).await
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.upstream.head(id).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        let deleted = self.upstream.delete(ids).await;
        // Also after an error: they are only copies. Whoever fetches one of them right now makes none.
        for id in ids {
            self.copies.surroundings.wait(self.fetches.overtake(id)).await;
        }
        self.copies.remove(ids).await;
        deleted
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.upstream.list(after, limit).await
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.upstream.discard_remnants(before).await
    }

    async fn close(&self) -> Result<()> {
        let closed = self.upstream.close().await;
        self.copies.local.close().await.and(closed)
    }
}

impl fmt::Display for CachedBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cached({}, {})", self.copies.local, self.upstream)
    }
}

impl fmt::Debug for CachedBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
