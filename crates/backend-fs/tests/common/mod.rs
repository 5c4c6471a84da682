//! What the tests of this crate share: short ways to call the contract and to look at the files.
#![allow(dead_code, reason = "every test file uses a part of it")]

#[cfg(target_os = "linux")]
pub(crate) mod user;

use cacheness_backend_fs::{FsBlobs, FsConfig};
use cacheness_core::runtime::block_on;
use cacheness_handlers::spool::{Spool, Spooled};
use cacheness_storage::{
    BlobBackend, BlobId, BlobInfo, Body, Bytes, Durability, GetBlob, OpenContext, PutBlob, Result, Staged,
};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

pub(crate) fn open(path: impl AsRef<Path>) -> FsBlobs {
    open_with(path, FsConfig::new()).unwrap()
}

pub(crate) fn open_with(path: impl AsRef<Path>, config: FsConfig) -> Result<FsBlobs> {
    FsBlobs::open(path, &OpenContext::new(), config)
}

/// The blob whose name begins with these digits and goes on with zeros.
pub(crate) fn id(first_digits: &str) -> BlobId {
    format!("{first_digits:0<32}").parse().unwrap()
}

/// Different blobs, in no order.
pub(crate) fn ids(count: u32) -> Vec<BlobId> {
    let scattered = |n: u32| n.wrapping_mul(0x9e37_79b9).to_be_bytes();
    (1..=count)
        .map(|n| BlobId::from_bytes([scattered(n), n.to_be_bytes(), [0; 4], [0; 4]].concat().try_into().unwrap()))
        .collect()
}

pub(crate) fn put(blobs: &FsBlobs, id: BlobId, bytes: &[u8]) -> Result<BlobInfo> {
    put_staged(blobs, id, Staged::Bytes(Bytes::copy_from_slice(bytes)), Durability::Process)
}

pub(crate) fn put_staged(blobs: &FsBlobs, id: BlobId, payload: Staged, durability: Durability) -> Result<BlobInfo> {
    let mut options = PutBlob::default();
    options.durability = durability;
    block_on(blobs.put(&id, payload, options))
}

/// Stages bytes in a file below `directory`.
pub(crate) fn staged(directory: &Path, bytes: &[u8]) -> Staged {
    let mut spool = Spool::new(0, Some(directory));
    spool.write_all(bytes).unwrap();
    match spool.finish().unwrap() {
        Spooled::File(file) => Staged::File(file),
        Spooled::Memory(_) => panic!("a spool without memory wrote no file"),
    }
}

pub(crate) fn get(blobs: &FsBlobs, id: BlobId) -> Option<Vec<u8>> {
    block_on(blobs.get(&id, GetBlob::default())).unwrap().map(|payload| contents(payload.body))
}

pub(crate) fn contents(body: Body) -> Vec<u8> {
    match body {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::File { file, size } => {
            let mut bytes = Vec::new();
            file.take(size).read_to_end(&mut bytes).unwrap();
            bytes
        }
        _ => panic!("an unknown body"),
    }
}

pub(crate) fn head(blobs: &FsBlobs, id: BlobId) -> Option<BlobInfo> {
    block_on(blobs.head(&id)).unwrap()
}

pub(crate) fn delete(blobs: &FsBlobs, id: BlobId) -> bool {
    block_on(blobs.delete(&[id])).unwrap()[0]
}

pub(crate) fn list(blobs: &FsBlobs) -> Vec<BlobId> {
    block_on(blobs.list(None, usize::MAX)).unwrap().into_iter().map(|info| info.id).collect()
}

/// The paths of everything below `root` except directories, relative to it, in order.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
