//! Digests of stored bytes.

use cacheness_core::hex::{self, Hex};
use cacheness_core::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;
use xxhash_rust::xxh3::Xxh3Default;

pub(crate) const XXH3: u8 = 1;
pub(crate) const BLAKE3: u8 = 2;

/// A digest, tagged with its algorithm.
///
/// XXH3-128 finds accidents; BLAKE3 also withstands forgery, and is used where a signature or an address stands on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Digest {
    /// XXH3, 128 bits, big-endian.
    Xxh3([u8; 16]),
    /// BLAKE3, 256 bits.
    Blake3([u8; 32]),
}

/// Which digest to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// XXH3-128.
    Xxh3,
    /// BLAKE3.
    Blake3,
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(algorithm: DigestAlgorithm, bytes: &[u8]) -> Self {
        match algorithm {
            DigestAlgorithm::Xxh3 => Self::Xxh3(xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes()),
            DigestAlgorithm::Blake3 => Self::Blake3(*blake3::hash(bytes).as_bytes()),
        }
    }

    /// The algorithm that made it.
    pub fn algorithm(&self) -> DigestAlgorithm {
        match self {
            Self::Xxh3(_) => DigestAlgorithm::Xxh3,
            Self::Blake3(_) => DigestAlgorithm::Blake3,
        }
    }

    /// The number of the algorithm, 1 for XXH3 and 2 for BLAKE3, then the digest: how it is written wherever it rests.
    pub fn to_bytes(&self) -> Vec<u8> {
        let number = match self {
            Self::Xxh3(_) => XXH3,
            Self::Blake3(_) => BLAKE3,
        };
        [&[number], self.as_bytes()].concat()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FormatTooNew`] for the number of another algorithm, [`ErrorKind::Corrupt`] for another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = || Error::new(ErrorKind::Corrupt, "a digest has the wrong length");
        match bytes {
            [XXH3, digest @ ..] => digest.try_into().map(Self::Xxh3).map_err(|_| wrong()),
            [BLAKE3, digest @ ..] => digest.try_into().map(Self::Blake3).map_err(|_| wrong()),
            [] => Err(wrong()),
            [number, ..] => Err(Error::new(ErrorKind::FormatTooNew, format!("the digest {number} is not known"))),
        }
    }

    /// Its bytes, 16 or 32.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Xxh3(bytes) => bytes,
            Self::Blake3(bytes) => bytes,
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Xxh3(_) => "xxh3",
            Self::Blake3(_) => "b3",
        };
        write!(f, "{name}:{}", Hex(self.as_bytes()))
    }
}

impl FromStr for Digest {
    type Err = Error;

    /// Reads what `Display` shows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FormatTooNew`] for the name of another algorithm, [`ErrorKind::Corrupt`] for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let parsed = match text.split_once(':') {
            Some(("xxh3", digits)) => hex::parse(digits).map(Self::Xxh3),
            Some(("b3", digits)) => hex::parse(digits).map(Self::Blake3),
            Some(_) => return Err(Error::new(ErrorKind::FormatTooNew, "the algorithm of a digest is not known")),
            None => None,
        };
        parsed.ok_or_else(|| Error::new(ErrorKind::Corrupt, "a digest is a name, a colon and hexadecimal digits"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Computes a digest over bytes that arrive in pieces.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Xxh3(Box<Xxh3Default>),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self(match algorithm {
            DigestAlgorithm::Xxh3 => State::Xxh3(Box::default()),
            DigestAlgorithm::Blake3 => State::Blake3(Box::default()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Xxh3(hasher) => hasher.update(bytes),
            State::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    /// The digest of all bytes so far.
    pub fn digest(&self) -> Digest {
        match &self.0 {
            State::Xxh3(hasher) => Digest::Xxh3(hasher.digest128().to_be_bytes()),
            State::Blake3(hasher) => Digest::Blake3(*hasher.finalize().as_bytes()),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_shown() {
        for algorithm in [DigestAlgorithm::Xxh3, DigestAlgorithm::Blake3] {
            let digest = Digest::of(algorithm, b"bytes");
            assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        }
        for (text, kind) in [
            ("", ErrorKind::Corrupt),
            ("xxh3", ErrorKind::Corrupt),
            ("xxh3:", ErrorKind::Corrupt),
            ("b3:00112233445566778899aabbccddeeff", ErrorKind::Corrupt),
            ("xxh3:00112233445566778899AABBCCDDEEFF", ErrorKind::Corrupt),
            ("md5:00112233445566778899aabbccddeeff", ErrorKind::FormatTooNew),
        ] {
            assert_eq!(text.parse::<Digest>().unwrap_err().kind(), kind, "{text:?}");
        }
    }
}
