//! From parameters to a key in two steps: encoding them at the call, and reading files where that may block.

use super::encode::{Encoded, Encoder};
use super::{Key, Namespace, decode, invalid, resolve, spare};
use cacheness_core::Result;
use serde::Serialize;
use serde_json::Value as Json;

/// Parameters, encoded, with the paths of files that are not read yet.
#[derive(Debug)]
pub(crate) struct Encoding(Encoded);

impl Encoding {
    /// Encodes parameters. Reads nothing.
    pub(crate) fn of<K: Serialize>(parameters: K) -> Result<Self> {
        let mut encoder = Encoder::spare();
        parameters.serialize(&mut encoder).map_err(invalid)?;
        Ok(Self(encoder.finish()))
    }

    /// Whether [`resolve`](Self::resolve) reads files, and so must not run on a reactor.
    pub(crate) fn names_files(&self) -> bool {
        matches!(self.0, Encoded::Files(_))
    }

    /// Reads the files, if there are any. Blocks then.
    pub(crate) fn resolve(self) -> Result<Canonical> {
        match self.0 {
            Encoded::Bytes(bytes) => Ok(Canonical::Bytes(bytes)),
            Encoded::Files(bytes) => resolve::resolve(&bytes).map(Canonical::Bytes),
            Encoded::Key(key) => Ok(Canonical::Key(key)),
        }
    }
}

/// Parameters whose key is only a digest away.
#[derive(Debug)]
pub(crate) enum Canonical {
    Bytes(Vec<u8>),
    /// The parameters are a key, which stays what it is.
    Key(Key),
}

impl Canonical {
    /// The key of the parameters in a namespace.
    pub(crate) fn key(&self, namespace: Option<&Namespace>) -> Key {
        match self {
            Self::Bytes(bytes) => Key::digest(namespace, bytes),
            Self::Key(key) => *key,
        }
    }

    /// The parameters as JSON, nested at most 64 levels deep; a key has none.
    pub(crate) fn parameters(&self) -> Option<Json> {
        match self {
            Self::Bytes(bytes) => decode::json(bytes),
            Self::Key(_) => None,
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Key(Key { id, rest }) => id.into_iter().chain(rest.into_iter().flatten()).collect(),
        }
    }
}

/// A key, or what it takes to make it where reading may block.
#[derive(Debug)]
pub(crate) enum Prepared {
    Ready(Key),
    Deferred(Encoding, Option<Namespace>),
}

impl Prepared {
    /// The key; reads the files that were deferred, and blocks then.
    pub(crate) fn resolve(self) -> Result<Key> {
        match self {
            Self::Ready(key) => Ok(key),
            Self::Deferred(encoding, namespace) => Ok(encoding.resolve()?.key(namespace.as_ref())),
        }
    }
}

/// The key of some parameters, unless files have to be read for it: that is for [`Prepared::resolve`], away from the
/// reactor.
pub(crate) fn prepare<K: Serialize>(namespace: Option<&Namespace>, parameters: K) -> Result<Prepared> {
    let mut encoder = Encoder::spare();
    parameters.serialize(&mut encoder).map_err(invalid)?;
    let key = match encoder.whole_key() {
        Some(key) => key,
        None if encoder.has_files() => {
            return Ok(Prepared::Deferred(Encoding(encoder.finish()), namespace.cloned()));
        }
        None => Key::digest(namespace, &encoder.out),
    };
    spare::give(encoder.out);
    Ok(Prepared::Ready(key))
}
