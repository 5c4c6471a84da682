//! The bytes themselves. The format is on disks for ever: a line of the golden file never changes, new ones are added.

use super::{Shape, decode, encoded};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

const GOLDEN: &str = include_str!("../golden/object.txt");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u32,
    name: String,
    score: Option<f64>,
    twice: Option<Option<u8>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shapes {
    Point,
    Circle(f32),
    Line(i8, i8),
    Rectangle { w: u16, h: u16 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Row { n: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(char);

/// The golden file, line by line.
struct Golden(Vec<(&'static str, String)>);

impl Golden {
    fn open() -> Self {
        let lines = GOLDEN.lines().filter(|line| !line.starts_with('#'));
        let entries = lines.map(|line| line.split_once(": ").expect("a line is `name: hex`"));
        Self(entries.map(|(name, hex)| (name, hex.replace(' ', ""))).collect())
    }

    /// Compares the next line with `value`, both ways.
    #[track_caller]
    fn check<T: Shape + PartialEq + Debug>(&mut self, name: &str, value: T) {
        let bytes = encoded(&value);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!self.0.is_empty(), "the golden file lacks {name}: {hex}");
        assert_eq!(self.0.remove(0), (name, hex));
        assert_eq!(decode::<T>(&bytes).unwrap(), value);
    }
}

#[test]
fn the_bytes_of_the_format_never_change() {
    let mut golden = Golden::open();
    golden.check("integers", vec![0_i64, 127, 128, 256, 65_536, 1 << 32, -1, -32, -33, -129, -32_769, i64::MIN]);
    golden.check("wide integers", (u64::MAX, i128::MIN, u128::MAX, -1_i128));
    golden.check("floats", (1.5_f32, -0.0_f64, true, false));
    golden.check("text", ("grüße".to_owned(), 'é', "x".repeat(32)));
    golden.check("bytes", Bytes::from_static(b"\x00\xff"));
    golden.check("options", vec![None, Some(None), Some(Some(None)), Some(Some(Some(())))]);
    golden.check("units", (Some(()), (), Newtype('n')));
    golden.check("a struct", Record { id: 7, name: "seven".into(), score: Some(0.5), twice: Some(None) });
    golden.check(
        "externally tagged",
        vec![Shapes::Point, Shapes::Circle(1.0), Shapes::Line(-1, 1), Shapes::Rectangle { w: 1, h: 300 }],
    );
    golden.check("internally tagged", Tagged::Row { n: 1 });
    golden.check(
        "flattened",
        Open { id: 1, rest: [("null".to_owned(), json!(null)), ("v".to_owned(), json!([{}]))].into() },
    );
    golden.check("a map", BTreeMap::from([((1_u8, Some('k')), Ok::<u8, String>(1)), ((2, None), Err("e".into()))]));
    golden.check("an address", Some("::1".parse::<IpAddr>().unwrap()));
    golden.check("long containers", ([0_u8; 16], (0..16).map(|n| (n, ())).collect::<BTreeMap<u8, ()>>()));
    assert!(golden.0.is_empty(), "untested: {:?}", golden.0);
}
