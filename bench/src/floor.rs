//! The floor: one table and prepared statements with the same pragmas. A put gets its bytes ready, a get decodes them.

use crate::Sample;
use cacheness::Key;
use cacheness::handlers::{Format, Handler, ObjectHandler, SliceReader};
use rusqlite::{Connection, Error, params};
use std::path::Path;

pub(crate) struct Floor(Connection);

impl Floor {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE entries(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, payload BLOB NOT NULL) STRICT;",
        )?;
        Ok(Self(connection))
    }

    pub(crate) fn put(&self, number: u64, payload: &[u8]) -> Result<(), Error> {
        let mut upsert = self.0.prepare_cached(
            "INSERT INTO entries(key, payload) VALUES (?1, ?2) ON CONFLICT(key) DO UPDATE SET payload = ?2",
        )?;
        upsert.execute(params![key(number)?, payload]).map(drop)
    }

    pub(crate) fn get(&self, number: u64) -> Result<Sample, Error> {
        let mut select = self.0.prepare_cached("SELECT payload FROM entries WHERE key = ?1")?;
        let payload: Vec<u8> = select.query_row([key(number)?], |row| row.get(0))?;
        let handler = ObjectHandler::<Sample>::new();
        let format = Format::new("msgpack", 1);
        Handler::decode(&handler, &mut SliceReader::new(payload.into()), &format).map_err(outside)
    }
}

/// The payload that a put of ours stores.
pub(crate) fn encoded(sample: &Sample) -> cacheness::Result<Vec<u8>> {
    let mut payload = Vec::new();
    let handler = ObjectHandler::<Sample>::new();
    let format = Handler::plan(&handler, sample)?;
    Handler::encode(&handler, sample, &format, &mut payload)?;
    Ok(payload)
}

fn key(number: u64) -> Result<String, Error> {
    Key::of(number).map(|key| key.to_string()).map_err(outside)
}

fn outside(error: cacheness::Error) -> Error {
    Error::ToSqlConversionFailure(Box::new(error))
}
