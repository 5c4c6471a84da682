//! A copy is served only while it is proven fresh.

use super::{NOW, copy, exclusive, fresh, fresh_at, key, layer, load, unproven, version};
use crate::memory::{MemoryConfig, MemoryLayer, MemoryLookup};
use crate::{ErrorKind, Key};
use cacheness_storage::{Coherence, Generations};
use std::time::Duration;

fn commit(generations: &Generations, key: Key) {
    drop(generations.change([key.entry_key().as_str().as_bytes()]));
}

fn striped() -> (Generations, MemoryLayer) {
    let generations = Generations::in_process();
    let layer = layer(&MemoryConfig::new(), Coherence::Generations(generations.reader().clone()));
    (generations, layer)
}

#[test]
fn with_generations_a_copy_is_served_until_its_key_is_committed() {
    let (generations, layer) = striped();
    assert!(load(&layer, key(1), copy(10, 100)) && load(&layer, key(2), copy(20, 100)));
    commit(&generations, key(1));
    assert_eq!((fresh(&layer, key(1)), fresh(&layer, key(2))), (None, Some(20)));
    // The stale one is gone, too.
    let stats = layer.stats();
    assert_eq!((stats.entries, stats.hits, stats.misses), (1, 1, 1));
    assert!(load(&layer, key(1), copy(11, 100)));
    assert_eq!(fresh(&layer, key(1)), Some(11));
}

#[test]
fn with_generations_nothing_is_served_or_kept_during_a_commit() {
    let (generations, layer) = striped();
    assert!(load(&layer, key(1), copy(10, 100)));
    let changing = generations.change([key(1).entry_key().as_str().as_bytes()]);
    assert_eq!(fresh(&layer, key(1)), None);
    assert!(layer.begin_load(key(1), NOW).is_none());
    drop(changing);
    assert!(layer.begin_load(key(1), NOW).is_some());
}

#[test]
fn with_generations_a_load_across_a_commit_is_refused_and_leaves_the_next_one_free() {
    let (generations, layer) = striped();
    let slow = layer.begin_load(key(1), NOW).unwrap();
    commit(&generations, key(1));
    let quick = layer.begin_load(key(1), NOW).unwrap();
    assert!(!layer.insert(slow, copy(1, 100)));
    assert!(layer.insert(quick, copy(2, 100)));
    assert_eq!(fresh(&layer, key(1)), Some(2));
}

#[test]
fn without_a_proof_of_the_index_the_version_has_to_be_asked_for() {
    let layer = layer(&MemoryConfig::new(), Coherence::Probe);
    assert!(load(&layer, key(1), copy(10, 100)));
    let found = unproven(&layer, key(1));
    assert_eq!(version(&found), 10);
    assert_eq!((layer.stats().hits, layer.stats().misses), (0, 0));

    layer.confirm(key(1), &found);
    assert_eq!((layer.stats().hits, layer.stats().misses), (1, 0));

    layer.outdated(key(1), &found);
    assert!(matches!(layer.get(key(1), NOW), MemoryLookup::Absent));
    assert_eq!((layer.stats().hits, layer.stats().misses, layer.stats().entries), (1, 2, 0));
}

#[test]
fn what_is_outdated_takes_nothing_newer_along() {
    let layer = layer(&MemoryConfig::new(), Coherence::Probe);
    assert!(load(&layer, key(1), copy(10, 100)));
    let found = unproven(&layer, key(1));
    assert!(load(&layer, key(1), copy(11, 100)));
    layer.outdated(key(1), &found);
    assert_eq!(version(&unproven(&layer, key(1))), 11);
}

#[test]
fn an_exclusive_index_has_fresh_copies_until_its_owner_changes_them() {
    let layer = exclusive(&MemoryConfig::new());
    assert!(load(&layer, key(1), copy(10, 100)));
    assert_eq!(fresh_at(&layer, key(1), NOW.after(Duration::from_hours(1000))), Some(10));
    drop(layer.change([key(1)]));
    assert_eq!(fresh(&layer, key(1)), None);
}

#[test]
fn a_staleness_counts_from_the_beginning_of_the_load() {
    let staleness = Duration::from_secs(10);
    for coherence in [Coherence::Probe, Coherence::Exclusive] {
        let layer = layer(&MemoryConfig::new().staleness(staleness), coherence);
        assert!(load(&layer, key(1), copy(10, 100)));
        assert_eq!(fresh_at(&layer, key(1), NOW.after(staleness).offset(-1)), Some(10));
        assert_eq!(fresh_at(&layer, key(1), NOW.after(staleness)), None);
        assert_eq!(layer.stats().entries, 0);
        // A clock that was set back says nothing about age.
        assert!(load(&layer, key(1), copy(10, 100)));
        assert_eq!(fresh_at(&layer, key(1), NOW.offset(-1)), None);
    }
}

#[test]
fn a_staleness_of_zero_is_refused() {
    let config = MemoryConfig::new().staleness(Duration::ZERO);
    let refused = MemoryLayer::new(&config, Coherence::Exclusive, &super::Seeded::new(1), None).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
}
