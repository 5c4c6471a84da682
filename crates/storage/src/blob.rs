//! Bytes on their way to a blob backend and back.

use crate::{BlobId, Digest, Durability};
use bytes::Bytes;
use cacheness_core::{Result, Timestamp};
use cacheness_handlers::SpooledFile;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;

/// Bytes that are ready to become a blob.
#[derive(Debug)]
#[non_exhaustive]
pub enum Staged {
    /// In memory.
    Bytes(Bytes),
    /// In a file, in the backend's staging directory when it lends one. It is removed with this value, unless the
    /// backend took it.
    File(SpooledFile),
}

impl Staged {
    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(file) => file.len(),
        }
    }
}

/// How to store a blob. A backend ignores what its store has no place for.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PutBlob {
    /// What a successful put survives.
    pub durability: Durability,
    /// The digest of what whoever puts the blob calls its payload, kept where `head` finds it. The engine's is that of a
    /// value's stored bytes, without the trailer behind them: a backend keeps it, and compares it with nothing.
    pub digest: Option<Digest>,
    /// The media type.
    pub content_type: Option<String>,
    /// What HTTP caches may do.
    pub cache_control: Option<String>,
    /// Names and values kept beside the bytes.
    pub metadata: BTreeMap<String, String>,
}

/// How to read a blob.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GetBlob {
    /// Only these bytes; what lies beyond the end is left out.
    pub range: Option<Range<u64>>,
    /// Only if the blob's entity tag is this one; a [`Conflict`](crate::ErrorKind::Conflict) otherwise.
    pub if_match: Option<String>,
    /// From the store itself, whatever copies a layer keeps of the blob. A backend without copies ignores it.
    pub bypass_copies: bool,
}

impl GetBlob {
    /// Only the first `size` bytes.
    pub fn first(size: u64) -> Self {
        Self { range: Some(0..size), ..Self::default() }
    }
}

/// What a backend knows of a blob without reading it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BlobInfo {
    /// Its name.
    pub id: BlobId,
    /// All its bytes, the trailer too.
    pub size: u64,
    /// The digest given at put.
    pub digest: Option<Digest>,
    /// The entity tag.
    pub etag: Option<String>,
    /// The store's own version of the object.
    pub object_version: Option<String>,
    /// The media type.
    pub content_type: Option<String>,
    /// When it was written.
    pub modified_at: Option<Timestamp>,
    /// The storage class.
    pub storage_class: Option<String>,
    /// What was kept beside the bytes.
    pub metadata: BTreeMap<String, String>,
}

impl BlobInfo {
    /// What every backend knows.
    pub fn new(id: BlobId, size: u64) -> Self {
        Self {
            id,
            size,
            digest: None,
            etag: None,
            object_version: None,
            content_type: None,
            modified_at: None,
            storage_class: None,
            metadata: BTreeMap::new(),
        }
    }
}

/// A blob, or the part of it that was asked for.
#[derive(Debug)]
pub struct Payload {
    /// What is known of the whole blob.
    pub info: BlobInfo,
    /// The bytes asked for.
    pub body: Body,
}

/// Where the bytes of a payload are.
#[derive(Debug)]
#[non_exhaustive]
pub enum Body {
    /// In memory.
    Bytes(Bytes),
    /// In an open file, from its current position on. The handle stays good when the blob is deleted.
    File {
        /// The file.
        file: File,
        /// How many bytes.
        size: u64,
    },
}

impl Body {
    /// All of it in memory.
    pub(crate) fn read(self) -> Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File { file, size } => {
                let mut bytes = Vec::new();
                file.take(size).read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}
