//! The decoder: a serde deserializer over a slice that never guesses.

mod access;
mod fields;

use super::error::{ObjectError, Result};
use super::reader::{Reader, Token};
use super::{MAX_DEPTH, Variants};
use access::{Elements, Entries, Variant};
use fields::Fields;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU8;

/// A value that was read, and whether that alone proves it right.
pub(super) struct Decoded<T> {
    pub(super) value: T,
    /// Whether something was read that can also mean another value: by trying, with a default, or with a part left
    /// out.
    pub(super) doubtful: bool,
    /// Which variants were read.
    pub(super) variants: Variants,
}

/// Reads one value from all of `bytes`.
///
/// # Errors
///
/// `Corrupt` for bytes that the format never writes, truncated and trailing ones included; `SchemaMismatch` for a
/// value of another type.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<Decoded<T>> {
    let mut decoder = Decoder {
        reader: Reader::new(bytes),
        somes: Somes::Around(0),
        depth: 0,
        failure: None,
        doubtful: false,
        variants: Variants::default(),
    };
    let value = decoder.value(PhantomData)?;
    match (decoder.failure, decoder.reader.remaining()) {
        (Some(failure), _) => Err(failure),
        (None, 0) => Ok(Decoded { value, doubtful: decoder.doubtful, variants: decoder.variants }),
        (None, trailing) => Err(ObjectError::corrupt(format_args!("{trailing} bytes after the value"))),
    }
}

/// The state of a decoding.
struct Decoder<'de> {
    reader: Reader<'de>,
    somes: Somes,
    /// Containers open.
    depth: usize,
    /// The first error that left the reader inside of a value. It stands, even when the type's own code goes on.
    failure: Option<ObjectError>,
    doubtful: bool,
    variants: Variants,
}

/// The options around the value that is read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Somes {
    /// So many were entered that took no bytes, so a type that is nothing but options in each other has an end.
    Around(u8),
    /// The bytes were read; what is left of them is `Some^n(nil)`.
    OfNil(u8),
}

/// What is read, for messages.
#[derive(Clone, Copy)]
struct Title<'a> {
    name: &'a str,
    variant: Option<&'a str>,
}

impl<'a> Title<'a> {
    fn of(name: &'a str) -> Self {
        Self { name, variant: None }
    }
}

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.variant.map_or(Ok(()), |variant| write!(f, "::{variant}"))
    }
}

impl<'de> Decoder<'de> {
    /// Reads one value with `seed` and makes sure that it was read.
    #[inline]
    fn value<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        let start = self.reader.position();
        let value = seed.deserialize(&mut *self).map_err(|error| self.fail(error))?;
        if self.reader.position() == start || self.somes != Somes::Around(0) {
            return Err(self.unread());
        }
        Ok(value)
    }

    #[cold]
    fn unread(&mut self) -> ObjectError {
        self.fail(ObjectError::mismatch("the type left a value unread"))
    }

    /// Keeps the first error and returns it.
    #[cold]
    fn fail(&mut self, error: ObjectError) -> ObjectError {
        self.failure.get_or_insert(error).clone()
    }

    /// Notes which of the variants is read. A name that stands there twice, or not at all, is read by trying.
    fn note_variant(&mut self, name: &str, variants: &[&str]) {
        let mut found = variants.iter().zip(0..).filter(|(known, _)| **known == name);
        match (found.next(), found.next()) {
            (Some((_, index)), None) => self.variants.note(index),
            _ => self.doubtful = true,
        }
    }

    fn token(&mut self) -> Result<Token<'de>> {
        match std::mem::replace(&mut self.somes, Somes::Around(0)) {
            Somes::OfNil(somes) => Ok(NonZeroU8::new(somes).map_or(Token::Nil, Token::Somes)),
            Somes::Around(_) => self.reader.token().map_err(|error| self.fail(error)),
        }
    }

    fn typed<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let token = self.token()?;
        self.visit(token, visitor)
    }

    fn visit<V: Visitor<'de>>(&mut self, token: Token<'de>, visitor: V) -> Result<V::Value> {
        match token {
            Token::Nil => visitor.visit_unit(),
            Token::Somes(somes) => self.some(Somes::OfNil(somes.get() - 1), visitor),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Unsigned128(value) => visitor.visit_u128(u128::from_be_bytes(*value)),
            Token::Signed128(value) => visitor.visit_i128(i128::from_be_bytes(*value)),
            Token::F32(value) => visitor.visit_f32(value),
            Token::F64(value) => visitor.visit_f64(value),
            Token::String(value) => visitor.visit_borrowed_str(value),
            Token::Binary(value) => visitor.visit_borrowed_bytes(value),
            Token::Array(len) => self.array(len, visitor),
            Token::Map(len) => self.map(len, visitor),
        }
    }

    fn some<V: Visitor<'de>>(&mut self, inside: Somes, visitor: V) -> Result<V::Value> {
        self.somes = inside;
        visitor.visit_some(self)
    }

    /// Runs `read` one level deeper.
    fn nested<R>(&mut self, read: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        if self.depth == MAX_DEPTH {
            return Err(self.fail(ObjectError::corrupt(format_args!("nested deeper than {MAX_DEPTH} levels"))));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result.map_err(|error| self.fail(error))
    }

    fn array<V: Visitor<'de>>(&mut self, len: usize, visitor: V) -> Result<V::Value> {
        self.nested(|decoder| {
            let mut elements = Elements::new(decoder, len);
            let value = visitor.visit_seq(&mut elements)?;
            elements.finish(value)
        })
    }

    fn map<V: Visitor<'de>>(&mut self, len: usize, visitor: V) -> Result<V::Value> {
        self.nested(|decoder| {
            let mut entries = Entries::new(decoder, len);
            let value = visitor.visit_map(&mut entries)?;
            entries.finish(value)
        })
    }

    fn tuple<V: Visitor<'de>>(&mut self, title: Title<'_>, len: usize, visitor: V) -> Result<V::Value> {
        match self.token()? {
            Token::Array(found) if found != len => {
                Err(self.fail(ObjectError::mismatch(format_args!("{title} has {len} elements and {found} are stored"))))
            }
            token => self.visit(token, visitor),
        }
    }

    fn fields<V: Visitor<'de>>(
        &mut self,
        title: Title<'_>,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.token()? {
            Token::Map(len) => self.nested(|decoder| {
                let mut found = Fields::new(decoder, fields, len);
                let value = visitor.visit_map(&mut found)?;
                found.finish(title, value)
            }),
            Token::Array(_) => {
                Err(self.fail(ObjectError::mismatch(format_args!("{title} has fields and an array is stored"))))
            }
            token => self.visit(token, visitor),
        }
    }
}

/// What stands in the bytes decides what is visited, and the type whether it takes that.
macro_rules! typed {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.typed(visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = ObjectError;

    /// True for ever; see the encoder.
    fn is_human_readable(&self) -> bool {
        true
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.doubtful = true;
        self.typed(visitor)
    }

    /// Reads a key of a map as the name of a field, as structs with a flattened part do.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.doubtful = true;
        self.typed(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.doubtful = true;
        if let Somes::Around(_) = std::mem::replace(&mut self.somes, Somes::Around(0)) {
            self.reader.skip().map_err(|error| self.fail(error))?;
        }
        visitor.visit_unit()
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let token = self.token()?;
        self.doubtful |= !matches!(token, Token::F32(_));
        self.visit(token, visitor)
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if let Somes::Around(_) = self.somes
            && let Some(value) = self.reader.f64()
        {
            self.somes = Somes::Around(0);
            return visitor.visit_f64(value);
        }
        let token = self.token()?;
        self.doubtful |= !matches!(token, Token::F64(_));
        self.visit(token, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.typed(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let around = match self.somes {
            Somes::OfNil(0) => {
                self.somes = Somes::Around(0);
                return visitor.visit_none();
            }
            Somes::OfNil(somes) => return self.some(Somes::OfNil(somes - 1), visitor),
            Somes::Around(around) => around,
        };
        if self.reader.at_nil() {
            return match self.token()? {
                Token::Somes(somes) => self.some(Somes::OfNil(somes.get() - 1), visitor),
                _ => visitor.visit_none(),
            };
        }
        match around.checked_add(1) {
            Some(around) => self.some(Somes::Around(around), visitor),
            None => Err(ObjectError::mismatch("options in each other without end")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.tuple(Title::of("a tuple"), len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, name: &'static str, len: usize, visitor: V) -> Result<V::Value> {
        self.tuple(Title::of(name), len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(Title::of(name), fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.token()? {
            Token::String(variant) => {
                self.note_variant(variant, variants);
                visitor.visit_enum(BorrowedStrDeserializer::new(variant))
            }
            Token::Map(1) => self.nested(|decoder| match decoder.token()? {
                Token::String(variant) => {
                    decoder.note_variant(variant, variants);
                    let contents = decoder.reader.position();
                    let value = visitor.visit_enum(Variant::new(decoder, name, variant))?;
                    if decoder.reader.position() == contents {
                        return Err(ObjectError::mismatch("the type left the contents of a variant unread"));
                    }
                    Ok(value)
                }
                _ => Err(ObjectError::mismatch(format_args!("{name} is an enum and a map is stored"))),
            }),
            _ => Err(self.fail(ObjectError::mismatch(format_args!("{name} is an enum and something else is stored")))),
        }
    }

    typed! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map
    }
}
