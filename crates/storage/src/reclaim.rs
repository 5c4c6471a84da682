//! Giving space back, in bounded batches.

use crate::{BlobId, EntryKey, Filter};
use cacheness_core::Timestamp;

/// What to give back.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Reclaim {
    /// Removes records, in one transaction. System records are passed over.
    Entries {
        /// Which records may go.
        filter: Filter,
        /// Which go first.
        order: ReclaimOrder,
        /// At most so many.
        limit: usize,
        /// Stop as soon as the store holds so many stored bytes or fewer. Totals are read inside the transaction.
        until_bytes: Option<u64>,
    },
    /// Names condemned blobs, so that they can be deleted and forgotten. Changes nothing.
    Condemned {
        /// Condemned before this time.
        before: Timestamp,
        /// At most so many.
        limit: usize,
    },
}

/// Which records go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ReclaimOrder {
    /// In the order of their keys.
    Key,
    /// The earliest expiry first; records without one last.
    Expiry,
    /// The oldest first.
    Created,
}

/// What was given back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Reclaimed {
    /// The keys of the removed records.
    pub keys: Vec<EntryKey>,
    /// Blobs that are condemned: by the removal, or those asked for.
    pub condemned: Vec<BlobId>,
    /// Whether the limit ended it, so that asking again may give back more.
    pub more: bool,
    /// Somebody else is at it: nothing was done.
    pub busy: bool,
}
