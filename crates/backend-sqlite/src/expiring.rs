//! Pages of records that expire within a range, found by their expiry while they are few.

use crate::failure::failure;
use crate::filter::Prefilter;
use crate::page::{Start, followed, needed_for, take};
use crate::rows::select;
use cacheness_storage::{Page, Query, Result, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

/// How many records are few.
const FEW: i64 = 5000;

/// The next page of a query that means no records but those whose expiry lies in the range; `None` when there are too many
/// of these to look at all of them for one page.
pub(crate) fn page(
    connection: &Connection,
    query: &Query,
    from: &Start<'_>,
    end: &str,
    (first, last): (i64, i64),
    now: Timestamp,
) -> Result<Option<Page>> {
    let snapshot = connection.unchecked_transaction().map_err(failure)?;
    let count = "SELECT count(*) FROM (SELECT 1 FROM records INDEXED BY records_by_expiry \
        WHERE expires_at IS NOT NULL AND expires_at BETWEEN ?1 AND ?2 LIMIT ?3)";
    let mut count = snapshot.prepare_cached(count).map_err(failure)?;
    let found: i64 = count.query_row(params![first, last, FEW + 1], |row| row.get(0)).map_err(failure)?;
    if found > FEW {
        return Ok(None);
    }
    let prefilter = Prefilter::of(&query.filter, now);
    let sql = format!(
        "SELECT id FROM records INDEXED BY records_by_expiry WHERE expires_at IS NOT NULL \
        AND expires_at BETWEEN ? AND ? AND key {} ? AND key < ? AND {} ORDER BY key",
        from.operator(),
        prefilter.sql,
    );
    let bounds =
        [Value::Integer(first), Value::Integer(last), Value::Text(from.key.to_owned()), Value::Text(end.to_owned())];
    let mut candidates = snapshot.prepare(&sql).map_err(failure)?;
    let mut candidates =
        candidates.query(params_from_iter(bounds.into_iter().chain(prefilter.values))).map_err(failure)?;
    let needed = needed_for(query);
    let mut look_up = snapshot.prepare_cached(select!(needed, "key, ", " WHERE id = ?1")).map_err(failure)?;
    let mut page = Page::default();
    while let Some(candidate) = candidates.next().map_err(failure)? {
        let id: i64 = candidate.get(0).map_err(failure)?;
        let mut records = look_up.query([id]).map_err(failure)?;
        let Some(row) = records.next().map_err(failure)? else { continue };
        if !take(&mut page, row, query, needed, now)? {
            return Ok(Some(followed(page)));
        }
    }
    Ok(Some(page))
}
