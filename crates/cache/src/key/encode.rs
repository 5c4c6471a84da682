//! The canonical encoding of parameters: one value, one sequence of bytes, and no two values share one.
//! `docs/format.md` draws it.

use super::compound::{Compound, Entries, Sorted};
use super::{FILE_NAME, KEY_NAME, Key, SPEC_NAME, UNORDERED_NAME, spare, tag};
use serde::ser::{self, Serialize};
use std::fmt::{self, Display};

/// How deep parameters may be nested.
pub(super) const MAX_DEPTH: usize = 128;

pub(super) fn malformed() -> EncodeError {
    EncodeError("a key or a key specification is malformed".into())
}

/// Why parameters have no canonical encoding.
#[derive(Debug)]
pub(super) struct EncodeError(pub(super) String);

impl Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EncodeError {}

impl ser::Error for EncodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

pub(super) type Result<T> = std::result::Result<T, EncodeError>;

/// Collects the canonical encoding of one value.
#[derive(Debug, Clone, Default)]
pub(super) struct Encoder {
    pub(super) out: Vec<u8>,
    pub(super) depth: usize,
    /// The greatest depth so far.
    deepest: usize,
    /// The next value is bytes, to be taken as they are.
    is_raw: bool,
    /// A key that is not inside anything: it stands for itself.
    whole_key: Option<Key>,
    /// Files are named by their paths, and have to be read.
    has_files: bool,
}

/// What the encoding of a value came to.
#[derive(Debug)]
pub(super) enum Encoded {
    Bytes(Vec<u8>),
    /// Bytes that name files to read.
    Files(Vec<u8>),
    Key(Key),
}

impl Encoder {
    /// One that writes into this thread's spare buffer.
    #[inline]
    pub(super) fn spare() -> Self {
        Self { out: spare::take(), ..Self::default() }
    }

    /// The key that is all there is.
    pub(super) fn whole_key(&self) -> Option<Key> {
        self.whole_key
    }

    /// Whether files have to be read.
    pub(super) fn has_files(&self) -> bool {
        self.has_files
    }

    pub(super) fn finish(self) -> Encoded {
        match self.whole_key {
            Some(key) => Encoded::Key(key),
            None if self.has_files => Encoded::Files(self.out),
            None => Encoded::Bytes(self.out),
        }
    }

    #[inline]
    fn prefixed(&mut self, bytes: &[u8]) -> Result<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| EncodeError("a parameter has more than 4 GiB".into()))?;
        self.out.extend_from_slice(&length.to_le_bytes());
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn tagged(&mut self, tag: u8, names: &[&str]) -> Result<()> {
        self.out.push(tag);
        names.iter().try_for_each(|name| self.prefixed(name.as_bytes()))
    }

    #[inline]
    fn whole(&mut self, negative: bool, magnitude: u128) {
        let bytes = magnitude.to_be_bytes();
        let significant = bytes.len() - magnitude.leading_zeros() as usize / 8;
        self.out.push(if negative { tag::NEGATIVE } else { tag::POSITIVE });
        self.out.push(significant as u8);
        self.out.extend_from_slice(bytes.get(bytes.len() - significant..).unwrap_or_default());
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        self.check_depth(self.depth)
    }

    /// Notes that something lies so deep, unless that is too deep.
    fn check_depth(&mut self, depth: usize) -> Result<()> {
        self.deepest = self.deepest.max(depth);
        if depth > MAX_DEPTH {
            return Err(EncodeError(format!("parameters are nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn inner<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.deeper()?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    /// Appends bytes as they are; `value` must be bytes. Returns how many.
    #[inline]
    fn raw<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<usize> {
        let start = self.out.len();
        self.is_raw = true;
        value.serialize(&mut *self)?;
        if std::mem::take(&mut self.is_raw) {
            return Err(malformed());
        }
        // A type that only borrows the name of ours may take away what others wrote.
        self.out.len().checked_sub(start).ok_or_else(malformed)
    }

    /// The encoding of a map, whose entries are added by [`named`](Self::named).
    pub(super) fn map() -> Self {
        Self { out: vec![tag::MAP], depth: 1, deepest: 1, ..Self::default() }
    }

    /// Adds an entry to a map.
    pub(super) fn named<T: Serialize + ?Sized>(&mut self, entries: &mut Entries, name: &str, value: &T) -> Result<()> {
        let start = self.out.len();
        self.tagged(tag::TEXT, &[name])?;
        let split = self.out.len();
        value.serialize(&mut *self)?;
        entries.push(start, split, self.out.len());
        Ok(())
    }

    /// The encoding of a map with these entries, and behind it how many levels it has and whether it names files.
    pub(super) fn map_with(&self, entries: &Entries) -> Result<Vec<u8>> {
        let mut out = self.out.clone();
        entries.clone().close(&mut out, 1, Sorted::ByName)?;
        out.extend_from_slice(&[self.deepest as u8, u8::from(self.has_files)]);
        Ok(out)
    }

    fn start(&mut self, tag: u8, names: &[&str], sorted: Sorted) -> Result<Compound<'_>> {
        self.deeper()?;
        self.tagged(tag, names)?;
        Ok(Compound::new(self, sorted))
    }
}

macro_rules! whole_numbers {
    ($($method:ident: $type:ty, $negative:expr;)*) => {$(
        fn $method(self, value: $type) -> Result<()> {
            let negative: fn($type) -> bool = $negative;
            let magnitude = i128::from(value).unsigned_abs();
            self.whole(negative(value), magnitude);
            Ok(())
        }
    )*};
}

impl<'e> ser::Serializer for &'e mut Encoder {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Compound<'e>;
    type SerializeTuple = Compound<'e>;
    type SerializeTupleStruct = Compound<'e>;
    type SerializeTupleVariant = Compound<'e>;
    type SerializeMap = Compound<'e>;
    type SerializeStruct = Compound<'e>;
    type SerializeStructVariant = Compound<'e>;

    whole_numbers! {
        serialize_i8: i8, |value| value < 0;
        serialize_i16: i16, |value| value < 0;
        serialize_i32: i32, |value| value < 0;
        serialize_i64: i64, |value| value < 0;
        serialize_i128: i128, |value| value < 0;
        serialize_u8: u8, |_| false;
        serialize_u16: u16, |_| false;
        serialize_u32: u32, |_| false;
        serialize_u64: u64, |_| false;
    }

    fn serialize_u128(self, value: u128) -> Result<()> {
        self.whole(false, value);
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<()> {
        self.out.push(if value { tag::TRUE } else { tag::FALSE });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<()> {
        let value = if value.is_nan() { f32::NAN } else { value };
        self.out.push(tag::F32);
        self.out.extend_from_slice(&value.to_bits().to_le_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        let value = if value.is_nan() { f64::NAN } else { value };
        self.out.push(tag::F64);
        self.out.extend_from_slice(&value.to_bits().to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.out.push(tag::CHAR);
        self.out.extend_from_slice(&u32::from(value).to_le_bytes());
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.tagged(tag::TEXT, &[value])
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        if std::mem::take(&mut self.is_raw) {
            self.out.extend_from_slice(value);
            return Ok(());
        }
        self.out.push(tag::BYTES);
        self.prefixed(value)
    }

    fn serialize_none(self) -> Result<()> {
        self.out.push(tag::NONE);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.out.push(tag::SOME);
        self.inner(value)
    }

    fn serialize_unit(self) -> Result<()> {
        self.out.push(tag::UNIT);
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<()> {
        self.tagged(tag::UNIT_STRUCT, &[name])
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.tagged(tag::UNIT_VARIANT, &[name, variant])
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<()> {
        if self.is_raw {
            return Err(malformed());
        }
        match name {
            KEY_NAME => {
                let is_whole = self.depth == 0 && self.out.is_empty();
                self.out.push(tag::KEY);
                match self.raw(value)? {
                    16 | 32 if is_whole => {
                        self.whole_key = self.out.get(1..).and_then(Key::from_bytes);
                        self.out.truncate(1);
                    }
                    16 => {}
                    32 => self.out.truncate(self.out.len() - 16),
                    _ => return Err(malformed()),
                }
                Ok(())
            }
            SPEC_NAME => {
                if self.raw(value)? < 2 {
                    return Err(malformed());
                }
                self.has_files |= self.out.pop().is_some_and(|flag| flag != 0);
                let levels = self.out.pop().ok_or_else(malformed)?;
                self.check_depth(self.depth + usize::from(levels))
            }
            FILE_NAME => {
                self.out.push(tag::PATH);
                let start = self.out.len();
                self.raw(value)?;
                let path = self.out.split_off(start);
                self.has_files = true;
                self.prefixed(&path)
            }
            _ => {
                self.tagged(tag::NEWTYPE_STRUCT, &[name])?;
                self.inner(value)
            }
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.tagged(tag::NEWTYPE_VARIANT, &[name, variant])?;
        self.inner(value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'e>> {
        self.start(tag::SEQUENCE, &[], Sorted::No)
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'e>> {
        self.start(tag::SEQUENCE, &[], Sorted::No)
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Compound<'e>> {
        match name {
            UNORDERED_NAME => self.start(tag::UNORDERED, &[], Sorted::ByValue),
            _ => self.start(tag::TUPLE_STRUCT, &[name], Sorted::No),
        }
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'e>> {
        self.start(tag::TUPLE_VARIANT, &[name, variant], Sorted::No)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'e>> {
        self.start(tag::MAP, &[], Sorted::ByName)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'e>> {
        self.start(tag::STRUCT, &[name], Sorted::ByName)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'e>> {
        self.start(tag::STRUCT_VARIANT, &[name, variant], Sorted::ByName)
    }

    /// While raw bytes are asked for, a file tells its path instead of its digest: see [`FileContent`](super::FileContent).
    fn is_human_readable(&self) -> bool {
        self.is_raw
    }
}
