//! Values that would come back different: each is an error when it is stored, never a wrong value later.

use super::{DIFFERENT, NOT_BACK, refused, round_trips};
use same_name::SameName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Shadowed {
    A { x: Option<i32> },
    B { y: i32 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Scalars {
    Char(char),
    Text(String),
    Small(i32),
    Large(i64),
    Single(f32),
    Double(f64),
    Maybe(Option<i32>),
    Unit(()),
    Fields(Two),
    List(Vec<u8>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum AllOptions {
    A { x: Option<i32> },
    B { y: Option<i32> },
}

#[test]
fn an_untagged_variant_in_the_shadow_of_another_is_refused() {
    round_trips(Shadowed::A { x: Some(1) });
    refused(&Shadowed::B { y: 1 }, DIFFERENT);
    refused(&vec![Some(Shadowed::A { x: None }), Some(Shadowed::B { y: 1 })], DIFFERENT);
    round_trips(Scalars::Text("two".into()));
    round_trips(Scalars::Large(i64::MAX));
    refused(&Scalars::Text("t".into()), DIFFERENT);
    refused(&Scalars::Large(1), DIFFERENT);
    refused(&Scalars::Double(0.1), DIFFERENT);
    refused(&Scalars::Double(0.5), DIFFERENT);
    refused(&Scalars::Unit(()), DIFFERENT);
    refused(&Scalars::Maybe(Some(1)), DIFFERENT);
    refused(&AllOptions::B { y: None }, DIFFERENT);
    refused(&Scalars::List(vec![5]), DIFFERENT);
}

mod first {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) struct One {
        pub(super) x: u8,
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Two {
    x: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum SameFields {
    One(first::One),
    Two(Two),
}

#[test]
fn an_untagged_struct_with_the_fields_of_another_is_refused() {
    round_trips(SameFields::One(first::One { x: 1 }));
    refused(&SameFields::Two(Two { x: 1 }), DIFFERENT);
}

fn is_zero(value: &u8) -> bool {
    *value == 0
}

fn seven() -> u8 {
    7
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct WrongDefault {
    #[serde(skip_serializing_if = "is_zero", default = "seven")]
    x: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NoDefault {
    #[serde(skip_serializing_if = "is_zero")]
    x: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct WrongDefaultFlattened {
    #[serde(skip_serializing_if = "is_zero", default = "seven")]
    x: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[test]
fn a_skipped_field_with_another_default_is_refused() {
    round_trips(WrongDefault { x: 1 });
    refused(&WrongDefault { x: 0 }, DIFFERENT);
    refused(&NoDefault { x: 0 }, "missing field `x`");
    round_trips(WrongDefaultFlattened { x: 1, rest: BTreeMap::new() });
    refused(&WrongDefaultFlattened { x: 0, rest: BTreeMap::new() }, DIFFERENT);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SkippingTuple(#[serde(skip_serializing_if = "is_zero", default)] u8, #[serde(default)] u8);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SkippingTupleOfOptions(
    #[serde(skip_serializing_if = "Option::is_none", default)] Option<u8>,
    #[serde(default)] Option<u8>,
);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum SkippingVariant {
    V(#[serde(skip_serializing_if = "is_zero", default)] u8, #[serde(default)] u8),
}

#[test]
fn a_tuple_that_skips_an_element_is_refused_never_shifted() {
    round_trips(SkippingTuple(1, 2));
    refused(&SkippingTuple(0, 2), "SkippingTuple has 2 elements and 1 are stored");
    refused(&SkippingTupleOfOptions(None, Some(2)), "has 2 elements and 1 are stored");
    refused(&SkippingVariant::V(0, 2), "SkippingVariant::V has 2 elements and 1 are stored");
}

#[derive(Serialize, Deserialize)]
struct NeverRead {
    #[serde(skip_deserializing)]
    x: u8,
}

#[derive(Serialize, Deserialize)]
struct Renamed {
    #[serde(rename(serialize = "out", deserialize = "in"))]
    x: Option<u8>,
}

#[derive(Serialize, Deserialize)]
struct Swapped {
    #[serde(rename(serialize = "b"))]
    a: u8,
    #[serde(rename(serialize = "a"))]
    b: u8,
}

#[allow(unreachable_patterns)]
mod same_name {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) enum SameName {
        #[serde(rename = "x")]
        One,
        #[serde(rename = "x")]
        Two,
        #[serde(rename = "y")]
        Three(u8),
        #[serde(rename = "y")]
        Four(u8),
    }
}

#[derive(Serialize, Deserialize)]
enum Catching {
    #[serde(rename(serialize = "written"))]
    Known,
    #[serde(other)]
    Other,
}

#[test]
fn names_that_are_written_and_read_differently_are_refused() {
    refused(&NeverRead { x: 1 }, DIFFERENT);
    refused(&Renamed { x: Some(1) }, "has a field `in` that is not stored, and lacks `out` that is");
    refused(&Swapped { a: 1, b: 2 }, DIFFERENT);
    refused(&Catching::Known, DIFFERENT);
    assert!(super::encode(&Catching::Other).is_ok());
    refused(&SameName::Two, DIFFERENT);
    refused(&SameName::Four(1), DIFFERENT);
    assert!(super::encode(&[SameName::One, SameName::Three(1)]).is_ok());
}

#[derive(Serialize, Deserialize)]
struct Colliding {
    a: u8,
    #[serde(flatten)]
    rest: HashMap<String, u8>,
}

#[derive(Serialize, Deserialize)]
struct TwoMaps {
    #[serde(flatten)]
    one: HashMap<String, u8>,
    #[serde(flatten)]
    two: HashMap<String, u8>,
}

#[derive(Serialize, Deserialize)]
struct MaybeFlat {
    #[serde(flatten)]
    inner: Option<AllOptional>,
}

#[derive(Serialize, Deserialize)]
struct AllOptional {
    a: Option<u8>,
}

#[derive(Serialize, Deserialize)]
struct Wide {
    #[serde(flatten)]
    rest: HashMap<String, i128>,
}

#[test]
fn flattened_parts_that_cannot_be_told_apart_are_refused() {
    refused(&Colliding { a: 1, rest: HashMap::from([("a".into(), 2)]) }, "duplicate field `a`");
    refused(&TwoMaps { one: HashMap::from([("a".into(), 1)]), two: HashMap::from([("b".into(), 2)]) }, DIFFERENT);
    refused(&MaybeFlat { inner: None }, DIFFERENT);
    assert!(super::encode(&MaybeFlat { inner: Some(AllOptional { a: None }) }).is_ok());
    refused(&Wide { rest: HashMap::from([("x".into(), i128::MAX)]) }, NOT_BACK);
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "t")]
enum WideInternal {
    V { x: u128 },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "t")]
enum NotAMap {
    V(Vec<u8>),
}

#[test]
fn contents_that_serde_cannot_buffer_or_tag_are_refused() {
    refused(&WideInternal::V { x: u128::MAX }, NOT_BACK);
    refused(&NotAMap::V(vec![]), "cannot serialize tagged newtype variant");
}

#[test]
fn what_serde_itself_refuses_is_refused() {
    refused(&SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1)), "SystemTime must be later than UNIX_EPOCH");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Crossed {
    #[serde(rename(serialize = "Second"))]
    First,
    Second,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum SwappedVariants {
    #[serde(rename(serialize = "B", deserialize = "A"))]
    A(u8),
    #[serde(rename(serialize = "A", deserialize = "B"))]
    B(u8),
}

#[test]
fn a_variant_that_is_written_under_the_name_of_another_is_refused() {
    refused(&Crossed::First, DIFFERENT);
    refused(&vec![Crossed::Second, Crossed::First], DIFFERENT);
    refused(&SwappedVariants::A(1), DIFFERENT);
    round_trips(Crossed::Second);
}
