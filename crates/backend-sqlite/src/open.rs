//! Opening connections: what every one of them is set to before it is used.

use crate::SqliteConfig;
use crate::failure::{failure, is_busy};
use crate::place;
use crate::schema::{self, Identity};
use cacheness_storage::{Durability, Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::ops::RangeInclusive;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The longest record, with everything in it, in bytes.
const MAX_RECORD: i32 = 256 << 20;

/// Pages of 4 KiB in the write-ahead log before a commit moves them into the database: as many as the database has, between
/// these. With the least, 4 MiB, the disk is waited for four times as often as with the most; a log of the most would be
/// larger than what a small index and its blobs take.
const CHECKPOINT: RangeInclusive<i64> = 1000..=4000;

/// What the write-ahead log shrinks to when it grew beyond it: 64 MiB.
const JOURNAL_SIZE: i32 = 64 << 20;

/// What a connection keeps of the pages it read: 16 MiB, the whole index by key of 300,000 records. With SQLite's 2 MiB a
/// get reads, and checks, a page of that index each time.
const CACHE_KIB: i32 = 16 << 10;

/// Opens the file for writing; creates it, its directories and its tables where they are missing.
///
/// # Errors
///
/// As [`SqliteMetadata::open`](crate::SqliteMetadata::open).
pub(crate) fn writer(path: &Path, durability: Durability, config: &SqliteConfig) -> Result<Connection> {
    place::prepare(path, durability)?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, config)?;
    if connection.is_readonly("main").map_err(failure)? {
        return Err(Error::new(ErrorKind::Permission, format!("{} cannot be written to", path.display())));
    }
    // Until it is known to be ours, not even its log is moved into it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failure)?;
    let snapshot = connection.unchecked_transaction().map_err(failure)?;
    let identity = schema::identify(&snapshot)?;
    snapshot.finish().map_err(failure)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(failure)?;
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Full => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(failure)?;
    if identity == Identity::Empty {
        connection.pragma_update(None, "page_size", 4096).map_err(failure)?;
    }
    use_write_ahead_log(&connection, config.busy_timeout(), || thread::sleep(Duration::from_millis(2)))?;
    if identity == Identity::Empty {
        schema::create(&mut connection)?;
    }
    keep_pages(&connection)?;
    limit_log(&connection)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE).map_err(failure)?;
    Ok(connection)
}

/// Has a connection keep more pages than it would. It reads the file, so what that is must be known.
pub(crate) fn keep_pages(connection: &Connection) -> Result<()> {
    // Kibibytes are below zero, pages above.
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failure)
}

/// Limits the write-ahead log to what suits the size of the database.
pub(crate) fn limit_log(connection: &Connection) -> Result<()> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(failure)?;
    let most = pages.clamp(*CHECKPOINT.start(), *CHECKPOINT.end());
    connection.pragma_update(None, "wal_autocheckpoint", most).map_err(failure)
}

/// Opens an existing index for reading.
pub(crate) fn reader(path: &Path, config: &SqliteConfig) -> Result<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, config)
}

/// Opens an existing index that nobody changes meanwhile: without a lock, and passing over its log.
pub(crate) fn immutable(path: &Path, config: &SqliteConfig) -> Result<Connection> {
    let uri = format!("file://{}?immutable=1", percent_encoded(path)?);
    connect(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI, config)
}

/// An absolute path as the path of a URI.
fn percent_encoded(path: &Path) -> Result<String> {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    #[cfg(not(unix))]
    let slashed = path.to_str().map(|path| format!("/{}", path.replace('\\', "/")));
    #[cfg(not(unix))]
    let bytes = slashed.as_deref().map(str::as_bytes).ok_or_else(|| {
        Error::new(ErrorKind::Config, "the path of the index is not Unicode").advice("move the index elsewhere")
    })?;
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => text.push(char::from(*byte)),
            byte => text.push_str(&format!("%{byte:02x}")),
        }
    }
    Ok(text)
}

/// Opens an index in memory, which ends with its connection.
pub(crate) fn memory(config: &SqliteConfig) -> Result<Connection> {
    let mut connection = connect(Path::new(":memory:"), OpenFlags::SQLITE_OPEN_READ_WRITE, config)?;
    schema::create(&mut connection)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags, config: &SqliteConfig) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failure)?;
    harden(&connection).map_err(failure)?;
    connection.busy_timeout(config.busy_timeout()).map_err(failure)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Takes from a damaged or hostile file what it could do beyond being wrong.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    for (option, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        connection.set_db_config(option, value)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, MAX_RECORD),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    connection.pragma_update(None, "cell_size_check", true)
}

/// Switches to the write-ahead log. While another process does the same SQLite refuses without waiting, so this waits.
fn use_write_ahead_log(connection: &Connection, timeout: Duration, mut pause: impl FnMut()) -> Result<()> {
    let start = Instant::now();
    loop {
        match switch_journal(connection) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let message = format!("the file system allows no write-ahead log, only the journal mode {mode}");
                return Err(Error::new(ErrorKind::Config, message).advice("put the index on a local disk"));
            }
            Err(error) if is_busy(&error) && start.elapsed() < timeout => pause(),
            Err(error) => return Err(failure(error)),
        }
    }
}

/// Switches to the write-ahead log and returns the mode. The switch is committed when the statement ends, which is after
/// its row.
fn switch_journal(connection: &Connection) -> rusqlite::Result<String> {
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let modes = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(modes.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn full_durability_waits_for_the_device() {
        for (durability, expected) in [(Durability::Process, 1), (Durability::Full, 2)] {
            let directory = TempDir::new().unwrap();
            let path = directory.path().join("index.db");
            let connection = writer(&path, durability, &SqliteConfig::default()).unwrap();
            let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            assert_eq!(synchronous, expected);
        }
    }

    #[test]
    fn the_log_grows_with_the_database_between_its_bounds() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("index.db");
        let connection = writer(&path, Durability::Process, &SqliteConfig::default()).unwrap();
        let limit = || {
            limit_log(&connection).unwrap();
            connection.pragma_query_value(None, "wal_autocheckpoint", |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(limit(), 1000);
        for (megabytes, range) in [(8, 2048..2200), (24, 4000..4001)] {
            let fill = format!("CREATE TABLE t{megabytes} AS SELECT zeroblob({megabytes} << 20)");
            connection.execute_batch(&fill).unwrap();
            assert!(range.contains(&limit()), "{megabytes} MiB");
        }
    }

    #[test]
    fn an_opening_waits_for_another_that_switches_to_the_log() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("index.db");
        let open = || Connection::open(&path).unwrap();
        open().execute_batch("CREATE TABLE t (x)").unwrap();
        let (one, mut other) = (open(), open());
        let mut lock = Some(other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap());
        let error = use_write_ahead_log(&one, Duration::ZERO, || ()).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
        use_write_ahead_log(&one, Duration::from_secs(3600), || drop(lock.take())).unwrap();
        assert!(lock.is_none());
    }

    #[test]
    fn a_hostile_schema_finds_nothing_to_run() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("index.db");
        drop(writer(&path, Durability::Process, &SqliteConfig::default()).unwrap());
        let trap = "CREATE TRIGGER trap AFTER UPDATE ON totals BEGIN DELETE FROM totals; END";
        Connection::open(&path).unwrap().execute_batch(trap).unwrap();
        let connection = writer(&path, Durability::Process, &SqliteConfig::default()).unwrap();
        connection.execute("UPDATE totals SET entries = 1", []).unwrap();
        let rows: i64 = connection.query_row("SELECT count(*) FROM totals", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
        assert!(connection.execute("ATTACH ':memory:' AS other", []).is_err());
    }
}
