//! Long random histories: the bounds hold, nothing is lost, and the exact policies do what plain models do.

use super::{ALL, Keys, Policy, Seeded};
use std::collections::HashMap;

#[test]
fn no_history_exceeds_the_capacity_or_loses_an_entry() {
    for policy in ALL {
        for seed in 0..20 {
            let chance = Seeded::new(seed);
            let capacity = 1 + chance.below(300);
            let mut keys = Keys::seeded(policy, capacity, seed);
            let mut weights = HashMap::new();
            for _ in 0..3000 {
                let key = chance.below(60);
                if chance.below(10) == 0 {
                    keys.remove(key);
                    continue;
                }
                let weight = 1 + chance.below(capacity.min(40));
                if !keys.ask_weighing(key, weight) {
                    weights.insert(key, weight);
                }
                let held: u64 = keys.slots.keys().map(|key| weights[key]).sum();
                assert_eq!((keys.eviction.weight(), keys.eviction.len()), (held, keys.slots.len()), "{policy:?}");
                assert!(held <= capacity, "{policy:?}");
            }
            let left: Vec<_> = keys.slots.keys().copied().collect();
            left.into_iter().for_each(|key| keys.remove(key));
            assert!(keys.eviction.is_empty() && keys.eviction.weight() == 0, "{policy:?}");
        }
    }
}

/// An entry of a model: what it is, its weight, its uses, and when it came to them.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    weight: u64,
    count: u64,
    entered: u64,
    used: u64,
}

#[test]
fn lru_fifo_and_lfu_evict_as_plain_models_do() {
    for policy in [Policy::Lru, Policy::Fifo, Policy::Lfu] {
        for seed in 0..20 {
            let chance = Seeded::new(seed);
            let mut keys = Keys::new(policy, 100);
            let (mut model, mut age) = (Vec::<Entry>::new(), 0);
            for now in 0..3000 {
                let key = chance.below(30) * chance.below(3);
                if chance.below(20) == 0 {
                    keys.remove(key);
                    model.retain(|entry| entry.key != key);
                    continue;
                }
                let weight = 1 + chance.below(20);
                keys.ask_weighing(key, weight);
                let mut gone = Vec::new();
                if let Some(entry) = model.iter_mut().find(|entry| entry.key == key) {
                    (entry.count, entry.used) = (entry.count + 1, now);
                } else {
                    while model.iter().map(|entry| entry.weight).sum::<u64>() + weight > 100 {
                        let victim = *model
                            .iter()
                            .min_by_key(|entry| match policy {
                                Policy::Lru => (0, entry.used),
                                Policy::Fifo => (0, entry.entered),
                                _ => (entry.count, entry.used),
                            })
                            .unwrap();
                        age = victim.count;
                        model.retain(|entry| entry.key != victim.key);
                        gone.push(victim.key);
                    }
                    model.push(Entry { key, weight, count: age + 1, entered: now, used: now });
                }
                assert_eq!(keys.evicted(), gone, "{policy:?}, seed {seed}, step {now}");
            }
        }
    }
}
