//! What the index knows of blobs.

use crate::backend::Store;
use crate::rows::{column, identifier};
use cacheness_storage::{BlobId, BlobQuery, BlobRecord, Digest, Error, ErrorKind, Result, Timestamp};
use tokio_postgres::Row;

/// Answers a query.
pub(crate) async fn query(store: &Store, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
    let statements = &store.statements;
    let mut session = store.primary.lend().await?;
    let rows = match query {
        BlobQuery::Named(ids) => {
            let ids: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
            session.ask(&statements.blobs_named, &[&ids]).await?
        }
        BlobQuery::Content(digest) => {
            let which = match digest {
                Digest::Blake3(_) => &statements.blob_by_strong_digest,
                _ => &statements.blob_by_digest,
            };
            session.ask(which, &[&digest.to_bytes()]).await?
        }
        BlobQuery::Condemned { until, after, limit } => {
            let (at, id) = after.map_or((i64::MIN, BlobId::STORE), |(at, id)| (at.as_micros(), id));
            let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
            session.ask(&statements.blobs_condemned, &[&until.as_micros(), &at, &&id.as_bytes()[..], &limit]).await?
        }
        _ => return Err(Error::new(ErrorKind::Unsupported, "the PostgreSQL index does not know the query")),
    };
    rows.iter().map(record).collect()
}

/// A blob in a row: its name, digest, size, references and condemnation.
pub(crate) fn record(row: &Row) -> Result<BlobRecord> {
    let count = |at: usize| column::<i64>(row, at).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(BlobRecord {
        id: BlobId::from_bytes(identifier(column(row, 0)?)?),
        digest: column::<Option<&[u8]>>(row, 1)?.map(Digest::from_bytes).transpose()?,
        size: count(2)?,
        references: count(3)?,
        condemned_at: column::<Option<i64>>(row, 4)?.map(Timestamp::from_micros),
    })
}
