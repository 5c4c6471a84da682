//! A slow load never overwrites what is newer.

use super::{NOW, copy, exclusive, fresh, key, load};
use crate::memory::{MemoryConfig, MemoryLayer, MemoryLookup};
use std::sync::Arc;

fn layer() -> MemoryLayer {
    exclusive(&MemoryConfig::new())
}

#[test]
fn a_load_that_began_before_an_invalidation_is_refused() {
    let layer = layer();
    let slow = layer.begin_load(key(1), NOW).unwrap();
    let other = layer.begin_load(key(2), NOW).unwrap();
    drop(layer.change([key(1)]));
    assert!(!layer.insert(slow, copy(1, 100)));
    assert!(layer.insert(other, copy(2, 100)));
    assert_eq!((fresh(&layer, key(1)), fresh(&layer, key(2))), (None, Some(2)));
    assert_eq!(layer.stats().refused, 1);
}

#[test]
fn a_load_that_began_before_the_layer_was_cleared_is_refused() {
    let layer = layer();
    assert!(load(&layer, key(2), copy(2, 100)));
    let slow = layer.begin_load(key(1), NOW).unwrap();
    drop(layer.change_all());
    assert!(!layer.insert(slow, copy(1, 100)));
    assert_eq!(fresh(&layer, key(2)), None);
    assert_eq!((layer.stats().entries, layer.stats().bytes), (0, 0));
}

#[test]
fn a_load_that_began_before_another_copy_came_in_is_refused() {
    let layer = layer();
    let slow = layer.begin_load(key(1), NOW).unwrap();
    assert!(load(&layer, key(1), copy(2, 100)));
    assert!(!layer.insert(slow, copy(1, 100)));
    assert_eq!(fresh(&layer, key(1)), Some(2));
    // Also when that copy is not there any more.
    let slow = layer.begin_load(key(3), NOW).unwrap();
    assert!(load(&layer, key(3), copy(2, 100)));
    let MemoryLookup::Fresh(found) = layer.get(key(3), NOW) else { panic!() };
    layer.outdated(key(3), &found);
    assert!(!layer.insert(slow, copy(1, 100)));
}

#[test]
fn nothing_is_kept_while_a_change_is_under_way() {
    let layer = layer();
    assert!(load(&layer, key(1), copy(1, 100)));
    let before = layer.begin_load(key(1), NOW).unwrap();
    let changing = layer.change([key(1), key(2)]);
    assert_eq!(fresh(&layer, key(1)), None);
    assert!(!layer.insert(before, copy(1, 100)));
    assert!(layer.begin_load(key(1), NOW).is_none() && layer.begin_load(key(2), NOW).is_none());
    drop(changing);
    assert!(load(&layer, key(1), copy(2, 100)));

    let changing = layer.change_all();
    assert!(layer.begin_load(key(77), NOW).is_none());
    drop(changing);
    assert_eq!(fresh(&layer, key(1)), None);
}

#[test]
fn a_ticket_of_another_layer_is_worth_nothing() {
    let (one, other) = (layer(), layer());
    let ticket = one.begin_load(key(1), NOW).unwrap();
    assert!(!other.insert(ticket, copy(1, 100)));
}

#[test]
fn a_later_load_replaces_the_copy() {
    let layer = layer();
    assert!(load(&layer, key(1), copy(1, 100)));
    let bytes = layer.stats().bytes;
    assert!(load(&layer, key(1), copy(2, 150)));
    assert_eq!(fresh(&layer, key(1)), Some(2));
    assert_eq!((layer.stats().entries, layer.stats().bytes, layer.stats().evictions), (1, bytes + 50, 0));
}

#[test]
fn a_copy_is_completed_only_in_its_own_place() {
    let layer = layer();
    assert!(load(&layer, key(1), copy(1, 100)));
    let MemoryLookup::Fresh(seen) = layer.get(key(1), NOW) else { panic!() };
    let complete = || MemoryCopy::clone(&seen).with_value(Arc::new(5_u32), 1000);
    use crate::memory::MemoryCopy;
    let weight = layer.stats().bytes;
    assert!(layer.replace(key(1), &seen, complete()));
    assert_eq!(layer.stats().bytes, weight + 1000 + 4);
    let MemoryLookup::Fresh(found) = layer.get(key(1), NOW) else { panic!() };
    assert_eq!((found.value::<u32>(), found.value::<i32>()), (Some(Arc::new(5)), None));
    assert_eq!(found.stored().unwrap().len(), 100);
    // It is another one now.
    assert!(!layer.replace(key(1), &seen, complete()));
    drop(layer.change([key(1)]));
    assert!(!layer.replace(key(1), &found, complete()));
    assert_eq!(layer.stats().entries, 0);
}

#[test]
fn the_replacement_of_a_copy_is_no_fresher_than_the_copy_was() {
    use cacheness_storage::{Coherence, Generations};
    let generations = Generations::in_process();
    let layer = super::layer(&MemoryConfig::new(), Coherence::Generations(generations.reader().clone()));
    assert!(load(&layer, key(1), copy(1, 100)));
    let MemoryLookup::Fresh(seen) = layer.get(key(1), NOW) else { panic!() };
    drop(generations.change([key(1).entry_key().as_str().as_bytes()]));
    assert!(layer.replace(key(1), &seen, copy(1, 200)));
    assert_eq!(fresh(&layer, key(1)), None);
}
