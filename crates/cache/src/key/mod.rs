//! Keys: what parameters become.

mod compound;
mod content;
mod cursor;
mod decode;
mod encode;
mod file;
mod namespace;
mod parameters;
mod prepared;
mod resolve;
mod spare;
mod spec;
mod tag;
#[cfg(test)]
mod tests;
mod unordered;

pub use file::{FileContent, file};
pub(crate) use namespace::Namespace;
pub(crate) use parameters::{REDACTED, redact};
pub(crate) use prepared::{Canonical, Encoding, Prepared, prepare};
pub use spec::KeySpec;
pub use unordered::{Unordered, unordered};

use cacheness_core::hex::{self, Hex};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::EntryKey;
use encode::EncodeError;
use serde::ser::Serializer;
use serde::{Serialize, ser};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::str::FromStr;
use std::sync::OnceLock;

/// The names under which the encoder recognises the types of this module.
const KEY_NAME: &str = "$cacheness::Key";
const SPEC_NAME: &str = "$cacheness::KeySpec";
const UNORDERED_NAME: &str = "$cacheness::Unordered";
const FILE_NAME: &str = "$cacheness::FileContent";

/// The context that the hash key of version 1 is derived from. Another version gets another one.
const CONTEXT: &str = "cacheness 2026-11-20 key version 1";

/// A key: 128 bits derived from parameters, shown as 32 lower-case hexadecimal digits.
///
/// It is [`Serialize`], so it can be a parameter of another key: `(key, 1)`.
///
/// ```
/// use cacheness_cache::{Key, key};
///
/// let one = Key::of(key! { model: "xgboost", depth: 3 })?;
/// let same = Key::of(key! { depth: 3, model: "xgboost" })?;
/// assert_eq!(one, same);
/// assert_eq!(Key::parse(&one.to_string())?, one);
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Key {
    id: [u8; 16],
    /// The other half of the digest; a key that was parsed does not have it.
    rest: Option<[u8; 16]>,
}

impl Key {
    /// The key of some parameters; a key stays what it is. Reads the files among them, and blocks then: see [`file()`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKey`] for parameters nested deeper than 128 levels, two of one name, and what a `Serialize`
    /// of the caller's refuses; for files as [`file()`] says.
    pub fn of<K: Serialize>(parameters: K) -> Result<Self> {
        Self::of_in(None, parameters)
    }

    /// The key of some parameters in a namespace; a key stays what it is in any. Blocks as [`of`](Self::of) does.
    pub(crate) fn of_in<K: Serialize>(namespace: Option<&Namespace>, parameters: K) -> Result<Self> {
        prepare(namespace, parameters)?.resolve()
    }

    /// The key of 16 bytes, or of all 32 of its digest.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&id, rest) = bytes.split_first_chunk()?;
        Some(Self { id, rest: rest.try_into().ok() })
    }

    fn digest(namespace: Option<&Namespace>, canonical: &[u8]) -> Self {
        let digest = digest(namespace.map_or("", Namespace::name), canonical);
        let (mut id, mut rest) = ([0; 16], [0; 16]);
        id.copy_from_slice(&digest[..16]);
        rest.copy_from_slice(&digest[16..]);
        if let Some(namespace) = namespace {
            id[..4].copy_from_slice(&namespace.prefix_bytes());
        }
        Self { id, rest: Some(rest) }
    }

    /// The key that was shown as these 32 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKey`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::new(ErrorKind::InvalidKey, "a key is 32 lower-case hexadecimal digits").key(text);
        hex::parse(text).map(Self::of_id).ok_or_else(bad)
    }

    /// All 256 bits, when the key was derived and not parsed.
    pub fn full_digest(&self) -> Option<[u8; 32]> {
        let mut digest = [0; 32];
        let (id, rest) = digest.split_at_mut(16);
        id.copy_from_slice(&self.id);
        rest.copy_from_slice(&self.rest?);
        Some(digest)
    }

    /// Whether all of its digest is known, and is another one.
    #[inline]
    pub(crate) fn is_known_to_differ_from(&self, digest: &[u8; 32]) -> bool {
        let (id, rest) = digest.split_at(16);
        self.rest.is_some_and(|own| own != rest) || self.rest.is_some() && self.id != id
    }

    /// The half of the digest that it is known by.
    pub(crate) fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Bits that tell keys apart where nothing depends on how well.
    pub(crate) fn spread(&self) -> u64 {
        let [.., last] = self.id;
        u64::from(last)
    }

    /// The key that is known by this half of its digest.
    pub(crate) fn of_id(id: [u8; 16]) -> Self {
        Self { id, rest: None }
    }

    pub(crate) fn entry_key(&self) -> EntryKey {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.id) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        EntryKey::new(str::from_utf8(&text).unwrap_or_default())
    }
}

fn invalid(error: EncodeError) -> Error {
    Error::new(ErrorKind::InvalidKey, error.0)
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.id).fmt(f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        match self.full_digest() {
            Some(digest) => serializer.serialize_newtype_struct(KEY_NAME, &RawBytes(&digest)),
            None => serializer.serialize_newtype_struct(KEY_NAME, &RawBytes(&self.id)),
        }
    }
}

struct RawBytes<'b>(&'b [u8]);

impl Serialize for RawBytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The canonical encoding of parameters: what a key is the digest of; of a key, which is no digest of anything, its own
/// bytes. For tests and for other languages. Reads files, and blocks then: see [`file()`].
///
/// # Errors
///
/// As [`Key::of`].
pub fn canonical_bytes<K: Serialize>(parameters: K) -> Result<Vec<u8>> {
    Ok(Encoding::of(parameters)?.resolve()?.into_bytes())
}

/// A hash of any content, 256 bits: equal where keys are equal, the same on every machine and for ever. It is all of the
/// digest that [`Key::of`] shows half of. A key is content like any other here, and has another hash than itself.
/// Reads files, and blocks then: see [`file()`].
///
/// ```
/// use cacheness_cache::{Key, hash_content, key};
///
/// let one = hash_content(&key! { model: "xgboost", depth: 3 })?;
/// assert_eq!(one, hash_content(&key! { depth: 3, model: "xgboost" })?);
/// assert_ne!(one, hash_content(&key! { depth: 3, model: "linear" })?);
/// assert_eq!(Some(one), Key::of(key! { model: "xgboost", depth: 3 })?.full_digest());
/// # Ok::<(), cacheness_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Key::of`].
pub fn hash_content<T: Serialize + ?Sized>(content: &T) -> Result<[u8; 32]> {
    Ok(match Encoding::of(content)?.resolve()? {
        Canonical::Bytes(bytes) => digest("", &bytes),
        Canonical::Key(key) => digest("", &[&[tag::KEY], key.id.as_slice()].concat()),
    })
}

/// The digest of canonical bytes in the namespace of a name, which is empty outside of all.
fn digest(namespace: &str, canonical: &[u8]) -> [u8; 32] {
    static HASH_KEY: OnceLock<[u8; 32]> = OnceLock::new();
    let hash_key = HASH_KEY.get_or_init(|| blake3::derive_key(CONTEXT, &[]));
    let length = (namespace.len() as u64).to_le_bytes();
    let parts = [&length, namespace.as_bytes(), canonical];
    // In one piece, a few blocks are hashed without setting up a hasher for many.
    let mut block = [0; 256];
    let mut rest = block.as_mut_slice();
    if parts.iter().all(|part| rest.write_all(part).is_ok()) {
        let unused = rest.len();
        let used = block.get(..block.len() - unused).unwrap_or_default();
        return *blake3::keyed_hash(hash_key, used).as_bytes();
    }
    let mut hasher = blake3::Hasher::new_keyed(hash_key);
    parts.iter().for_each(|part| _ = hasher.update(part));
    *hasher.finalize().as_bytes()
}

fn refused<E: ser::Error>(error: &EncodeError) -> E {
    E::custom(&error.0)
}
