//! What the tests share: a place for a file, its words as they are on disk, and keys of known stripes.
#![allow(dead_code)]

use cacheness_generations::{Generations, Stamp};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

pub(crate) const STRIPES: u64 = 16_384;
pub(crate) const HEADER: usize = 64;
pub(crate) const LENGTH: usize = HEADER + STRIPES as usize * 8;

pub(crate) fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("generations");
    (directory, path)
}

pub(crate) fn stripe(key: &[u8]) -> usize {
    (xxh3_64(key) % STRIPES) as usize
}

/// The word of a key, as a program that knows nothing of this crate reads it.
pub(crate) fn word(path: &Path, key: &[u8]) -> u64 {
    words(path)[stripe(key)]
}

pub(crate) fn words(path: &Path) -> Vec<u64> {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes.len(), LENGTH);
    bytes[HEADER..].chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect()
}

/// A word of `generation` with so many commits under way.
pub(crate) fn made(generation: u64, busy: u64) -> u64 {
    (generation << 20) + busy
}

pub(crate) fn stamp(generations: &Generations, key: &[u8]) -> Stamp {
    generations.stamp(key).expect("nobody is changing the stripe")
}

/// Changes `key` from beginning to end.
pub(crate) fn change(generations: &Generations, key: &[u8]) {
    drop(generations.change([key]));
}

/// Two keys of one stripe.
pub(crate) fn neighbours() -> (Vec<u8>, Vec<u8>) {
    let first = b"first".to_vec();
    let second = (0_u32..).map(|n| n.to_string().into_bytes()).find(|key| stripe(key) == stripe(&first)).unwrap();
    (first, second)
}
