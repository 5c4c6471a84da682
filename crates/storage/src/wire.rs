//! Reading and writing the small binary structures of the formats: little-endian, lengths as LEB128.

use cacheness_core::{Error, ErrorKind, Result};
use std::borrow::Cow;

/// Appends an unsigned LEB128 number.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number as u8) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a length and as many bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes one structure apart, never reading beyond it.
pub(crate) struct Reader<'b> {
    what: &'static str,
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    /// A reader of `bytes`, which hold a `what`.
    pub(crate) fn new(what: &'static str, bytes: &'b [u8]) -> Self {
        Self { what, rest: bytes }
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'b [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.corrupt("ends too early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(|| self.corrupt("ends too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.corrupt("holds a number beyond 64 bits"))
    }

    pub(crate) fn prefixed(&mut self) -> Result<&'b [u8]> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| self.corrupt("ends too early"))?;
        self.bytes(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'b str> {
        let bytes = self.prefixed()?;
        std::str::from_utf8(bytes).map_err(|_| self.corrupt("holds a text that is not UTF-8"))
    }

    pub(crate) fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.corrupt("is too long")) }
    }

    pub(crate) fn corrupt(&self, problem: impl Into<Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::Corrupt, format!("a {} {}", self.what, problem.into()))
    }

    pub(crate) fn too_new(&self) -> Error {
        Error::new(ErrorKind::FormatTooNew, format!("a {} was written by a newer version", self.what))
            .advice("update cacheness")
    }
}
