//! The floor on disk: prepared statements on one table, with the pragmas of our index and the layout that was fastest of
//! four: rowids, a unique index over 16 random bytes, and the payload as the last column of the same row.
//!
//! Payloads come ready made, and a get decodes them in the same way as ours. It survives what ours survives by default.

use crate::Result;
use crate::numbers::key_of;
use crate::sample::Sample;
use crate::store::Store;
use crate::value::{Batch, Value};
use bytes::Bytes;
use rusqlite::{Connection, params};
use std::path::Path;

/// As `crates/backend-sqlite/src/open.rs` sets them.
pub(crate) const PRAGMAS: &str = "
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;";

const TABLE: &str = "
    CREATE TABLE entries (id INTEGER PRIMARY KEY, key BLOB NOT NULL, payload BLOB NOT NULL) STRICT;
    CREATE UNIQUE INDEX entries_by_key ON entries (key);";

const UPSERT: &str =
    "INSERT INTO entries (key, payload) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET payload = excluded.payload";
const SELECT: &str = "SELECT payload FROM entries WHERE key = ?1";

pub(crate) struct Sqlite(Connection);

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(PRAGMAS)?;
        connection.execute_batch(TABLE)?;
        Ok(Self(connection))
    }
}

impl Store<Sample> for Sqlite {
    /// An upsert in a transaction of its own.
    fn put(&self, number: u64, _sample: &Sample, payload: &[u8]) -> Result {
        self.0.prepare_cached(UPSERT)?.execute(params![key_of(number), payload])?;
        Ok(())
    }

    fn get(&self, number: u64) -> Result<Sample> {
        let mut select = self.0.prepare_cached(SELECT)?;
        let payload =
            select.query_row([key_of(number)], |row| Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?)))?;
        Sample::decoded(payload)
    }

    /// Many upserts in one transaction.
    fn put_many(&self, batch: &Batch<Sample>) -> Result {
        let transaction = self.0.unchecked_transaction()?;
        {
            let mut upsert = transaction.prepare_cached(UPSERT)?;
            for (number, _, payload) in batch.iter() {
                upsert.execute(params![key_of(number), payload])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Many samples in one transaction.
    fn get_many(&self, numbers: &[u64]) -> Result<Vec<Sample>> {
        let transaction = self.0.unchecked_transaction()?;
        let samples = numbers.iter().map(|number| self.get(*number)).collect();
        transaction.finish()?;
        samples
    }
}
