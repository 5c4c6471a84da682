//! cacache: content-addressed files and an index of files that are appended to. A put is a temporary file, renamed, and a
//! line of the index, without waiting for the device: `kill -9` loses nothing that was acknowledged. A get checks the SHA-256.

use super::slow;
use crate::Result;
use crate::store::{Manner, Opened, Store};
use crate::value::Value;
use std::path::PathBuf;

struct Cacache(PathBuf);

pub(super) fn open<V: Value>(path: PathBuf) -> Opened<V> {
    Ok(Box::new(Cacache(path)))
}

impl<V: Value> Store<V> for Cacache {
    fn put(&self, number: u64, _value: &V, payload: &[u8]) -> Result {
        if V::REPEATS {
            // The same content is one file, so that each entry needs a content of its own.
            cacache::write_sync(&self.0, number.to_string(), [payload, &number.to_le_bytes()].concat())?;
        } else {
            cacache::write_sync(&self.0, number.to_string(), payload)?;
        }
        Ok(())
    }

    fn get(&self, number: u64) -> Result<V> {
        let mut content = cacache::read_sync(&self.0, number.to_string())?;
        if V::REPEATS {
            content.truncate(content.len().saturating_sub(8));
        }
        V::decoded(content.into())
    }

    fn entries(&self) -> u64 {
        V::ENTRIES.min(20_000)
    }

    fn slower(&self, manner: Manner) -> u64 {
        slow(manner)
    }
}
