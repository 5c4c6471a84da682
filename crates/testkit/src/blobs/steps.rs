//! The small steps that checks are made of.

use crate::Result;
use cacheness_core::{Error, ErrorKind, Rng};
use cacheness_handlers::{Spool, Spooled};
use cacheness_storage::{BlobBackend, BlobId, BlobInfo, Body, Bytes, GetBlob, Payload, PutBlob, Staged};
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;

use crate::SeededRng;

pub(super) type Store = dyn BlobBackend;

/// So many bytes without a pattern, the same whenever they are asked for.
pub(crate) fn noise(size: usize) -> Result<Bytes> {
    let mut bytes = vec![0; size];
    SeededRng::new(size as u64).fill(&mut bytes)?;
    Ok(bytes.into())
}

/// The bytes in a file of a directory, by default the system's for temporary files.
pub(super) fn staged_in(directory: Option<&Path>, bytes: &Bytes) -> Result<Staged> {
    let mut spool = Spool::new(0, directory);
    spool.write_all(bytes)?;
    match spool.finish()? {
        Spooled::File(file) => Ok(Staged::File(file)),
        Spooled::Memory(_) => Err(Error::new(ErrorKind::Internal, "there is nothing to write to a file")),
    }
}

pub(super) async fn put(store: &Store, id: BlobId, bytes: &Bytes) -> Result<BlobInfo> {
    store.put(&id, Staged::Bytes(bytes.clone()), PutBlob::default()).await
}

/// All bytes of a blob.
pub(super) async fn read(store: &Store, id: BlobId) -> Result<Option<Bytes>> {
    store.get(&id, GetBlob::default()).await?.map(bytes_of).transpose()
}

/// Some bytes of a blob that must be there.
pub(super) async fn read_range(store: &Store, id: BlobId, range: Range<u64>) -> Result<Bytes> {
    let mut options = GetBlob::default();
    options.range = Some(range);
    bytes_of(found(store.get(&id, options).await?)?)
}

pub(super) fn found<T>(there: Option<T>) -> Result<T> {
    there.ok_or_else(|| Error::new(ErrorKind::Storage, "a blob that was put is not there"))
}

/// The bytes of a payload: exactly as many as it says.
pub(crate) fn bytes_of(payload: Payload) -> Result<Bytes> {
    match payload.body {
        Body::Bytes(bytes) => Ok(bytes),
        Body::File { mut file, size } => {
            let mut bytes = Vec::new();
            let read = (&mut file).take(size).read_to_end(&mut bytes)?;
            assert_eq!(read as u64, size, "the file is shorter than the payload says");
            Ok(bytes.into())
        }
        other => Err(Error::new(ErrorKind::Unsupported, format!("the suite does not know the body {other:?}"))),
    }
}

/// What must be the same of a blob whoever is asked; the rest may be known to one and not to the other.
pub(super) fn assert_same(one: &BlobInfo, other: &BlobInfo) {
    assert_eq!((one.id, one.size), (other.id, other.size));
    fn agree<T: PartialEq + std::fmt::Debug>(what: &str, one: &Option<T>, other: &Option<T>) {
        if one.is_some() && other.is_some() {
            assert_eq!(one, other, "{what}");
        }
    }
    agree("digest", &one.digest, &other.digest);
    agree("etag", &one.etag, &other.etag);
    agree("object version", &one.object_version, &other.object_version);
    agree("content type", &one.content_type, &other.content_type);
    agree("modified at", &one.modified_at, &other.modified_at);
    agree("storage class", &one.storage_class, &other.storage_class);
}

/// The names of all blobs, listed so many at a time.
pub(super) async fn list_all(store: &Store, limit: usize) -> Result<Vec<BlobId>> {
    let mut names: Vec<BlobId> = Vec::new();
    loop {
        let infos = store.list(names.last().copied(), limit).await?;
        assert!(infos.len() <= limit, "{} blobs listed where {limit} were asked for", infos.len());
        if infos.is_empty() {
            return Ok(names);
        }
        for info in infos {
            if let Some(last) = names.last() {
                assert!(*last < info.id, "{} comes after {last}", info.id);
            }
            names.push(info.id);
        }
    }
}
