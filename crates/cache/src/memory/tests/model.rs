//! Random histories against a plain map.

use super::{NOW, copy, fresh, key as named, layer};
use crate::MemoryPolicy;
use crate::memory::{MemoryConfig, MemoryLookup, Ticket};
use cacheness_storage::{Coherence, Generations};
use proptest::prelude::*;
use std::collections::HashMap;

const KEYS: u64 = 12;
const LIMIT: u64 = 40_000;

#[derive(Debug, Clone)]
enum Step {
    Get(u64),
    Begin(u64),
    /// Ends the load at this index, by a copy of this size.
    End(usize, usize),
    Invalidate(u64),
    Clear,
    /// Another process commits.
    Commit(u64),
    Complete(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS;
    prop_oneof![
        4 => key.clone().prop_map(Step::Get),
        6 => key.clone().prop_map(Step::Begin),
        6 => (0..8_usize, 0..12_000_usize).prop_map(|(load, size)| Step::End(load, size)),
        1 => key.clone().prop_map(Step::Invalidate),
        1 => Just(Step::Clear).boxed(),
        1 => key.clone().prop_map(Step::Commit),
        1 => (key, 0..12_000_usize).prop_map(|(key, size)| Step::Complete(key, size)),
    ]
}

/// A load: its ticket, its key, what it read, and how many changes and copies the key had seen then.
type Load = (Ticket, u64, u64, u64);

fn policy() -> impl Strategy<Value = MemoryPolicy> {
    use MemoryPolicy::{Fifo, Lfu, Lru, Random, WTinyLfu};
    prop::sample::select(vec![Lru, Lfu, Fifo, Random, WTinyLfu])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_served_was_kept_last_and_not_changed_since(
        steps in prop::collection::vec(step(), 1..300),
        policy in policy(),
        with_generations: bool,
    ) {
        let generations = Generations::in_process();
        let coherence = match with_generations {
            true => Coherence::Generations(generations.reader().clone()),
            false => Coherence::Exclusive,
        };
        let layer = layer(&MemoryConfig::new().limit(LIMIT).policy(policy), coherence);
        // What may be served of each key, and what happened to it.
        let mut model = HashMap::<u64, u64>::new();
        let mut events = HashMap::<u64, u64>::new();
        let mut loads = Vec::<Load>::new();
        for (number, step) in steps.into_iter().enumerate() {
            let version = number as u64;
            match step {
                Step::Get(key) => {
                    let served = fresh(&layer, named(key));
                    prop_assert!(served.is_none() || served == model.get(&key).copied());
                }
                Step::Begin(key) => {
                    if let Some(ticket) = layer.begin_load(named(key), NOW) {
                        loads.push((ticket, key, version, events.get(&key).copied().unwrap_or(0)));
                    }
                }
                Step::End(load, size) => {
                    if load < loads.len() {
                        let (ticket, key, version, seen) = loads.remove(load);
                        let is_late = seen != events.get(&key).copied().unwrap_or(0);
                        let is_kept = layer.insert(ticket, copy(version, size));
                        prop_assert!(!(is_late && is_kept));
                        if is_kept {
                            model.insert(key, version);
                            *events.entry(key).or_default() += 1;
                            prop_assert_eq!(fresh(&layer, named(key)), Some(version));
                        } else if !is_late && !matches!(layer.get(named(key), NOW), MemoryLookup::Fresh(_)) {
                            // Refused for its weight: what was there may have gone for it.
                            model.remove(&key);
                        }
                    }
                }
                Step::Invalidate(key) => {
                    drop(layer.change([named(key)]));
                    model.remove(&key);
                    *events.entry(key).or_default() += 1;
                    prop_assert_eq!(fresh(&layer, named(key)), None);
                }
                Step::Clear => {
                    drop(layer.change_all());
                    model.clear();
                    (0..KEYS).for_each(|key| *events.entry(key).or_default() += 1);
                    prop_assert_eq!((layer.stats().entries, layer.stats().bytes), (0, 0));
                }
                Step::Commit(key) => {
                    if with_generations {
                        drop(generations.change([named(key).entry_key().as_str().as_bytes()]));
                        model.remove(&key);
                        *events.entry(key).or_default() += 1;
                    }
                }
                Step::Complete(key, size) => {
                    if let MemoryLookup::Fresh(seen) = layer.get(named(key), NOW) {
                        let version = super::version(&seen);
                        prop_assert_eq!(Some(version), model.get(&key).copied());
                        layer.replace(named(key), &seen, copy(version, size));
                    }
                }
            }
            let stats = layer.stats();
            prop_assert!(stats.bytes <= LIMIT);
            prop_assert!(stats.entries <= KEYS);
        }
        // What the policy knows is what is there.
        let (mut entries, mut bytes) = (0, 0);
        let before = layer.stats();
        for key in 0..KEYS {
            match layer.get(named(key), NOW) {
                MemoryLookup::Fresh(copy) => (entries, bytes) = (entries + 1, bytes + copy.weight()),
                MemoryLookup::Unproven(_) | MemoryLookup::Absent => {}
            }
        }
        let after = layer.stats();
        prop_assert_eq!((after.entries, after.bytes), (entries, bytes));
        prop_assert!(before.entries >= after.entries);
    }
}
