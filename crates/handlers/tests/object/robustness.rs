//! Bytes from anywhere: an error or a value, never a panic, never an allocation that the bytes do not back.

use super::{Shape, decode, encode, encoded, expect};
use cacheness_core::ErrorKind;
use proptest::prelude::*;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sample {
    id: u64,
    wide: i128,
    name: String,
    maybe: Option<Option<f64>>,
    shape: Shapes,
    pairs: Vec<(char, bytes::Bytes)>,
    table: HashMap<i16, Loose>,
    #[serde(default)]
    inner: Option<Box<Sample>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shapes {
    Point,
    Circle(f32),
    Line(i8, i8),
    Rectangle { w: u32, h: Option<()> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(i64),
    Text(String),
    List(Vec<Loose>),
    Record {
        a: Option<Option<u8>>,
        #[serde(flatten)]
        rest: HashMap<String, Value>,
    },
}

fn sample() -> Sample {
    let rest = HashMap::from([("k".to_owned(), json!([null, {"deep": 1.5}]))]);
    let table =
        HashMap::from([(-300, Loose::Record { a: Some(None), rest }), (1, Loose::List(vec![Loose::Number(-1)]))]);
    let inner = Sample {
        id: 1,
        wide: -1,
        name: String::new(),
        maybe: Some(None),
        shape: Shapes::Rectangle { w: 70_000, h: Some(()) },
        pairs: vec![],
        table: HashMap::new(),
        inner: None,
    };
    Sample {
        id: u64::MAX,
        wide: i128::MIN,
        name: "grüße".repeat(10),
        maybe: Some(Some(f64::INFINITY)),
        shape: Shapes::Line(-1, 1),
        pairs: vec![('€', bytes::Bytes::from_static(b"\x00\xff")), ('a', bytes::Bytes::new())],
        table,
        inner: Some(Box::new(inner)),
    }
}

/// Decodes as types of every kind; only the absence of a panic counts.
fn decode_as_everything(bytes: &[u8]) {
    let _ = decode::<Sample>(bytes);
    let _ = decode::<Value>(bytes);
    let _ = decode::<Loose>(bytes);
    let _ = decode::<Shapes>(bytes);
    let _ = decode::<Vec<Option<Shapes>>>(bytes);
    let _ = decode::<HashMap<String, Option<Option<u128>>>>(bytes);
    let _ = decode::<(char, String, bytes::Bytes)>(bytes);
    let _ = decode::<f32>(bytes);
    let _ = decode::<Hints>(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn headers_in_random_order_never_panic(bytes in prop::collection::vec(
        prop_oneof![0x80..0xa4_u8, 0xc0..0xe0_u8, 0..4_u8, Just(b'a')], 0..60,
    )) {
        decode_as_everything(&bytes);
    }

    #[test]
    fn flipped_bits_never_panic(place in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut bytes = encoded(&sample());
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        decode_as_everything(&bytes);
    }
}

#[test]
fn every_truncation_is_corrupt() {
    let bytes = encoded(&sample());
    assert_eq!(decode::<Sample>(&bytes).unwrap(), sample());
    for len in 0..bytes.len() {
        expect(&decode::<Sample>(&bytes[..len]).unwrap_err(), ErrorKind::Corrupt, "goes on beyond the end");
        decode_as_everything(&bytes[..len]);
    }
}

#[test]
fn trailing_bytes_are_corrupt() {
    let mut bytes = encoded(&sample());
    bytes.push(0xc0);
    expect(&decode::<Sample>(&bytes).unwrap_err(), ErrorKind::Corrupt, "1 bytes after the value");
}

#[track_caller]
fn corrupt<T: Shape + fmt::Debug>(bytes: &[u8], reason: &str) {
    expect(&decode::<T>(bytes).unwrap_err(), ErrorKind::Corrupt, reason);
}

#[test]
fn what_the_format_never_writes_is_corrupt() {
    corrupt::<u8>(b"", "goes on beyond the end");
    corrupt::<Value>(b"\xc1", "reserved byte c1");
    corrupt::<String>(b"\xa1\xff", "not UTF-8");
    corrupt::<Option<()>>(b"\xd4\x01\x00", "option of depth 0");
    let extensions: [&[u8]; 7] = [
        b"\xd4\x02\x01",
        b"\xd5\x01\x01\x01",
        b"\xd6\xff\0\0\0\0",
        b"\xd7\x02\0\0\0\0\0\0\0\0",
        b"\xd8\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\xc7\x01\x01\x01",
        b"\xc9\xff\xff\xff\xff\x02",
    ];
    for extension in extensions {
        corrupt::<Option<()>>(extension, "unknown extension");
        corrupt::<Value>(extension, "unknown extension");
        corrupt::<Option<i128>>(extension, "unknown extension");
    }
}

#[test]
fn a_number_is_read_from_any_width() {
    for bytes in [&b"\x07"[..], b"\xcc\x07", b"\xcd\0\x07", b"\xd0\x07", b"\xd3\0\0\0\0\0\0\0\x07"] {
        assert_eq!(decode::<u8>(bytes).unwrap(), 7);
    }
    for extension in [2, 3] {
        let mut bytes = vec![0xd8, extension];
        bytes.extend(7_u128.to_be_bytes());
        assert_eq!(decode::<u8>(&bytes).unwrap(), 7);
        assert_eq!(decode::<i128>(&bytes).unwrap(), 7);
        assert_eq!(decode::<Option<u128>>(&bytes).unwrap(), Some(7));
    }
}

/// Reads any container and keeps the largest size that it was promised.
#[derive(Debug, PartialEq)]
struct Hints(usize);

impl Serialize for Hints {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Hints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Largest;
        impl<'de> Visitor<'de> for Largest {
            type Value = Hints;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a container")
            }

            fn visit_unit<E>(self) -> Result<Hints, E> {
                Ok(Hints(0))
            }

            fn visit_str<E>(self, _: &str) -> Result<Hints, E> {
                Ok(Hints(0))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Hints, A::Error> {
                let mut largest = seq.size_hint().unwrap_or_default();
                assert!(largest <= 200, "a hint of {largest}");
                while let Some(Hints(inner)) = seq.next_element()? {
                    largest = largest.max(inner);
                }
                Ok(Hints(largest))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Hints, A::Error> {
                let mut largest = map.size_hint().unwrap_or_default();
                assert!(largest <= 200, "a hint of {largest}");
                while let Some((Hints(key), Hints(value))) = map.next_entry()? {
                    largest = largest.max(key).max(value);
                }
                Ok(Hints(largest))
            }
        }
        deserializer.deserialize_any(Largest)
    }
}

#[test]
fn a_claimed_length_beyond_the_bytes_is_refused_before_it_is_believed() {
    let claims: [&[u8]; 6] = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\xc0",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91\xdd\xff\xff\xff\xff\xc0\xc0",
        b"\x82\xc0",
    ];
    for claim in claims {
        corrupt::<Hints>(claim, "goes on beyond the end");
        corrupt::<Vec<[u64; 32]>>(claim, "");
        corrupt::<Value>(claim, "goes on beyond the end");
    }
    corrupt::<Hints>(b"\x82\xc0\xc0\xc0", "before byte 1 of 4");
    corrupt::<Hints>(b"\x93\xc0\xc0", "before byte 1 of 3");
    assert_eq!(decode::<Hints>(b"\x93\x80\x91\xc0\xc0").unwrap(), Hints(3));
    assert_eq!(decode::<Hints>(b"\x82\xc0\xc0\x90\xc0").unwrap(), Hints(2));
}

#[test]
fn depth_is_bounded_however_the_value_is_read() {
    for depth in [128, 129, 100_000] {
        let mut arrays = vec![0x91; depth];
        arrays.push(0xc0);
        let mut maps = b"\x81\xa1a".repeat(depth);
        maps.push(0xc0);
        for bytes in [arrays, maps] {
            let read = [decode::<Value>(&bytes).is_ok(), decode::<Hints>(&bytes).is_ok()];
            assert_eq!(read, [depth <= 128; 2]);
            decode_as_everything(&bytes);
        }
    }
    let deep = (0..127).fold(json!(1), |inner, _| json!([inner]));
    assert!(encode(&vec![deep.clone()]).is_ok());
    assert!(encode(&vec![vec![deep]]).is_err());
}

/// Passes over whatever it is given.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing {}

#[test]
fn unknown_contents_are_passed_over_whatever_they_are() {
    let stored = json!({"a": [[[{"b": [1, "two", null, {"c": 1.5}]}]], {}], "d": "e"});
    assert_eq!(super::reread::<_, Nothing>(&stored).unwrap(), Nothing {});
    let mut bytes = b"\x81\xa1a".to_vec();
    bytes.extend([0x91; 100_000]);
    bytes.push(0xc0);
    assert_eq!(decode::<Nothing>(&bytes).unwrap(), Nothing {});
    bytes.pop();
    corrupt::<Nothing>(&bytes, "goes on beyond the end");
    corrupt::<Nothing>(b"\x81\xa1a\xd6\xff\0\0\0\0", "unknown extension");
}
