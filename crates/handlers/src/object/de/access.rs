//! Arrays, maps and variants while they are read.

use super::{Decoder, Title};
use crate::object::error::{ObjectError, Result};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

/// The elements of an array.
pub(super) struct Elements<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
}

impl<'a, 'de> Elements<'a, 'de> {
    pub(super) fn new(decoder: &'a mut Decoder<'de>, len: usize) -> Self {
        Self { decoder, left: len }
    }

    /// Hands `value` on when all elements were read.
    pub(super) fn finish<R>(self, value: R) -> Result<R> {
        match self.left {
            0 => Ok(value),
            left => Err(ObjectError::mismatch(format_args!("an array has {left} elements more than the type"))),
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = ObjectError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.decoder.value(seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The entries of a map.
pub(super) struct Entries<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
    /// A key was read and its value was not.
    value_due: bool,
}

impl<'a, 'de> Entries<'a, 'de> {
    pub(super) fn new(decoder: &'a mut Decoder<'de>, len: usize) -> Self {
        Self { decoder, left: len, value_due: false }
    }

    /// The decoder at the next key, if there is one.
    pub(super) fn next_key(&mut self) -> Result<Option<&mut Decoder<'de>>> {
        if self.value_due {
            return Err(ObjectError::mismatch("the type left a value of a map unread"));
        }
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.value_due = true;
        Ok(Some(self.decoder))
    }

    /// Notes that what is read can also mean another value.
    pub(super) fn doubt(&mut self) {
        self.decoder.doubtful = true;
    }

    /// Hands `value` on when all entries were read.
    pub(super) fn finish<R>(self, value: R) -> Result<R> {
        match self.left {
            _ if self.value_due => Err(ObjectError::mismatch("the type left a value of a map unread")),
            0 => Ok(value),
            left => Err(ObjectError::mismatch(format_args!("a map has {left} entries more than the type"))),
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = ObjectError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.next_key()?.map(|decoder| decoder.value(seed)).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        if !std::mem::replace(&mut self.value_due, false) {
            return Err(ObjectError::mismatch("the type asked for the value of a map before its key"));
        }
        self.decoder.value(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant with contents.
pub(super) struct Variant<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    name: &'static str,
    variant: &'de str,
}

impl<'a, 'de> Variant<'a, 'de> {
    pub(super) fn new(decoder: &'a mut Decoder<'de>, name: &'static str, variant: &'de str) -> Self {
        Self { decoder, name, variant }
    }

    fn title(&self) -> Title<'de> {
        Title { name: self.name, variant: Some(self.variant) }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ObjectError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self)> {
        Ok((seed.deserialize(BorrowedStrDeserializer::<ObjectError>::new(self.variant))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ObjectError;

    fn unit_variant(self) -> Result<()> {
        Err(ObjectError::mismatch(format_args!("{} has no contents and some are stored", self.title())))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value> {
        self.decoder.value(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        let title = self.title();
        self.decoder.tuple(title, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        let title = self.title();
        self.decoder.fields(title, fields, visitor)
    }
}
