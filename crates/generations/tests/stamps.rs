//! What stamps prove, on the heap and in a file alike.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod common;

use cacheness_generations::{Changing, Generations, Reader};
use common::*;

fn each(test: impl Fn(Generations)) {
    let (_directory, path) = place();
    test(Generations::in_process());
    test(Generations::open(path).unwrap());
}

#[test]
fn a_stamp_stays_fresh_while_nothing_changes() {
    each(|generations| {
        let taken = stamp(&generations, b"key");
        assert!(generations.is_fresh(taken));
        assert!(generations.clone().is_fresh(taken));
        assert!(generations.reader().is_fresh(taken));
        assert_eq!(generations.stamp(b"key"), Some(taken));
        assert_eq!(generations.reader().stamp(b"key"), Some(taken));
    });
}

#[test]
fn a_stamp_is_stale_from_the_beginning_of_a_change_on() {
    each(|generations| {
        let taken = stamp(&generations, b"key");
        let changing = generations.change([&b"key"[..]]);
        assert!(!generations.is_fresh(taken));
        drop(changing);
        assert!(!generations.is_fresh(taken));
        assert!(generations.is_fresh(stamp(&generations, b"key")));
    });
}

#[test]
fn no_stamp_is_given_during_a_change() {
    each(|generations| {
        let changing = generations.clone().change([&b"key"[..]]);
        assert_eq!(generations.stamp(b"key"), None);
        drop(changing);
        assert!(generations.stamp(b"key").is_some());
    });
}

#[test]
fn other_stripes_stay_fresh() {
    each(|generations| {
        assert_ne!(stripe(b"key"), stripe(b"other"));
        let taken = stamp(&generations, b"other");
        let changing = generations.change([&b"key"[..]]);
        assert!(generations.is_fresh(taken));
        assert_eq!(generations.stamp(b"other"), Some(taken));
        drop(changing);
        assert!(generations.is_fresh(taken));
    });
}

#[test]
fn a_stripe_is_busy_until_the_last_of_overlapping_changes_ends() {
    each(|generations| {
        let (one, two) = neighbours();
        let taken = stamp(&generations, &one);
        let first = generations.change([&one[..]]);
        let second = generations.change([&two[..]]);
        drop(first);
        assert_eq!(generations.stamp(&one), None);
        assert_eq!(generations.stamp(&two), None);
        assert!(!generations.is_fresh(taken));
        drop(second);
        assert!(!generations.is_fresh(taken));
        assert!(generations.stamp(&two).is_some());
    });
}

#[test]
fn a_change_of_two_keys_of_a_stripe_marks_it_once() {
    let (_directory, path) = place();
    let generations = Generations::open(&path).unwrap();
    let (one, two) = neighbours();
    let changing = generations.change([&one[..], b"between", &two[..], &one[..]]);
    assert_eq!(word(&path, &one), made(0, 1));
    drop(changing);
    assert_eq!(word(&path, &two), made(1, 0));
    assert_eq!(word(&path, b"between"), made(1, 0));
    assert_eq!(words(&path).iter().filter(|word| **word != 0).count(), 2);
}

#[test]
fn a_change_of_no_key_marks_nothing() {
    each(|generations| {
        let taken = stamp(&generations, b"key");
        drop(generations.change([]));
        assert!(generations.is_fresh(taken));
    });
}

#[test]
fn a_change_of_all_marks_every_stripe_once() {
    let (_directory, path) = place();
    let generations = Generations::open(&path).unwrap();
    let taken = stamp(&generations, b"key");
    let changing = generations.change_all();
    assert!(words(&path).iter().all(|word| *word == made(0, 1)));
    assert_eq!(generations.stamp(b"key"), None);
    drop(changing);
    assert!(words(&path).iter().all(|word| *word == made(1, 0)));
    assert!(!generations.is_fresh(taken));
}

#[test]
fn the_stamp_of_another_opening_is_never_fresh() {
    let (_directory, path) = place();
    let taken = stamp(&Generations::open(&path).unwrap(), b"key");
    std::fs::remove_file(&path).unwrap();
    assert!(!Generations::open(&path).unwrap().is_fresh(taken));
    assert!(!Generations::in_process().is_fresh(taken));
}

#[test]
fn handles_and_changes_travel_between_threads() {
    fn travels<T: Send + Sync + 'static>() {}
    travels::<Generations>();
    travels::<Reader>();
    travels::<Changing>();
}
