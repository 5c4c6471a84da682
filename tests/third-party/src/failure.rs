//! What redb's errors mean to a caller.

use cacheness_storage::{Error, ErrorKind};

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error on its way to the contract, where it becomes an [`Error`].
#[derive(Debug)]
pub(crate) enum Failure {
    Redb(Box<redb::Error>),
    Ours(Error),
}

impl Failure {
    /// The error for a caller; of kind `otherwise` when redb says nothing more.
    pub(crate) fn error(self, otherwise: ErrorKind) -> Error {
        let source = match self {
            Self::Ours(error) => return error,
            Self::Redb(source) => *source,
        };
        match source {
            redb::Error::Io(source) => Error::io(otherwise, "the file cannot be read or written", source),
            redb::Error::DatabaseAlreadyOpen => Error::new(ErrorKind::Unavailable, "another process has the file open")
                .source(source)
                .advice("redb lets one process in at a time: close it there, or choose a backend that processes share"),
            redb::Error::Corrupted(_)
            | redb::Error::TableDoesNotExist(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. } => {
                Error::new(ErrorKind::Corrupt, "the file is damaged").source(source).advice("restore it from a backup")
            }
            redb::Error::ValueTooLarge(_) => {
                Error::new(ErrorKind::TooLarge, "a value is too large for redb").source(source)
            }
            _ => Error::new(otherwise, "redb failed").source(source),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for Failure {
            fn from(error: redb::$error) -> Self {
                Self::Redb(Box::new(error.into()))
            }
        }
    )*};
}

from_redb! { CommitError DatabaseError StorageError TableError TransactionError }

/// Something in the file that does not have the form that was written.
pub(crate) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

/// Something of a later version of the contracts.
pub(crate) fn unknown(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("this version of acme-redb does not know {what}"))
        .advice("update acme-redb")
}
