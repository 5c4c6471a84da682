//! Compact storage for types that declare their schema: bincode, guarded by a hash of what it cannot describe itself.

use crate::{Format, Handler, PayloadReader};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::de::read::Reader;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};
use cacheness_core::{Error, ErrorKind, Result};
use std::any::Any;
use std::fmt;
use std::io::{self, BufReader, Write};
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

    /// Decodes what it encoded before it hands it on: what the bounds of a get would refuse is refused here.
    fn encode(&self, value: &T, _: &Format, out: &mut dyn Write) -> Result<()> {
        let unstorable = |problem| Error::new(ErrorKind::Serialization, format!("{} {problem}", T::NAME));
        let bytes = bincode::encode_to_vec(value, bincode::config::standard())
            .map_err(|error| unstorable("could not be encoded").source(error))?;
        decode_bounded::<T>(&mut BufReader::new(bytes.as_slice()), bytes.len() as u64)
            .map_err(|error| unstorable("would not come back").source(error))?;
        Ok(out.write_all(&bytes)?)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<T> {
        format.require(FORMAT, VERSION)?;
        Self::check_schema(format)?;
        let mut reader = BufReader::new(input);
        let size = reader.get_ref().remaining();
        let value = decode_bounded(&mut reader, size);
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

/// Decodes a payload of `size` bytes. Lengths in it may claim memory before their elements arrive: at most 64 MiB in
/// payloads up to 1 MiB, and 64 to 256 times the payload in larger ones; hash maps take up to three times as much. A
/// vector of small integers takes 8 times its payload.
fn decode_bounded<T: Cacheable>(reader: &mut impl Reader, size: u64) -> std::result::Result<T, DecodeError> {
    match size.div_ceil(1 << 20) {
        0..=1 => bincode::decode_from_reader(reader, limit::<{ mib(64) }>()),
        2..=4 => bincode::decode_from_reader(reader, limit::<{ mib(256) }>()),
        5..=16 => bincode::decode_from_reader(reader, limit::<{ mib(1 << 10) }>()),
        17..=64 => bincode::decode_from_reader(reader, limit::<{ mib(4 << 10) }>()),
        65..=256 => bincode::decode_from_reader(reader, limit::<{ mib(16 << 10) }>()),
        _ => bincode::decode_from_reader(reader, limit::<{ mib(256 << 10) }>()),
    }
}

/// So many MiB, or 1 GiB where addresses are too small for more.
const fn mib(count: u64) -> usize {
    if usize::BITS < 64 && count > 1 << 10 { 1 << 30 } else { (count << 20) as usize }
}

const fn limit<const BYTES: usize>() -> Configuration<LittleEndian, Varint, Limit<BYTES>> {
    bincode::config::standard().with_limit::<BYTES>()
}
