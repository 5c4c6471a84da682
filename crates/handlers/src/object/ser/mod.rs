//! The encoder: a serde serializer that writes MessagePack with field names, in one pass.

mod container;

use super::error::{ObjectError, Result};
use super::writer::{Shape, Writer};
use super::{MAX_DEPTH, Variants};
use container::Container;
use serde::ser::{Serialize, Serializer};

/// Room for most values of a few fields, so that they are written without growing.
const FIRST_BYTES: usize = 1024;

/// The bytes of a value, and whether reading them as its type alone proves them right.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    /// Whether something was left out or mixed that its type must find again: a skipped field, a flattened part.
    pub(super) doubtful: bool,
    /// Which variants were written.
    pub(super) variants: Variants,
}

/// Writes `value` as bytes.
///
/// # Errors
///
/// `Serialization` for what the format cannot hold, and for what the value's own code returns.
pub(super) fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Encoded> {
    let mut encoder = Encoder { writer: Writer::with_capacity(FIRST_BYTES), ..Encoder::default() };
    value.serialize(&mut encoder)?;
    Ok(Encoded { bytes: encoder.writer.into_bytes(), doubtful: encoder.doubtful, variants: encoder.variants })
}

/// The state of an encoding.
#[derive(Debug, Default)]
struct Encoder {
    writer: Writer,
    /// Containers open.
    depth: usize,
    /// `Some`s around the value that is written next; they matter only when that is nil.
    somes: u8,
    doubtful: bool,
    variants: Variants,
}

impl Encoder {
    /// The writer, for a value that is not nil: the `Some`s around it need no bytes.
    fn value(&mut self) -> &mut Writer {
        self.somes = 0;
        &mut self.writer
    }

    fn nil(&mut self) {
        match std::mem::take(&mut self.somes) {
            0 => self.writer.nil(),
            somes => self.writer.somes(somes),
        }
    }

    fn enter(&mut self) -> Result<()> {
        self.somes = 0;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ObjectError::unstorable(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    /// Opens the one-entry map that holds a variant with contents.
    fn variant(&mut self, index: u32, name: &str) -> Result<()> {
        self.enter()?;
        self.variants.note(index);
        self.writer.header(Shape::Map, 1)?;
        self.writer.string(name)
    }
}

impl<'a> Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = ObjectError;
    type SerializeSeq = Container<'a>;
    type SerializeTuple = Container<'a>;
    type SerializeTupleStruct = Container<'a>;
    type SerializeTupleVariant = Container<'a>;
    type SerializeMap = Container<'a>;
    type SerializeStruct = Container<'a>;
    type SerializeStructVariant = Container<'a>;

    /// True for ever, because serde's own buffering (untagged and internally tagged enums, `flatten`) reads as if
    /// from a human readable format: a type that asks would otherwise be written one way and read the other.
    fn is_human_readable(&self) -> bool {
        true
    }

    fn serialize_bool(self, value: bool) -> Result<()> {
        self.value().bool(value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<()> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<()> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<()> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<()> {
        self.value().signed(value);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<()> {
        self.value().signed_128(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<()> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<()> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<()> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<()> {
        self.value().unsigned(value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<()> {
        self.value().unsigned_128(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<()> {
        self.value().f32(value);
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        self.value().f64(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.value().string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.value().binary(value)
    }

    fn serialize_none(self) -> Result<()> {
        self.nil();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.somes = self
            .somes
            .checked_add(1)
            .ok_or_else(|| ObjectError::unstorable(format_args!("more than {} options in each other", u8::MAX)))?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.nil();
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.nil();
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, variant: &'static str) -> Result<()> {
        self.variants.note(index);
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.variant(index, variant)?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Container<'a>> {
        Container::open(self, Shape::Array, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Container<'a>> {
        Container::open(self, Shape::Array, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Container<'a>> {
        Container::open(self, Shape::Array, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Container<'a>> {
        self.variant(index, variant)?;
        Ok(Container::open(self, Shape::Array, Some(len))?.in_variant())
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Container<'a>> {
        self.doubtful |= len.is_none();
        Container::open(self, Shape::Map, len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Container<'a>> {
        Container::open(self, Shape::Map, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Container<'a>> {
        self.variant(index, variant)?;
        Ok(Container::open(self, Shape::Map, Some(len))?.in_variant())
    }
}
