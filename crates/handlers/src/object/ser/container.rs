//! Arrays and maps while they are written.

use super::Encoder;
use crate::object::error::{ObjectError, Result};
use crate::object::writer::Shape;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

/// An open array or map.
pub(in crate::object) struct Container<'a> {
    encoder: &'a mut Encoder,
    shape: Shape,
    /// Its length as it was declared; the header of one without is written at the end.
    declared: Option<usize>,
    /// Where its contents began.
    start: usize,
    written: usize,
    /// A key was written and its value was not.
    value_due: bool,
    /// How many levels its end closes: one more inside of a variant.
    levels: usize,
}

impl<'a> Container<'a> {
    pub(super) fn open(encoder: &'a mut Encoder, shape: Shape, declared: Option<usize>) -> Result<Self> {
        encoder.enter()?;
        if let Some(len) = declared {
            encoder.writer.header(shape, len)?;
        }
        let start = encoder.writer.position();
        Ok(Self { encoder, shape, declared, start, written: 0, value_due: false, levels: 1 })
    }

    pub(super) fn in_variant(self) -> Self {
        Self { levels: 2, ..self }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.written += 1;
        value.serialize(&mut *self.encoder)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.encoder.writer.string(name)?;
        self.element(value)
    }

    fn finish(self) -> Result<()> {
        self.encoder.depth -= self.levels;
        match self.declared {
            _ if self.value_due => Err(ObjectError::unstorable("a map ended after a key")),
            None => self.encoder.writer.header_at(self.start, self.shape, self.written),
            Some(declared) if declared == self.written => Ok(()),
            Some(declared) => Err(ObjectError::unstorable(format_args!(
                "a container announced {declared} elements and gave {}",
                self.written
            ))),
        }
    }
}

macro_rules! elements {
    ($($container:ident :: $method:ident),+) => {$(
        impl $container for Container<'_> {
            type Ok = ();
            type Error = ObjectError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.element(value)
            }

            fn end(self) -> Result<()> {
                self.finish()
            }
        }
    )+};
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($container:ident),+) => {$(
        impl $container for Container<'_> {
            type Ok = ();
            type Error = ObjectError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
                self.field(name, value)
            }

            fn skip_field(&mut self, _: &'static str) -> Result<()> {
                self.encoder.doubtful = true;
                Ok(())
            }

            fn end(self) -> Result<()> {
                self.finish()
            }
        }
    )+};
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Container<'_> {
    type Ok = ();
    type Error = ObjectError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        if std::mem::replace(&mut self.value_due, true) {
            return Err(ObjectError::unstorable("a map gave two keys in a row"));
        }
        key.serialize(&mut *self.encoder)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if !std::mem::replace(&mut self.value_due, false) {
            return Err(ObjectError::unstorable("a map gave a value without a key"));
        }
        self.element(value)
    }

    fn end(self) -> Result<()> {
        self.finish()
    }
}
