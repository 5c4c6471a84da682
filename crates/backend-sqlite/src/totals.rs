//! The totals of the index: a row that counts the records up to one of them, and the few behind it, which are counted when
//! the totals are read.
//!
//! So a put of a new key changes no page for the sake of the totals: the row would be a second one that every commit
//! writes, beside the page that new records are appended to.

use crate::failure::failure;
use crate::statement::run;
use cacheness_storage::{EntryKey, MetadataStats, Result, Timestamp};
use rusqlite::Connection;
use std::ops::AddAssign;

/// How many rows may lie behind the last record that the row of totals counts.
const TAIL: i64 = 16;

/// Totals, or what a transaction changes about them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) entries: i64,
    pub(crate) bytes: i64,
    pub(crate) blobs: i64,
    pub(crate) condemned: i64,
}

/// The totals, and how far the tables say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) totals: Totals,
    /// The last row of `records` that the row of totals counts. The others are its tail.
    counted_to: i64,
    /// The last row of `records` up to which each has one in `usage`.
    pub(crate) usage_to: i64,
}

/// What a transaction changes about the totals.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Difference {
    /// All of it.
    pub(crate) totals: Totals,
    /// What the tail does not tell.
    counted: Totals,
}

/// The rows that a transaction added to `records`, also those that were taken back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Added {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Totals {
    /// Reads the committed totals.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        Kept::read(connection).map(|kept| kept.totals)
    }

    /// As the contract has them, at the time `now`.
    pub(crate) fn stats(self, now: Timestamp) -> MetadataStats {
        let count = |number| u64::try_from(number).unwrap_or(0);
        let Self { entries, bytes, blobs, condemned } = self;
        let (entries, bytes, blobs) = (count(entries), count(bytes), count(blobs));
        MetadataStats { entries, bytes, blobs, condemned: count(condemned), now }
    }

    fn values(self, usage_to: i64) -> (i64, i64, i64, i64, i64) {
        (self.entries, self.bytes, self.blobs, self.condemned, usage_to)
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        let Self { entries, bytes, blobs, condemned } = other;
        self.entries += entries;
        self.bytes += bytes;
        self.blobs += blobs;
        self.condemned += condemned;
    }
}

impl Difference {
    /// Adds what a change of blobs makes of the totals.
    pub(crate) fn add(&mut self, totals: Totals) {
        self.totals += totals;
        self.counted += totals;
    }

    /// Adds what the record in a row makes of the totals.
    pub(crate) fn add_record(&mut self, row: i64, kept: &Kept, totals: Totals) {
        self.totals += totals;
        if row <= kept.counted_to {
            self.counted += totals;
        }
    }
}

impl Kept {
    /// Reads the committed totals.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let select = "SELECT entries + tail_entries, bytes + tail_bytes, blobs, condemned, counted_to, usage_to \
            FROM totals, (SELECT count(*) AS tail_entries, \
            coalesce(sum(CASE WHEN blob IS NULL THEN stored_size END), 0) AS tail_bytes FROM records \
            WHERE id > (SELECT counted_to FROM totals WHERE id = 1) AND key < ?1) WHERE id = 1";
        let mut statement = connection.prepare_cached(select).map_err(failure)?;
        let kept = statement.query_row([EntryKey::SYSTEM.to_string()], |row| {
            let totals =
                Totals { entries: row.get(0)?, bytes: row.get(1)?, blobs: row.get(2)?, condemned: row.get(3)? };
            Ok(Self { totals, counted_to: row.get(4)?, usage_to: row.get(5)? })
        });
        kept.map_err(failure)
    }

    /// The totals after a difference, written inside the transaction that makes it as far as the tail does not tell.
    pub(crate) fn changed(
        mut self,
        connection: &Connection,
        difference: &Difference,
        added: Option<Added>,
    ) -> Result<Self> {
        let before = self.usage_to;
        self.totals += difference.totals;
        if let Some(added) = added {
            self.usage_to = before.min(added.first.saturating_sub(1));
        }
        let is_long = added.is_some_and(|added| added.last > self.counted_to.saturating_add(TAIL));
        if is_long {
            let update = "UPDATE totals SET entries = ?1, bytes = ?2, blobs = ?3, condemned = ?4, usage_to = ?5, \
                counted_to = (SELECT coalesce(max(id), 0) FROM records) WHERE id = 1 RETURNING counted_to";
            let values = self.totals.values(self.usage_to);
            let mut update = connection.prepare_cached(update).map_err(failure)?;
            self.counted_to = update.query_row(values, |row| row.get(0)).map_err(failure)?;
        } else if difference.counted != Totals::default() || self.usage_to != before {
            let update = "UPDATE totals SET entries = entries + ?1, bytes = bytes + ?2, blobs = blobs + ?3, \
                condemned = condemned + ?4, usage_to = ?5 WHERE id = 1";
            let values = difference.counted.values(self.usage_to);
            run(connection, update, values)?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SqliteConfig, open};

    fn connection() -> Connection {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let insert = "INSERT INTO records (key, version, created_at, updated_at, stored_size, content, payload) \
            WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 40) \
            SELECT n, x'00', 0, 0, 10, x'00', x'00' FROM n";
        connection.execute_batch(insert).unwrap();
        connection
    }

    fn row(connection: &Connection) -> (i64, i64) {
        let select = "SELECT entries, counted_to FROM totals";
        connection.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    #[test]
    fn new_records_are_a_tail_until_they_are_more_than_a_few() {
        let connection = connection();
        let kept = Kept::read(&connection).unwrap();
        assert_eq!(kept.totals, Totals { entries: 40, bytes: 400, ..Totals::default() });
        let mut difference = Difference::default();
        let one = Totals { entries: 1, bytes: 10, ..Totals::default() };
        difference.add_record(TAIL, &kept, one);
        let few = kept.changed(&connection, &difference, Some(Added { first: TAIL, last: TAIL })).unwrap();
        assert_eq!((few.totals.entries, row(&connection)), (41, (0, 0)), "the tail says it");
        let many = kept.changed(&connection, &difference, Some(Added { first: 1, last: TAIL + 1 })).unwrap();
        assert_eq!((many.totals.entries, row(&connection)), (41, (41, 40)), "all are counted");
    }

    #[test]
    fn what_the_row_counts_already_changes_the_row_and_what_the_tail_tells_does_not() {
        let connection = connection();
        connection.execute_batch("UPDATE totals SET entries = 30, bytes = 300, counted_to = 30").unwrap();
        let kept = Kept::read(&connection).unwrap();
        assert_eq!(kept.totals.entries, 40);
        let less = Totals { bytes: -3, ..Totals::default() };
        for (number, bytes) in [(30, 297), (31, 297)] {
            let mut difference = Difference::default();
            difference.add_record(number, &kept, less);
            assert_eq!(kept.changed(&connection, &difference, None).unwrap().totals.bytes, 397);
            let counted: i64 = connection.query_row("SELECT bytes FROM totals", [], |row| row.get(0)).unwrap();
            assert_eq!(counted, bytes, "row {number}");
        }
    }
}
