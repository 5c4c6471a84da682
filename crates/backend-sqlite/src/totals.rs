//! The totals of the index: one row, changed once a transaction by what the transaction added up.

use crate::failure::failure;
use cacheness_storage::{MetadataStats, Result, Timestamp};
use rusqlite::Connection;

/// Totals, or what a transaction changes about them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) entries: i64,
    pub(crate) bytes: i64,
    pub(crate) blobs: i64,
    pub(crate) condemned: i64,
}

impl Totals {
    /// Reads the committed totals.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let select = "SELECT entries, bytes, blobs, condemned FROM totals WHERE id = 1";
        let mut statement = connection.prepare_cached(select).map_err(failure)?;
        let totals = statement.query_row([], |row| {
            Ok(Self { entries: row.get(0)?, bytes: row.get(1)?, blobs: row.get(2)?, condemned: row.get(3)? })
        });
        totals.map_err(failure)
    }

    /// As the contract has them, at the time `now`.
    pub(crate) fn stats(self, now: Timestamp) -> MetadataStats {
        let count = |number| u64::try_from(number).unwrap_or(0);
        let Self { entries, bytes, blobs, condemned } = self;
        let (entries, bytes, blobs) = (count(entries), count(bytes), count(blobs));
        MetadataStats { entries, bytes, blobs, condemned: count(condemned), now }
    }

    /// Adds these changes to the totals, inside the transaction that they belong to. `added` is the first row that was
    /// added to `records`: nothing says that it has one in `usage`, and no row behind it was there before.
    pub(crate) fn add_to(self, connection: &Connection, added: Option<i64>) -> rusqlite::Result<()> {
        if self == Self::default() && added.is_none() {
            return Ok(());
        }
        let update = "UPDATE totals SET entries = entries + ?1, bytes = bytes + ?2, blobs = blobs + ?3, \
            condemned = condemned + ?4, usage_to = min(usage_to, ?5) WHERE id = 1";
        let usage_to = added.map_or(i64::MAX, |added| added.saturating_sub(1));
        let Self { entries, bytes, blobs, condemned } = self;
        connection.prepare_cached(update)?.execute((entries, bytes, blobs, condemned, usage_to)).map(drop)
    }
}
