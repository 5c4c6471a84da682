//! The error that serde carries through this module: a kind beside the message, so that nothing is guessed from text.

use cacheness_core::ErrorKind;
use serde::{de, ser};
use std::fmt;

pub(super) type Result<T, E = ObjectError> = std::result::Result<T, E>;

/// A kind and one line. Crosses serde's traits; never leaves this module. One word, because every element that is
/// read returns room for it.
#[derive(Debug, Clone)]
pub(super) struct ObjectError(Box<(ErrorKind, String)>);

impl ObjectError {
    #[cold]
    fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self(Box::new((kind, message.to_string())))
    }

    /// The value cannot be written.
    pub(super) fn unstorable(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Serialization, message)
    }

    /// The bytes are sound and hold another type.
    pub(super) fn mismatch(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::SchemaMismatch, message)
    }

    /// The bytes are nothing that version 1 of the format writes.
    pub(super) fn corrupt(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(super) fn kind(&self) -> ErrorKind {
        self.0.0
    }
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.1)
    }
}

impl std::error::Error for ObjectError {}

impl ser::Error for ObjectError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::unstorable(message)
    }
}

impl de::Error for ObjectError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::mismatch(message)
    }
}
