//! The order that is characteristic of each policy.

use super::{ALL, Keys, Policy, Seeded};
use crate::policy::Eviction;

#[test]
fn lru_evicts_what_was_used_longest_ago() {
    let mut keys = Keys::new(Policy::Lru, 3);
    keys.ask_all([1, 2, 3, 1, 2, 4, 5]);
    assert_eq!(keys.evicted(), [3, 1]);
    keys.ask_all([2, 6, 7]);
    assert_eq!(keys.evicted(), [4, 5]);
}

#[test]
fn fifo_evicts_the_oldest_however_often_it_is_used() {
    let mut keys = Keys::new(Policy::Fifo, 3);
    keys.ask_all([1, 2, 3, 1, 1, 1, 2, 4, 5]);
    assert_eq!(keys.evicted(), [1, 2]);
}

#[test]
fn lfu_evicts_what_was_used_least_often_and_among_equals_the_one_that_stands_there_longest() {
    let mut keys = Keys::new(Policy::Lfu, 4);
    // Uses: 1 three, 2 two, 3 two (before 2), 4 one.
    keys.ask_all([1, 2, 3, 4, 3, 2, 1, 1]);
    keys.ask(5);
    assert_eq!(keys.evicted(), [4]);
    keys.ask_all([5, 6]);
    assert_eq!(keys.evicted(), [3]);
    assert!(keys.has(1) && keys.has(2) && keys.has(5) && keys.has(6));
}

#[test]
fn random_evicts_every_place_alike_and_as_its_seed_says() {
    let mut gone = [0; 10];
    for seed in 0..2000 {
        let mut keys = Keys::seeded(Policy::Random, 10, seed);
        keys.ask_all(0..10);
        keys.ask_all([0, 0, 9, 9, 10]);
        gone[usize::try_from(keys.evicted()[0]).unwrap()] += 1;
    }
    assert!(gone.iter().all(|count| (140..260).contains(count)), "{gone:?}");

    let run = |seed| {
        let mut keys = Keys::seeded(Policy::Random, 10, seed);
        keys.ask_all(0..50);
        keys.evicted()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn no_policy_is_another_one_under_a_new_name() {
    let chance = Seeded::new(11);
    // Few keys often, many keys seldom, and a scan now and then.
    let trace: Vec<u64> = (0..5000)
        .map(|step| match step % 100 {
            80.. => 10_000 + step,
            _ => chance.below(40) * chance.below(10),
        })
        .collect();
    let evicted = ALL.map(|policy| {
        let mut keys = Keys::new(policy, 100);
        keys.ask_all(trace.iter().copied());
        (policy, keys.evicted())
    });
    for (index, (policy, one)) in evicted.iter().enumerate() {
        assert!(one.len() > 100, "{policy:?}");
        for (other, another) in &evicted[..index] {
            assert_ne!(one, another, "{policy:?} and {other:?}");
        }
    }
}

#[test]
fn an_entry_makes_as_much_room_as_it_needs_and_no_more() {
    for policy in [Policy::Lru, Policy::Fifo, Policy::Lfu] {
        let mut keys = Keys::new(policy, 10);
        (1..=5).for_each(|key| {
            keys.ask_weighing(key, 2);
        });
        keys.ask_weighing(6, 3);
        assert_eq!(keys.evicted(), [1, 2], "{policy:?}");
        keys.ask_weighing(7, 1);
        assert_eq!(keys.evicted(), [] as [u64; 0], "{policy:?}");
        assert_eq!(keys.eviction.weight(), 10, "{policy:?}");
    }
}

#[test]
fn what_is_heavier_than_everything_together_may_be_evicts_nothing() {
    for policy in ALL {
        let mut keys = Keys::new(policy, 10);
        keys.ask_all(0..10);
        keys.ask_weighing(20, 11);
        keys.ask_weighing(21, u64::MAX);
        assert!(!keys.has(20) && !keys.has(21) && keys.eviction.len() == 10, "{policy:?}");
    }
}

#[test]
fn free_slots_are_given_out_again_and_using_them_does_nothing() {
    for policy in ALL {
        let mut eviction = Eviction::new(policy, 10, &Seeded::new(1)).unwrap();
        let mut evicted = Vec::new();
        let slots: Vec<_> = (0..4).filter_map(|hash| eviction.insert(hash, 1, &mut evicted)).collect();
        assert_eq!(slots, [0, 1, 2, 3], "{policy:?}");
        assert!(eviction.remove(1) && eviction.remove(3) && !eviction.remove(1) && !eviction.remove(77));
        eviction.touch(1);
        eviction.touch(77);
        eviction.touch(u32::MAX);
        assert_eq!((eviction.len(), eviction.weight()), (2, 2), "{policy:?}");
        let again: Vec<_> = (4..7).filter_map(|hash| eviction.insert(hash, 1, &mut evicted)).collect();
        assert_eq!(again, [3, 1, 4], "{policy:?}");
        assert!(evicted.is_empty(), "{policy:?}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn policies_have_the_names_of_the_configuration() {
    use serde::Deserialize;
    use serde::de::value::{Error, StrDeserializer};
    let named = |name: &str| Policy::deserialize(StrDeserializer::<Error>::new(name)).ok();
    let names = ["lru", "lfu", "fifo", "random", "w-tinylfu"];
    assert_eq!(names.map(named), ALL.map(Some));
    assert_eq!(named("rr"), Some(Policy::Random));
    assert_eq!(named("Lru"), None);
}
