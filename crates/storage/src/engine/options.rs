//! How an engine stores values.

use crate::{DigestAlgorithm, Durability};
use cacheness_handlers::{Codec, Hints};
use std::time::Duration;

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
    /// The largest value, in stored bytes; `None` for any.
    pub max_stored_size: Option<u64>,
    /// Values up to so many bytes are staged in memory, larger ones in a file.
    pub staging_memory: usize,
    /// The digest of stored bytes.
    pub digest: DigestAlgorithm,
    /// What an acknowledged put survives.
    pub durability: Durability,
    /// Allow an index that only this machine sees beside blobs that many machines see.
    pub allow_split_locality: bool,
    /// Values of the same stored bytes share a blob. The digest is BLAKE3 then.
    pub content_addressable: bool,
    /// Change nothing: not even what opening makes otherwise.
    pub read_only: bool,
    /// How old a blob that no record names must be before a sweep condemns it, and how long it is condemned before a
    /// sweep deletes it; also how old a staging file must be.
    pub grace: Duration,
    /// How long a blob whose last record is gone stays on a backend that many machines share, for those who read it.
    pub delete_grace: Duration,
    /// Where tests stop, fail or kill this engine.
    #[cfg(feature = "failpoints")]
    pub failpoints: super::Failpoints,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            inline_limit: 16 << 10,
            compression: Compression::default(),
            max_value_size: 4 << 30,
            max_stored_size: None,
            staging_memory: 8 << 20,
            digest: DigestAlgorithm::Xxh3,
            durability: Durability::default(),
            allow_split_locality: false,
            content_addressable: false,
            read_only: false,
            grace: Duration::from_secs(60 * 60),
            delete_grace: Duration::from_secs(15 * 60),
            #[cfg(feature = "failpoints")]
            failpoints: super::Failpoints::default(),
        }
    }
}

/// What compresses values. What looks random already, as compressed or encrypted bytes do, stays as it is.
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
