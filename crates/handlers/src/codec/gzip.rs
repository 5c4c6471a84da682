//! Gzip members, by flate2 on a DEFLATE in Rust.

use super::Level;
use cacheness_core::Result;
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{BufRead, Write};

/// Writes one member.
pub(super) type MemberWriter<W> = GzEncoder<W>;

/// Reads one member, and never looks behind it.
pub(super) type MemberReader<R> = GzDecoder<R>;

pub(super) fn writer<W: Write>(level: Level, out: W) -> Result<MemberWriter<W>> {
    Ok(GzEncoder::new(out, Compression::new(u32::from(level.get()))))
}

pub(super) fn reader<R: BufRead>(stored: R) -> Result<MemberReader<R>> {
    Ok(GzDecoder::new(stored))
}
