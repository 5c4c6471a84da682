//! The open root of a blob directory, and the way from a blob's name to the directory that holds it.

use crate::directory::{Directory, Facts};
use crate::durable::Settled;
use crate::layout::{Layout, file_name};
use cacheness_storage::{BlobId, Error, ErrorKind, Result};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// An open blob directory.
#[derive(Debug)]
pub(crate) struct Root {
    /// Where it was when it was opened; for messages.
    pub(crate) path: PathBuf,
    pub(crate) directory: Directory,
    pub(crate) layout: Layout,
    pub(crate) settled: Settled,
}

/// The directory that holds the blobs of a shard.
pub(crate) enum Shard<'a> {
    Root(&'a Directory),
    Below(Directory),
}

impl Deref for Shard<'_> {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        match self {
            Self::Root(directory) => directory,
            Self::Below(directory) => directory,
        }
    }
}

impl Root {
    /// The directory of a shard; `None` when there is none.
    pub(crate) fn shard(&self, shard: u32) -> io::Result<Option<Shard<'_>>> {
        match self.layout.directory(shard) {
            None => Ok(Some(Shard::Root(&self.directory))),
            Some(name) => Ok(self.directory.child(&name)?.map(Shard::Below)),
        }
    }

    /// What `find` finds in the directory that holds the blob.
    pub(crate) fn find<T>(
        &self,
        id: &BlobId,
        find: impl FnOnce(&Directory, &str) -> io::Result<Option<T>>,
    ) -> Result<Option<T>> {
        self.shard(self.layout.shard(id))
            .and_then(|shard| shard.map_or(Ok(None), |shard| find(&shard, &file_name(id))))
            .map_err(|error| failed("read", &self.blob_path(id), error))
    }

    /// What is known of a blob's file.
    pub(crate) fn facts(&self, id: &BlobId) -> Result<Option<Facts>> {
        self.find(id, Directory::facts)
    }

    /// Deletes a blob; says whether there was one.
    pub(crate) fn delete(&self, id: &BlobId) -> Result<bool> {
        self.shard(self.layout.shard(id))
            .and_then(|shard| shard.map_or(Ok(false), |shard| shard.remove_file(&file_name(id))))
            .map_err(|error| failed("deleted", &self.blob_path(id), error))
    }

    /// The path of a blob; for messages.
    pub(crate) fn blob_path(&self, id: &BlobId) -> PathBuf {
        self.shard_path(self.layout.shard(id)).join(file_name(id))
    }

    /// The path of a shard; for messages.
    pub(crate) fn shard_path(&self, shard: u32) -> PathBuf {
        self.layout.directory(shard).map_or_else(|| self.path.clone(), |name| self.path.join(name))
    }
}

/// The error of a file system call on `path`, which could not be `verb`: read, written, …
pub(crate) fn failed(verb: &str, path: &Path, source: io::Error) -> Error {
    let error = Error::io(ErrorKind::Storage, format!("{} could not be {verb}", path.display()), source);
    match error.kind() {
        ErrorKind::Permission => error.advice("run as the owner of the directory, or give another one"),
        ErrorKind::OutOfSpace => error.advice("free space on the device, or give a directory on another one"),
        _ => error,
    }
}
