//! MessagePack, read: one token at a time from a slice. No token claims more than the slice can hold.

use super::error::{ObjectError, Result};
use super::writer::extension;
use rmp::Marker;
use std::num::NonZeroU8;

/// What stands at a position: a scalar, or the header of a container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'de> {
    Nil,
    /// `Some^n(nil)`.
    Somes(NonZeroU8),
    Bool(bool),
    Unsigned(u64),
    /// Below zero.
    Signed(i64),
    /// A `u128` above every `u64`, big-endian.
    Unsigned128(&'de [u8; 16]),
    /// An `i128` outside of the 64-bit integers, big-endian.
    Signed128(&'de [u8; 16]),
    F32(f32),
    F64(f64),
    String(&'de str),
    Binary(&'de [u8]),
    /// So many elements follow; never more than bytes are left.
    Array(usize),
    /// So many entries follow; never more than half the bytes that are left.
    Map(usize),
}

/// A cursor over the bytes of a value.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    len: usize,
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    pub(super) fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether the next token is nil, or nil in so many `Some`s.
    pub(super) fn at_nil(&self) -> bool {
        self.rest.first().is_some_and(|byte| matches!(Marker::from_u8(*byte), Marker::Null | Marker::FixExt1))
    }

    /// Reads the next token. The position after an error is unspecified.
    ///
    /// # Errors
    ///
    /// `Corrupt` at the end of the bytes, and for what the format never writes.
    #[inline]
    pub(super) fn token(&mut self) -> Result<Token<'de>> {
        let [byte] = self.array()?;
        Ok(match Marker::from_u8(byte) {
            Marker::Null => Token::Nil,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(value) => Token::Unsigned(value.into()),
            Marker::U8 => Token::Unsigned(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            Marker::FixNeg(value) => signed(value.into()),
            Marker::I8 => signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Token::F32(f32::from_bits(u32::from_be_bytes(self.array()?))),
            Marker::F64 => Token::F64(f64::from_bits(u64::from_be_bytes(self.array()?))),
            Marker::FixStr(len) => self.string(len.into())?,
            Marker::Str8 => self.length_8().and_then(|len| self.string(len))?,
            Marker::Str16 => self.length_16().and_then(|len| self.string(len))?,
            Marker::Str32 => self.length_32().and_then(|len| self.string(len))?,
            Marker::Bin8 => self.length_8().and_then(|len| self.binary(len))?,
            Marker::Bin16 => self.length_16().and_then(|len| self.binary(len))?,
            Marker::Bin32 => self.length_32().and_then(|len| self.binary(len))?,
            Marker::FixArray(len) => self.elements(len.into())?,
            Marker::Array16 => self.length_16().and_then(|len| self.elements(len))?,
            Marker::Array32 => self.length_32().and_then(|len| self.elements(len))?,
            Marker::FixMap(len) => self.entries(len.into())?,
            Marker::Map16 => self.length_16().and_then(|len| self.entries(len))?,
            Marker::Map32 => self.length_32().and_then(|len| self.entries(len))?,
            Marker::FixExt1 => self.somes()?,
            Marker::FixExt16 => self.wide()?,
            Marker::FixExt2 | Marker::FixExt4 | Marker::FixExt8 | Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => {
                return Err(self.corrupt("an unknown extension"));
            }
            Marker::Reserved => return Err(self.corrupt("the reserved byte c1")),
        })
    }

    /// Reads the next token if it is an `f64`: what arrays hold most of.
    #[inline]
    pub(super) fn f64(&mut self) -> Option<f64> {
        let (head, rest) = self.rest.split_first_chunk::<9>()?;
        let [marker, bits @ ..] = head;
        if *marker != Marker::F64.to_u8() {
            return None;
        }
        self.rest = rest;
        Some(f64::from_bits(u64::from_be_bytes(*bits)))
    }

    /// Passes over one value, however deep, without recursion.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    pub(super) fn skip(&mut self) -> Result<()> {
        let mut left = 1_usize;
        while left > 0 {
            left -= 1;
            left = left.saturating_add(match self.token()? {
                Token::Array(elements) => elements,
                Token::Map(entries) => 2 * entries,
                _ => 0,
            });
        }
        Ok(())
    }

    fn somes(&mut self) -> Result<Token<'de>> {
        let [kind, count] = self.array()?;
        match (kind.cast_signed(), NonZeroU8::new(count)) {
            (extension::SOMES, Some(count)) => Ok(Token::Somes(count)),
            (extension::SOMES, None) => Err(self.corrupt("an option of depth 0")),
            _ => Err(self.corrupt("an unknown extension")),
        }
    }

    fn wide(&mut self) -> Result<Token<'de>> {
        let [kind] = self.array()?;
        let data = self.chunk()?;
        match kind.cast_signed() {
            extension::SIGNED => Ok(signed_128(data)),
            extension::UNSIGNED => Ok(unsigned_128(data)),
            _ => Err(self.corrupt("an unknown extension")),
        }
    }

    fn string(&mut self, len: usize) -> Result<Token<'de>> {
        match std::str::from_utf8(self.take(len)?) {
            Ok(value) => Ok(Token::String(value)),
            Err(_) => Err(self.corrupt("a string that is not UTF-8")),
        }
    }

    fn binary(&mut self, len: usize) -> Result<Token<'de>> {
        self.take(len).map(Token::Binary)
    }

    fn elements(&mut self, len: usize) -> Result<Token<'de>> {
        if len > self.remaining() { Err(self.truncated()) } else { Ok(Token::Array(len)) }
    }

    fn entries(&mut self, len: usize) -> Result<Token<'de>> {
        if len > self.remaining() / 2 { Err(self.truncated()) } else { Ok(Token::Map(len)) }
    }

    fn length_8(&mut self) -> Result<usize> {
        self.array().map(|bytes| u8::from_be_bytes(bytes).into())
    }

    fn length_16(&mut self) -> Result<usize> {
        self.array().map(|bytes| u16::from_be_bytes(bytes).into())
    }

    fn length_32(&mut self) -> Result<usize> {
        let len = u32::from_be_bytes(self.array()?);
        usize::try_from(len).map_err(|_| self.truncated())
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'de [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<&'de [u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.chunk().copied()
    }

    #[cold]
    fn truncated(&self) -> ObjectError {
        self.corrupt("a value that goes on beyond the end")
    }

    #[cold]
    fn corrupt(&self, what: impl std::fmt::Display) -> ObjectError {
        ObjectError::corrupt(format_args!("{what} before byte {} of {}", self.position(), self.len))
    }
}

fn signed(value: i64) -> Token<'static> {
    u64::try_from(value).map_or(Token::Signed(value), Token::Unsigned)
}

fn signed_128(bytes: &[u8; 16]) -> Token<'_> {
    let value = i128::from_be_bytes(*bytes);
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => Token::Unsigned(value),
        (_, Ok(value)) => Token::Signed(value),
        _ => Token::Signed128(bytes),
    }
}

fn unsigned_128(bytes: &[u8; 16]) -> Token<'_> {
    u64::try_from(u128::from_be_bytes(*bytes)).map_or(Token::Unsigned128(bytes), Token::Unsigned)
}
