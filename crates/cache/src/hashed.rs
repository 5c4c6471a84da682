//! Keys with their hash, which is computed once for the shard, its map, the policy and the generations.

use crate::Key;
use cacheness_core::{Result, Rng, rng};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What a key is known by, and its hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashed {
    id: [u8; 16],
    pub(crate) hash: u64,
}

impl Hashed {
    pub(crate) fn key(&self) -> Key {
        Key::of_id(self.id)
    }
}

impl PartialEq for Hashed {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Hashed {}

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The secret of a layer, so that nobody can choose keys whose hashes collide.
#[derive(Debug)]
pub(crate) struct Seed {
    start: u64,
    factor: u64,
}

impl Seed {
    pub(crate) fn new(rng: &dyn Rng) -> Result<Self> {
        let start = u64::from_le_bytes(rng::random(rng)?);
        Ok(Self { start, factor: u64::from_le_bytes(rng::random(rng)?) | 1 })
    }

    /// Multiplies to 128 bits and folds, as wyhash does (Wang Yi, "wyhash and wyrand", 2019).
    #[inline]
    pub(crate) fn hashed(&self, key: Key) -> Hashed {
        let id = key.id();
        let (words, _) = id.as_chunks();
        let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([0x9e37_79b9_7f4a_7c15]);
        let hash = words.fold(self.start, |state, word| {
            let product = u128::from(state ^ word) * u128::from(self.factor);
            (product as u64) ^ (product >> 64) as u64
        });
        Hashed { id, hash }
    }
}

/// Hands the hash of a [`Hashed`] on.
#[derive(Debug, Default)]
pub(crate) struct Known(u64);

impl Hasher for Known {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

pub(crate) type BuildKnown = BuildHasherDefault<Known>;
