//! What the errors of the server, the network and the pool mean to a caller, each in one line.

use cacheness_storage::{Error, ErrorKind};
use deadpool_postgres::{PoolError, TimeoutType};
use std::error::Error as StdError;
use std::{fmt, io};
use tokio_postgres::Error as PgError;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// What somebody else said, in one line and without a source of its own: the drivers' errors say no more than their
/// sources do, and those of the server have several lines.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Told {}

type Meaning = (ErrorKind, &'static str, Option<&'static str>);

/// An error of a statement that is known to have had no effect.
pub(crate) fn failure(source: PgError) -> Error {
    let (kind, message, advice) = match source.as_db_error() {
        Some(error) => told_by_server(error.code()),
        None => told_by_driver(&source),
    };
    let error = Error::new(kind, message).source(Told(innermost(&source)));
    match advice {
        Some(advice) => error.advice(advice),
        None => error,
    }
}

/// An error behind a `COMMIT` that was sent: the commit may have happened.
pub(crate) fn ambiguous(source: &PgError) -> Error {
    Error::new(ErrorKind::Unavailable, "the connection was lost before the answer to a commit, which may have happened")
        .source(Told(innermost(source)))
        .retryable(false)
}

/// The server did not answer in time, and nothing happened.
pub(crate) fn unanswered() -> Error {
    Error::new(ErrorKind::Timeout, "the server did not answer in time")
        .advice("see whether it runs, or raise statement_timeout_ms")
}

/// The server did not answer a `COMMIT` in time.
pub(crate) fn unanswered_commit() -> Error {
    Error::new(ErrorKind::Timeout, "the server did not answer to a commit in time, which may have happened")
        .retryable(false)
}

/// An error of the pool.
pub(crate) fn no_connection(source: PoolError) -> Error {
    match source {
        PoolError::Backend(source) => failure(source),
        PoolError::Closed => closed(),
        PoolError::Timeout(TimeoutType::Wait) => {
            Error::new(ErrorKind::Timeout, "all connections to the server are in use")
                .advice("raise pool_size or acquire_timeout_ms")
        }
        PoolError::Timeout(_) => Error::new(ErrorKind::Timeout, "connecting to the server took too long")
            .advice("see whether the host is right, or raise connect_timeout_ms"),
        other => {
            Error::new(ErrorKind::Internal, "the pool of connections failed").source(Told(one_line(&other.to_string())))
        }
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the index was closed").advice("open it again")
}

/// A row that does not have the form that its columns promise.
pub(crate) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

/// A value in a row that is not of the type of its column.
pub(crate) fn misread(source: PgError) -> Error {
    corrupt("a row of the index has an unexpected form").source(Told(innermost(&source)))
}

/// Whether the server itself refused a statement and took its transaction back, with the connection unhurt: whatever was
/// sent behind it did not happen either.
pub(crate) fn is_definite(error: &PgError) -> bool {
    error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}

/// Whether a transaction was taken back because another one was faster, so that it should begin again.
pub(crate) fn is_race(error: &PgError) -> bool {
    let races = [&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED, &SqlState::UNIQUE_VIOLATION];
    error.code().is_some_and(|code| races.contains(&code))
}

fn told_by_server(code: &SqlState) -> Meaning {
    use ErrorKind::{
        Config, Corrupt, Metadata, OutOfSpace, Permission, ReadOnly, Storage, Timeout, TooLarge, Unavailable,
    };
    match code.code() {
        "28P01" => (
            Permission,
            "the server refuses the user",
            Some("check user and password in the URL, and pg_hba.conf on the server"),
        ),
        "28000" => (
            Permission,
            "the server refuses the user",
            Some("check user, sslmode and sslcert in the URL against pg_hba.conf on the server"),
        ),
        "42501" => (Permission, "the user lacks a permission", Some("docs/backends/postgres.md lists what to GRANT")),
        "3D000" => (Config, "the database does not exist", Some("CREATE DATABASE makes one")),
        "3F000" => (Config, "the schema does not exist", Some("CREATE SCHEMA makes one")),
        "42P01" | "42703" => (Metadata, "a table of the index is gone or was changed", Some("open it again")),
        "53300" => {
            (Unavailable, "the server has no connection left", Some("lower pool_size, or raise max_connections"))
        }
        "53100" => (OutOfSpace, "the server's disk is full", Some("free space there")),
        "57014" => (Timeout, "a statement took too long", Some("raise statement_timeout_ms")),
        "55P03" => (Timeout, "a lock was not free in time", None),
        "57P01" | "57P02" | "57P03" | "57P05" => (Unavailable, "the server is stopping or starting", Some("try again")),
        "25P03" => (Unavailable, "the server ended a transaction that stood still", Some("try again")),
        "40001" | "40P01" | "23505" => (Unavailable, "other commits were faster again and again", Some("try again")),
        "25006" => (ReadOnly, "the server takes no changes", Some("name the primary server")),
        "54000" => (TooLarge, "something is larger than the server takes", None),
        "58030" => (Storage, "the server failed to read or write its disk", None),
        "XX001" | "XX002" => (Corrupt, "the index is damaged", Some("restore it from a backup")),
        code if code.starts_with("08") => (Unavailable, "the connection failed", Some("try again")),
        code if code.starts_with("53") => (Unavailable, "the server lacks a resource", Some("try again")),
        code if code.starts_with("57") => (Unavailable, "the server ended the connection", Some("try again")),
        _ => (Metadata, "the server refused a statement", None),
    }
}

fn told_by_driver(error: &PgError) -> Meaning {
    use ErrorKind::{Config, Permission, Timeout, Unavailable};
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    if error.is_closed() {
        return (Unavailable, "the connection was lost", Some("try again"));
    }
    // A server tells only after the handshake that it wants a certificate.
    let tls = cause.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<rustls::Error>());
    // The kinds of the driver's errors have no other name than what they print.
    match &*error.to_string() {
        text if tls || text == "error performing TLS handshake" => (
            Config,
            "no encrypted connection can be made",
            Some("check sslmode, sslrootcert and the host that the server's certificate is for"),
        ),
        "authentication error" | "invalid configuration" => {
            (Permission, "the server cannot be logged in to", Some("check user and password in the URL"))
        }
        "timeout waiting for server" => (Timeout, "the server did not answer in time", None),
        _ => match cause.map(io::Error::kind) {
            Some(io::ErrorKind::TimedOut) => {
                (Timeout, "the server did not answer in time", Some("check host and port in the URL"))
            }
            Some(
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable,
            ) => (
                Unavailable,
                "the server cannot be reached",
                Some("see whether it runs, and check host and port in the URL"),
            ),
            Some(_) if innermost(error).contains("lookup") => {
                (Unavailable, "the host cannot be found", Some("check the host in the URL"))
            }
            Some(_) => (Unavailable, "the connection failed", Some("try again")),
            None => (ErrorKind::Metadata, "the driver failed", None),
        },
    }
}

/// What the source at the bottom says; of the server's errors, the message.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    match last.downcast_ref::<DbError>() {
        Some(error) => one_line(&format!("{} ({})", error.message(), error.code().code())),
        None => one_line(&last.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.replace(|character: char| character.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_has_a_kind_and_says_whether_to_try_again() {
        for (code, kind, again) in [
            ("28P01", ErrorKind::Permission, false),
            ("42501", ErrorKind::Permission, false),
            ("3D000", ErrorKind::Config, false),
            ("53100", ErrorKind::OutOfSpace, false),
            ("53200", ErrorKind::Unavailable, true),
            ("53300", ErrorKind::Unavailable, true),
            ("57014", ErrorKind::Timeout, true),
            ("57P01", ErrorKind::Unavailable, true),
            ("57P03", ErrorKind::Unavailable, true),
            ("08006", ErrorKind::Unavailable, true),
            ("40P01", ErrorKind::Unavailable, true),
            ("25006", ErrorKind::ReadOnly, false),
            ("XX002", ErrorKind::Corrupt, false),
            ("22003", ErrorKind::Metadata, false),
        ] {
            let (told, message, _) = told_by_server(&SqlState::from_code(code));
            let error = Error::new(told, message);
            assert_eq!((error.kind(), error.is_retryable()), (kind, again), "{code}");
        }
    }
}
