//! What W-TinyLFU and LFU make of frequencies.

use super::{Keys, Policy};

/// 100 in the main part, each seen twice, and a window of one.
fn settled() -> Keys {
    let mut keys = Keys::new(Policy::WTinyLfu, 100);
    keys.ask_all(0..100);
    keys.ask_all(0..100);
    assert_eq!(keys.evicted(), [] as [u64; 0]);
    keys
}

#[test]
fn w_tiny_lfu_keeps_out_what_is_asked_for_once() {
    let mut keys = settled();
    keys.ask_all(1000..1060);
    // 99, whom the scan pushed out of the window, was as frequent as its rival; so were all of the scan.
    assert_eq!(keys.evicted(), [99].into_iter().chain(1000..1059).collect::<Vec<_>>());
    assert!((0..99).all(|key| keys.has(key)));

    let mut keys = Keys::new(Policy::Lru, 100);
    keys.ask_all((0..100).chain(0..100).chain(1000..1060));
    assert_eq!(keys.evicted(), (0..60).collect::<Vec<_>>());
}

#[test]
fn w_tiny_lfu_lets_in_what_becomes_more_frequent_than_the_coldest() {
    let mut keys = settled();
    // Three asks find it gone twice, and it is remembered all the same.
    keys.ask_all([500, 1000, 500, 1001, 500, 1002]);
    assert!(keys.has(500));
    assert_eq!(keys.eviction.len(), 100);
}

#[test]
fn w_tiny_lfu_protects_what_was_used_again_in_the_main_part() {
    let mut keys = Keys::new(Policy::WTinyLfu, 100);
    // 0..99 enter the main part; the first 50 of it are used again and are protected.
    keys.ask_all((0..100).chain(0..50));
    // More frequent than all of these, and more than the other 49.
    (500..620).for_each(|key| keys.ask_all([key, key, key]));
    assert!((0..50).all(|key| keys.has(key)));
    assert!((50..99).all(|key| !keys.has(key)));
}

#[test]
fn w_tiny_lfu_protects_no_more_than_four_fifths_of_the_main_part() {
    let mut keys = settled();
    // All 99 were used again; the first 19 gave up their protection for the last.
    (500..520).for_each(|key| keys.ask_all([key, key, key]));
    assert_eq!((0..99).filter(|key| !keys.has(*key)).collect::<Vec<_>>(), (0..19).collect::<Vec<_>>());
}

#[test]
fn w_tiny_lfu_follows_a_change_of_taste() {
    let mut keys = Keys::new(Policy::WTinyLfu, 100);
    for _ in 0..100 {
        keys.ask_all(0..90);
    }
    for _ in 0..100 {
        keys.ask_all(1000..1090);
    }
    assert!((1000..1090).filter(|key| keys.has(*key)).count() > 80);
}

#[test]
fn w_tiny_lfu_weighs_a_large_entry_against_all_that_it_displaces() {
    const UNIT: u64 = 64 << 10;
    let warm = || {
        let mut keys = Keys::new(Policy::WTinyLfu, 100 * UNIT);
        for _ in 0..3 {
            (0..99).for_each(|key| {
                keys.ask_weighing(key, UNIT);
            });
        }
        keys
    };
    // Seen as often as each of those it would displace: one miss saves 20 round trips.
    let mut keys = warm();
    (0..3).for_each(|_| {
        keys.ask_weighing(500, 20 * UNIT);
    });
    assert!(!keys.has(500));
    assert!(keys.evicted().is_empty());
    // Seen twice as often.
    let mut keys = warm();
    (0..6).for_each(|_| {
        keys.ask_weighing(500, 20 * UNIT);
    });
    assert!(keys.has(500));
    // The window holds another one of these, so one place of the main part was free.
    assert_eq!(keys.evicted().len(), 19);
}

#[test]
fn lfu_forgets_what_was_popular_once() {
    let mut keys = Keys::new(Policy::Lfu, 10);
    (0..50).for_each(|_| {
        keys.ask(1);
    });
    let mut next = 1000;
    // Each turn of the other nine places makes the structure one use older.
    while keys.has(1) && next < 3000 {
        keys.ask(next);
        next += 1;
    }
    assert!((1000 + 9 * 45..1000 + 9 * 55).contains(&next), "{next}");
}

#[test]
fn lfu_counts_a_returning_entry_from_where_the_evicted_ended() {
    let mut keys = Keys::new(Policy::Lfu, 2);
    keys.ask_all([1, 1, 1, 2, 2, 3]);
    assert_eq!(keys.evicted(), [2]);
    // 2 counted two, so 3 begins at three, as 1 has, and 1 stands there longer.
    keys.ask(4);
    assert_eq!(keys.evicted(), [1]);
}
