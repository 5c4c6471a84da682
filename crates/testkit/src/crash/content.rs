//! Values that are recognised, whole or torn, by what is in them.

use crate::SeededRng;
use cacheness_core::Rng;
use std::fmt;

/// A value: the seed that it begins with and is made of, and its size in bytes, at least 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) seed: u64,
    pub(super) size: usize,
}

impl Content {
    /// The bytes, which no codec makes smaller.
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; self.size];
        if let Some((first, rest)) = bytes.split_first_chunk_mut() {
            *first = self.seed.to_le_bytes();
            // It never fails.
            drop(SeededRng::new(self.seed).fill(rest));
        }
        bytes
    }

    /// What some bytes are; `None` when they are no value that anybody made.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let seed = u64::from_le_bytes(*bytes.first_chunk()?);
        Some(Self { seed, size: bytes.len() }).filter(|content| content.bytes() == bytes)
    }

    pub(super) fn parse(seed: &str, size: &str) -> Option<Self> {
        Some(Self { seed: seed.parse().ok()?, size: size.parse().ok()? })
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seed, self.size)
    }
}
