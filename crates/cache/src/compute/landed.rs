//! What was stored for many, read once for all of them: they neither go to the store nor to another thread.

use crate::Key;
use crate::at_once::{at_once, is_little};
use crate::core::Core;
use crate::liveness::is_of_others;
use cacheness_handlers::Value;
use cacheness_storage::engine::{Found, Lookup, Stored};
use cacheness_storage::{Bytes, Fields, Record};
use std::sync::Arc;

/// A live entry, as it was read after its flight had ended, and so while all its followers were waiting.
#[derive(Debug)]
pub(crate) struct Landed {
    record: Record,
    bytes: Bytes,
}

impl Core {
    /// The entry of a key, where it takes little to decode. Best effort: without it everybody looks for himself.
    pub(crate) async fn landed(&self, key: Key) -> Option<Arc<Landed>> {
        let (_, lookup) = self.find(key, Fields::VALUE, |judge, record| judge.check(key, record)).await.ok()?;
        let Ok(Lookup::Found(Found { record, stored })) = lookup else { return None };
        if !is_little(&record.content) {
            return None;
        }
        Some(Arc::new(Landed { bytes: stored.into_bytes().ok()?, record }))
    }

    /// The value that one of the followers gets.
    pub(crate) fn decode_landed<T: Value>(&self, key: Key, landed: &Landed) -> Option<T> {
        if is_of_others(key, &landed.record) {
            return None;
        }
        at_once(self.engine.decode(&landed.record, Stored::from(landed.bytes.clone()), T::fallback()))?.ok()
    }
}
