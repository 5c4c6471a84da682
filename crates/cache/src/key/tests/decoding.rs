//! Parameters as JSON.

use super::{Scratch, hex};
use crate::key::{Encoding, canonical_bytes, decode, file, redact, resolve};
use crate::{Key, key, unordered};
use proptest::prelude::*;
use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTupleStruct, SerializeTupleVariant,
    Serializer,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

fn parameters<K: serde::Serialize>(parameters: &K) -> Option<serde_json::Value> {
    Encoding::of(parameters).ok()?.resolve().ok()?.parameters()
}

fn shown<K: Serialize>(value: K) -> Json {
    parameters(&value).unwrap()
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct UserId(u64);
#[derive(Serialize)]
struct Pair(u8, char);
#[derive(Serialize)]
struct Model {
    name: &'static str,
    rates: Vec<f64>,
    parent: Option<Box<Model>>,
    shape: Shape,
}
#[derive(Serialize)]
enum Shape {
    Empty,
    Circle(f32),
    Line(i32, i64),
    Box { width: i8 },
}

#[test]
fn parameters_are_shown_as_serde_json_shows_them() {
    let parent = Model { name: "base", rates: vec![], parent: None, shape: Shape::Box { width: -3 } };
    let model =
        Model { name: "ß\"", rates: vec![0.1, -1e300], parent: Some(parent.into()), shape: Shape::Line(1, -2) };
    let all = (model, Unit, UserId(u64::MAX), Pair(7, 'ß'), [Shape::Empty, Shape::Circle(0.1)], (i64::MIN, true, ()));
    assert_eq!(shown(&all), serde_json::to_value(&all).unwrap());
    assert_eq!(shown(key! { model: "xgboost", depth: 3 }), json!({ "model": "xgboost", "depth": 3 }));
    assert_eq!(shown(BTreeMap::from([("b", 1), ("a", 2)])), json!({ "a": 2, "b": 1 }));
}

#[test]
fn what_json_has_not_is_shown_as_text() {
    struct Bytes;
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&[0x0a, 0xff])
        }
    }
    let inner = Key::of(1).unwrap();
    assert_eq!(shown(Bytes), json!({ "$bytes": "0aff" }));
    assert_eq!(shown((inner, 1)), json!([inner.to_string(), 1]));
    assert_eq!(shown(unordered([2, 1])), json!([1, 2]));
    assert_eq!(shown((f64::NAN, f64::INFINITY, f32::NEG_INFINITY)), json!(["NaN", "inf", "-inf"]));
    let large = (u128::MAX, i128::MIN, i128::from(i64::MIN) - 1);
    assert_eq!(shown(large), json!([u128::MAX.to_string(), i128::MIN.to_string(), "-9223372036854775809"]));
    assert_eq!(shown(BTreeMap::from([((1, true), "a")])), json!({ "[1,true]": "a" }));
    assert_eq!(shown(BTreeMap::from([(-5, "a")])), json!({ "-5": "a" }));
}

#[test]
fn a_file_is_shown_by_half_its_digest() {
    let scratch = Scratch::new();
    let path = scratch.write("data.csv", "abc");
    let digest = hex(&blake3::hash(b"abc").as_bytes()[..16]);
    assert_eq!(shown(key! { input: file(&path), n: 1 }), json!({ "input": { "$file": digest }, "n": 1 }));
}

#[test]
fn a_key_and_what_is_no_parameter_have_no_parameters() {
    assert_eq!(parameters(&Key::of(1).unwrap()), None);
    assert_eq!(parameters(&key! { a: 1, "a": 2 }), None);
}

#[test]
fn named_fields_are_redacted_wherever_they_are() {
    let mut json = json!({ "token": { "a": 1 }, "user": [{ "name": "Ada", "token": null }, "token"], "Token": 2 });
    redact(&mut json, &["token".to_owned(), "name".to_owned()]);
    let hidden = "[redacted]";
    assert_eq!(json, json!({ "token": hidden, "user": [{ "name": hidden, "token": hidden }, "token"], "Token": 2 }));
}

#[test]
fn deep_parameters_become_json_that_everybody_can_read() {
    let mut deep = Any::Unit;
    for _ in 0..64 {
        deep = Any::TupleVariant(vec![Any::Sequence(vec![deep])]);
    }
    let json = shown(&deep);
    assert_eq!(serde_json::from_str::<Json>(&json.to_string()).unwrap(), json);
    assert!(json.to_string().contains("[nested deeper]"));
}

/// Quoting a name inside a name inside a name doubles its marks each time.
#[test]
fn names_inside_of_names_do_not_grow_without_bound() {
    let mut deep = Any::Text("\"".into());
    for _ in 0..120 {
        deep = Any::Map(vec![(deep, Any::Unit)]);
    }
    assert!(shown(&deep).to_string().len() < 10_000);
}

#[test]
fn bytes_that_are_not_canonical_are_no_parameters() {
    let too_deep = [[0x0c; 129].as_slice(), &[0x01]].concat();
    let deep_enough = [[0x0c; 128].as_slice(), &[0x01]].concat();
    assert_eq!(decode::json(&deep_enough), Some(Json::Null));
    let bad: [&[u8]; 12] = [
        b"",
        b"\x00",
        b"\x01\x01",
        b"\x0d\x01",
        b"\x09\xff\xff\xff\xff",
        b"\x09\x01\x00\x00\x00\xff",
        b"\x04\x11",
        b"\x04\x02\x01",
        b"\x08\x00\xd8\x00\x00",
        b"\x19\x00",
        b"\xff\x01\x00\x00\x00a",
        &too_deep,
    ];
    for bytes in bad {
        assert_eq!(decode::json(bytes), None, "{bytes:02x?}");
    }
}

/// A value of any shape that serde knows.
#[derive(Debug, Clone)]
enum Any {
    Unit,
    Flag(bool),
    Whole(i128),
    Large(u128),
    F32(f32),
    F64(f64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    Some(Box<Any>),
    Sequence(Vec<Any>),
    Map(Vec<(Any, Any)>),
    Fields(Vec<Any>),
    UnitStruct,
    NewtypeStruct(Box<Any>),
    TupleStruct(Vec<Any>),
    UnitVariant,
    NewtypeVariant(Box<Any>),
    TupleVariant(Vec<Any>),
    StructVariant(Vec<Any>),
    Key(u8),
}

const NAMES: [&str; 4] = ["", "a", "b\"", "ß"];

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unit => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Whole(number) => serializer.serialize_i128(*number),
            Self::Large(number) => serializer.serialize_u128(*number),
            Self::F32(number) => serializer.serialize_f32(*number),
            Self::F64(number) => serializer.serialize_f64(*number),
            Self::Char(char) => serializer.serialize_char(*char),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Some(value) => serializer.serialize_some(value),
            Self::Sequence(values) => {
                let mut all = serializer.serialize_seq(None)?;
                values.iter().try_for_each(|value| all.serialize_element(value))?;
                all.end()
            }
            Self::Map(entries) => {
                let mut all = serializer.serialize_map(None)?;
                entries.iter().try_for_each(|(name, value)| all.serialize_entry(name, value))?;
                all.end()
            }
            Self::Fields(values) => {
                let mut all = serializer.serialize_struct("Fields", values.len())?;
                NAMES.iter().zip(values).try_for_each(|(name, value)| all.serialize_field(name, value))?;
                all.end()
            }
            Self::UnitStruct => serializer.serialize_unit_struct("Unit"),
            Self::NewtypeStruct(value) => serializer.serialize_newtype_struct("Newtype", value),
            Self::TupleStruct(values) => {
                let mut all = serializer.serialize_tuple_struct("Tuple", values.len())?;
                values.iter().try_for_each(|value| all.serialize_field(value))?;
                all.end()
            }
            Self::UnitVariant => serializer.serialize_unit_variant("Enum", 0, "Unit"),
            Self::NewtypeVariant(value) => serializer.serialize_newtype_variant("Enum", 1, "Newtype", value),
            Self::TupleVariant(values) => {
                let mut all = serializer.serialize_tuple_variant("Enum", 2, "Tuple", values.len())?;
                values.iter().try_for_each(|value| all.serialize_field(value))?;
                all.end()
            }
            Self::StructVariant(values) => {
                let mut all = serializer.serialize_struct_variant("Enum", 3, "Struct", values.len())?;
                NAMES.iter().zip(values).try_for_each(|(name, value)| all.serialize_field(name, value))?;
                all.end()
            }
            Self::Key(byte) => Key::parse(&hex(&[*byte; 16])).unwrap().serialize(serializer),
        }
    }
}

fn anything() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        Just(Any::Unit),
        any::<bool>().prop_map(Any::Flag),
        any::<i128>().prop_map(Any::Whole),
        (-3_i128..3).prop_map(Any::Whole),
        any::<u128>().prop_map(Any::Large),
        any::<f32>().prop_map(Any::F32),
        any::<f64>().prop_map(Any::F64),
        any::<char>().prop_map(Any::Char),
        any::<String>().prop_map(Any::Text),
        prop::collection::vec(any::<u8>(), 0..5).prop_map(Any::Bytes),
        Just(Any::UnitStruct),
        Just(Any::UnitVariant),
        any::<u8>().prop_map(Any::Key),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let values = || prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            inner.clone().prop_map(|value| Any::Some(Box::new(value))),
            values().prop_map(Any::Sequence),
            prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Any::Map),
            values().prop_map(Any::Fields),
            inner.clone().prop_map(|value| Any::NewtypeStruct(Box::new(value))),
            values().prop_map(Any::TupleStruct),
            inner.clone().prop_map(|value| Any::NewtypeVariant(Box::new(value))),
            values().prop_map(Any::TupleVariant),
            values().prop_map(Any::StructVariant),
        ]
    })
}

/// Bytes that are mostly tags and short lengths, so that they lead far into a decoder. None names a file.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![8 => 0_u8..0x1b, 4 => Just(0), 1 => 0_u8..0xff], 0..60)
}

proptest! {
    #[test]
    fn every_parameter_can_be_shown(value in anything()) {
        // Two entries of one name are no parameter.
        let Ok(canonical) = canonical_bytes(("whole", &value)) else { return Ok(()) };
        prop_assert!(decode::json(&canonical).is_some());
        prop_assert_eq!(resolve::resolve(&canonical).unwrap(), canonical);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in bytes()) {
        let json = decode::json(&bytes);
        prop_assert!(json.is_none() || json.is_some_and(|json| json.to_string().len() < 100 * (bytes.len() + 1)));
        drop(resolve::resolve(&bytes));
    }

    #[test]
    fn damaged_bytes_make_no_decoder_panic(value in anything(), at: prop::sample::Index, byte in 0_u8..0xff, cut: prop::sample::Index) {
        let Ok(mut bytes) = canonical_bytes(("whole", &value)) else { return Ok(()) };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop(decode::json(&bytes));
        bytes.truncate(cut.index(bytes.len()));
        drop(decode::json(&bytes));
    }
}
