//! MessagePack, written: every value in its shortest form.

use super::error::{ObjectError, Result};
use rmp::Marker;

/// The extension types of the format.
pub(super) mod extension {
    /// `Some^n(nil)`: one byte, n.
    pub(in super::super) const SOMES: i8 = 1;
    /// An `i128` outside of the 64-bit integers: 16 bytes, big-endian.
    pub(in super::super) const SIGNED: i8 = 2;
    /// A `u128` outside of the 64-bit integers: 16 bytes, big-endian.
    pub(in super::super) const UNSIGNED: i8 = 3;
}

/// What an array or a map is, as far as its header goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    Map,
}

/// The bytes written so far.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn position(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn put(&mut self, marker: Marker, rest: &[u8]) {
        self.bytes.reserve(1 + rest.len());
        self.bytes.push(marker.to_u8());
        self.bytes.extend_from_slice(rest);
    }

    pub(super) fn nil(&mut self) {
        self.put(Marker::Null, &[]);
    }

    /// `Some^count(nil)`.
    pub(super) fn somes(&mut self, count: u8) {
        self.put(Marker::FixExt1, &[extension::SOMES.cast_unsigned(), count]);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.put(if value { Marker::True } else { Marker::False }, &[]);
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        if let Ok(value) = u8::try_from(value) {
            if value < 0x80 {
                self.put(Marker::FixPos(value), &[]);
            } else {
                self.put(Marker::U8, &[value]);
            }
        } else if let Ok(value) = u16::try_from(value) {
            self.put(Marker::U16, &value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.put(Marker::U32, &value.to_be_bytes());
        } else {
            self.put(Marker::U64, &value.to_be_bytes());
        }
    }

    pub(super) fn signed(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            self.unsigned(value);
        } else if let Ok(value) = i8::try_from(value) {
            if value >= -32 {
                self.put(Marker::FixNeg(value), &[]);
            } else {
                self.put(Marker::I8, &value.to_be_bytes());
            }
        } else if let Ok(value) = i16::try_from(value) {
            self.put(Marker::I16, &value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.put(Marker::I32, &value.to_be_bytes());
        } else {
            self.put(Marker::I64, &value.to_be_bytes());
        }
    }

    pub(super) fn unsigned_128(&mut self, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) => self.wide(extension::UNSIGNED, value.to_be_bytes()),
        }
    }

    pub(super) fn signed_128(&mut self, value: i128) {
        if let Ok(value) = u64::try_from(value) {
            self.unsigned(value);
        } else if let Ok(value) = i64::try_from(value) {
            self.signed(value);
        } else {
            self.wide(extension::SIGNED, value.to_be_bytes());
        }
    }

    fn wide(&mut self, extension: i8, bytes: [u8; 16]) {
        self.put(Marker::FixExt16, &[extension.cast_unsigned()]);
        self.bytes.extend_from_slice(&bytes);
    }

    pub(super) fn f32(&mut self, value: f32) {
        self.put(Marker::F32, &value.to_bits().to_be_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.put(Marker::F64, &value.to_bits().to_be_bytes());
    }

    pub(super) fn string(&mut self, value: &str) -> Result<()> {
        match short::<32>(value.len()) {
            Some(len) => self.put(Marker::FixStr(len), &[]),
            None => self.length(value.len(), Some(Marker::Str8), Marker::Str16, Marker::Str32)?,
        }
        self.bytes.extend_from_slice(value.as_bytes());
        Ok(())
    }

    pub(super) fn binary(&mut self, value: &[u8]) -> Result<()> {
        self.length(value.len(), Some(Marker::Bin8), Marker::Bin16, Marker::Bin32)?;
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    pub(super) fn header(&mut self, shape: Shape, len: usize) -> Result<()> {
        match (shape, short::<16>(len)) {
            (Shape::Array, Some(len)) => self.put(Marker::FixArray(len), &[]),
            (Shape::Array, None) => self.length(len, None, Marker::Array16, Marker::Array32)?,
            (Shape::Map, Some(len)) => self.put(Marker::FixMap(len), &[]),
            (Shape::Map, None) => self.length(len, None, Marker::Map16, Marker::Map32)?,
        }
        Ok(())
    }

    /// Writes the header of a container whose length was unknown when its contents began at `start`.
    pub(super) fn header_at(&mut self, start: usize, shape: Shape, len: usize) -> Result<()> {
        let mut header = Self::default();
        header.header(shape, len)?;
        self.bytes.splice(start..start, header.bytes);
        Ok(())
    }

    fn length(&mut self, len: usize, one: Option<Marker>, two: Marker, four: Marker) -> Result<()> {
        if let (Ok(len), Some(one)) = (u8::try_from(len), one) {
            self.put(one, &[len]);
        } else if let Ok(len) = u16::try_from(len) {
            self.put(two, &len.to_be_bytes());
        } else if let Ok(len) = u32::try_from(len) {
            self.put(four, &len.to_be_bytes());
        } else {
            return Err(ObjectError::unstorable(format_args!("a length of {len} is beyond 32 bits")));
        }
        Ok(())
    }
}

fn short<const LIMIT: u8>(len: usize) -> Option<u8> {
    u8::try_from(len).ok().filter(|len| *len < LIMIT)
}
