//! What SQLite's errors mean to a caller.

use cacheness_storage::{Error, ErrorKind};
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_READONLY_CANTINIT, SQLITE_READONLY_RECOVERY};

/// An error of SQLite, before or inside a transaction that is rolled back.
pub(crate) fn failure(source: rusqlite::Error) -> Error {
    let (kind, message, advice) = meaning(&source);
    let error = Error::new(kind, message).source(source);
    match advice {
        Some(advice) => error.advice(advice),
        None => error,
    }
}

/// The same error for one more caller.
pub(crate) fn again(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string()).retryable(error.is_retryable())
}

/// A row that does not have the form that its columns promise.
pub(crate) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

/// A file that is not ours.
pub(crate) fn foreign(problem: &'static str) -> Error {
    Error::new(ErrorKind::ForeignStore, problem).advice("name another file; this one is left as it is")
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the index was closed").advice("open it again")
}

type Meaning = (ErrorKind, &'static str, Option<&'static str>);

fn meaning(source: &rusqlite::Error) -> Meaning {
    let code = match source {
        rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => error.code,
        _ => return (ErrorKind::Corrupt, "a row of the index has an unexpected form", None),
    };
    // Read-only connections cannot end a recovery. The process that began to write does.
    if matches!(source.sqlite_extended_error_code(), Some(SQLITE_READONLY_RECOVERY | SQLITE_READONLY_CANTINIT)) {
        let message = "another process is just opening the index";
        return (ErrorKind::Unavailable, message, Some("try again"));
    }
    match code {
        ErrorCode::DiskFull => (ErrorKind::OutOfSpace, "the index cannot grow", Some("free space on the device")),
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => (
            ErrorKind::Permission,
            "access to the index is refused",
            Some(
                "SQLite needs the file, its -wal and -shm files and their directory; to write to, unless it only reads",
            ),
        ),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            (ErrorKind::Corrupt, "the index is damaged", Some("restore it from a backup"))
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            (ErrorKind::Unavailable, "another process keeps the index locked", Some("try again, or wait longer for it"))
        }
        ErrorCode::SystemIoFailure => (ErrorKind::Storage, "reading or writing the index failed", None),
        ErrorCode::TooBig => (ErrorKind::TooLarge, "a record is too large for the index", None),
        _ => (ErrorKind::Metadata, "the index failed", None),
    }
}

/// Whether another connection held a lock, so that nothing happened.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
