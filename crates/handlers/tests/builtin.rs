//! The built-in handlers for bytes and text, and bincode for types that declare their schema.
#![allow(clippy::panic, clippy::unwrap_used)]

use bytes::Bytes;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::bincode::de::Decoder;
use cacheness_handlers::bincode::enc::Encoder;
use cacheness_handlers::bincode::error::{DecodeError, EncodeError};
use cacheness_handlers::bincode::{Decode, Encode};
use cacheness_handlers::cacheable::{BincodeHandler, Cacheable, schema_hash};
use cacheness_handlers::{
    BytesHandler, Format, Handler, HandlerRegistry, ObjectHandler, PayloadReader, SharedBytesHandler, SliceReader,
    TextHandler, extension_of,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::any::TypeId;
use std::collections::HashMap;
use std::fmt::Debug;
use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom, Write};

/// A payload that does not lie in memory and may claim to have more bytes than it has.
struct Distant {
    bytes: Cursor<Vec<u8>>,
    claimed: u64,
}

impl Distant {
    fn new(bytes: &[u8]) -> Self {
        Self { bytes: Cursor::new(bytes.to_vec()), claimed: bytes.len() as u64 }
    }
}

impl Read for Distant {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl BufRead for Distant {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
    }
}

impl Seek for Distant {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl PayloadReader for Distant {
    fn remaining(&self) -> u64 {
        self.claimed.saturating_sub(self.bytes.position())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    fn read_bytes(&mut self) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

fn stored<H: Handler>(handler: &H, value: &H::Value) -> (Format, Vec<u8>) {
    let format = handler.plan(value).unwrap();
    let mut bytes = Vec::new();
    handler.encode(value, &format, &mut bytes).unwrap();
    if let Some(size) = format.hints.size {
        assert_eq!(size, bytes.len() as u64);
    }
    (format, bytes)
}

fn decode<H: Handler>(handler: &H, format: &Format, bytes: &[u8]) -> Result<H::Value> {
    handler.decode(&mut SliceReader::new(bytes.to_vec().into()), format)
}

fn comes_back<H: Handler>(handler: &H, value: H::Value)
where
    H::Value: PartialEq + Debug,
{
    let (format, bytes) = stored(handler, &value);
    assert_eq!(decode(handler, &format, &bytes).unwrap(), value);
    assert_eq!(handler.decode(&mut Distant::new(&bytes), &format).unwrap(), value);
}

fn kind_of<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn bytes_and_text_come_back() {
    for value in [vec![], vec![0, 255], vec![7; 3_000_000]] {
        comes_back(&SharedBytesHandler, value.clone().into());
        comes_back(&BytesHandler, value);
    }
    for value in ["", "plain", "τετραγωνίζω\0"] {
        comes_back(&TextHandler, value.to_owned());
    }
}

#[test]
fn owned_and_shared_bytes_read_each_other() {
    let (format, bytes) = stored(&BytesHandler, &b"one".to_vec());
    assert_eq!(decode(&SharedBytesHandler, &format, &bytes).unwrap(), "one");
    let (format, bytes) = stored(&SharedBytesHandler, &"two".into());
    assert_eq!(decode(&BytesHandler, &format, &bytes).unwrap(), b"two");
    assert_eq!(BytesHandler.type_tag(), SharedBytesHandler.type_tag());
}

#[test]
fn shared_bytes_are_not_copied() {
    let stored = Bytes::from(vec![1, 2, 3]);
    let format = SharedBytesHandler.plan(&stored).unwrap();
    let value = SharedBytesHandler.decode(&mut SliceReader::new(stored.clone()), &format).unwrap();
    assert_eq!(value.as_ptr(), stored.as_ptr());
}

#[test]
fn a_payload_that_is_shorter_than_it_claims_is_corrupt_and_costs_no_memory() {
    let (format, _) = stored(&BytesHandler, &vec![]);
    for claimed in [4, 1 << 45, u64::MAX >> 1] {
        let mut reader = Distant { claimed, ..Distant::new(b"abc") };
        assert_eq!(kind_of(BytesHandler.decode(&mut reader, &format)), Some(ErrorKind::Corrupt));
    }
}

#[test]
fn text_that_is_not_utf_8_is_corrupt() {
    let (format, _) = stored(&TextHandler, &String::new());
    assert_eq!(kind_of(decode(&TextHandler, &format, b"ab\xff")), Some(ErrorKind::Corrupt));
}

#[test]
fn formats_of_the_future_are_refused() {
    for (name, version) in [("raw", 2), ("utf-8", 2), ("bincode", 2), ("packed", 1)] {
        let format = Format::new(name, version);
        for kind in [
            kind_of(decode(&BytesHandler, &format, b"")),
            kind_of(decode(&SharedBytesHandler, &format, b"")),
            kind_of(decode(&TextHandler, &format, b"")),
            kind_of(decode(&BincodeHandler::<Track>::new(), &format, b"")),
        ] {
            assert_eq!(kind, Some(ErrorKind::FormatTooNew), "{name} {version}");
        }
    }
}

#[test]
fn the_standard_registry_finds_the_built_in_handlers() {
    let registry = HandlerRegistry::standard();
    assert!(registry.iter().all(|handler| handler.built_in));
    for (value_type, tag) in
        [(TypeId::of::<Vec<u8>>(), "bytes"), (TypeId::of::<Bytes>(), "bytes"), (TypeId::of::<String>(), "text")]
    {
        assert_eq!(registry.for_tag(value_type, tag).unwrap().value_type(), value_type);
    }
    assert!(registry.for_value(&1_u8).is_none());
}

#[test]
fn handlers_are_asked_in_the_order_of_their_priority() {
    let mut registry = HandlerRegistry::standard();
    registry.add_named("first", Some(0), BytesHandler).unwrap();
    registry.add_named("third", Some(2), BincodeHandler::<Count>::new()).unwrap();
    registry.add_named("beyond", Some(99), SharedBytesHandler).unwrap();
    registry.add(BincodeHandler::<Track>::new()).unwrap();
    let names: Vec<_> = registry.iter().map(|handler| handler.name.to_owned()).collect();
    assert_eq!(names, ["first", "bytes", "third", "bytes_shared", "text", "beyond", "cacheable"]);
    assert_eq!(registry.for_value(&track()).unwrap().type_tag(), "cacheable");

    assert_eq!(kind_of(registry.add_named("text", None, TextHandler)), Some(ErrorKind::AlreadyRegistered));
}

#[derive(Debug, Clone, PartialEq)]
struct Track {
    name: String,
    points: Vec<(f32, u64)>,
    tags: HashMap<String, Option<i128>>,
}

impl Encode for Track {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.name.encode(encoder)?;
        self.points.encode(encoder)?;
        self.tags.encode(encoder)
    }
}

impl<C> Decode<C> for Track {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self { name: Decode::decode(decoder)?, points: Decode::decode(decoder)?, tags: Decode::decode(decoder)? })
    }
}

impl Cacheable for Track {
    const NAME: &'static str = "Track";
    const VERSION: u32 = 3;
    const SCHEMA: u64 = schema_hash("name: String, points: Vec<(f32, u64)>, tags: HashMap<String, Option<i128>>");
}

fn track() -> Track {
    Track {
        name: "dawn".into(),
        points: vec![(0.5, 3), (-1.0, u64::MAX)],
        tags: HashMap::from([("a".into(), None), ("b".into(), Some(-7))]),
    }
}

/// `u64` under whatever name, version and schema a test wants.
macro_rules! cacheable_number {
    ($type:ident, $name:literal, $version:literal, $schema:literal) => {
        #[derive(Debug, PartialEq)]
        struct $type(u64);

        impl Encode for $type {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                self.0.encode(encoder)
            }
        }

        impl<C> Decode<C> for $type {
            fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
                Decode::decode(decoder).map(Self)
            }
        }

        impl Cacheable for $type {
            const NAME: &'static str = $name;
            const VERSION: u32 = $version;
            const SCHEMA: u64 = schema_hash($schema);
        }
    };
}

cacheable_number!(Count, "Count", 1, "u64");
cacheable_number!(Renamed, "Counter", 1, "u64");
cacheable_number!(Newer, "Count", 2, "u64");
cacheable_number!(Changed, "Count", 1, "(u64,)");

#[test]
fn cacheable_types_come_back() {
    comes_back(&BincodeHandler::new(), track());
    let long = Track { points: vec![(1.0, 1); 300_000], ..track() };
    comes_back(&BincodeHandler::new(), long);
}

#[test]
fn the_stored_form_of_a_cacheable_type_never_changes() {
    let (format, bytes) = stored(&BincodeHandler::new(), &Count(300));
    assert_eq!(bytes, [251, 44, 1]);
    assert_eq!(format.schema, Some(0xb662_928d_761f_97a9));
    assert_eq!(serde_json::to_string(&format.extra).unwrap(), r#"{"name":"Count","version":1}"#);
}

#[test]
fn another_name_version_or_schema_is_never_decoded() {
    let (format, bytes) = stored(&BincodeHandler::new(), &Count(7));
    assert_eq!(decode(&BincodeHandler::<Count>::new(), &format, &bytes).unwrap(), Count(7));

    let error = decode(&BincodeHandler::<Renamed>::new(), &format, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    assert!(error.to_string().contains("Counter"), "{error}");

    let error = decode(&BincodeHandler::<Newer>::new(), &format, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("version 1") && error.to_string().contains("version 2"), "{error}");

    let error = decode(&BincodeHandler::<Changed>::new(), &format, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
}

#[test]
fn a_format_without_its_schema_is_corrupt() {
    let (format, bytes) = stored(&BincodeHandler::new(), &Count(7));
    let mut broken = vec![Format { schema: None, ..format.clone() }];
    for field in ["name", "version"] {
        let mut without = format.clone();
        without.extra.remove(field);
        broken.push(without);
        broken.push(format.clone().extra(field, vec![1]));
    }
    for format in broken {
        assert_eq!(kind_of(decode(&BincodeHandler::<Count>::new(), &format, &bytes)), Some(ErrorKind::Corrupt));
    }
}

#[test]
fn bytes_behind_or_missing_from_a_cacheable_value_are_corrupt() {
    let (format, mut bytes) = stored(&BincodeHandler::new(), &track());
    let handler = BincodeHandler::<Track>::new();
    for length in 0..bytes.len() {
        assert_eq!(kind_of(decode(&handler, &format, &bytes[..length])), Some(ErrorKind::Corrupt), "{length}");
    }
    bytes.push(0);
    assert_eq!(kind_of(decode(&handler, &format, &bytes)), Some(ErrorKind::Corrupt));
    assert_eq!(kind_of(handler.decode(&mut Distant::new(&bytes), &format)), Some(ErrorKind::Corrupt));
}

#[test]
fn a_length_that_the_payload_cannot_hold_is_corrupt() {
    let (format, _) = stored(&BincodeHandler::new(), &track());
    for length in [1_u64 << 32, 1 << 45, u64::MAX] {
        let claim = [&[253], &length.to_le_bytes()[..]].concat();
        for bytes in [claim.clone(), [&[0], &claim[..]].concat(), [&[0, 0], &claim[..]].concat()] {
            let result = decode(&BincodeHandler::<Track>::new(), &format, &bytes);
            assert_eq!(kind_of(result), Some(ErrorKind::Corrupt), "{length}");
        }
    }
}

struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(Error::new(ErrorKind::OutOfSpace, "the disk is full").into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn errors_of_the_output_keep_their_kind() {
    let handler = BincodeHandler::new();
    for track in [track(), Track { points: vec![(1.0, 1); 10_000], ..track() }] {
        let format = handler.plan(&track).unwrap();
        assert_eq!(kind_of(handler.encode(&track, &format, &mut Full)), Some(ErrorKind::OutOfSpace));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let (format, _) = stored(&BincodeHandler::new(), &track());
        let _ = decode(&BincodeHandler::<Track>::new(), &format, &bytes);
        let (format, _) = stored(&TextHandler, &String::new());
        let _ = decode(&TextHandler, &format, &bytes);
    }
}

/// Large in memory, one byte when it is empty.
#[derive(Debug, PartialEq)]
struct Sparse(Vec<Option<[u8; 4096]>>);

impl Encode for Sparse {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> std::result::Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<C> Decode<C> for Sparse {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> std::result::Result<Self, DecodeError> {
        Decode::decode(decoder).map(Self)
    }
}

impl Cacheable for Sparse {
    const NAME: &'static str = "Sparse";
    const VERSION: u32 = 1;
    const SCHEMA: u64 = schema_hash("Sparse(Vec<Option<[u8; 4096]>>)");
}

#[test]
fn what_the_bounds_of_a_get_would_refuse_is_refused_by_the_put() {
    let handler = BincodeHandler::<Sparse>::new();
    let encode = |count: usize| {
        let value = Sparse(vec![None; count]);
        let format = Handler::plan(&handler, &value).unwrap();
        let mut bytes = Vec::new();
        Handler::encode(&handler, &value, &format, &mut bytes).map(|()| (value, format, bytes))
    };
    let (value, format, bytes) = encode(1000).unwrap();
    assert_eq!(Handler::decode(&handler, &mut SliceReader::new(bytes.into()), &format).unwrap(), value);
    assert_eq!(encode(60_000).unwrap_err().kind(), ErrorKind::Serialization);
}

#[test]
fn every_format_has_the_extension_that_people_expect_or_none() {
    fn extension<H: Handler>(handler: &H, value: &H::Value) -> Option<String> {
        extension_of(&handler.plan(value).unwrap().name).map(str::to_owned)
    }
    assert_eq!(extension(&BytesHandler, &vec![1_u8]).as_deref(), Some("bin"));
    assert_eq!(extension(&TextHandler, &"text".to_owned()).as_deref(), Some("txt"));
    assert_eq!(extension(&ObjectHandler::<u8>::new(), &1_u8).as_deref(), Some("msgpack"));
    for name in ["npy", "parquet", "ndarray_map", "7z"] {
        assert_eq!(extension_of(name), Some(name));
    }
    for name in ["", ".", "..", "a.b", "a/b", "a\\b", "a b", "a\0", "EXE", "é", "seventeen_letters"] {
        assert_eq!(extension_of(name), None, "{name:?}");
    }
}
