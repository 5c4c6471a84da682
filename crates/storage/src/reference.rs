//! What the index knows of blobs: which ones records name, and which ones are condemned.

use crate::{BlobId, Digest};
use cacheness_core::Timestamp;

/// Which blobs to tell about.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum BlobQuery {
    /// Those of these that the index knows, in any order. What it does not know, no record names.
    Named(Vec<BlobId>),
    /// One that records name and that holds stored bytes of this digest, if there is one.
    Content(Digest),
    /// Condemned ones, those that were condemned first before others, at the same time in the order of names.
    Condemned {
        /// Condemned at this time or earlier.
        until: Timestamp,
        /// Only those behind this one in the order.
        after: Option<(Timestamp, BlobId)>,
        /// At most so many. Fewer than asked for are the last.
        limit: usize,
    },
}

/// What the index knows of a blob.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct BlobRecord {
    /// Its name.
    pub id: BlobId,
    /// The digest of the stored bytes, as the first record that named the blob said; `None` when none ever did.
    pub digest: Option<Digest>,
    /// The stored bytes, without the trailer; 0 when no record ever named the blob.
    pub size: u64,
    /// How many records name it.
    pub references: u64,
    /// Since when it is condemned. A blob is condemned or referenced, never both and never neither.
    pub condemned_at: Option<Timestamp>,
}

impl BlobRecord {
    /// A blob that a record began to name.
    pub fn named(id: BlobId, digest: Digest, size: u64) -> Self {
        Self { id, digest: Some(digest), size, references: 1, condemned_at: None }
    }

    /// A blob that was condemned before any record named it.
    pub fn condemned(id: BlobId, at: Timestamp) -> Self {
        Self { id, digest: None, size: 0, references: 0, condemned_at: Some(at) }
    }
}
