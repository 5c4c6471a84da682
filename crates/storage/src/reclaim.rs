//! Giving space back, in bounded batches.

use crate::{BlobId, EntryKey, Filter, Record, Version};
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
        /// At most so many. A backend may stop earlier and say that there are more.
        limit: usize,
        /// Stop as soon as the store holds so many stored bytes or fewer. Totals are read inside the transaction.
        until_bytes: Option<u64>,
        /// Stop as soon as the store holds so many records or fewer. With `until_bytes`, both must be so.
        until_entries: Option<u64>,
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
    /// The one that was [used or put](Record::last_used) longest ago first.
    Used,
    /// The one with the fewest told uses first; among equals, as `Used`.
    Hits,
    /// Any, each with about the same chance.
    Random,
}

/// How many records one transaction removes.
const BATCH: usize = 1000;

impl Reclaim {
    /// Everything that the filter means, a thousand records a batch.
    pub fn all(filter: Filter, order: ReclaimOrder) -> Self {
        Self::Entries { filter, order, limit: BATCH, until_bytes: None, until_entries: None }
    }

    /// Whether a store of so many bytes and records has given enough back.
    pub fn is_enough(&self, bytes: u64, entries: u64) -> bool {
        let Self::Entries { until_bytes, until_entries, .. } = self;
        let is_bounded = until_bytes.is_some() || until_entries.is_some();
        is_bounded
            && until_bytes.is_none_or(|until| bytes <= until)
            && until_entries.is_none_or(|until| entries <= until)
    }
}

impl ReclaimOrder {
    /// What a record is sorted by, before its key: lower goes first. Versions are random, so their order is a random one.
    pub fn rank(self, record: &Record) -> (u64, Option<Timestamp>, Option<Version>) {
        match self {
            Self::Key => (0, None, None),
            Self::Expiry => (record.expires_at.is_none().into(), record.expires_at, None),
            Self::Created => (0, Some(record.created_at), None),
            Self::Used => (0, Some(record.last_used()), None),
            Self::Hits => (record.usage.hits, Some(record.last_used()), None),
            Self::Random => (0, None, Some(record.version)),
        }
    }
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
