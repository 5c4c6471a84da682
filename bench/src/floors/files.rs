//! The floor of blobs: a file that is created new, and a row that names it, with the pragmas of our index.

use crate::Result;
use crate::floors::sqlite::PRAGMAS;
use crate::numbers::{key_of, mixed};
use crate::store::Store;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

const TABLE: &str = "
    CREATE TABLE blobs (id INTEGER PRIMARY KEY, key BLOB NOT NULL, name INTEGER NOT NULL, size INTEGER NOT NULL) STRICT;
    CREATE UNIQUE INDEX blobs_by_key ON blobs (key);";

pub(crate) struct Files {
    index: Connection,
    place: PathBuf,
    minted: Cell<u64>,
}

impl Files {
    pub(crate) fn open(place: PathBuf) -> Result<Self> {
        fs::create_dir_all(&place)?;
        let index = Connection::open(place.join("index.db"))?;
        index.execute_batch(PRAGMAS)?;
        index.execute_batch(TABLE)?;
        Ok(Self { index, place, minted: Cell::new(0) })
    }

    fn path(&self, name: i64) -> PathBuf {
        self.place.join(format!("{:016x}", name.cast_unsigned()))
    }
}

impl Store<Bytes> for Files {
    /// Creates a file, writes it and upserts its row. What the row named before is unlinked.
    fn put(&self, number: u64, _blob: &Bytes, bytes: &[u8]) -> Result {
        self.minted.set(self.minted.get() + 1);
        let name = mixed(self.minted.get()).cast_signed();
        create(&self.path(name), bytes)?;
        let key = key_of(number);
        let mut insert = self
            .index
            .prepare_cached("INSERT INTO blobs (key, name, size) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING")?;
        let size = i64::try_from(bytes.len())?;
        if insert.execute(params![key, name, size])? == 1 {
            return Ok(());
        }
        let transaction = self.index.unchecked_transaction()?;
        let replaced: Option<i64> = transaction
            .prepare_cached("SELECT name FROM blobs WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        transaction
            .prepare_cached("UPDATE blobs SET name = ?2, size = ?3 WHERE key = ?1")?
            .execute(params![key, name, size])?;
        transaction.commit()?;
        replaced.map_or(Ok(()), |name| Ok(fs::remove_file(self.path(name))?))
    }

    /// Selects the row and reads the file.
    fn get(&self, number: u64) -> Result<Bytes> {
        let mut select = self.index.prepare_cached("SELECT name FROM blobs WHERE key = ?1")?;
        let name = select.query_row([key_of(number)], |row| row.get(0))?;
        Ok(fs::read(self.path(name))?.into())
    }
}

/// Writes a file that was not there.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result {
    Ok(File::create_new(path)?.write_all(bytes)?)
}
