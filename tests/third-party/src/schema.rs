//! The tables of a file. One file holds both backends, so that one path names a whole store.

use crate::failure::{Result, corrupt, unknown};
use cacheness_storage::{Digest, Error, ErrorKind};
use redb::{Database, ReadableDatabase, TableDefinition};

/// The version of everything below.
const FORMAT: u64 = 1;

/// What makes a file ours: the version of its format, under the name `format`.
const IDENTITY: TableDefinition<&str, u64> = TableDefinition::new("acme-redb");

/// A record without its key and payload.
pub(crate) type Row<'r> = (
    &'r [u8; 16],                         // version
    (i64, i64, Option<i64>, Option<i64>), // created, updated, expires, drop
    Option<&'r [u8; 16]>,                 // blob; the payload is in `PAYLOADS` when there is none
    u64,                                  // stored size
    &'r [u8],                             // content descriptor
    Option<&'r str>,                      // metadata as JSON
    Vec<&'r str>,                         // tags
    Option<&'r str>,                      // description
    Option<&'r [u8]>,                     // signature
);

/// Records by key, in the order of bytes, which is the order of pages.
pub(crate) const RECORDS: TableDefinition<&str, Row<'static>> = TableDefinition::new("records");

/// Payloads that ride in records, apart from them: listing and patching records moves no payload.
pub(crate) const PAYLOADS: TableDefinition<&str, &[u8]> = TableDefinition::new("payloads");

/// How records were used, by key: when last, how often. Keys that nobody told of have no row. Apart from records, so that
/// a use writes a few bytes.
pub(crate) const USES: TableDefinition<&str, (Option<i64>, u64)> = TableDefinition::new("uses");

/// What is known of a blob: references, size, digest, time of condemnation.
pub(crate) type Reference<'r> = (u64, u64, Option<&'r [u8]>, Option<i64>);

/// References to blobs, by name.
pub(crate) const REFERENCES: TableDefinition<&[u8; 16], Reference<'static>> = TableDefinition::new("references");

/// Condemned blobs by time and name.
pub(crate) const CONDEMNED: TableDefinition<(i64, &[u8; 16]), ()> = TableDefinition::new("condemned");

/// Blobs that records name, by digest and name.
pub(crate) const CONTENTS: TableDefinition<(&[u8], &[u8; 16]), ()> = TableDefinition::new("contents");

/// The totals: entries, bytes, blobs, condemned.
pub(crate) const TOTALS: TableDefinition<(), (u64, u128, u64, u64)> = TableDefinition::new("totals");

/// What is kept beside a blob's bytes: size, digest, media type, time, names and values.
pub(crate) type Facts<'r> = (u64, Option<&'r [u8]>, Option<&'r str>, i64, Vec<(&'r str, &'r str)>);

/// Blobs by name.
pub(crate) const BLOBS: TableDefinition<&[u8; 16], Facts<'static>> = TableDefinition::new("blobs");

/// The bytes of blobs in pieces, by name and number.
pub(crate) const PIECES: TableDefinition<(&[u8; 16], u64), &[u8]> = TableDefinition::new("pieces");

/// Makes the tables in an empty database. Any other must have been made here.
pub(crate) fn prepare(database: &Database) -> Result<()> {
    let snapshot = database.begin_read()?;
    let is_empty = snapshot.list_tables()?.next().is_none() && snapshot.list_multimap_tables()?.next().is_none();
    if is_empty {
        return create(database);
    }
    let identity = match snapshot.open_table(IDENTITY) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Err(foreign("the database holds other tables").into()),
        identity => identity?,
    };
    match identity.get("format")?.map(|version| version.value()) {
        Some(FORMAT) => match snapshot.open_table(USES) {
            // Made before records knew their use.
            Err(redb::TableError::TableDoesNotExist(_)) => {
                let transaction = database.begin_write()?;
                transaction.open_table(USES)?;
                Ok(transaction.commit()?)
            }
            uses => Ok(uses.map(drop)?),
        },
        Some(_) => Err(Error::new(ErrorKind::FormatTooNew, "the file was written by a newer version")
            .advice("update acme-redb")
            .into()),
        None => Err(corrupt("the file does not tell its format").into()),
    }
}

fn create(database: &Database) -> Result<()> {
    let transaction = database.begin_write()?;
    transaction.open_table(IDENTITY)?.insert("format", FORMAT)?;
    transaction.open_table(TOTALS)?.insert((), (0, 0, 0, 0))?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(PAYLOADS)?;
    transaction.open_table(USES)?;
    transaction.open_table(REFERENCES)?;
    transaction.open_table(CONDEMNED)?;
    transaction.open_table(CONTENTS)?;
    transaction.open_table(BLOBS)?;
    transaction.open_table(PIECES)?;
    Ok(transaction.commit()?)
}

/// A file that is not ours.
pub(crate) fn foreign(problem: &'static str) -> Error {
    Error::new(ErrorKind::ForeignStore, problem).advice("name another file; this one is left as it is")
}

/// A digest as a column. Its length tells which one it is.
pub(crate) fn from_digest(digest: &Digest) -> Result<&[u8]> {
    match digest {
        Digest::Xxh3(bytes) => Ok(bytes),
        Digest::Blake3(bytes) => Ok(bytes),
        _ => Err(unknown("the digest").into()),
    }
}

/// The digest in a column.
pub(crate) fn to_digest(column: &[u8]) -> Result<Digest> {
    let xxh3 = column.try_into().map(Digest::Xxh3);
    let digest = xxh3.or_else(|_| column.try_into().map(Digest::Blake3));
    Ok(digest.map_err(|_| corrupt("a digest has neither 16 nor 32 bytes"))?)
}
