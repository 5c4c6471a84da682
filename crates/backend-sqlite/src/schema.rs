//! The tables of format version 1, and what tells our files from others. `docs/format.md` explains every column.

use crate::failure::{failure, foreign};
use cacheness_storage::{Error, ErrorKind, Result};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

/// `CACH`: the application id in the header of every index.
pub(crate) const APPLICATION_ID: i32 = 0x4341_4348;

/// The newest format version that this crate reads and writes, in the header's user version.
pub(crate) const FORMAT_VERSION: i32 = 1;

/// Format version 1. A row's payload stands last, so that nothing else lies behind it on overflow pages.
const VERSION_1: &str = "
CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  version BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  expires_at INTEGER,
  drop_at INTEGER,
  stored_size INTEGER NOT NULL,
  blob BLOB,
  content BLOB NOT NULL,
  metadata TEXT,
  tags TEXT,
  description TEXT,
  signature BLOB,
  payload BLOB,
  CHECK ((blob IS NULL) <> (payload IS NULL))
) STRICT;
CREATE UNIQUE INDEX records_by_key ON records (key);
CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE blobs (
  id BLOB NOT NULL PRIMARY KEY,
  digest BLOB,
  size INTEGER NOT NULL,
  refs INTEGER NOT NULL,
  condemned_at INTEGER,
  CHECK (refs >= 0 AND (refs = 0) = (condemned_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_content ON blobs (digest) WHERE condemned_at IS NULL AND length(digest) = 33;
CREATE INDEX blobs_by_condemnation ON blobs (condemned_at) WHERE condemned_at IS NOT NULL;
CREATE TABLE usage (
  id INTEGER PRIMARY KEY,
  not_before INTEGER NOT NULL,
  accessed_at INTEGER,
  hits INTEGER NOT NULL
) STRICT;
CREATE TABLE totals (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  entries INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  blobs INTEGER NOT NULL,
  condemned INTEGER NOT NULL,
  counted_to INTEGER NOT NULL,
  usage_to INTEGER NOT NULL
) STRICT;
INSERT INTO totals (id, entries, bytes, blobs, condemned, counted_to, usage_to) VALUES (1, 0, 0, 0, 0, 0, 0);
";

/// What a database is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Without tables and without an owner.
    Empty,
    /// An index of the current format version.
    Index,
}

/// Tells what a database is, without changing it. For one answer, call it inside a transaction.
///
/// # Errors
///
/// [`ErrorKind::ForeignStore`] for everything that is no index, [`ErrorKind::FormatTooNew`] for an index of a later
/// format version.
pub(crate) fn identify(connection: &Connection) -> Result<Identity> {
    let header = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = match header("application_id") {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(foreign("the file is not a SQLite database").source(error));
        }
        other => other.map_err(failure)?,
    };
    let version = header("user_version").map_err(failure)?;
    match (application, version) {
        (APPLICATION_ID, FORMAT_VERSION) => Ok(Identity::Index),
        (APPLICATION_ID, version) if version > FORMAT_VERSION => {
            let message = format!("the index has format version {version}, and this program knows {FORMAT_VERSION}");
            Err(Error::new(ErrorKind::FormatTooNew, message).advice("update cacheness"))
        }
        (APPLICATION_ID, version) => {
            Err(Error::new(ErrorKind::Corrupt, format!("the index claims the format version {version}")))
        }
        (0, 0) => {
            let count = "SELECT count(*) FROM sqlite_schema";
            match connection.query_row(count, [], |row| row.get::<_, i64>(0)).map_err(failure)? {
                0 => Ok(Identity::Empty),
                _ => Err(foreign("the SQLite database belongs to something else")),
            }
        }
        _ => Err(foreign("the SQLite database belongs to another application")),
    }
}

/// Makes an empty database an index, unless another process did so meanwhile.
pub(crate) fn create(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failure)?;
    if identify(&transaction)? == Identity::Empty {
        transaction.execute_batch(VERSION_1).map_err(failure)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failure)?;
        transaction.pragma_update(None, "user_version", FORMAT_VERSION).map_err(failure)?;
    }
    transaction.commit().map_err(failure)
}
