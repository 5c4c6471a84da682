//! The error that serde carries through this module: a kind beside the message, so that nothing is guessed from text.

use cacheness_core::ErrorKind;
use serde::de::{self, Expected, Unexpected};
use serde::ser;
use std::fmt;

pub(super) type Result<T, E = ObjectError> = std::result::Result<T, E>;

/// How many bytes of a message are kept.
const LONGEST: usize = 300;

/// A kind and one line. Crosses serde's traits; never leaves this module. One word, because every element that is
/// read returns room for it.
#[derive(Debug, Clone)]
pub(super) struct ObjectError(Box<(ErrorKind, String)>);

impl ObjectError {
    #[cold]
    fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        let mut message = message.to_string();
        if message.len() > LONGEST {
            message.truncate(message.floor_char_boundary(LONGEST));
            message.push('…');
        }
        Self(Box::new((kind, message)))
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

/// Stored contents are no part of a message: it may end up in a log.
impl de::Error for ObjectError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::mismatch(message)
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(format_args!("{} is stored, expected {expected}", kind_of(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(format_args!("{} of another value is stored, expected {expected}", kind_of(&unexpected)))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::mismatch(format_args!("an unknown variant is stored, expected one of {}", expected.join(", ")))
    }
}

fn kind_of(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a float",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "a byte array",
        Unexpected::Unit => "nil",
        Unexpected::Option => "an option",
        Unexpected::Seq => "a sequence",
        Unexpected::Map => "a map",
        _ => "something else",
    }
}
