//! The one error type of the family: a kind that a caller can decide on, and one line that a person can act on.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;

/// The result of every fallible call in the family.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
///
/// The seeds' exception classes map to these kinds: storage errors to [`Storage`](Self::Storage),
/// [`Unavailable`](Self::Unavailable), [`OutOfSpace`](Self::OutOfSpace) and [`Permission`](Self::Permission);
/// serialization errors to [`Serialization`](Self::Serialization); compression errors to
/// [`Compression`](Self::Compression); metadata errors to [`Metadata`](Self::Metadata).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option, a URL or a combination of parts is wrong.
    Config,
    /// A key cannot be made or parsed: nested too deep, duplicate names, reserved or over-long.
    InvalidKey,
    /// A query or filter names an unknown field or operator, or is nested too deep.
    InvalidQuery,
    /// No registered handler accepts the type, or has the name.
    NoHandler,
    /// No backend is registered under the name.
    UnknownBackend,
    /// A handler or backend of that name is registered already.
    AlreadyRegistered,
    /// A value could not be encoded, or would not come back as it was.
    Serialization,
    /// A codec failed or its output is out of bounds.
    Compression,
    /// The stored value has another type than the one asked for.
    TypeMismatch,
    /// The stored value has the type's name but another schema.
    SchemaMismatch,
    /// Stored bytes are damaged or missing although the index names them.
    Corrupt,
    /// The signature of a record does not verify.
    Signature,
    /// The store or the entry was written by a newer version.
    FormatTooNew,
    /// The file, directory or table is not a cacheness store, or belongs to another one.
    ForeignStore,
    /// A condition of a change was not met.
    Conflict,
    /// A blob of that name exists already.
    AlreadyExists,
    /// The value is larger than a limit.
    TooLarge,
    /// The handle was closed.
    Closed,
    /// The store was opened read-only.
    ReadOnly,
    /// The backend lacks a capability that was asked for.
    Unsupported,
    /// A blocking call on a remote store was made inside an async context.
    AsyncContext,
    /// The index failed.
    Metadata,
    /// Reading or writing bytes failed.
    Storage,
    /// The device or the quota is full.
    OutOfSpace,
    /// The operating system or the server refused access.
    Permission,
    /// The backend cannot be reached.
    Unavailable,
    /// A time limit passed.
    Timeout,
    /// A circuit breaker is open.
    CircuitOpen,
    /// Something that must hold does not: a defect of cacheness or of a plug-in.
    Internal,
}

impl ErrorKind {
    /// Whether trying again later can help without anything else changing.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout | Self::CircuitOpen)
    }
}

/// An error of cacheness.
///
/// `Display` prints one line: what was tried on what, what happened, and what to do.
///
/// ```
/// use cacheness_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Permission, "the directory is not readable")
///     .operation("open")
///     .backend("fs:/srv/cache")
///     .advice("run as its owner, or name another directory");
/// assert_eq!(
///     error.to_string(),
///     "open on fs:/srv/cache: the directory is not readable (run as its owner, or name another directory)"
/// );
/// ```
pub struct Error(Box<Details>);

struct Details {
    kind: ErrorKind,
    retryable: bool,
    message: Cow<'static, str>,
    operation: Option<&'static str>,
    key: Option<String>,
    backend: Option<String>,
    advice: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a message that says what happened, without operation, key or backend.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            kind,
            retryable: kind.is_transient(),
            message: message.into(),
            operation: None,
            key: None,
            backend: None,
            advice: None,
            source: None,
        }))
    }

    /// An I/O error; its kind follows from the operating system's, `otherwise` where that says nothing more.
    pub fn io(otherwise: ErrorKind, message: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        let source = match source.downcast::<Error>() {
            Ok(ours) => return ours,
            Err(source) => source,
        };
        let kind = match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Permission,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::OutOfSpace,
            io::ErrorKind::TimedOut => ErrorKind::Timeout,
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable => ErrorKind::Unavailable,
            _ => otherwise,
        };
        Self::new(kind, message).source(source)
    }

    /// Names the operation, unless an inner layer named it already.
    #[must_use]
    pub fn operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Names the key, unless an inner layer named it already.
    #[must_use]
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.0.key.get_or_insert_with(|| key.to_string());
        self
    }

    /// Names the backend, unless an inner layer named it already.
    #[must_use]
    pub fn backend(mut self, backend: impl fmt::Display) -> Self {
        self.0.backend.get_or_insert_with(|| backend.to_string());
        self
    }

    /// Says what the reader can do about it, unless an inner layer said so already.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice.get_or_insert(advice.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides whether trying again can help.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// What to decide on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call can succeed later without anything else changing.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// What happened, without context.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        let mut context = false;
        if let Some(operation) = details.operation {
            f.write_str(operation)?;
            context = true;
        }
        if let Some(key) = &details.key {
            write!(f, "{}{key:?}", if context { " " } else { "" })?;
            context = true;
        }
        if let Some(backend) = &details.backend {
            write!(f, "{}on {backend}", if context { " " } else { "" })?;
            context = true;
        }
        if context {
            f.write_str(": ")?;
        }
        f.write_str(&details.message)?;
        if let Some(source) = &details.source {
            write!(f, ": {source}")?;
        }
        if let Some(advice) = &details.advice {
            write!(f, " ({advice})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Lets a handler pass an [`Error`] through `std::io` traits; [`Error::io`] takes it out again.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}

/// For `?` in code that reads and writes; an [`Error`] that travelled through `std::io` comes out as it was.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::io(ErrorKind::Storage, "reading or writing failed", error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_context_wins_over_outer_context() {
        let error = Error::new(ErrorKind::Storage, "short read").operation("read blob").operation("get").key("k");
        assert_eq!(error.to_string(), "read blob \"k\": short read");
    }

    #[test]
    fn an_error_survives_the_trip_through_io() {
        let inner = Error::new(ErrorKind::TooLarge, "too much");
        let outer = Error::io(ErrorKind::Storage, "write", io::Error::from(inner));
        assert_eq!(outer.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn the_system_says_when_the_disk_is_full() {
        let error = Error::io(ErrorKind::Storage, "write", io::ErrorKind::StorageFull.into());
        assert_eq!(error.kind(), ErrorKind::OutOfSpace);
        assert!(!error.is_retryable());
    }
}
