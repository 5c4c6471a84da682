//! The memory layer through its face.

mod coherence;
mod limits;
mod loads;
mod model;
mod policies;
mod threads;

use super::{MemoryConfig, MemoryCopy, MemoryLayer, MemoryLookup};
use crate::Key;
use cacheness_core::{Result, Rng, Timestamp};
use cacheness_handlers::{CodecId, Encoding};
use cacheness_storage::{
    Annotations, Bytes, Coherence, Content, Digest, DigestAlgorithm, EntryKey, Location, Record, Version,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

/// Chance that repeats itself.
#[derive(Debug)]
struct Seeded(AtomicU64);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let bits = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

impl Rng for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill_with(|| self.next() as u8);
        Ok(())
    }
}

fn layer(config: &MemoryConfig, coherence: Coherence) -> MemoryLayer {
    MemoryLayer::new(config, coherence, &Seeded::new(7), None).unwrap()
}

fn exclusive(config: &MemoryConfig) -> MemoryLayer {
    layer(config, Coherence::Exclusive)
}

fn key(number: u64) -> Key {
    Key::of(number).unwrap()
}

/// A copy of a version with so many stored bytes.
fn copy(version: u64, size: usize) -> MemoryCopy {
    copy_of(record(version, size))
}

fn copy_of(record: Record) -> MemoryCopy {
    MemoryCopy::new(record, Arc::default())
}

fn record(version: u64, size: usize) -> Record {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&version.to_le_bytes());
    Record {
        key: EntryKey::new("k"),
        version: Version::from_bytes(id),
        created_at: NOW,
        updated_at: NOW,
        expires_at: None,
        drop_at: None,
        content: Content {
            type_tag: "bytes".into(),
            type_name: "bytes".into(),
            format: "bytes".into(),
            format_version: 1,
            schema: None,
            extra: Default::default(),
            encoding: Encoding { codec: CodecId::None, shuffle: 1 },
            raw_size: size as u64,
            stored_size: size as u64,
            digest: Digest::of(DigestAlgorithm::Xxh3, b""),
            key_digest: None,
            terms: cacheness_storage::Terms::default(),
            object: None,
        },
        location: Location::Inline(Bytes::from(vec![0; size])),
        annotations: Annotations::default(),
        usage: cacheness_storage::Usage::default(),
        signature: None,
    }
}

fn version(copy: &MemoryCopy) -> u64 {
    u64::from_le_bytes(copy.record().version.as_bytes()[..8].try_into().unwrap())
}

/// Loads and keeps; whether it is kept.
fn load(layer: &MemoryLayer, key: Key, copy: MemoryCopy) -> bool {
    layer.begin_load(key, NOW).is_some_and(|ticket| layer.insert(ticket, copy))
}

/// The version of the fresh copy.
fn fresh(layer: &MemoryLayer, key: Key) -> Option<u64> {
    fresh_at(layer, key, NOW)
}

fn fresh_at(layer: &MemoryLayer, key: Key, now: Timestamp) -> Option<u64> {
    match layer.get(key, now) {
        MemoryLookup::Fresh(copy) => Some(version(&copy)),
        MemoryLookup::Unproven(_) | MemoryLookup::Absent => None,
    }
}

fn unproven(layer: &MemoryLayer, key: Key) -> Arc<MemoryCopy> {
    match layer.get(key, NOW) {
        MemoryLookup::Unproven(copy) => copy,
        other => panic!("{other:?}"),
    }
}
