//! Keys: texts that claim to be one, and the canonical bytes of parameters of every shape.
#![no_main]

use cacheness_cache::{Key, KeySpec, canonical_bytes, unordered};
use cacheness_core::{ErrorKind, hex};
use cacheness_fuzz::{Input, bounded};
use cacheness_storage::{BlobId, EntryKey, StoreId, Version};
use libfuzzer_sys::fuzz_target;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTupleStruct,
    SerializeTupleVariant, Serializer,
};
use serde_json::Value as Json;

/// Parameters may be nested so deep.
const MOST_LEVELS: usize = 128;

/// Names of types, fields and variants; the first are those by which the encoder knows its own types.
const NAMES: [&str; 8] =
    ["$cacheness::Key", "$cacheness::KeySpec", "$cacheness::Unordered", "", "a", "b", "ab", "$cacheness::Other"];
const OWN_NAMES: usize = 3;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.below(4) {
        0 => texts(&String::from_utf8_lossy(input.rest())),
        1 => json(input.rest()),
        2 => {
            let parameter = Parameter::take(&mut input, OWN_NAMES, 0);
            canonical(&parameter);
        }
        // Whatever a type calls itself, there is an answer.
        _ => {
            let parameter = Parameter::take(&mut input, 0, 0);
            let one = canonical_bytes(&parameter).map_err(|error| error.kind());
            assert_eq!(one, canonical_bytes(&parameter).map_err(|error| error.kind()));
            assert!(one.is_ok() || one == Err(ErrorKind::InvalidKey), "{one:?}");
            let _ = Key::of(&parameter);
        }
    }
});

fn texts(text: &str) {
    let key = EntryKey::new(text);
    assert_eq!(key.as_str(), text);
    assert_eq!(key.check_user().is_err(), text.starts_with('\u{10FFFF}'));
    assert!(EntryKey::system(text).is_system());

    let digits = text.len() == 32 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    assert_eq!(hex::parse::<16>(text).is_some(), digits);
    match Key::parse(text) {
        Ok(key) => {
            assert!(digits);
            assert_eq!(key.to_string(), text);
            assert_eq!(Key::of(key).expect("a key is a key"), key);
        }
        Err(error) => assert!(!digits && error.kind() == ErrorKind::InvalidKey),
    }
    let shown = [
        text.parse::<BlobId>().map(|id| id.to_string()),
        text.parse::<StoreId>().map(|id| id.to_string()),
        text.parse::<Version>().map(|id| id.to_string()),
    ];
    for shown in shown {
        assert_eq!(shown.is_ok(), digits);
        assert!(shown.is_err() || shown.is_ok_and(|shown| shown == text));
    }
}

/// What JSON holds has one key, in whatever order its objects are written.
fn json(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Json>(bytes) else { return };
    let key = bounded(64 * bytes.len() + (64 << 10), || Key::of(&value)).expect("JSON is not nested too deep");
    let again: Json = serde_json::from_str(&value.to_string()).expect("what was JSON is JSON again");
    assert_eq!(Key::of(&again).expect("it has a key"), key);
    assert_eq!(Key::of(Backwards(&value)).expect("it has a key"), key);
    let mut spec = KeySpec::new();
    let mut tail = KeySpec::new();
    let Json::Object(entries) = &value else { return };
    for (name, value) in entries {
        spec = spec.with(name, value);
    }
    for (name, value) in entries.iter().rev() {
        tail = tail.with(name, value);
    }
    assert_eq!(Key::of(&spec).expect("it has a key"), Key::of(&tail).expect("it has a key"));
    assert_eq!(Key::of(&spec).expect("it has a key"), key);
}

/// JSON whose objects tell their entries from the last to the first.
struct Backwards<'j>(&'j Json);

impl Serialize for Backwards<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Object(entries) => {
                serializer.collect_map(entries.iter().rev().map(|(name, value)| (name, Backwards(value))))
            }
            Json::Array(values) => serializer.collect_seq(values.iter().map(Backwards)),
            other => other.serialize(serializer),
        }
    }
}

/// The bytes are those of `docs/format.md`, in which no two values share theirs.
fn canonical(parameter: &Parameter) {
    let bytes = canonical_bytes(parameter);
    let mut expected = Vec::new();
    let is_sound = parameter.describe(&mut expected).is_some();
    match bytes {
        Ok(bytes) => {
            assert!(is_sound && parameter.levels() <= MOST_LEVELS, "two entries of one name, or too deep, and taken");
            assert_eq!(bytes, expected);
            let key = Key::of(parameter).expect("it has canonical bytes");
            assert_eq!(Key::of(parameter).expect("it had a key"), key);
            let nested = canonical_bytes((key, parameter));
            assert_eq!(nested.is_ok(), parameter.levels() < MOST_LEVELS);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidKey);
            assert!(!is_sound || parameter.levels() > MOST_LEVELS, "{error}");
        }
    }
}

/// Anything that serde knows.
#[derive(Debug)]
enum Parameter {
    Unit,
    Bool(bool),
    Whole(i128, u8),
    Large(u128),
    F32(f32),
    F64(f64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    None,
    Some(Box<Parameter>),
    Sequence(Vec<Parameter>),
    Unordered(Vec<Parameter>),
    Map(Vec<(Parameter, Parameter)>),
    Struct(usize, Vec<(usize, Parameter)>),
    UnitStruct(usize),
    NewtypeStruct(usize, Box<Parameter>),
    TupleStruct(usize, Vec<Parameter>),
    UnitVariant(usize, usize),
    NewtypeVariant(usize, usize, Box<Parameter>),
    TupleVariant(usize, usize, Vec<Parameter>),
    StructVariant(usize, usize, Vec<(usize, Parameter)>),
}

impl Parameter {
    /// A parameter of what is left, with names from number `names` on.
    fn take(input: &mut Input<'_>, names: usize, level: usize) -> Self {
        let name = |input: &mut Input<'_>| names + input.below(NAMES.len() - names);
        let boxed = |input: &mut Input<'_>| Box::new(Self::take(input, names, level + 1));
        let list = |input: &mut Input<'_>| -> Vec<Self> {
            (0..input.below(4)).map(|_| Self::take(input, names, level + 1)).collect()
        };
        let fields = |input: &mut Input<'_>| -> Vec<(usize, Self)> {
            (0..input.below(4)).map(|_| (name(input), Self::take(input, names, level + 1))).collect()
        };
        let scalars_only = input.is_empty() || level > 140;
        match input.below(if scalars_only { 10 } else { 23 }) {
            0 => Self::Unit,
            1 => Self::Bool(input.flag()),
            2 => Self::Whole(input.byte().into(), input.byte()),
            3 => Self::Whole(i128::from_le_bytes(input.array()), input.byte()),
            4 => Self::Large(u128::from_le_bytes(input.array())),
            5 => Self::F32(f32::from_le_bytes(input.array())),
            6 => Self::F64(f64::from_le_bytes(input.array())),
            7 => Self::Char(char::from_u32(u32::from_le_bytes(input.array())).unwrap_or('\u{10FFFF}')),
            8 => Self::Text(input.text()),
            9 => Self::None,
            10 => {
                let length = input.below(40);
                Self::Bytes(input.bytes(length).to_vec())
            }
            11 | 12 => Self::Some(boxed(input)),
            13 => Self::Sequence(list(input)),
            14 => Self::Unordered(list(input)),
            15 => Self::Map(list(input).into_iter().map(|key| (key, Self::take(input, names, level + 1))).collect()),
            16 => Self::Struct(name(input), fields(input)),
            17 => Self::UnitStruct(name(input)),
            18 => Self::NewtypeStruct(name(input), boxed(input)),
            19 => Self::TupleStruct(name(input), list(input)),
            20 => Self::UnitVariant(name(input), name(input)),
            21 => Self::NewtypeVariant(name(input), name(input), boxed(input)),
            _ if input.flag() => Self::TupleVariant(name(input), name(input), list(input)),
            _ => Self::StructVariant(name(input), name(input), fields(input)),
        }
    }

    /// How many values lie in each other, apart from the innermost when it is a scalar.
    fn levels(&self) -> usize {
        let deepest = |parameters: &[Self]| parameters.iter().map(Self::levels).max().unwrap_or(0);
        let fields = |fields: &[(usize, Self)]| fields.iter().map(|(_, value)| value.levels()).max().unwrap_or(0);
        match self {
            Self::Some(value) | Self::NewtypeStruct(_, value) | Self::NewtypeVariant(_, _, value) => 1 + value.levels(),
            Self::Sequence(values) | Self::Unordered(values) => 1 + deepest(values),
            Self::TupleStruct(_, values) | Self::TupleVariant(_, _, values) => 1 + deepest(values),
            Self::Map(entries) => {
                1 + entries.iter().map(|(key, value)| key.levels().max(value.levels())).max().unwrap_or(0)
            }
            Self::Struct(_, entries) | Self::StructVariant(_, _, entries) => 1 + fields(entries),
            _ => 0,
        }
    }

    /// Writes what `docs/format.md` says of the value; `None` when two entries have one name.
    fn describe(&self, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Unit => out.push(0x01),
            Self::Bool(value) => out.push(0x02 + u8::from(*value)),
            Self::Whole(value, _) => describe_whole(*value < 0, value.unsigned_abs(), out),
            Self::Large(value) => describe_whole(false, *value, out),
            Self::F32(value) => {
                out.push(0x06);
                let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
                out.extend_from_slice(&bits.to_le_bytes());
            }
            Self::F64(value) => {
                out.push(0x07);
                let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
                out.extend_from_slice(&bits.to_le_bytes());
            }
            Self::Char(value) => {
                out.push(0x08);
                out.extend_from_slice(&u32::from(*value).to_le_bytes());
            }
            Self::Text(text) => describe_name(0x09, text.as_bytes(), out),
            Self::Bytes(bytes) => describe_name(0x0a, bytes, out),
            Self::None => out.push(0x0b),
            Self::Some(value) => {
                out.push(0x0c);
                value.describe(out)?;
            }
            Self::Sequence(values) => {
                out.push(0x0d);
                describe_each(values, out)?;
            }
            Self::Unordered(values) => {
                out.push(0x0e);
                let mut parts = values.iter().map(Self::described).collect::<Option<Vec<_>>>()?;
                parts.sort();
                out.extend_from_slice(&parts.concat());
                out.push(0);
            }
            Self::Map(entries) => {
                out.push(0x0f);
                let parts = entries.iter().map(|(key, value)| Some((key.described()?, value.described()?)));
                describe_sorted(parts.collect::<Option<_>>()?, out)?;
            }
            Self::Struct(name, fields) => {
                describe_name(0x10, NAMES[*name].as_bytes(), out);
                describe_fields(fields, out)?;
            }
            Self::UnitStruct(name) => describe_name(0x11, NAMES[*name].as_bytes(), out),
            Self::NewtypeStruct(name, value) => {
                describe_name(0x12, NAMES[*name].as_bytes(), out);
                value.describe(out)?;
            }
            Self::TupleStruct(name, values) => {
                describe_name(0x13, NAMES[*name].as_bytes(), out);
                describe_each(values, out)?;
            }
            Self::UnitVariant(name, variant) => describe_variant(0x14, *name, *variant, out),
            Self::NewtypeVariant(name, variant, value) => {
                describe_variant(0x15, *name, *variant, out);
                value.describe(out)?;
            }
            Self::TupleVariant(name, variant, values) => {
                describe_variant(0x16, *name, *variant, out);
                describe_each(values, out)?;
            }
            Self::StructVariant(name, variant, fields) => {
                describe_variant(0x17, *name, *variant, out);
                describe_fields(fields, out)?;
            }
        }
        Some(())
    }

    fn described(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.describe(&mut out).map(|()| out)
    }
}

fn describe_whole(negative: bool, magnitude: u128, out: &mut Vec<u8>) {
    let bytes = magnitude.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    out.push(if negative { 0x05 } else { 0x04 });
    out.push((bytes.len() - first) as u8);
    out.extend_from_slice(&bytes[first..]);
}

fn describe_name(tag: u8, name: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(name.len() as u32).to_le_bytes());
    out.extend_from_slice(name);
}

fn describe_variant(tag: u8, name: usize, variant: usize, out: &mut Vec<u8>) {
    describe_name(tag, NAMES[name].as_bytes(), out);
    out.extend_from_slice(&(NAMES[variant].len() as u32).to_le_bytes());
    out.extend_from_slice(NAMES[variant].as_bytes());
}

fn describe_each(values: &[Parameter], out: &mut Vec<u8>) -> Option<()> {
    values.iter().try_for_each(|value| value.describe(out))?;
    out.push(0);
    Some(())
}

fn describe_fields(fields: &[(usize, Parameter)], out: &mut Vec<u8>) -> Option<()> {
    let parts = fields.iter().map(|(name, value)| {
        let mut key = Vec::new();
        describe_name(0x09, NAMES[*name].as_bytes(), &mut key);
        Some((key, value.described()?))
    });
    describe_sorted(parts.collect::<Option<_>>()?, out)
}

fn describe_sorted(mut parts: Vec<(Vec<u8>, Vec<u8>)>, out: &mut Vec<u8>) -> Option<()> {
    parts.sort();
    if parts.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    for (key, value) in parts {
        out.extend_from_slice(&key);
        out.extend_from_slice(&value);
    }
    out.push(0);
    Some(())
}

impl Serialize for Parameter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = |number: &usize| NAMES[*number];
        match self {
            Self::Unit => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            // The width of a whole number does not matter, as long as it holds it.
            Self::Whole(value, width) => match width % 8 {
                0 if i8::try_from(*value).is_ok() => serializer.serialize_i8(*value as i8),
                1 if i16::try_from(*value).is_ok() => serializer.serialize_i16(*value as i16),
                2 if i32::try_from(*value).is_ok() => serializer.serialize_i32(*value as i32),
                3 if i64::try_from(*value).is_ok() => serializer.serialize_i64(*value as i64),
                4 if u8::try_from(*value).is_ok() => serializer.serialize_u8(*value as u8),
                5 if u16::try_from(*value).is_ok() => serializer.serialize_u16(*value as u16),
                6 if u32::try_from(*value).is_ok() => serializer.serialize_u32(*value as u32),
                7 if u64::try_from(*value).is_ok() => serializer.serialize_u64(*value as u64),
                _ => serializer.serialize_i128(*value),
            },
            Self::Large(value) => serializer.serialize_u128(*value),
            Self::F32(value) => serializer.serialize_f32(*value),
            Self::F64(value) => serializer.serialize_f64(*value),
            Self::Char(value) => serializer.serialize_char(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::None => serializer.serialize_none(),
            Self::Some(value) => serializer.serialize_some(value),
            Self::Sequence(values) => {
                let mut elements = serializer.serialize_seq(None)?;
                values.iter().try_for_each(|value| elements.serialize_element(value))?;
                elements.end()
            }
            Self::Unordered(values) => unordered(values).serialize(serializer),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(None)?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Self::Struct(number, fields) => {
                let mut all = serializer.serialize_struct(name(number), fields.len())?;
                fields.iter().try_for_each(|(number, value)| all.serialize_field(name(number), value))?;
                all.end()
            }
            Self::UnitStruct(number) => serializer.serialize_unit_struct(name(number)),
            Self::NewtypeStruct(number, value) => serializer.serialize_newtype_struct(name(number), value),
            Self::TupleStruct(number, values) => {
                let mut all = serializer.serialize_tuple_struct(name(number), values.len())?;
                values.iter().try_for_each(|value| all.serialize_field(value))?;
                all.end()
            }
            Self::UnitVariant(number, variant) => serializer.serialize_unit_variant(name(number), 0, name(variant)),
            Self::NewtypeVariant(number, variant, value) => {
                serializer.serialize_newtype_variant(name(number), 0, name(variant), value)
            }
            Self::TupleVariant(number, variant, values) => {
                let mut all = serializer.serialize_tuple_variant(name(number), 0, name(variant), values.len())?;
                values.iter().try_for_each(|value| all.serialize_field(value))?;
                all.end()
            }
            Self::StructVariant(number, variant, fields) => {
                let mut all = serializer.serialize_struct_variant(name(number), 0, name(variant), fields.len())?;
                fields.iter().try_for_each(|(number, value)| all.serialize_field(name(number), value))?;
                all.end()
            }
        }
    }
}
