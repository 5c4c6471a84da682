//! The table `usage`: how records were used, and a narrow copy of when they were put.
//!
//! A row is written when a record is used, and before an eviction for every record that has none, so that an eviction
//! reads this table and not the payloads of all records. A put writes none. `not_before` is never after the record's
//! `created_at`; an overwrite leaves it behind, and an eviction that comes across it brings it up to date.

use crate::failure::failure;
use crate::statement::run;
use cacheness_storage::{Result, Timestamp, Usage};
use rusqlite::{Connection, params};

/// How many records one transaction completes at most.
const COMPLETED: i64 = 10_000;

/// How many records without a usage are not worth a transaction.
const LAG: i64 = 1000;

/// Sets how the record in a row was used.
pub(crate) fn write(connection: &Connection, id: i64, created_at: Timestamp, usage: Usage) -> Result<()> {
    let upsert = "INSERT INTO usage (id, not_before, accessed_at, hits) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) \
        DO UPDATE SET not_before = excluded.not_before, accessed_at = excluded.accessed_at, hits = excluded.hits";
    let accessed_at = usage.accessed_at.map(Timestamp::as_micros);
    run(connection, upsert, params![id, created_at.as_micros(), accessed_at, usage.hits.cast_signed()]).map(drop)
}

/// Keeps `not_before` true for a record that is overwritten by an older one.
pub(crate) fn predate(connection: &Connection, id: i64, created_at: Timestamp) -> Result<()> {
    let update = "UPDATE usage SET not_before = ?2 WHERE id = ?1 AND not_before > ?2";
    run(connection, update, params![id, created_at.as_micros()]).map(drop)
}

/// Brings `not_before` up to date, if there is still such a record.
pub(crate) fn refresh(connection: &Connection, id: i64) -> Result<()> {
    let update = "UPDATE usage SET not_before = created_at FROM records WHERE usage.id = ?1 AND records.id = ?1";
    run(connection, update, params![id]).map(drop)
}

/// Forgets the usage of a record that is removed: its row's number may be given to another one.
pub(crate) fn delete(connection: &Connection, id: i64) -> Result<()> {
    run(connection, "DELETE FROM usage WHERE id = ?1", params![id]).map(drop)
}

/// Whether so many records have no usage that completing them is worth it.
pub(crate) fn lags(connection: &Connection) -> Result<bool> {
    let select = "SELECT EXISTS (SELECT 1 FROM records WHERE id > (SELECT usage_to FROM totals WHERE id = 1) \
        LIMIT 1 OFFSET ?1)";
    connection.prepare_cached(select).and_then(|mut select| select.query_row([LAG], |row| row.get(0))).map_err(failure)
}

/// Gives a row to the next records behind the row `usage_to`; says how far it got.
pub(crate) fn complete(connection: &Connection, usage_to: i64) -> Result<i64> {
    let select = "SELECT id, created_at FROM records WHERE id > ?1 ORDER BY id LIMIT ?2";
    let insert = "INSERT INTO usage (id, not_before, hits) VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING";
    let mut select = connection.prepare_cached(select).map_err(failure)?;
    let mut found = select.query([usage_to, COMPLETED]).map_err(failure)?;
    let mut last = usage_to;
    while let Some(row) = found.next().map_err(failure)? {
        let (id, created_at): (i64, i64) = row.try_into().map_err(failure)?;
        run(connection, insert, params![id, created_at])?;
        last = id;
    }
    if last > usage_to {
        run(connection, "UPDATE totals SET usage_to = ?1 WHERE id = 1", params![last])?;
    }
    Ok(last)
}
