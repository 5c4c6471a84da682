//! Keys: equal where users expect it, different everywhere else, and the same for ever.

use cacheness::{ErrorKind, Key, canonical_bytes, key, unordered};
use proptest::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

fn of<K: Serialize>(parameters: K) -> Key {
    Key::of(parameters).unwrap()
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct UserId(u64);
#[derive(Serialize)]
struct OrderId(u64);
#[derive(Serialize)]
struct Pair(u8, u8);
#[derive(Serialize)]
struct Point {
    x: i32,
    y: i32,
}
#[derive(Serialize)]
struct Reordered {
    y: i32,
    x: i32,
}
#[derive(Serialize)]
enum Shape {
    Empty,
    Circle(f64),
    Line(i32, i32),
    Box { width: i32 },
}

/// One line each: a name and the canonical bytes and key of a value. New lines may be added; none may ever change.
#[test]
fn golden_vectors_never_change() {
    let mut lines = String::new();
    let mut line = |name: &str, bytes: Vec<u8>, key: Key| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let full: String = key.full_digest().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(lines, "{name}\t{hex}\t{full}").unwrap();
    };
    macro_rules! vectors {
        ($($name:literal: $value:expr;)*) => {
            $(line($name, canonical_bytes($value).unwrap(), of($value));)*
        };
    }
    vectors! {
        "unit": ();
        "false": false;
        "true": true;
        "zero": 0;
        "one": 1_u8;
        "minus one": -1_i64;
        "256": 256_i32;
        "i128 min": i128::MIN;
        "u128 max": u128::MAX;
        "f32 1.5": 1.5_f32;
        "f64 1.5": 1.5_f64;
        "f64 -0.0": -0.0_f64;
        "f64 nan": -f64::NAN;
        "char": 'ß';
        "text": "ß";
        "empty text": "";
        "none": None::<u8>;
        "some": Some(1);
        "some none": Some(None::<u8>);
        "sequence": [1, 2];
        "tuple": ("user", 42);
        "nested": (("a", "b"), "c");
        "unordered": unordered([2, 1]);
        "map": BTreeMap::from([("b", 1), ("a", 2)]);
        "key!": key! { model: "xgboost", depth: 3 };
        "unit struct": Unit;
        "newtype struct": UserId(7);
        "tuple struct": Pair(1, 2);
        "struct": Point { x: 1, y: 2 };
        "unit variant": Shape::Empty;
        "newtype variant": Shape::Circle(0.5);
        "tuple variant": Shape::Line(1, 2);
        "struct variant": Shape::Box { width: 3 };
        "key inside": (Key::parse("000102030405060708090a0b0c0d0e0f").unwrap(), 1);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/keys-v1.tsv");
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    // Behind them stand files and namespaces, which the cache compares for itself.
    let ours: String = golden.split_inclusive('\n').take(lines.lines().count()).collect();
    assert_eq!(lines, ours, "the keys of version 1 changed; every stored entry would be lost");
}

#[test]
fn order_of_parameters_never_matters() {
    assert_eq!(of(key! { model: "xgboost", depth: 3 }), of(key! { depth: 3, model: "xgboost" }));
    let many: Vec<(String, usize)> = (0..100).map(|number| (format!("p{number}"), number)).collect();
    let forward: HashMap<_, _> = many.iter().cloned().collect();
    let backward: HashMap<_, _> = many.iter().rev().cloned().collect();
    assert_eq!(of(forward), of(backward));
}

#[test]
fn order_of_fields_never_matters_but_the_name_of_a_struct_does() {
    #[derive(Serialize)]
    #[serde(rename = "Reordered")]
    struct Turned {
        x: i32,
        y: i32,
    }
    assert_eq!(of(Reordered { y: 2, x: 1 }), of(Turned { x: 1, y: 2 }));
    assert_ne!(of(Reordered { y: 2, x: 1 }), of(Point { x: 1, y: 2 }));
    assert_ne!(of(UserId(7)), of(OrderId(7)));
}

#[test]
fn widths_of_integers_are_equal() {
    assert_eq!(of(1_u8), of(1_i128));
    assert_eq!(of(-5_i8), of(-5_i64));
    assert_eq!(of(u64::MAX), of(u128::from(u64::MAX)));
}

#[test]
fn values_of_different_kinds_are_different_keys() {
    let keys = [
        of(1),
        of(-1),
        of(1.0),
        of(1.0_f32),
        of("1"),
        of('1'),
        of(true),
        of(()),
        of(None::<u8>),
        of(Some(1)),
        of([1]),
        of(unordered([1])),
        of(key! { a: 1 }),
        of(Unit),
        of(UserId(1)),
        of(Shape::Empty),
        of("Empty"),
        of(Key::parse("00000000000000000000000000000001").unwrap()),
        of("00000000000000000000000000000001"),
        of((Key::parse("00000000000000000000000000000001").unwrap(), ())),
    ];
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
}

#[test]
fn no_delimiter_can_be_injected() {
    assert_ne!(of(("a", "b")), of(("ab", "")));
    assert_ne!(of((("a", "b"), "c")), of(("a", ("b", "c"))));
    assert_ne!(of(key! { a: "1,b=2" }), of(key! { a: "1", b: "2" }));
    assert_ne!(of([[1], [2]]), of([vec![1, 2], vec![]]));
}

#[test]
fn a_hash_set_is_a_key_when_it_is_said_to_be_unordered() {
    let names: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let forward: HashSet<_> = names.iter().collect();
    let backward: HashSet<_> = names.iter().rev().collect();
    assert_eq!(of(unordered(forward)), of(unordered(backward)));
    assert_ne!(of(unordered([1, 1])), of(unordered([1])));
}

#[test]
fn a_key_is_itself_and_can_be_part_of_another() {
    let inner = of(("user", 42));
    assert_eq!(of(inner), inner);
    assert_eq!(of::<&Key>(&inner), inner);
    assert_ne!(of((inner, 1)), inner);
    let parsed = Key::parse(&inner.to_string()).unwrap();
    assert_eq!(parsed, inner);
    assert_eq!(of((parsed, 1)), of((inner, 1)));
}

#[test]
fn a_shown_key_has_32_lower_case_digits_and_nothing_else_parses() {
    let shown = of(1).to_string();
    assert_eq!(shown.len(), 32);
    assert!(shown.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)));
    for text in ["", "00", &shown.to_uppercase(), &format!("{shown}0"), "../../../../../../../../etc/passwd"] {
        assert_eq!(Key::parse(text).unwrap_err().kind(), ErrorKind::InvalidKey, "{text}");
    }
}

/// Nested as deep as asked for, without a stack of its own.
struct Deep(usize);

impl Serialize for Deep {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_unit(),
            depth => serializer.serialize_some(&Deep(depth - 1)),
        }
    }
}

#[test]
fn parameters_nested_too_deep_are_an_error_and_never_a_collision() {
    assert_ne!(of(Deep(128)), of(Deep(127)));
    for parameters in [129, 100_000] {
        let error = Key::of(Deep(parameters)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        assert!(error.to_string().contains("128 levels"), "{error}");
        assert_eq!(Key::of(key! { deep: Deep(parameters) }).unwrap_err().kind(), ErrorKind::InvalidKey);
    }
    let mut nested = key! { a: 1 };
    for _ in 0..127 {
        nested = key! { inner: nested };
    }
    assert!(Key::of(&nested).is_ok());
    assert_eq!(Key::of(key! { inner: nested }).unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[test]
fn what_only_looks_like_a_key_is_none() {
    #[derive(Serialize)]
    #[serde(rename = "$cacheness::Key")]
    struct Forged(Vec<u8>);
    assert_eq!(Key::of(Forged(vec![0; 16])).unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[test]
fn two_parameters_of_one_name_are_an_error() {
    assert_eq!(Key::of(key! { a: 1, "a": 2 }).unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[derive(Debug, Clone, PartialEq)]
enum Parameter {
    Null,
    Flag(bool),
    Whole(i64),
    Text(String),
    Bytes(Vec<u8>),
    Some(Box<Parameter>),
    Sequence(Vec<Parameter>),
    Map(BTreeMap<String, Parameter>),
}

impl Serialize for Parameter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Flag(flag) => flag.serialize(serializer),
            Self::Whole(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Some(inner) => serializer.serialize_some(inner),
            Self::Sequence(values) => values.serialize(serializer),
            Self::Map(values) => values.serialize(serializer),
        }
    }
}

fn parameter() -> impl Strategy<Value = Parameter> {
    let leaf = prop_oneof![
        Just(Parameter::Null),
        any::<bool>().prop_map(Parameter::Flag),
        (-3_i64..3).prop_map(Parameter::Whole),
        "[ab,=]{0,3}".prop_map(Parameter::Text),
        prop::collection::vec(0_u8..3, 0..3).prop_map(Parameter::Bytes),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|value| Parameter::Some(Box::new(value))),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Parameter::Sequence),
            prop::collection::btree_map("[ab]{0,2}", inner, 0..3).prop_map(Parameter::Map),
        ]
    })
}

proptest! {
    #[test]
    fn keys_are_equal_exactly_when_parameters_are(one in parameter(), other in parameter()) {
        prop_assert_eq!(of(&one) == of(&other), one == other);
        prop_assert_eq!(canonical_bytes(&one).unwrap() == canonical_bytes(&other).unwrap(), one == other);
    }
}

#[test]
fn a_type_that_borrows_the_names_of_keys_is_refused() {
    use serde::Serializer;
    #[derive(Serialize)]
    #[serde(rename = "$cacheness::KeySpec")]
    struct Spec(Empty);
    #[derive(Serialize)]
    #[serde(rename = "$cacheness::Key")]
    struct Inner(Spec);
    struct Empty;
    impl Serialize for Empty {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&[])
        }
    }
    assert_eq!(Key::of(Inner(Spec(Empty))).unwrap_err().kind(), ErrorKind::InvalidKey);
    assert_eq!(Key::of((1, Spec(Empty))).unwrap_err().kind(), ErrorKind::InvalidKey);
}
