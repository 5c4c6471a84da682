//! Containers while they are fingerprinted.

use super::{Call, Hash, of};
use crate::object::error::{ObjectError, Result};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

/// An open container.
pub(in crate::object) struct Container {
    /// Kind and names, then what counts in order.
    hash: Hash,
    /// The sum of what counts in any order.
    unordered: u128,
    key: Hash,
}

impl Container {
    pub(super) fn new(hash: Hash) -> Self {
        Self { hash, unordered: 0, key: Hash::of(Call::Entry) }
    }

    fn in_any_order(&mut self, hash: Hash) {
        self.unordered = self.unordered.wrapping_add(hash.mixed());
    }

    fn in_order<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.hash = self.hash.hash(of(value)?);
        Ok(())
    }

    fn finish(self) -> Hash {
        self.hash.word(self.unordered)
    }
}

impl SerializeSeq for Container {
    type Ok = Hash;
    type Error = ObjectError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.in_any_order(of(value)?);
        Ok(())
    }

    fn end(self) -> Result<Hash> {
        Ok(self.finish())
    }
}

impl SerializeMap for Container {
    type Ok = Hash;
    type Error = ObjectError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key = Hash::of(Call::Entry).hash(of(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.in_any_order(self.key.hash(of(value)?));
        Ok(())
    }

    fn end(self) -> Result<Hash> {
        Ok(self.finish())
    }
}

macro_rules! ordered {
    ($($container:ident :: $method:ident),+) => {$(
        impl $container for Container {
            type Ok = Hash;
            type Error = ObjectError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.in_order(value)
            }

            fn end(self) -> Result<Hash> {
                Ok(self.finish())
            }
        }
    )+};
}

ordered!(
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($container:ident),+) => {$(
        impl $container for Container {
            type Ok = Hash;
            type Error = ObjectError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
                self.hash = self.hash.bytes(name.as_bytes());
                self.in_order(value)
            }

            fn end(self) -> Result<Hash> {
                Ok(self.finish())
            }
        }
    )+};
}

fields!(SerializeStruct, SerializeStructVariant);
