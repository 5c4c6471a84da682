//! The layer evicts in the order of its policy.

use super::{copy, exclusive, fresh, key, load};
use crate::MemoryPolicy;
use crate::memory::{MemoryConfig, MemoryLayer};

/// A layer for so many copies of 1000 bytes.
fn room_for(copies: u64, policy: MemoryPolicy) -> MemoryLayer {
    exclusive(&MemoryConfig::new().limit(copies * copy(0, 1000).weight()).policy(policy))
}

fn put(layer: &MemoryLayer, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| {
        load(layer, key(number), copy(number, 1000));
    });
}

fn there(layer: &MemoryLayer, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    numbers.into_iter().filter(|number| fresh(layer, key(*number)).is_some()).collect()
}

#[test]
fn a_hit_saves_a_copy_from_lru_but_not_from_fifo() {
    for (policy, left) in [(MemoryPolicy::Lru, [0, 5, 6, 7]), (MemoryPolicy::Fifo, [4, 5, 6, 7])] {
        let layer = room_for(4, policy);
        put(&layer, 0..4);
        // One hit is in the shard's buffer still, and counts all the same.
        assert_eq!(fresh(&layer, key(0)), Some(0));
        put(&layer, [4]);
        if policy == MemoryPolicy::Lru {
            assert_eq!(fresh(&layer, key(0)), Some(0));
        }
        put(&layer, 5..8);
        assert_eq!(there(&layer, 0..8), left, "{policy:?}");
    }
}

#[test]
fn lfu_keeps_what_is_hit_most_often() {
    let layer = room_for(4, MemoryPolicy::Lfu);
    put(&layer, 0..4);
    for _ in 0..40 {
        there(&layer, [0, 1]);
    }
    put(&layer, 10..50);
    assert_eq!(there(&layer, 0..4), [0, 1]);
}

#[test]
fn w_tiny_lfu_withstands_a_scan() {
    let layer = room_for(200, MemoryPolicy::WTinyLfu);
    put(&layer, 0..150);
    there(&layer, 0..150);
    put(&layer, 1000..5000);
    assert!(there(&layer, 0..150).len() > 140);
    let lru = room_for(200, MemoryPolicy::Lru);
    put(&lru, 0..150);
    there(&lru, 0..150);
    put(&lru, 1000..5000);
    assert_eq!(there(&lru, 0..150).len(), 0);
}

#[test]
fn random_evicts_without_regard_to_age_or_use() {
    let layer = room_for(100, MemoryPolicy::Random);
    put(&layer, 0..150);
    let old = there(&layer, 0..50).len();
    assert!((15..45).contains(&old), "{old}");
}
