//! The bytes behind their contract.

use crate::RedbConfig;
use crate::database::Store;
use crate::failure::{Result as Internal, corrupt, unknown};
use crate::metadata::info;
use crate::schema::{BLOBS, Facts, PIECES, from_digest, to_digest};
use cacheness_storage::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, Body, Bytes, Clock, Error, ErrorKind, GetBlob, OpenContext, Payload,
    PutBlob, Result, Staged, Timestamp, async_trait,
};
use redb::{ReadTransaction, ReadableTable, Table};
use std::fmt;
use std::io::Read;
use std::ops::{Bound, Range};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a piece. redb keeps a value in pages whose number is a power of two: 63 of 4 KiB leave room for its header.
const PIECE: u64 = 63 * 4096;

/// Blobs in a redb file, in pieces, so that reading a range reads no more than that.
///
/// A put is one transaction, during which other writers of the file wait: for values of some MiB.
pub struct RedbBlobs {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl RedbBlobs {
    /// Opens the blobs in the file at a path, which is made when it is missing. It blocks.
    ///
    /// # Errors
    ///
    /// As [`RedbMetadata::open`](crate::RedbMetadata::open).
    pub fn open(path: impl AsRef<Path>, context: &OpenContext, config: RedbConfig) -> Result<Self> {
        let store = Store::open(path.as_ref(), context, &config, ErrorKind::Storage)?;
        Ok(Self { store, clock: context.clock.clone() })
    }
}

#[async_trait]
impl BlobBackend for RedbBlobs {
    fn info(&self) -> BackendInfo {
        info()
    }

    fn staging(&self) -> Option<&Path> {
        None
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let mut info = BlobInfo::new(*id, payload.size());
        info.digest = options.digest;
        info.content_type = options.content_type;
        info.modified_at = Some(self.clock.now());
        info.metadata = options.metadata;
        self.store.write("put", |transaction| {
            let mut blobs = transaction.open_table(BLOBS)?;
            if blobs.get(id.as_bytes())?.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, format!("there is a blob {id} already")).into());
            }
            let facts = (
                info.size,
                info.digest.as_ref().map(from_digest).transpose()?,
                info.content_type.as_deref(),
                info.modified_at.map_or(0, Timestamp::as_micros),
                info.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            );
            blobs.insert(id.as_bytes(), facts)?;
            let mut pieces = transaction.open_table(PIECES)?;
            let written = match &payload {
                Staged::Bytes(bytes) => write(&mut pieces, id, &**bytes)?,
                Staged::File(file) => write(&mut pieces, id, file.reader()?)?,
                _ => return Err(unknown("the payload").into()),
            };
            if written != info.size {
                return Err(Error::new(ErrorKind::Storage, "a staged file is shorter or longer than it was").into());
            }
            Ok((info, true))
        })
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        self.store.read("get", |snapshot| {
            let Some(row) = snapshot.open_table(BLOBS)?.get(id.as_bytes())? else { return Ok(None) };
            let info = read_info(*id, row.value())?;
            let Range { start, end } = options.range.unwrap_or(0..info.size);
            let end = end.min(info.size);
            let bytes = read(snapshot, id, start.min(end)..end)?;
            Ok(Some(Payload { info, body: Body::Bytes(bytes) }))
        })
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.store.read("head", |snapshot| {
            let row = snapshot.open_table(BLOBS)?.get(id.as_bytes())?;
            row.map(|row| read_info(*id, row.value())).transpose()
        })
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.store.write("delete", |transaction| {
            let mut blobs = transaction.open_table(BLOBS)?;
            let mut pieces = transaction.open_table(PIECES)?;
            let mut deleted = Vec::with_capacity(ids.len());
            for id in ids.iter().map(BlobId::as_bytes) {
                deleted.push(blobs.remove(id)?.is_some());
                pieces.retain_in((id, 0)..=(id, u64::MAX), |_, _| false)?;
            }
            let has_changed = deleted.contains(&true);
            Ok((deleted, has_changed))
        })
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.store.read("list", |snapshot| {
            let from = after.as_ref().map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_bytes()));
            let rows = snapshot.open_table(BLOBS)?.range::<&[u8; 16]>((from, Bound::Unbounded))?.take(limit);
            rows.map(|row| {
                let (id, row) = row?;
                read_info(BlobId::from_bytes(*id.value()), row.value())
            })
            .collect()
        })
    }

    /// A put is one transaction, which leaves nothing when it is interrupted.
    async fn discard_remnants(&self, _before: Timestamp) -> Result<u64> {
        self.store.read("discard remnants", |_| Ok(0))
    }

    async fn close(&self) -> Result<()> {
        self.store.close();
        Ok(())
    }
}

impl fmt::Display for RedbBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.store.name)
    }
}

impl fmt::Debug for RedbBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedbBlobs({self})")
    }
}

fn read_info(id: BlobId, (size, digest, content_type, modified_at, metadata): Facts<'_>) -> Internal<BlobInfo> {
    let mut info = BlobInfo::new(id, size);
    info.digest = digest.map(to_digest).transpose()?;
    info.content_type = content_type.map(str::to_owned);
    info.modified_at = Some(Timestamp::from_micros(modified_at));
    info.metadata = metadata.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(info)
}

/// Writes all bytes of a source in pieces; returns how many there were.
fn write(
    pieces: &mut Table<'_, (&'static [u8; 16], u64), &'static [u8]>,
    id: &BlobId,
    mut source: impl Read,
) -> Internal<u64> {
    let mut piece = Vec::new();
    let mut written = 0;
    for number in 0.. {
        piece.clear();
        let length = (&mut source).take(PIECE).read_to_end(&mut piece).map_err(Error::from)?;
        if length == 0 {
            break;
        }
        pieces.insert((id.as_bytes(), number), piece.as_slice())?;
        written += length as u64;
    }
    Ok(written)
}

/// The bytes of a range that lies within the blob.
fn read(snapshot: &ReadTransaction, id: &BlobId, range: Range<u64>) -> Internal<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let id = id.as_bytes();
    let first = range.start / PIECE;
    let mut bytes = Vec::new();
    for piece in snapshot.open_table(PIECES)?.range((id, first)..=(id, (range.end - 1) / PIECE))? {
        bytes.extend_from_slice(piece?.1.value());
    }
    let bytes = Bytes::from(bytes);
    let within = |offset: u64| usize::try_from(offset - first * PIECE).ok().filter(|offset| *offset <= bytes.len());
    match (within(range.start), within(range.end)) {
        (Some(start), Some(end)) => Ok(bytes.slice(start..end)),
        _ => Err(corrupt("a blob is shorter than it was").into()),
    }
}
