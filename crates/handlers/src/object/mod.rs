//! The handler of every serde type that has none of its own: MessagePack with field names that is lossless, or
//! refused when it is written.
//!
//! The bytes are an on-disk format for ever; `docs/format.md` specifies them. Whatever was encoded is decoded again
//! before it is stored. Where that alone proves nothing, because something was read by trying, with a default or
//! with a part left out, the result must make the same serde calls as the value did. So `flatten`, untagged and
//! internally tagged enums, `skip_serializing_if` and nested options each come back as they were, or are an error
//! at `put`.

mod de;
mod error;
mod fingerprint;
mod reader;
mod ser;
mod writer;

use crate::{Format, Handler, PayloadReader};
use cacheness_core::{Error, ErrorKind, Result};
use error::ObjectError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::{Any, type_name};
use std::fmt;
use std::io::Write;
use std::marker::PhantomData;

/// How many containers may lie in each other.
const MAX_DEPTH: usize = 128;

const FORMAT: &str = "msgpack";
const VERSION: u16 = 1;

/// Stores any serde type as MessagePack with field names.
///
/// ```
/// use cacheness_handlers::{Handler, ObjectHandler, SliceReader};
///
/// let handler = ObjectHandler::<Option<Option<u8>>>::new();
/// let format = handler.plan(&Some(None))?;
/// let mut bytes = Vec::new();
/// handler.encode(&Some(None), &format, &mut bytes)?;
/// assert_eq!(handler.decode(&mut SliceReader::new(bytes.into()), &format)?, Some(None));
/// # Ok::<(), cacheness_core::Error>(())
/// ```
///
/// # What comes back
///
/// The value that was stored. Where its bytes could also mean another one, `encode` compares what both tell serde and
/// refuses the value when that differs. What a type does not tell serde cannot be compared: a field with
/// `#[serde(skip)]`, two variants of an untagged enum that are written alike, `skip_serializing_if` with a condition
/// that holds for several values, a flattened `None` beside a flattened `Some` without fields.
pub struct ObjectHandler<T>(PhantomData<fn() -> T>);

impl<T> ObjectHandler<T> {
    /// The handler for `T`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for ObjectHandler<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for ObjectHandler<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectHandler<{}>", type_name::<T>())
    }
}

impl<T: Serialize + DeserializeOwned + Any + Send + Sync> Handler for ObjectHandler<T> {
    type Value = T;

    fn type_tag(&self) -> &str {
        "object"
    }

    fn plan(&self, _: &T) -> Result<Format> {
        Ok(Format::new(FORMAT, VERSION))
    }

    /// Holds the bytes and a second copy of the value in memory until it has verified them.
    fn encode(&self, value: &T, _: &Format, out: &mut dyn Write) -> Result<()> {
        let bytes = verified(value).map_err(|error| {
            Error::new(ErrorKind::Serialization, format!("{} cannot be stored: {error}", type_name::<T>()))
                .advice("change its serde attributes, or register a handler for it")
        })?;
        Ok(out.write_all(&bytes)?)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<T> {
        format.require(FORMAT, VERSION)?;
        let decoded = match input.as_slice() {
            Some(bytes) => de::from_bytes(bytes),
            None => de::from_bytes(&input.read_bytes()?),
        };
        decoded.map(|decoded| decoded.value).map_err(|error| {
            let problem = if error.kind() == ErrorKind::Corrupt { "damaged" } else { "of another type" };
            Error::new(error.kind(), format!("the bytes of {} are {problem}: {error}", type_name::<T>()))
        })
    }
}

/// Which variants of enums were written or read, by their places and in order. A variant that is written under the name
/// of another shows in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Variants(u64);

impl Variants {
    fn note(&mut self, index: u32) {
        self.0 = (self.0.rotate_left(5) ^ (u64::from(index) + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// The bytes of `value`, which are read as `value`.
fn verified<T: Serialize + DeserializeOwned>(value: &T) -> Result<Vec<u8>, ObjectError> {
    let encoded = ser::to_bytes(value)?;
    let decoded = de::from_bytes::<T>(&encoded.bytes)
        .map_err(|error| ObjectError::unstorable(format_args!("it would not come back: {error}")))?;
    let doubtful = encoded.doubtful || decoded.doubtful || encoded.variants != decoded.variants;
    if doubtful && fingerprint::of(value)? != fingerprint::of(&decoded.value)? {
        return Err(ObjectError::unstorable("it would come back different"));
    }
    Ok(encoded.bytes)
}
