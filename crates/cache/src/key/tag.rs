//! The first byte of every encoded value. Stable for ever; `docs/format.md` lists them.

pub(super) const UNIT: u8 = 0x01;
pub(super) const FALSE: u8 = 0x02;
pub(super) const TRUE: u8 = 0x03;
pub(super) const POSITIVE: u8 = 0x04;
pub(super) const NEGATIVE: u8 = 0x05;
pub(super) const F32: u8 = 0x06;
pub(super) const F64: u8 = 0x07;
pub(super) const CHAR: u8 = 0x08;
pub(super) const TEXT: u8 = 0x09;
pub(super) const BYTES: u8 = 0x0a;
pub(super) const NONE: u8 = 0x0b;
pub(super) const SOME: u8 = 0x0c;
pub(super) const SEQUENCE: u8 = 0x0d;
pub(super) const UNORDERED: u8 = 0x0e;
pub(super) const MAP: u8 = 0x0f;
pub(super) const STRUCT: u8 = 0x10;
pub(super) const UNIT_STRUCT: u8 = 0x11;
pub(super) const NEWTYPE_STRUCT: u8 = 0x12;
pub(super) const TUPLE_STRUCT: u8 = 0x13;
pub(super) const UNIT_VARIANT: u8 = 0x14;
pub(super) const NEWTYPE_VARIANT: u8 = 0x15;
pub(super) const TUPLE_VARIANT: u8 = 0x16;
pub(super) const STRUCT_VARIANT: u8 = 0x17;
pub(super) const KEY: u8 = 0x18;
pub(super) const FILE: u8 = 0x19;

/// What ends the parts of a compound; no value starts with it.
pub(super) const END: u8 = 0x00;

/// A file that is not read yet, by its path. It never leaves the process: [`FILE`] takes its place.
pub(super) const PATH: u8 = 0xff;
