//! How an engine stores values.

use crate::{DigestAlgorithm, Durability};
use cacheness_handlers::{Codec, Hints};

/// How an engine stores values. The defaults are those of the whole family.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Payloads of at most so many stored bytes ride in the record.
    pub inline_limit: u64,
    /// What compresses values.
    pub compression: Compression,
    /// The largest value, in bytes before the codec.
    pub max_value_size: u64,
    /// Values up to so many bytes are staged in memory, larger ones in a file.
    pub staging_memory: usize,
    /// The digest of stored bytes.
    pub digest: DigestAlgorithm,
    /// What an acknowledged put survives.
    pub durability: Durability,
    /// Allow an index that only this machine sees beside blobs that many machines see.
    pub allow_split_locality: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            inline_limit: 16 << 10,
            compression: Compression::default(),
            max_value_size: 4 << 30,
            staging_memory: 8 << 20,
            digest: DigestAlgorithm::Xxh3,
            durability: Durability::default(),
            allow_split_locality: false,
        }
    }
}

/// What compresses values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// For arrays, after the byte-shuffle.
    pub arrays: Codec,
    /// For everything else.
    pub objects: Codec,
    /// Objects of fewer bytes stay as they are.
    pub threshold: u64,
}

impl Compression {
    /// Nothing compresses anything.
    pub const NONE: Self = Self { arrays: Codec::None, objects: Codec::None, threshold: 0 };

    /// The codec and the shuffle width for a value, and below which size neither is worth it.
    pub(super) fn choose(&self, hints: &Hints) -> Choice {
        if hints.compressed {
            return Choice { codec: Codec::None, shuffle: 1, threshold: 0 };
        }
        if hints.element_width > 1 {
            let shuffle = if self.arrays == Codec::None { 1 } else { hints.element_width };
            return Choice { codec: self.arrays, shuffle, threshold: 0 };
        }
        Choice { codec: self.objects, shuffle: 1, threshold: self.threshold }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self { arrays: Codec::Lz4, objects: Codec::ZSTD, threshold: 4 << 10 }
    }
}

pub(super) struct Choice {
    pub(super) codec: Codec,
    pub(super) shuffle: u8,
    pub(super) threshold: u64,
}
