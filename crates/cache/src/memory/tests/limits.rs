//! Weights, and what happens when there is no room.

use super::{NOW, copy, copy_of, exclusive, fresh, key, load, record};
use crate::memory::{MemoryConfig, MemoryCopy, MemoryLayer, MemoryLookup};
use crate::{Key, MemoryPolicy};
use serde_json::json;
use std::sync::{Arc, OnceLock, Weak};

const LIMIT: u64 = 1 << 20;

fn lru() -> MemoryLayer {
    exclusive(&MemoryConfig::new().limit(LIMIT).policy(MemoryPolicy::Lru))
}

#[test]
fn the_copies_never_weigh_more_than_the_limit() {
    let layer = lru();
    for number in 0..2000 {
        assert!(load(&layer, key(number), copy(number, (number * 37 % 5000) as usize)));
        assert!(layer.stats().bytes <= LIMIT);
    }
    let stats = layer.stats();
    assert!(stats.bytes > LIMIT - 8000, "{stats:?}");
    assert_eq!(stats.entries + stats.evictions, 2000);
    let there = (0..2000).filter(|number| fresh(&layer, key(*number)).is_some()).count();
    assert_eq!(there as u64, stats.entries);
}

#[test]
fn a_copy_of_more_than_a_quarter_of_the_limit_is_refused_and_displaces_nothing() {
    let layer = lru();
    let overhead = copy(0, 0).weight();
    let quarter = (LIMIT / 4 - overhead) as usize;
    assert!(load(&layer, key(1), copy(1, quarter)));
    assert!(!load(&layer, key(2), copy(2, quarter + 1)));
    assert_eq!((fresh(&layer, key(1)), fresh(&layer, key(2))), (Some(1), None));
    let MemoryLookup::Fresh(seen) = layer.get(key(1), NOW) else { panic!() };
    assert!(!layer.replace(key(1), &seen, copy(1, quarter + 1)));
    assert_eq!((fresh(&layer, key(1)), layer.stats().refused), (Some(1), 2));
}

#[test]
fn large_copies_fit_wherever_their_keys_fall() {
    let layer = lru();
    let size = LIMIT as usize / 5;
    for number in 0..100 {
        assert!(load(&layer, key(number), copy(number, size)));
        assert_eq!(fresh(&layer, key(number)), Some(number));
    }
    assert_eq!(layer.stats().entries, 4);
}

#[test]
fn a_layer_without_room_keeps_nothing() {
    let layer = exclusive(&MemoryConfig::new().limit(0));
    assert!(!load(&layer, key(1), copy(1, 0)));
    assert_eq!((layer.stats().entries, layer.stats().refused), (0, 1));
}

#[test]
fn the_weight_counts_everything_that_grows() {
    let base = record(1, 0);
    let weight = |change: fn(&mut cacheness_storage::Record)| {
        let mut record = base.clone();
        change(&mut record);
        copy_of(record).weight() - copy_of(base.clone()).weight()
    };
    assert!(copy_of(base.clone()).weight() > size_of::<MemoryCopy>() as u64);
    assert!(weight(|record| record.annotations.tags = vec!["t".repeat(5000)]) >= 5000);
    assert!(weight(|record| record.annotations.description = Some("t".repeat(5000))) >= 5000);
    let nested = |record: &mut cacheness_storage::Record| {
        record.annotations.metadata = json!({"a": ["x".repeat(5000), {"b": 1}]}).as_object().unwrap().clone();
    };
    assert!(weight(nested) >= 5000);
    assert!(weight(|record| drop(record.content.extra.insert("e".repeat(5000), json!(1)))) >= 5000);
    let decoded = copy_of(base.clone()).with_value(Arc::new([0_u64; 4]), u64::MAX);
    assert_eq!(decoded.weight(), u64::MAX);
}

/// Asks the layer when it is dropped.
struct Curious(Arc<OnceLock<Weak<MemoryLayer>>>, Key);

impl Drop for Curious {
    fn drop(&mut self) {
        if let Some(layer) = self.0.get().and_then(Weak::upgrade) {
            drop(layer.get(self.1, NOW));
            assert!(layer.stats().bytes <= LIMIT);
            drop(layer.change([self.1]));
        }
    }
}

#[test]
fn values_are_dropped_outside_the_locks() {
    let link = Arc::new(OnceLock::new());
    let layer = Arc::new(lru());
    link.set(Arc::downgrade(&layer)).unwrap();
    let curious = |size: u64| copy(1, 0).with_value(Arc::new(Curious(link.clone(), key(1))), size);
    let size = LIMIT / 5;
    // Evicted.
    (0..20).for_each(|number| assert!(load(&layer, key(number), curious(size))));
    // Replaced.
    assert!(load(&layer, key(19), curious(size)));
    let MemoryLookup::Fresh(seen) = layer.get(key(19), NOW) else { panic!() };
    assert!(layer.replace(key(19), &seen, curious(size)));
    drop(seen);
    // Refused: too large, too late, not in its place.
    assert!(!load(&layer, key(3), curious(LIMIT)));
    let ticket = layer.begin_load(key(3), NOW).unwrap();
    drop(layer.change([key(3)]));
    assert!(!layer.insert(ticket, curious(size)));
    // Refused by the policy.
    let tiny = Arc::new(exclusive(&MemoryConfig::new().limit(LIMIT)));
    let link = Arc::new(OnceLock::from(Arc::downgrade(&tiny)));
    let curious = |size: u64| copy(1, 0).with_value(Arc::new(Curious(link.clone(), key(1))), size);
    let refused = (0..20).filter(|number| !load(&tiny, key(*number), curious(size))).count();
    assert!(refused > 0);
    // Taken out.
    drop(layer.change([key(19)]));
    drop(layer.change_all());
    drop(tiny.change_all());
}
