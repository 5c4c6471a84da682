//! The way in: raw bytes are shuffled block by block, compressed and handed on.

use super::blocks::Blocks;
use super::{Codec, gzip, lz4, zstandard};
use crate::shuffle::{block_length, shuffle};
use cacheness_core::Result;
use std::fmt;
use std::io::{self, Write};

/// Compresses what is written to it into `W`; [`finish`](Self::finish) must be called at the end.
///
/// The stored bytes depend on the raw bytes and the codec alone, not on how they were cut into writes. Memory is
/// bounded by the codec's window and a block or two, however long the payload. Without codec and shuffle every write
/// goes straight through.
pub struct Encoder<W: Write> {
    shuffler: Option<Shuffler>,
    compressor: Compressor<W>,
}

enum Compressor<W: Write> {
    None(W),
    Lz4(lz4::FrameWriter<W>),
    Zstd(zstandard::FrameWriter<W>),
    Gzip(gzip::MemberWriter<W>),
}

impl<W: Write> Encoder<W> {
    /// An encoder into `out`. `shuffle` is the width of an element in bytes; 0 and 1 say not to shuffle.
    ///
    /// # Errors
    ///
    /// [`Compression`](cacheness_core::ErrorKind::Compression) when the codec cannot be set up, for want of memory;
    /// [`Unsupported`](cacheness_core::ErrorKind::Unsupported) for gzip without the feature `gzip`.
    pub fn new(codec: Codec, shuffle: u8, out: W) -> Result<Self> {
        let compressor = match codec {
            Codec::None => Compressor::None(out),
            Codec::Lz4 => Compressor::Lz4(lz4::FrameWriter::new(out)),
            Codec::Zstd(level) => Compressor::Zstd(zstandard::FrameWriter::new(level, out)?),
            Codec::Gzip(level) => Compressor::Gzip(gzip::writer(level, out)?),
        };
        Ok(Self { shuffler: (shuffle > 1).then(|| Shuffler::new(shuffle)), compressor })
    }

    /// Writes what is still held back and the end of the stream, and returns what it was written to.
    ///
    /// # Errors
    ///
    /// What writing returns.
    pub fn finish(mut self) -> Result<W> {
        if let Some(shuffler) = &mut self.shuffler {
            shuffler.finish(&mut self.compressor)?;
        }
        Ok(self.compressor.finish()?)
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.shuffler {
            None => self.compressor.write(bytes),
            Some(shuffler) => shuffler.write(bytes, &mut self.compressor),
        }
    }

    /// Flushes the output; blocks that are not full yet stay here until [`finish`](Self::finish), so that the stored
    /// bytes do not depend on it.
    fn flush(&mut self) -> io::Result<()> {
        self.compressor.flush()
    }
}

impl<W: Write> fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codec = match self.compressor {
            Compressor::None(_) => "none",
            Compressor::Lz4(_) => "lz4",
            Compressor::Zstd(_) => "zstd",
            Compressor::Gzip(_) => "gzip",
        };
        let shuffle = self.shuffler.as_ref().map_or(1, |shuffler| shuffler.width);
        f.debug_struct("Encoder").field("codec", &codec).field("shuffle", &shuffle).finish_non_exhaustive()
    }
}

impl<W: Write> Compressor<W> {
    fn finish(self) -> io::Result<W> {
        match self {
            Self::None(out) => Ok(out),
            Self::Lz4(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(out) => out.write(bytes),
            Self::Lz4(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(out) => out.flush(),
            Self::Lz4(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.get_mut().flush(),
        }
    }
}

/// Shuffles block by block.
struct Shuffler {
    width: u8,
    blocks: Blocks,
    shuffled: Vec<u8>,
}

impl Shuffler {
    fn new(width: u8) -> Self {
        Self { width, blocks: Blocks::new(block_length(width)), shuffled: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<usize> {
        self.blocks.write(bytes, |raw| write_shuffled(self.width, raw, &mut self.shuffled, out))
    }

    fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.blocks.finish(|raw| write_shuffled(self.width, raw, &mut self.shuffled, out))
    }
}

fn write_shuffled(width: u8, raw: &[u8], shuffled: &mut Vec<u8>, out: &mut impl Write) -> io::Result<()> {
    shuffled.resize(raw.len(), 0);
    shuffle(width, raw, shuffled);
    out.write_all(shuffled)
}
