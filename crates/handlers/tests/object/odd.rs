//! Types whose own code does what serde's derive never does: each value comes back or is refused.

use super::{DIFFERENT, NOT_BACK, refused, round_trips};
use serde::de::{Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Serializes as `call` says and is read as anything.
struct Custom<const CALL: u8>;

impl<const CALL: u8> Serialize for Custom<CALL> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match CALL {
            0 => {
                let mut seq = serializer.serialize_seq(Some(3))?;
                seq.serialize_element(&1)?;
                seq.end()
            }
            1 => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_key(&1)?;
                map.end()
            }
            2 => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_key(&1)?;
                map.serialize_key(&2)?;
                map.end()
            }
            3 => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_value(&1)?;
                map.end()
            }
            4 => {
                let mut seq = serializer.serialize_seq(None)?;
                let failed = seq.serialize_element(&SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1)));
                assert!(failed.is_err());
                seq.serialize_element(&1)?;
                seq.end()
            }
            _ => serializer.serialize_unit(),
        }
    }
}

impl<'de, const CALL: u8> Deserialize<'de> for Custom<CALL> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if CALL != 5 {
            IgnoredAny::deserialize(deserializer)?;
        }
        Ok(Self)
    }
}

#[test]
fn a_type_that_breaks_the_rules_of_serde_is_refused() {
    refused(&Custom::<0>, "announced 3 elements and gave 1");
    refused(&Custom::<1>, "ended after a key");
    refused(&Custom::<2>, "two keys in a row");
    refused(&Custom::<3>, "value without a key");
    refused(&Custom::<4>, NOT_BACK);
    refused(&Custom::<5>, "left a value unread");
    refused(&vec![Custom::<5>], "left a value unread");
    assert!(super::encode(&Custom::<6>).is_ok());
}

fn is_zero(value: &u8) -> bool {
    *value == 0
}

fn seven() -> u8 {
    7
}

/// Written as a struct and read from a map.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, u8>")]
struct FromMap {
    #[serde(skip_serializing_if = "is_zero")]
    x: u8,
}

impl From<BTreeMap<String, u8>> for FromMap {
    fn from(map: BTreeMap<String, u8>) -> Self {
        Self { x: map.get("x").copied().unwrap_or(7) }
    }
}

/// Written as a map and read as a struct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "BTreeMap<String, u8>")]
struct IntoMap {
    #[serde(default = "seven")]
    x: u8,
}

impl From<IntoMap> for BTreeMap<String, u8> {
    fn from(value: IntoMap) -> Self {
        [("x".to_owned(), value.x)].into_iter().filter(|(_, x)| *x != 0).collect()
    }
}

/// Written as a map and read as a struct with a flattened part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "BTreeMap<String, u8>")]
struct IntoMapFlattened {
    y: u8,
    #[serde(default = "seven")]
    x: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

impl From<IntoMapFlattened> for BTreeMap<String, u8> {
    fn from(value: IntoMapFlattened) -> Self {
        let named = [("x".to_owned(), value.x), ("y".to_owned(), value.y)];
        named.into_iter().filter(|(_, x)| *x != 0).chain(value.rest).collect()
    }
}

#[test]
fn a_field_that_is_left_out_by_hand_is_refused() {
    round_trips(FromMap { x: 1 });
    refused(&FromMap { x: 0 }, DIFFERENT);
    round_trips(IntoMap { x: 1 });
    refused(&IntoMap { x: 0 }, DIFFERENT);
    round_trips(IntoMapFlattened { y: 1, x: 1, rest: BTreeMap::new() });
    refused(&IntoMapFlattened { y: 1, x: 0, rest: BTreeMap::new() }, DIFFERENT);
}

/// Takes less than it is given.
struct Careless;

impl<'de> Visitor<'de> for Careless {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_some<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<(), A::Error> {
        access.variant::<String>().map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<u8>()?.is_some() {}
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<()>>, D::Error> {
    deserializer.deserialize_option(Careless).map(|()| Some(None))
}

fn variant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<u8, u8>, D::Error> {
    deserializer.deserialize_enum("Result", &["Ok", "Err"], Careless).map(|()| Ok(0))
}

fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u8, u8>, D::Error> {
    deserializer.deserialize_map(Careless).map(|()| BTreeMap::new())
}

fn ignored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_seq(Careless).map(|()| vec![0])
}

/// Takes less of a list or a map than its length.
struct Hasty;

impl<'de> Visitor<'de> for Hasty {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match map.next_key::<u8>()? {
            Some(0) => map.next_key::<u8>().and(map.next_value::<u8>()).map(drop),
            Some(2) => map.next_value::<u8>().map(drop),
            _ => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        seq.next_element::<u8>().map(drop)
    }
}

fn first<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_seq(Hasty).map(|()| vec![0])
}

fn first_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u8, u8>, D::Error> {
    deserializer.deserialize_map(Hasty).map(|()| BTreeMap::new())
}

#[derive(Serialize, Deserialize)]
struct First(#[serde(deserialize_with = "first")] Vec<u8>);

#[derive(Serialize, Deserialize)]
struct FirstKey(#[serde(deserialize_with = "first_key")] BTreeMap<u8, u8>);

#[derive(Serialize, Deserialize)]
struct Present(#[serde(deserialize_with = "present")] Option<Option<()>>);

#[derive(Serialize, Deserialize)]
struct Variant(#[serde(deserialize_with = "variant")] Result<u8, u8>);

#[derive(Serialize, Deserialize)]
struct Keys(#[serde(deserialize_with = "keys")] BTreeMap<u8, u8>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Ignored(#[serde(deserialize_with = "ignored")] Vec<u8>);

#[test]
fn a_type_that_leaves_something_unread_is_refused() {
    refused(&Present(Some(None)), "left a value unread");
    refused(&vec![Present(Some(Some(())))], "left a value unread");
    refused(&Variant(Ok(0)), "left the contents of a variant unread");
    refused(&vec![Keys([(1, 1)].into())], "left a value of a map unread");
    refused(&Keys([(1, 1), (2, 2)].into()), "left a value of a map unread");
    refused(&FirstKey([(1, 1)].into()), "left a value of a map unread");
    refused(&FirstKey([(0, 0), (1, 1)].into()), "left a value of a map unread");
    refused(&First(vec![0, 0]), "an array has 1 elements more");
    refused(&FirstKey([(2, 2), (3, 3)].into()), "a map has 1 entries more");
    round_trips(Ignored(vec![0]));
    refused(&Ignored(vec![1]), DIFFERENT);
}

fn single<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    f32::deserialize(deserializer).map(Into::into)
}

fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    f64::deserialize(deserializer).map(|number| number as u64)
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ReadAsSingle(#[serde(deserialize_with = "single")] f64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ReadAsDouble(#[serde(deserialize_with = "double")] u64);

#[test]
fn a_number_that_would_be_rounded_is_refused() {
    round_trips(ReadAsSingle(0.5));
    refused(&ReadAsSingle(0.1), DIFFERENT);
    round_trips(ReadAsDouble(1 << 53));
    refused(&ReadAsDouble((1 << 53) + 1), DIFFERENT);
}

/// Written differently each time, as a hash set in one string is: its number goes up.
#[derive(Debug, Deserialize)]
struct Restless(AtomicU64);

impl Serialize for Restless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("Restless", &self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[test]
fn a_type_that_is_written_differently_each_time_is_stored() {
    let bytes = super::encode(&Some(Restless(AtomicU64::new(7)))).unwrap();
    let decoded = super::decode::<Option<Restless>>(&bytes).unwrap();
    assert_eq!(decoded.map(|restless| restless.0.into_inner()), Some(7));
}
