//! What the tests across crates share: a remote backend that another process serves, and values to store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test support")]

#[cfg(doctest)]
pub mod guides;
pub mod pairs;
pub mod remote;
#[cfg(target_os = "linux")]
pub mod script;
pub mod scripted;
pub mod servers;
pub mod sick;
pub mod worker;
pub mod worker_io;

use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// A moment in 2026, in microseconds since the epoch.
pub const NOW: i64 = 1_795_000_000_000_000;

/// A put, a hit, and two misses of different reasons, for whoever observes them.
pub fn work(cache: &cacheness::sync::Cache) {
    cache.put("number", &7_u64).unwrap();
    assert_eq!(cache.get("number").unwrap(), Some(7_u64));
    assert_eq!(cache.get::<u64>("nothing").unwrap(), None);
    assert_eq!(cache.get::<String>("number").unwrap(), None);
}

/// A small struct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// A number.
    pub accuracy: f64,
    /// Some texts.
    pub labels: Vec<String>,
}

impl Results {
    /// One of them.
    pub fn sample() -> Self {
        Self { accuracy: 0.93, labels: vec!["cat".into(), "dog".into()] }
    }
}

/// Bytes that no codec makes smaller.
pub fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// Endless noise, always the same. It repeats itself further back than any codec here looks, but for a number in each
/// mebibyte: a piece in another's place is seen.
#[derive(Debug)]
pub struct Noise {
    block: Vec<u8>,
    used: usize,
    rounds: u64,
}

/// How far the numbers are apart, in bytes.
const NUMBERED: usize = 1 << 20;

impl Noise {
    /// From the first byte.
    #[expect(clippy::new_without_default, reason = "there is nothing default about noise")]
    pub fn new() -> Self {
        Self { block: noise(16 << 20), used: 0, rounds: 0 }
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.block[self.used..]).read(buffer)?;
        self.used += count;
        if self.used == self.block.len() {
            self.used = 0;
            self.rounds += 1;
            let number = self.rounds.to_le_bytes();
            self.block.chunks_mut(NUMBERED).for_each(|piece| piece[..number.len()].copy_from_slice(&number));
        }
        Ok(count)
    }
}
