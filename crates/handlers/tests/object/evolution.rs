//! What a type reads that changed since its value was stored: the value, or a typed error; never garbage.

use super::{Shape, decode, encode, encoded, expect, reread};
use cacheness_core::ErrorKind;
use cacheness_handlers::{Format, Handler, ObjectHandler, SliceReader};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;

#[track_caller]
fn reads<A: Shape, B: Shape + PartialEq + Debug>(stored: &A, expected: B) {
    assert_eq!(reread::<A, B>(stored).unwrap_or_else(|error| panic!("{error}")), expected);
}

#[track_caller]
fn mismatches<A: Shape, B: Shape + Debug>(stored: &A, reason: &str) {
    expect(&reread::<A, B>(stored).unwrap_err(), ErrorKind::SchemaMismatch, reason);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Before {
    id: u32,
    name: String,
}

fn before() -> Before {
    Before { id: 7, name: "seven".into() }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Gained {
    name: String,
    id: u64,
    note: Option<String>,
    #[serde(default)]
    count: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct GainedRequired {
    id: u32,
    name: String,
    more: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lost {
    name: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct RenamedOption {
    id: u32,
    title: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct RenamedWithAlias {
    id: u32,
    #[serde(alias = "name")]
    title: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    name: String,
}

#[test]
fn a_struct_that_gained_fields_is_read() {
    reads(&before(), Gained { id: 7, name: "seven".into(), note: None, count: 0 });
    mismatches::<_, GainedRequired>(&before(), "missing field `more`");
}

#[test]
fn a_struct_that_lost_fields_is_read() {
    reads(&before(), Lost { name: "seven".into() });
    reads(&vec![(before(), Some(None::<u8>))], vec![(Lost { name: "seven".into() }, Some(None::<u8>))]);
    mismatches::<_, Strict>(&before(), "unknown field `id`");
}

#[test]
fn a_struct_with_a_renamed_field_is_not_read() {
    mismatches::<_, RenamedOption>(&before(), "a field `title` that is not stored, and lacks `name` that is");
    mismatches::<_, Vec<Option<RenamedOption>>>(&vec![before()], "RenamedOption");
    mismatches::<_, Lost>(&RenamedOption { id: 1, title: None }, "missing field `name`");
    reads(&before(), RenamedWithAlias { id: 7, title: Some("seven".into()) });
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sparse {
    id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    name: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SparseThatLostItsName {
    id: u32,
    note: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct AliasThatLostItsId {
    #[serde(alias = "name")]
    title: String,
}

#[test]
fn an_alias_or_a_skipped_field_beside_a_lost_one_counts_as_another_struct() {
    let full = Sparse { id: 1, note: Some("n".into()), name: "n".into() };
    reads(&full, SparseThatLostItsName { id: 1, note: Some("n".into()) });
    mismatches::<_, SparseThatLostItsName>(&Sparse { note: None, ..full }, "a field `note` that is not stored");
    mismatches::<_, AliasThatLostItsId>(&before(), "that is not stored, and lacks `id` that is");
}

mod elsewhere {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) struct Before {
        pub(super) host: Option<String>,
        pub(super) port: Option<u16>,
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) enum Event {
        Started { at: Option<u64> },
        Moved(u8),
        Stopped,
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Started { by: Option<String> },
    Moved(u8, u8),
    Ended,
}

#[test]
fn another_struct_of_the_same_name_is_not_read() {
    mismatches::<_, elsewhere::Before>(&before(), "Before has a field `host`");
    mismatches::<_, Before>(&elsewhere::Before { host: None, port: None }, "missing field `id`");
}

#[test]
fn a_variant_that_changed_is_not_read() {
    mismatches::<_, elsewhere::Event>(&Event::Started { by: None }, "Event::Started has a field `at`");
    mismatches::<_, elsewhere::Event>(&Event::Moved(1, 2), "a sequence is stored, expected u8");
    mismatches::<_, Event>(&elsewhere::Event::Moved(1), "an integer is stored, expected tuple variant");
    mismatches::<_, elsewhere::Event>(&Event::Ended, "an unknown variant is stored, expected one of");
    mismatches::<_, Event>(&"Moved".to_owned(), "expected tuple variant");
    mismatches::<_, Event>(&BTreeMap::from([("Ended", 1)].map(|(k, v)| (k.to_owned(), v))), "has no contents");
    mismatches::<_, Event>(&BTreeMap::from([(0, 1)]), "Event is an enum");
    mismatches::<_, Event>(&BTreeMap::from([(0, 1), (1, 1)]), "Event is an enum");
    mismatches::<_, Event>(&2, "Event is an enum");
}

#[test]
fn a_tuple_that_gained_or_lost_an_element_is_not_read() {
    mismatches::<_, (u8, u8)>(&(1_u8, 2_u8, 3_u8), "2 elements and 3 are stored");
    mismatches::<_, (u8, Option<u8>)>(&[1_u8], "2 elements and 1 are stored");
    mismatches::<_, [u8; 3]>(&[1_u8; 2], "3 elements and 2 are stored");
    #[derive(Debug, Serialize, Deserialize)]
    struct Pair(u8, #[serde(default)] u8);
    mismatches::<_, Pair>(&[1_u8], "Pair has 2 elements and 1 are stored");
}

#[test]
fn a_value_of_another_type_is_not_read() {
    mismatches::<_, u8>(&256_u16, "expected u8");
    mismatches::<_, u64>(&-1_i8, "expected u64");
    mismatches::<_, i64>(&u64::MAX, "expected i64");
    mismatches::<_, u64>(&u128::MAX, "something else is stored");
    mismatches::<_, String>(&1, "expected a string");
    mismatches::<_, Vec<u8>>(&before(), "expected a sequence");
    mismatches::<_, Before>(&vec![7], "Before has fields and an array is stored");
    mismatches::<_, Before>(&(7_u32, "seven".to_owned()), "Before has fields and an array is stored");
    mismatches::<_, Before>(&BTreeMap::from([(0, 7)]), "other keys than names");
    mismatches::<_, Before>(&(), "expected struct Before");
    mismatches::<_, Before>(&Some(()), "expected struct Before");
    mismatches::<_, Option<u8>>(&Some(()), "expected u8");
    mismatches::<_, bool>(&Some(None::<u8>), "expected a boolean");
    mismatches::<_, ()>(&false, "expected unit");
    mismatches::<_, std::net::IpAddr>(&"no address".to_owned(), "IP address");
    reads(&7_u8, 7_i128);
    reads(&vec![(1_u8, "a".to_owned())], vec![(1_u64, 'a')]);
    reads(&before(), serde_json::json!({"id": 7, "name": "seven"}));
}

/// An endless type: every value of it is options in each other.
#[derive(Debug, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

#[test]
fn a_type_of_options_without_end_does_not_read_for_ever() {
    mismatches::<_, Chain>(&1, "options in each other without end");
    mismatches::<_, Chain>(&u128::MAX, "options in each other without end");
}

#[derive(Debug, PartialEq, Serialize)]
struct Forgiving(Vec<Option<Vec<u8>>>);

impl<'de> Deserialize<'de> for Forgiving {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Forgiving;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Forgiving, A::Error> {
                let mut elements = Vec::new();
                for _ in 0..seq.size_hint().unwrap_or_default() {
                    elements.push(seq.next_element().ok().flatten());
                }
                Ok(Forgiving(elements))
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

#[test]
fn a_type_that_goes_on_after_an_error_does_not_read_from_the_middle_of_a_value() {
    reads(&vec![vec![1], vec![]], Forgiving(vec![Some(vec![1]), Some(vec![])]));
    let stored = (vec![Value::from(1), Value::Null, Value::from("x")], vec![vec![1]]);
    mismatches::<_, Forgiving>(&stored, "expected u8");
    mismatches::<_, Forgiving>(&[vec![-1_i8, 7]], "expected u8");
    mismatches::<_, Forgiving>(&[vec![7, -1_i8]], "expected u8");
}

macro_rules! many {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
        struct $name { $($field: Option<u8>),+ }
    };
}

many!(Many {
    a0,
    a1,
    a2,
    a3,
    a4,
    a5,
    a6,
    a7,
    a8,
    a9,
    b0,
    b1,
    b2,
    b3,
    b4,
    b5,
    b6,
    b7,
    b8,
    b9,
    c0,
    c1,
    c2,
    c3,
    c4,
    c5,
    c6,
    c7,
    c8,
    c9,
    d0,
    d1,
    d2,
    d3,
    d4,
    d5,
    d6,
    d7,
    d8,
    d9,
    e0,
    e1,
    e2,
    e3,
    e4,
    e5,
    e6,
    e7,
    e8,
    e9,
    f0,
    f1,
    f2,
    f3,
    f4,
    f5,
    f6,
    f7,
    f8,
    f9,
    g0,
    g1,
    g2,
    g3,
    g4,
    g5,
    g6,
    g7,
    g8,
    g9,
});

#[test]
fn the_fields_of_a_wide_struct_are_told_apart() {
    let stored = Many { a0: Some(1), g9: Some(2), ..Many::default() };
    let mut fields: BTreeMap<String, Option<u8>> = reread(&stored).unwrap();
    assert_eq!(fields.len(), 70);
    fields.insert("unknown".into(), None);
    reads(&fields, stored);
    fields.remove("g8");
    mismatches::<_, Many>(&fields, "a field `g8` that is not stored, and lacks `unknown` that is");
    fields.remove("unknown");
    reads(&fields, Many { a0: Some(1), g9: Some(2), ..Many::default() });
}

#[test]
fn a_duplicate_field_is_an_error() {
    let bytes = b"\x82\xa2id\x01\xa2id\x02";
    expect(&decode::<Before>(bytes).unwrap_err(), ErrorKind::SchemaMismatch, "duplicate field `id`");
}

#[test]
fn another_format_or_version_is_refused() {
    let handler = ObjectHandler::<u8>::new();
    for format in [Format::new("msgpack", 2), Format::new("msgpack", 0), Format::new("cbor", 1)] {
        let error = handler.decode(&mut SliceReader::new(encode(&1_u8).unwrap().into()), &format).unwrap_err();
        expect(&error, ErrorKind::FormatTooNew, &format.name);
    }
}

#[test]
fn messages_name_the_type() {
    let error = decode::<Before>(&encoded(&1)).unwrap_err();
    expect(&error, ErrorKind::SchemaMismatch, std::any::type_name::<Before>());
    let error = decode::<Before>(b"\xc1").unwrap_err();
    expect(&error, ErrorKind::Corrupt, std::any::type_name::<Before>());
}

#[test]
fn an_error_shows_nothing_of_the_stored_contents_and_stays_short() {
    let errors = [
        super::reread::<String, u64>(&"secret".repeat(100_000)).unwrap_err(),
        super::reread::<Vec<String>, Vec<u64>>(&vec!["secret".into()]).unwrap_err(),
        super::reread::<String, Result<(), ()>>(&"secret".into()).unwrap_err(),
        super::reread::<u64, bool>(&424_242).unwrap_err(),
    ];
    for error in errors {
        let line = error.to_string();
        assert!(!line.contains("secret") && !line.contains("424242"), "{line}");
        assert!(line.len() < 600, "{line}");
    }
}
