//! Compact storage for types that declare their schema: bincode, guarded by a hash of what it cannot describe itself.

use crate::{Format, Handler, PayloadReader};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use cacheness_core::{Error, ErrorKind, Result};
use std::any::Any;
use std::fmt;
use std::io::{self, BufReader, BufWriter, Write};
use std::marker::PhantomData;

/// A type that is stored in bincode, which writes neither field names nor types: whenever the fields, their order or
/// their types change, [`SCHEMA`](Self::SCHEMA) or [`VERSION`](Self::VERSION) must change with them.
///
/// Stored values come from outside, so `Decode` must bound what it does: a type that holds itself needs a limit on
/// its depth, and a list of a type without bytes one on its length.
///
/// ```
/// use cacheness_core::Result;
/// use cacheness_handlers::bincode::de::Decoder;
/// use cacheness_handlers::bincode::enc::Encoder;
/// use cacheness_handlers::bincode::error::{DecodeError, EncodeError};
/// use cacheness_handlers::bincode::{Decode, Encode};
/// use cacheness_handlers::cacheable::{BincodeHandler, Cacheable, schema_hash};
/// use cacheness_handlers::{ErasedHandler, Handler, SliceReader, Value};
///
/// #[derive(Debug, PartialEq)]
/// struct Point { x: f64, y: f64 }
///
/// impl Encode for Point {
///     fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
///         (self.x, self.y).encode(encoder)
///     }
/// }
///
/// impl<C> Decode<C> for Point {
///     fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
///         Ok(Self { x: Decode::decode(decoder)?, y: Decode::decode(decoder)? })
///     }
/// }
///
/// impl Cacheable for Point {
///     const NAME: &'static str = "Point";
///     const VERSION: u32 = 1;
///     const SCHEMA: u64 = schema_hash("Point { x: f64, y: f64 }");
/// }
///
/// impl Value for Point {
///     fn fallback() -> Option<&'static dyn ErasedHandler> {
///         Some(const { &BincodeHandler::<Point>::new() })
///     }
/// }
///
/// let (handler, point) = (BincodeHandler::<Point>::new(), Point { x: 1.0, y: -1.0 });
/// let format = Handler::plan(&handler, &point)?;
/// let mut stored = Vec::new();
/// Handler::encode(&handler, &point, &format, &mut stored)?;
/// assert_eq!(stored.len(), 16);
/// assert_eq!(Handler::decode(&handler, &mut SliceReader::new(stored.into()), &format)?, point);
/// # Ok::<(), cacheness_core::Error>(())
/// ```
pub trait Cacheable: Encode + Decode<()> + Any + Send + Sync {
    /// The type's name, unique in the program and stable for ever.
    const NAME: &'static str;

    /// The version of the schema, counted by hand.
    const VERSION: u32;

    /// A hash of the schema, such as [`schema_hash`] of its description.
    const SCHEMA: u64;
}

/// Hashes the description of a schema: FNV-1a with 64 bits (RFC 9923, section 2).
///
/// ```
/// assert_eq!(cacheness_handlers::cacheable::schema_hash("foobar"), 0x8594_4171_f739_67e8);
/// ```
pub const fn schema_hash(description: &str) -> u64 {
    fnv(FNV_OFFSET, description.as_bytes())
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

const fn fnv(mut hash: u64, mut bytes: &[u8]) -> u64 {
    while let [byte, rest @ ..] = bytes {
        hash = (hash ^ *byte as u64).wrapping_mul(FNV_PRIME);
        bytes = rest;
    }
    hash
}

/// Stores a [`Cacheable`] type in bincode, little-endian with variable-length integers.
pub struct BincodeHandler<T>(PhantomData<fn() -> T>);

impl<T: Cacheable> BincodeHandler<T> {
    /// What is stored and compared: name, version and schema in one. The byte between keeps a name from running into
    /// the version.
    const STORED_SCHEMA: u64 = {
        let hash = fnv(fnv(FNV_OFFSET, T::NAME.as_bytes()), &[0xff]);
        fnv(fnv(hash, &T::VERSION.to_le_bytes()), &T::SCHEMA.to_le_bytes())
    };

    /// The handler of `T`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    fn check_schema(format: &Format) -> Result<()> {
        let damaged = |field| Error::new(ErrorKind::Corrupt, format!("the stored value does not say its {field}"));
        let name = format.extra.get("name").and_then(|name| name.as_str()).ok_or_else(|| damaged("name"))?;
        let version = format.extra.get("version").and_then(|version| version.as_u64());
        let (version, schema) =
            (version.ok_or_else(|| damaged("version"))?, format.schema.ok_or_else(|| damaged("schema"))?);
        if name != T::NAME {
            let message = format!("the stored value is a {name}, not a {}", T::NAME);
            return Err(Error::new(ErrorKind::TypeMismatch, message));
        }
        if version != u64::from(T::VERSION) || schema != Self::STORED_SCHEMA {
            let message = format!(
                "{name} is stored in version {version} (schema {schema:016x}), this program has version {} (schema {:016x})",
                T::VERSION,
                Self::STORED_SCHEMA
            );
            return Err(Error::new(ErrorKind::SchemaMismatch, message));
        }
        Ok(())
    }
}

impl<T: Cacheable> Default for BincodeHandler<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Cacheable> fmt::Debug for BincodeHandler<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BincodeHandler({} {})", T::NAME, T::VERSION)
    }
}

const FORMAT: &str = "bincode";
const VERSION: u16 = 1;

impl<T: Cacheable> Handler for BincodeHandler<T> {
    type Value = T;

    fn type_tag(&self) -> &str {
        "cacheable"
    }

    fn plan(&self, _: &T) -> Result<Format> {
        let format = Format::new(FORMAT, VERSION).schema(Self::STORED_SCHEMA);
        Ok(format.extra("name", T::NAME).extra("version", T::VERSION))
    }

    fn encode(&self, value: &T, _: &Format, out: &mut dyn Write) -> Result<()> {
        let mut out = BufWriter::new(out);
        bincode::encode_into_std_write(value, &mut out, bincode::config::standard()).map_err(|error| match error {
            EncodeError::Io { inner, .. } => inner.into(),
            error => Error::new(ErrorKind::Serialization, format!("{} could not be encoded", T::NAME)).source(error),
        })?;
        out.into_inner().map_err(|error| error.into_error())?;
        Ok(())
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<T> {
        format.require(FORMAT, VERSION)?;
        Self::check_schema(format)?;
        let mut reader = BufReader::new(input);
        let value = match reader.get_ref().remaining() {
            0..=0x1_0000 => bincode::decode_from_reader(&mut reader, limit::<SMALL>()),
            0x1_0001..=0x1000_0000 => bincode::decode_from_reader(&mut reader, limit::<MEDIUM>()),
            _ => bincode::decode_from_reader(&mut reader, limit::<LARGE>()),
        };
        let value = value.map_err(|error| match error {
            DecodeError::Io { inner, .. } if inner.kind() != io::ErrorKind::UnexpectedEof => inner.into(),
            error => Error::new(ErrorKind::Corrupt, format!("the bytes are no {}", T::NAME)).source(error),
        })?;
        match reader.buffer().len() as u64 + reader.get_ref().remaining() {
            0 => Ok(value),
            rest => Err(Error::new(ErrorKind::Corrupt, format!("{rest} bytes follow the stored {}", T::NAME))),
        }
    }
}

/// The limits on the memory that stored lengths may claim before their elements arrive. An element may take 1,024
/// times the memory that it takes bytes in payloads up to 64 KiB, 16 times in large ones: a vector of small integers
/// takes 8 times.
const SMALL: usize = 64 << 20;
const MEDIUM: usize = if usize::BITS < 64 { 1 << 30 } else { (4_u64 << 30) as usize };
const LARGE: usize = if usize::BITS < 64 { 1 << 30 } else { (64_u64 << 30) as usize };

const fn limit<const BYTES: usize>() -> Configuration<LittleEndian, Varint, Limit<BYTES>> {
    bincode::config::standard().with_limit::<BYTES>()
}
