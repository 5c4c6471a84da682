//! Which entries made room for others lately: a hint for those who ask why a key is a miss.
//!
//! One system record holds the last 512: the 16 bytes of a key and the time in microseconds since 1970 as 8 bytes, little
//! endian, the newest last.

use crate::Key;
use crate::core::Core;
use cacheness_core::{ErrorKind, Result, Timestamp, hex};
use cacheness_storage::{Condition, EntryKey};
use std::collections::HashSet;

/// The name of the system record.
const NAME: &str = "evicted";

/// How many are remembered.
const MOST: usize = 512;

/// How often a note that meets others is written anew, before it is given up.
const ATTEMPTS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Evicted {
    id: [u8; 16],
    at: Timestamp,
}

const SIZE: usize = 24;

impl Core {
    /// Remembers which entries made room for others, for those who ask. Best effort: it is a hint.
    pub(crate) async fn note_evicted(&self, keys: &[EntryKey]) {
        let at = self.now();
        let ids = keys.iter().rev().filter_map(|key| hex::parse(key.as_str()));
        let mut new: Vec<_> = ids.take(MOST).map(|id| Evicted { id, at }).collect();
        new.reverse();
        if new.is_empty() {
            return;
        }
        for _ in 0..ATTEMPTS {
            let (known, condition) = match self.engine.system(NAME).await {
                Ok(Some(record)) => (read(&record.bytes).collect(), Condition::Version(record.version)),
                Ok(None) => (Vec::new(), Condition::Absent),
                Err(error) if error.kind() == ErrorKind::Corrupt => (Vec::new(), Condition::Always),
                Err(_) => return,
            };
            let bytes = write(&merged(known, &new));
            if !matches!(self.engine.put_system(NAME, bytes, None, condition).await, Ok(None)) {
                return;
            }
        }
    }

    /// When the entry of a key made room for others last, as far as that is remembered.
    pub(super) async fn evicted_at(&self, key: &Key) -> Result<Option<Timestamp>> {
        let Some(id) = hex::parse::<16>(key.entry_key().as_str()) else { return Ok(None) };
        let record = match self.engine.system(NAME).await {
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew) => None,
            read => read?,
        };
        let bytes = record.map(|record| record.bytes).unwrap_or_default();
        Ok(read(&bytes).filter(|evicted| evicted.id == id).map(|evicted| evicted.at).last())
    }
}

/// What is remembered once others were evicted: each key once, the newest last.
fn merged(mut known: Vec<Evicted>, new: &[Evicted]) -> Vec<Evicted> {
    let again: HashSet<_> = new.iter().map(|evicted| evicted.id).collect();
    known.retain(|evicted| !again.contains(&evicted.id));
    known.extend_from_slice(new);
    known.drain(..known.len().saturating_sub(MOST));
    known
}

fn read(bytes: &[u8]) -> impl Iterator<Item = Evicted> + '_ {
    bytes.chunks_exact(SIZE).take(MOST).filter_map(|chunk| {
        let (id, at) = chunk.split_first_chunk()?;
        Some(Evicted { id: *id, at: Timestamp::from_micros(i64::from_le_bytes(at.try_into().ok()?)) })
    })
}

fn write(all: &[Evicted]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(all.len() * SIZE);
    for Evicted { id, at } in all {
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(&at.as_micros().to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evicted(number: u16) -> Evicted {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_le_bytes());
        Evicted { id, at: Timestamp::from_micros(i64::from(number) - 300) }
    }

    #[test]
    fn the_last_five_hundred_and_twelve_are_kept_each_key_once_the_newest_last() {
        let known: Vec<_> = (0..512).map(evicted).collect();
        let mut again = evicted(7);
        again.at = Timestamp::from_micros(9000);
        let merged = merged(known, &[again, evicted(600)]);
        assert_eq!(merged.len(), 512);
        assert_eq!(merged[0], evicted(1), "0 made room, and 7 has only its newer place");
        assert_eq!(merged[510..], [again, evicted(600)]);
        assert_eq!(read(&write(&merged)).collect::<Vec<_>>(), merged);
    }

    #[test]
    fn what_is_no_list_of_evictions_is_read_as_far_as_it_goes() {
        let mut bytes = write(&[evicted(1), evicted(2)]);
        bytes.truncate(SIZE + 11);
        assert_eq!(read(&bytes).collect::<Vec<_>>(), [evicted(1)]);
        assert_eq!(read(&vec![7; 100 * 1000]).count(), MOST);
    }
}
