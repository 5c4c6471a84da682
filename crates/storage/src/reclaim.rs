//! Giving space back, in bounded batches.

use crate::{BlobId, EntryKey, Filter};

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
        /// At most so many. A backend may stop earlier and say that there are more.
        limit: usize,
        /// Stop as soon as the store holds so many stored bytes or fewer. Totals are read inside the transaction.
        until_bytes: Option<u64>,
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
    /// Blobs that the removal condemned.
    pub condemned: Vec<BlobId>,
    /// Whether the limit ended it, so that asking again may give back more.
    pub more: bool,
    /// Somebody else is at it: nothing was done. A backend that waits instead never says so.
    pub busy: bool,
}
