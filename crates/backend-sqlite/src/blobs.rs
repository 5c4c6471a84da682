//! What the index knows of blobs.

use crate::failure::failure;
use cacheness_storage::{BlobId, BlobQuery, BlobRecord, Digest, Error, ErrorKind, Result, Timestamp};
use rusqlite::{Connection, Params, Row, params};

/// Answers a query.
pub(crate) fn query(connection: &Connection, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
    match query {
        BlobQuery::Named(ids) => {
            let snapshot = connection.unchecked_transaction().map_err(failure)?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                found.extend(select(&snapshot, "WHERE id = ?1", params![id.as_bytes()])?);
            }
            Ok(found)
        }
        BlobQuery::Content(digest) => {
            // The second term is that of the partial index, which holds the digests that nobody can forge.
            let which = match digest {
                Digest::Blake3(_) => "WHERE digest = ?1 AND condemned_at IS NULL AND length(digest) = 33 LIMIT 1",
                _ => "WHERE digest = ?1 AND condemned_at IS NULL LIMIT 1",
            };
            select(connection, which, params![digest.to_bytes()])
        }
        BlobQuery::Condemned { until, after, limit } => {
            let (at, id) = after.map_or((i64::MIN, BlobId::STORE), |(at, id)| (at.as_micros(), id));
            let which = "WHERE condemned_at <= ?1 AND (condemned_at, id) > (?2, ?3) ORDER BY condemned_at, id LIMIT ?4";
            let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
            select(connection, which, params![until.as_micros(), at, id.as_bytes(), limit])
        }
        _ => Err(Error::new(ErrorKind::Unsupported, "the SQLite index does not know the query")),
    }
}

fn select(connection: &Connection, which: &str, bound: impl Params) -> Result<Vec<BlobRecord>> {
    let sql = format!("SELECT id, digest, size, refs, condemned_at FROM blobs {which}");
    let mut statement = connection.prepare_cached(&sql).map_err(failure)?;
    let mut rows = statement.query(bound).map_err(failure)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failure)? {
        found.push(blob(row)?);
    }
    Ok(found)
}

fn blob(row: &Row<'_>) -> Result<BlobRecord> {
    let id = row.get(0).map(BlobId::from_bytes).map_err(failure)?;
    let digest = row.get_ref(1).and_then(|column| Ok(column.as_blob_or_null()?)).map_err(failure)?;
    let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0)).map_err(failure);
    let condemned_at: Option<i64> = row.get(4).map_err(failure)?;
    Ok(BlobRecord {
        id,
        digest: digest.map(Digest::from_bytes).transpose()?,
        size: count(2)?,
        references: count(3)?,
        condemned_at: condemned_at.map(Timestamp::from_micros),
    })
}
