//! Namespaces.

use super::of;
use crate::key::{Namespace, hash_content, prepare};
use crate::{ErrorKind, Key, key};
use proptest::prelude::*;

fn namespace(name: &str) -> Namespace {
    Namespace::new(name).unwrap()
}

#[test]
fn the_same_parameters_have_another_key_in_every_namespace() {
    let parameters = || key! { city: "Oslo" };
    let (one, other) = (namespace("one"), namespace("other"));
    let keys = [
        of(parameters()),
        Key::of_in(Some(&one), parameters()).unwrap(),
        Key::of_in(Some(&other), parameters()).unwrap(),
    ];
    for (index, key) in keys.iter().enumerate() {
        for later in keys.iter().skip(index + 1) {
            assert_ne!(key.full_digest().unwrap()[4..], later.full_digest().unwrap()[4..]);
            assert_ne!(key.to_string()[8..], later.to_string()[8..]);
        }
    }
    assert_eq!(Key::of_in(None, parameters()).unwrap().full_digest(), keys[0].full_digest());
    assert_eq!(prepare(Some(&one), parameters()).unwrap().resolve().unwrap(), keys[1]);
}

#[test]
fn a_key_stays_what_it_is_in_any_namespace() {
    let team = namespace("team");
    for key in [of(1), Key::of_in(Some(&namespace("other")), 1).unwrap(), Key::parse(&of(1).to_string()).unwrap()] {
        let again = Key::of_in(Some(&team), key).unwrap();
        assert_eq!((again, again.full_digest()), (key, key.full_digest()));
    }
}

#[test]
fn no_name_can_be_moved_into_the_parameters() {
    // "ab" with nothing behind it and "a" with "b" behind it are told apart by the length before them.
    let digest = |name: &str| Key::of_in(Some(&namespace(name)), ()).unwrap().full_digest().unwrap();
    assert_ne!(digest("ab")[4..], digest("a")[4..]);
    assert_ne!(digest("A")[4..], digest("a")[4..]);
}

#[test]
fn what_is_no_name_of_a_namespace_is_refused_in_one_line() {
    let long = "x".repeat(65);
    for name in ["", "_a", ".a", "default", "system", "a b", "a/b", "ä", "a\n", "a\0", &long] {
        let error = Namespace::new(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name:?}");
        let line = error.to_string();
        assert!(line.starts_with("the namespace \"") && line.contains("use 1 to 64"), "{line}");
        assert!(!line.contains('\n') && line.len() < 250, "{line}");
    }
    for name in ["a", "-a", "a_", "v1.2", "Default", &"x".repeat(64)] {
        assert_eq!(namespace(name).name(), name);
    }
}

#[test]
fn a_hash_of_content_is_that_of_no_namespace() {
    assert_eq!(Some(hash_content("a").unwrap()), of("a").full_digest());
    let (key, parsed) = (of(1), Key::parse(&of(1).to_string()).unwrap());
    assert_eq!(hash_content(&key).unwrap(), hash_content(&parsed).unwrap());
    assert_ne!(Some(hash_content(&key).unwrap()), key.full_digest());
}

proptest! {
    #[test]
    fn all_keys_of_a_namespace_begin_with_its_prefix(name in "[a-zA-Z0-9-][a-zA-Z0-9._-]{0,63}", parameter: u64) {
        let Ok(namespace) = Namespace::new(&name) else { return Ok(()) };
        let prefix = namespace.prefix();
        prop_assert_eq!(prefix.len(), 8);
        prop_assert!(Key::of_in(Some(&namespace), parameter).unwrap().to_string().starts_with(&prefix));
    }
}
