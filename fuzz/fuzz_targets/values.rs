//! Values: arbitrary bytes under an arbitrary descriptor, through the engine to every handler. What does not pass its
//! digest never comes out; what comes out is what would be stored again; memory is bounded by what is there.
#![no_main]

use bytes::Bytes;
use cacheness_core::{Error, ErrorKind};
use cacheness_fuzz::shapes::{External, Internal, Loose, Nested, Pair, Plain, Table, Tree, Untagged, Wide};
use cacheness_fuzz::{Input, Place, bounded, decode, zstd};
use cacheness_handler_ndarray::{ArrayHandler, Element};
use cacheness_handlers::{
    BincodeHandler, BytesHandler, Codec, CodecId, Encoder, ErasedHandler, Format, Handler, ObjectHandler,
    SharedBytesHandler, SliceReader, TextHandler, decompress,
};
use cacheness_storage::{Content, Digest, DigestAlgorithm, Terms};
use libfuzzer_sys::fuzz_target;
use ndarray::{Array, Dimension, Ix0, Ix1, Ix2, Ix3, IxDyn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// Raw bytes up to which a claimed size may be true.
const MOST: u64 = 512 << 10;

/// What reading takes at most beside the value: buffers, and first steps of 1 MiB.
const HELD: usize = 8 << 20;

/// A byte of MessagePack is at most so many of a value: a map of one entry has room for eleven.
const OBJECT: usize = 1024;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.below(32) {
        0 => object::<serde_json::Value>(input),
        1 => object::<Vec<Option<Option<u8>>>>(input),
        2 => object::<HashMap<String, Vec<i64>>>(input),
        3 => object::<External>(input),
        4 => object::<Plain>(input),
        5 => object::<Vec<Untagged>>(input),
        6 => object::<Internal>(input),
        7 => object::<Loose>(input),
        8 => object::<Wide>(input),
        9 => object::<Tree>(input),
        10 => object::<Nested>(input),
        11 => object::<Vec<()>>(input),
        12 => object::<BTreeMap<(u8, bool), [f32; 2]>>(input),
        13 => object::<std::net::IpAddr>(input),
        14 => object::<(std::time::Duration, std::path::PathBuf, char, Box<str>)>(input),
        15 => plain(&BytesHandler, input, |bytes: &Vec<u8>| bytes.clone()),
        16 => plain(&SharedBytesHandler, input, |bytes: &Bytes| bytes.to_vec()),
        17 => plain(&TextHandler, input, |text: &String| text.clone().into_bytes()),
        18 => cacheable(Pair::default(), input),
        19 => cacheable(Table::default(), input),
        20 => array::<f64, IxDyn>(input),
        21 => array::<u8, Ix1>(input),
        22 => array::<i16, Ix2>(input),
        23 => array::<u128, Ix3>(input),
        24 => array::<bool, IxDyn>(input),
        25 => array::<f32, Ix0>(input),
        _ => object::<BTreeMap<String, serde_json::Value>>(input),
    }
});

/// Stored bytes, what the record says about them, and whether that is right.
struct Case {
    content: Content,
    stored: Bytes,
    /// Digest and sizes are those of the stored bytes.
    is_sound: bool,
    /// The raw bytes, when the stored ones were made of them.
    raw: Option<Vec<u8>>,
}

impl Case {
    /// A case of what is left of the input. The first byte says how bytes are stored, the second what is wrong.
    fn take(input: &mut Input<'_>, type_tag: &'static str, mut format: Format) -> Self {
        let (storage, wrong) = (input.byte(), input.byte());
        let codec = [Codec::None, Codec::Lz4, Codec::ZSTD, Codec::GZIP][usize::from(storage % 4)];
        let shuffle = [1, 8, 2, 4, 16, 3, 0, 255][usize::from(storage >> 2) % 8];
        match wrong {
            250 => format.version = format.version.wrapping_add(1),
            251 => format.name = input.text().into(),
            252 => format.schema = Some(input.number()),
            253 => {
                format.extra.pop_first();
            }
            254 => {
                let length = usize::from(input.byte());
                format.extra = serde_json::from_slice(input.bytes(length)).unwrap_or_default();
            }
            _ => {}
        }
        let is_stored = storage & 32 != 0;
        let claimed = is_stored.then(|| input.size(MOST));
        let bytes = input.rest();
        let stored = if is_stored { bytes.to_vec() } else { encode(codec, shuffle, bytes) };
        let digest = Digest::of([DigestAlgorithm::Xxh3, DigestAlgorithm::Blake3][usize::from(storage >> 7)], &stored);
        let mut content = Content {
            type_tag: type_tag.into(),
            type_name: "T".into(),
            format: format.name,
            format_version: format.version,
            schema: format.schema,
            extra: format.extra,
            encoding: codec.encoding(shuffle),
            raw_size: claimed.unwrap_or(bytes.len() as u64),
            stored_size: stored.len() as u64,
            digest,
            key_digest: None,
            terms: Terms::default(),
            object: None,
        };
        match wrong {
            240 => content.digest = Digest::of(digest.algorithm(), b"something else"),
            241 => content.stored_size = content.stored_size.wrapping_add(1),
            242 => content.stored_size = content.stored_size.saturating_sub(1),
            243 => content.raw_size = content.raw_size.wrapping_sub(1),
            _ => {}
        }
        let is_sound = content.digest == digest && content.stored_size == stored.len() as u64;
        let raw = (!is_stored && wrong != 243).then(|| bytes.to_vec());
        Self { content, stored: stored.into(), is_sound, raw }
    }

    /// Reads it from the record and from a file; both say the same.
    fn read<T: Any + Send + Sync>(&self, most: usize, fallback: Option<&'static dyn ErasedHandler>) -> Option<(T, T)> {
        let most = most.saturating_add(self.stored.len());
        let read = |place| bounded(most, || decode::<T>(&self.content, &self.stored, place, fallback));
        match (read(Place::Record), read(Place::File)) {
            (Ok(one), Ok(other)) => {
                assert!(self.is_sound, "bytes that fail their digest were decoded");
                assert!(self.content.raw_size <= MOST, "more was declared than there can be");
                Some((one, other))
            }
            (Err(one), Err(other)) => {
                [one, other].iter().for_each(check_error);
                None
            }
            (Ok(_), Err(_))
                if self.content.encoding.codec == CodecId::Zstd && zstd::asks_for_too_much(&self.stored) =>
            {
                None
            }
            (one, other) => panic!("in the record: {:?}, in a file: {:?}", one.err(), other.err()),
        }
    }

    /// The raw bytes of a case that was read.
    fn raw(&self) -> Vec<u8> {
        self.raw.clone().unwrap_or_else(|| {
            decompress(self.content.encoding, &self.stored, self.content.raw_size).expect("it was read before")
        })
    }

    /// What reading may take: so many bytes for each raw one.
    fn most(&self, factor: usize) -> usize {
        let raw = if self.content.raw_size > MOST { self.stored.len() * 8 } else { self.content.raw_size as usize };
        HELD + factor * raw
    }
}

fn encode(codec: Codec, shuffle: u8, raw: &[u8]) -> Vec<u8> {
    if codec == Codec::None && shuffle <= 1 {
        return raw.to_vec();
    }
    let mut encoder = Encoder::new(codec, shuffle, Vec::new()).expect("codecs can be set up");
    encoder.write_all(raw).and_then(|()| Ok(encoder.finish()?)).expect("memory takes everything")
}

fn check_error(error: &Error) {
    use ErrorKind::{Corrupt, FormatTooNew, SchemaMismatch, Serialization, TooLarge, TypeMismatch};
    let kinds = [Corrupt, FormatTooNew, SchemaMismatch, Serialization, TooLarge, TypeMismatch];
    assert!(kinds.contains(&error.kind()), "{error:?}");
}

/// The bytes that a handler writes for a value, if it stores it.
fn written<H: Handler>(handler: &H, value: &H::Value) -> Result<(Format, Vec<u8>), Error> {
    let format = handler.plan(value)?;
    let mut bytes = Vec::new();
    handler.encode(value, &format, &mut bytes)?;
    Ok((format, bytes))
}

/// A value that was read and can be stored comes back as it is.
fn object<T: Serialize + DeserializeOwned + Any + Send + Sync>(mut input: Input<'_>) {
    let handler = const { &ObjectHandler::<T>::new() };
    let case = Case::take(&mut input, "object", Format::new("msgpack", 1));
    let Some((value, other)) = case.read::<T>(case.most(OBJECT), Some(handler)) else { return };
    let Ok((format, bytes)) = written(handler, &value) else {
        assert!(written(handler, &other).is_err());
        return;
    };
    let mut reader = SliceReader::new(bytes.clone().into());
    let again = Handler::decode(handler, &mut reader, &format).expect("what was stored is read");
    let (_, stable) = written(handler, &again).expect("what came back is stored again");
    assert_eq!(as_seen(&again), as_seen(&value), "a value came back different");
    // A hash map comes in another order each time.
    let sorted = |mut bytes: Vec<u8>| {
        bytes.sort_unstable();
        bytes
    };
    assert_eq!(sorted(stable), sorted(bytes));
}

/// What a value tells serde, in an order of its own.
fn as_seen<T: Serialize>(value: &T) -> Option<serde_json::Value> {
    serde_json::to_value(value).ok()
}

/// What is stored as it is comes out as it is, as long as it was declared.
fn plain<H: Handler>(handler: &H, mut input: Input<'_>, bytes_of: impl Fn(&H::Value) -> Vec<u8>)
where
    H::Value: Default,
{
    let format = handler.plan(&H::Value::default()).expect("bytes are always stored");
    let type_tag = if Handler::type_tag(handler) == "text" { "text" } else { "bytes" };
    let case = Case::take(&mut input, type_tag, format);
    let Some((value, other)) = case.read::<H::Value>(case.most(4), None) else { return };
    let bytes = bytes_of(&value);
    assert_eq!(bytes.len() as u64, case.content.raw_size);
    assert_eq!(bytes, case.raw());
    assert_eq!(bytes, bytes_of(&other));
}

/// Bincode claims memory before its elements arrive, within the bounds that its handler states.
fn cacheable<T: cacheness_handlers::Cacheable + PartialEq + std::fmt::Debug>(sample: T, mut input: Input<'_>) {
    let handler = const { &BincodeHandler::<T>::new() };
    let (format, _) = written(handler, &sample).expect("a sample is stored");
    let case = Case::take(&mut input, "cacheable", format);
    let Some((value, other)) = case.read::<T>(HELD + 3 * (64 << 20), Some(handler)) else { return };
    assert_eq!(value, other);
    let (format, bytes) = written(handler, &value).expect("what was read is stored");
    let again =
        Handler::decode(handler, &mut SliceReader::new(bytes.into()), &format).expect("what was stored is read");
    assert_eq!(again, value);
}

/// An array has the elements and the shape it was stored with.
fn array<A: Element, D: Dimension + 'static>(mut input: Input<'_>) {
    let dtype = if input.byte() == 255 { "f16" } else { A::DTYPE };
    let rank = D::NDIM.filter(|_| input.byte() != 255).unwrap_or_else(|| input.below(9));
    let mut shape: Vec<u64> = (0..rank).map(|_| length(&mut input)).collect();
    let order = ["C", "F", "C", "F", "K"][input.below(5)];
    if input.flag() && rank > 0 {
        // As many elements as there are bytes for; the case takes two bytes more.
        let left = Input::rest(&mut input.clone()).len().saturating_sub(2);
        let others = shape[1..].iter().try_fold(1_u64, |count, length| count.checked_mul(*length));
        shape[0] = (left / size_of::<A>()) as u64 / others.unwrap_or(1).max(1);
    }
    let format = Format::new("ndarray", 1).extra("dtype", dtype).extra("order", order).extra("shape", shape.clone());
    let case = Case::take(&mut input, "ndarray", format);
    let Some((array, other)) = case.read::<Array<A, D>>(case.most(4), None) else { return };
    assert_eq!(array.len() as u64 * size_of::<A>() as u64, case.content.raw_size);
    assert_eq!(array.shape(), other.shape());
    let handler = ArrayHandler::<A, D>::new();
    for array in [array, other] {
        let (format, bytes) = written(&handler, &array).expect("what was read is stored");
        assert_eq!(bytes, case.raw());
        let mut reader = SliceReader::new(bytes.clone().into());
        let again = Handler::decode(&handler, &mut reader, &format).expect("what was stored is read");
        assert_eq!(again.shape(), array.shape());
        assert_eq!(written(&handler, &again).expect("it is stored again").1, bytes);
    }
}

/// The length of an axis: small, or beyond everything.
fn length(input: &mut Input<'_>) -> u64 {
    match input.byte() {
        255 => u64::MAX,
        254 => 1 << 63,
        253 => 1 << 32,
        byte => u64::from(byte % 8),
    }
}
