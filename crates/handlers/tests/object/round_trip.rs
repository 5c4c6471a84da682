//! Every serde shape that comes back as it was.

use super::{decode, encode, encoded, round_trips};
use bytes::Bytes;
use cacheness_handlers::{Format, Handler, ObjectHandler, PayloadReader, SliceReader};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CString, OsString};
use std::io::{BufRead, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU8, Wrapping};
use std::ops::Bound;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

#[test]
fn integers_of_every_width_round_trip_at_their_ends() {
    macro_rules! ends {
        ($($integer:ty),+) => {$(
            for value in [<$integer>::MIN, 0, 1, 31, 32, 33, 127, <$integer>::MAX - 1, <$integer>::MAX] {
                round_trips(value);
                round_trips(Some(value));
                round_trips(vec![value; 3]);
            }
        )+};
    }
    ends!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);
    let edges = [-129, -128, -33, -32, -1, 127, 128, 255, 256, 65_535, 65_536, -32_768, -32_769, 1 << 31, 1 << 32];
    for edge in edges.into_iter().chain([i64::MIN + 1, -(1 << 31), -(1 << 31) - 1]) {
        round_trips::<i64>(edge);
        round_trips::<i128>(edge.into());
    }
    for edge in [i128::from(u64::MAX), i128::from(u64::MAX) + 1, i128::from(i64::MIN), i128::from(i64::MIN) - 1] {
        round_trips(edge);
    }
    round_trips(u128::from(u64::MAX) + 1);
}

#[test]
fn floats_round_trip_bit_by_bit() {
    let doubles = [0.0, -0.0, 1.5, f64::MIN_POSITIVE, 5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN];
    for value in doubles.into_iter().chain([f64::from_bits(0x7ff8_0000_dead_beef)]) {
        assert_eq!(decode::<f64>(&encoded(&value)).unwrap().to_bits(), value.to_bits());
    }
    let singles = [0.0, -0.0, 1.5, 1e-45, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::from_bits(0xffc0_beef)];
    for value in singles {
        let bytes = encoded(&value);
        assert_eq!(bytes.len(), 5);
        assert_eq!(decode::<f32>(&bytes).unwrap().to_bits(), value.to_bits());
    }
}

#[test]
fn characters_strings_and_bytes_round_trip_at_every_length_form() {
    for value in ['\0', 'a', 'é', '€', '🦀', char::MAX] {
        round_trips(value);
    }
    for len in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
        round_trips("x".repeat(len));
        round_trips(Bytes::from(vec![0xc1; len]));
    }
    round_trips(String::from("grüße, мир, 世界\0"));
}

#[test]
fn sequences_and_maps_round_trip_at_every_length_form() {
    for len in [0, 1, 15, 16, 65_535, 65_536] {
        round_trips((0..len).collect::<Vec<u32>>());
        round_trips((0..len).map(|key| (key, key % 7)).collect::<BTreeMap<u32, u32>>());
        round_trips((0..len).map(|key| (key, key % 7)).collect::<HashMap<u32, u32>>());
        round_trips((0..len).collect::<HashSet<u32>>());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newtype(Option<Unit>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pair(Option<()>, Option<Option<u8>>);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u64,
    name: String,
    score: Option<f32>,
    twice: Option<Option<i8>>,
    unit: Option<()>,
    nested: Option<Box<Record>>,
    tags: Vec<String>,
}

fn record() -> Record {
    Record {
        id: u64::MAX,
        name: "outer".into(),
        score: Some(0.1),
        twice: Some(None),
        unit: Some(()),
        nested: Some(Box::new(Record { twice: Some(Some(-1)), ..Record::default() })),
        tags: vec![String::new(), "b".into()],
    }
}

#[test]
fn options_of_every_depth_stay_apart() {
    round_trips::<Option<Option<Option<u8>>>>(None);
    round_trips::<Option<Option<Option<u8>>>>(Some(None));
    round_trips::<Option<Option<Option<u8>>>>(Some(Some(None)));
    round_trips::<Option<Option<Option<u8>>>>(Some(Some(Some(0))));
    round_trips::<Option<Option<()>>>(Some(Some(())));
    round_trips::<Option<Option<()>>>(Some(None));
    round_trips::<Option<()>>(None);
    round_trips(Some(Unit));
    round_trips(Some(Newtype(Some(Unit))));
    round_trips(Some(Newtype(None)));
    round_trips(Some(PhantomData::<u8>));
    round_trips(Pair(Some(()), Some(None)));
    round_trips(Pair(None, Some(Some(1))));
    round_trips(vec![Some(None), None, Some(Some(()))]);
    round_trips((Some(()), None::<()>, Some(Some(None::<Vec<u8>>)), Some(Vec::<u8>::new())));
    round_trips(Some(i128::MAX));
    round_trips(Some(Some(i128::MIN)));
    round_trips(BTreeMap::from([(None, 0), (Some(None), 1), (Some(Some(true)), 2)]));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

fn chain(depth: usize) -> Chain {
    (0..depth).fold(Chain(None), |inner, _| Chain(Some(Box::new(inner))))
}

#[test]
fn options_in_each_other_are_stored_up_to_255() {
    for depth in [0, 1, 2, 254, 255] {
        round_trips(chain(depth));
    }
    super::refused(&chain(256), "255 options");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct List {
    next: Option<Box<List>>,
}

/// A list of `depth` structs.
fn list(depth: usize) -> List {
    (1..depth).fold(List { next: None }, |inner, _| List { next: Some(Box::new(inner)) })
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Nested {
    End,
    Once(Box<Nested>),
    Twice(Box<Nested>, u8),
    Named { inner: Box<Nested> },
}

#[test]
fn values_are_stored_up_to_128_levels_deep() {
    round_trips(list(128));
    super::refused(&list(129), "stored: nested deeper than 128");
    let once = |depth| (0..depth).fold(Nested::End, |inner, _| Nested::Once(Box::new(inner)));
    round_trips(once(128));
    super::refused(&once(129), "stored: nested deeper than 128");
    let twice = |depth| (0..depth).fold(Nested::End, |inner, _| Nested::Twice(Box::new(inner), 0));
    round_trips(twice(64));
    super::refused(&twice(65), "stored: nested deeper than 128");
    let named = |depth| (0..depth).fold(Nested::End, |inner, _| Nested::Named { inner: Box::new(inner) });
    round_trips(named(64));
    super::refused(&named(65), "stored: nested deeper than 128");
}

#[test]
fn the_depth_is_that_of_one_branch() {
    round_trips(vec![list(127), list(127)]);
    let variants = || [Nested::Once(Box::new(Nested::End)), Nested::Twice(Box::new(Nested::End), 1)];
    round_trips((0..200).flat_map(|_| variants()).collect::<Vec<_>>());
}

#[test]
fn structs_tuples_and_units_round_trip() {
    round_trips(());
    round_trips(Unit);
    round_trips(record());
    round_trips(Some(record()));
    round_trips((1_u8, "two".to_owned(), 3.0_f64, (4_i16, [5_u64; 3])));
    round_trips::<[u8; 0]>([]);
    round_trips([[1_i32; 4]; 8]);
    round_trips(((), [(), ()], vec![(); 3]));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum External {
    Unit,
    Newtype(i32),
    NewtypeOfUnit(()),
    NewtypeOfNone(Option<Option<u8>>),
    Tuple(i32, String),
    Empty {},
    Struct { x: f64, y: Option<()> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    Unit,
    Newtype(Record),
    Map(BTreeMap<String, Option<Option<u8>>>),
    Struct { x: f32, c: char, bytes: Bytes, y: Option<()> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    Newtype(Option<Option<i32>>),
    Tuple(i32, char),
    Struct { x: i128 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Address(IpAddr),
    Number(u8),
    Negative(i64),
    Single(f32),
    Text(String),
    Nothing(Option<Option<()>>),
    Tuple(u8, u8),
    List(Vec<Untagged>),
    Point { x: i32, y: Option<Option<i32>> },
    Other { z: External },
}

#[test]
fn externally_tagged_enums_round_trip() {
    for value in [
        External::Unit,
        External::Newtype(-1),
        External::NewtypeOfUnit(()),
        External::NewtypeOfNone(None),
        External::NewtypeOfNone(Some(None)),
        External::Tuple(1, "t".into()),
        External::Empty {},
        External::Struct { x: f64::INFINITY, y: Some(()) },
    ] {
        round_trips(value.clone());
        round_trips(Some(vec![(value.clone(), Some(value))]));
    }
    round_trips(HashMap::from([(Kind::A, 1), (Kind::B, 2)]));
    round_trips::<Vec<Result<u8, String>>>(vec![Ok(1), Err("no".into())]);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Kind {
    A,
    B,
}

#[test]
fn internally_tagged_enums_round_trip() {
    for value in [
        Internal::Unit,
        Internal::Newtype(record()),
        Internal::Map([("a".to_owned(), Some(None)), ("b".to_owned(), None)].into()),
        Internal::Struct { x: 0.1, c: '€', bytes: Bytes::from_static(b"\xff\x00"), y: Some(()) },
    ] {
        round_trips(vec![value]);
    }
}

#[test]
fn adjacently_tagged_enums_round_trip() {
    for value in [
        Adjacent::Unit,
        Adjacent::Newtype(None),
        Adjacent::Newtype(Some(None)),
        Adjacent::Tuple(1, 'c'),
        Adjacent::Struct { x: i128::MIN },
    ] {
        round_trips(Some(value));
    }
}

#[test]
fn untagged_enums_round_trip() {
    for value in [
        Untagged::Address("::1".parse().unwrap()),
        Untagged::Number(7),
        Untagged::Negative(-7),
        Untagged::Single(0.1),
        Untagged::Text("seven".into()),
        Untagged::Nothing(None),
        Untagged::Nothing(Some(None)),
        Untagged::Nothing(Some(Some(()))),
        Untagged::Tuple(1, 2),
        Untagged::List(vec![Untagged::Number(1), Untagged::Text(String::new()), Untagged::Nothing(Some(None))]),
        Untagged::Point { x: 1, y: Some(None) },
        Untagged::Other { z: External::Struct { x: -0.0, y: Some(()) } },
    ] {
        round_trips(value.clone());
        round_trips(vec![Some(value)]);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    depth: Option<Option<u8>>,
    empty: Option<()>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Maybe {
    needed: i32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ByNumber {
    name: String,
    #[serde(flatten)]
    rows: BTreeMap<u64, Option<String>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    id: u8,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[test]
fn flattened_structs_round_trip() {
    let rest = HashMap::from([
        ("null".to_owned(), Value::Null),
        ("list".to_owned(), json!([null, 1, -1, 1.5, u64::MAX, {"a": {}}])),
    ]);
    round_trips(Open { id: 1, rest: rest.clone() });
    round_trips(vec![Open { id: 1, rest: HashMap::new() }, Open { id: 2, rest }]);
    for own in [None, Some(None), Some(Some(1))] {
        let inner = Inner { depth: own, empty: Some(()) };
        round_trips(ByNumber { name: "n".into(), rows: [(1, None), (u64::MAX, Some("x".into()))].into() });
        round_trips(Structured { own, inner, maybe: Some(Maybe { needed: -1 }), tag: Internal::Unit });
    }
    let inner = Inner { depth: Some(None), empty: None };
    round_trips(Structured { own: None, inner, maybe: None, tag: Internal::Newtype(record()) });
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Structured {
    own: Option<Option<u8>>,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    maybe: Option<Maybe>,
    #[serde(flatten)]
    tag: Internal,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    a: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    b: Vec<u8>,
    c: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum SparseVariant {
    V {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<Option<u8>>,
        c: u8,
    },
}

#[test]
fn a_field_skipped_at_its_default_round_trips() {
    round_trips(Sparse { a: None, b: vec![], c: 1 });
    round_trips(Sparse { a: Some(1), b: vec![], c: 1 });
    round_trips(vec![Sparse { a: None, b: vec![2], c: 1 }]);
    round_trips(SparseVariant::V { a: None, c: 1 });
    round_trips(SparseVariant::V { a: Some(None), c: 1 });
}

#[test]
fn json_values_round_trip_with_null_inside_of_options() {
    let value = json!({"null": null, "list": [null, [], {}], "n": [0, -1, u64::MAX, i64::MIN, 0.5, -0.0], "s": ""});
    round_trips(value.clone());
    round_trips(vec![None, Some(Value::Null), Some(value.clone())]);
    round_trips(Some(Some(Value::Null)));
    round_trips(HashMap::from([("a".to_owned(), Some(Value::Null)), ("b".to_owned(), None)]));
    round_trips(Value::Null);
}

#[test]
fn maps_with_keys_of_any_type_round_trip() {
    round_trips(HashMap::from([((1_i32, 'a'), "x".to_owned()), ((-1, 'b'), "y".to_owned())]));
    round_trips(BTreeMap::from([(-5_i64, vec![1_u8]), (i64::MAX, vec![])]));
    round_trips(BTreeMap::from([(vec![1, 2], 0_u8), (vec![], 1)]));
    round_trips(BTreeMap::from([(u128::MAX, true), (0, false)]));
    round_trips(BTreeMap::from([('a', ()), ('b', ())]));
    round_trips(BTreeMap::from([((), 1)]));
    round_trips(HashSet::from([(1_u8, "a".to_owned()), (2, "b".to_owned())]));
    round_trips(BTreeSet::from([Some(1), None]));
    round_trips(HashMap::<String, u8>::new());
    round_trips(BTreeMap::from([(BTreeMap::from([(1, 2)]), HashSet::from(["k".to_owned()]))]));
    let large: HashMap<String, HashSet<u16>> = (0..100).map(|n| (n.to_string(), (0..n).collect())).collect();
    round_trips(large);
}

#[test]
fn types_of_the_standard_library_round_trip() {
    round_trips(Duration::new(u64::MAX, 999_999_999));
    round_trips(SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 1));
    round_trips::<IpAddr>("10.0.0.1".parse().unwrap());
    round_trips::<SocketAddr>("[::1]:80".parse().unwrap());
    round_trips(PathBuf::from("/a/b"));
    round_trips(OsString::from("os"));
    round_trips(CString::new("c").unwrap());
    round_trips(1..5_u8);
    round_trips((Bound::Included(1), Bound::<u8>::Unbounded));
    round_trips(Wrapping(-3_i32));
    round_trips(Reverse("r".to_owned()));
    round_trips(NonZeroU8::new(255));
    round_trips::<Box<str>>("boxed".into());
    round_trips::<Cow<'static, str>>("cow".into());
    round_trips(VecDeque::from([1, 2]));
    round_trips(LinkedList::from(["a".to_owned()]));
}

/// A payload that does not lie in memory.
struct Streamed(SliceReader);

impl Read for Streamed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Streamed {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

impl Seek for Streamed {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

impl PayloadReader for Streamed {
    fn remaining(&self) -> u64 {
        self.0.remaining()
    }

    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    fn read_bytes(&mut self) -> std::io::Result<Bytes> {
        self.0.read_bytes()
    }
}

#[test]
fn a_payload_outside_of_memory_is_read() {
    let handler = ObjectHandler::<Record>::new();
    let mut payload = Streamed(SliceReader::new(encode(&record()).unwrap().into()));
    assert_eq!(handler.decode(&mut payload, &Format::new("msgpack", 1)).unwrap(), record());
}

#[test]
fn the_handler_says_what_it_writes() {
    let handler = const { ObjectHandler::<Record>::new() };
    assert_eq!(Handler::type_tag(&handler), "object");
    assert_eq!(handler.plan(&record()).unwrap(), Format::new("msgpack", 1));
}
