//! The parameters of the model test, and the keys that they make in each part of a cache.

use super::operation::{SLOTS, SPACES, Slot, Spot, Through};
use cacheness::Key;
use cacheness::sync::Cache;
use serde::Serialize;
use std::sync::LazyLock;

/// How an entry is asked for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Address {
    Parameters(&'static str, Slot),
    Key(Key),
}

pub(super) fn parameters(slot: Slot) -> Address {
    Address::Parameters("key", slot)
}

/// What is asked for through a handle: by parameters where they make its key, otherwise by the key.
pub(super) fn address(through: Through, slot: Slot) -> Address {
    if through.of == through.space {
        return parameters(slot);
    }
    Address::Key(KEYS[usize::from(through.of)][usize::from(slot)])
}

/// A key as it is shown.
pub(super) fn name(spot: Spot) -> String {
    KEYS[usize::from(spot.0)][usize::from(spot.1)].to_string()
}

static KEYS: LazyLock<[Vec<Key>; SPACES.len()]> = LazyLock::new(|| {
    let cache = Cache::builder().metadata("memory:").blobs("memory:").open().unwrap();
    SPACES.map(|space| {
        let cache = space.map_or_else(|| cache.clone(), |name| cache.namespace(name).unwrap());
        (0..SLOTS).map(|slot| cache.put(parameters(slot), &slot).unwrap()).collect()
    })
});
