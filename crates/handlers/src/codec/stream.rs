//! The decompressors behind one face: their own errors are damage, those of the source are not.

use super::lz4::FrameReader;
use super::{CodecId, gzip};
use cacheness_core::{Error, ErrorKind, Result};
use std::io::{self, BufRead, Read};

/// The largest window that a zstd frame may ask for, as a power of two: 128 MiB, far more than level 9 writes.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// One compressed stream. Returns 0 at its end, or when it has failed, and never looks behind it.
pub(super) struct Stream<R: BufRead> {
    decompressor: Decompressor<R>,
    ended: bool,
}

enum Decompressor<R: BufRead> {
    None(Source<R>),
    Lz4(FrameReader<Source<R>>),
    Zstd(zstd::Decoder<'static, Source<R>>),
    Gzip(Box<gzip::MemberReader<Source<R>>>),
}

impl<R: BufRead> Stream<R> {
    /// A stream that holds `raw_size` bytes.
    pub(super) fn new(codec: CodecId, stored: R, raw_size: u64) -> Result<Self> {
        let source = Source { reader: stored, failed: false };
        let decompressor = match codec {
            CodecId::None => Decompressor::None(source),
            CodecId::Lz4 => Decompressor::Lz4(FrameReader::new(source, raw_size)),
            CodecId::Zstd => {
                let decoder = zstd::Decoder::with_buffer(source).and_then(|mut decoder| {
                    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                    Ok(decoder.single_frame())
                });
                Decompressor::Zstd(
                    decoder.map_err(|error| Error::io(ErrorKind::Compression, "zstd could not be set up", error))?,
                )
            }
            CodecId::Gzip => Decompressor::Gzip(Box::new(gzip::reader(source)?)),
        };
        Ok(Self { decompressor, ended: false })
    }

    fn source(&mut self) -> &mut Source<R> {
        match &mut self.decompressor {
            Decompressor::None(source) => source,
            Decompressor::Lz4(decoder) => decoder.get_mut(),
            Decompressor::Zstd(decoder) => decoder.get_mut(),
            Decompressor::Gzip(decoder) => decoder.get_mut(),
        }
    }

    /// The LZ4 frame, when the stream is one and at the beginning of a block.
    pub(super) fn blocks(&mut self) -> Option<&mut FrameReader<Source<R>>> {
        match &mut self.decompressor {
            Decompressor::Lz4(frame) if !self.ended && frame.is_between_blocks() => Some(frame),
            _ => None,
        }
    }

    /// Ends it after an error of its blocks.
    pub(super) fn fail(&mut self) {
        self.ended = true;
    }

    /// Reads `buffer` full.
    pub(super) fn read_block(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self.read_exact(buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(shorter()),
            result => result,
        }
    }

    /// Makes sure that the stream ends here, properly, and that nothing is stored behind it.
    pub(super) fn check_end(&mut self) -> io::Result<()> {
        if self.read(&mut [0])? != 0 {
            return Err(longer());
        }
        if !self.source().fill_buf()?.is_empty() {
            return Err(Error::new(ErrorKind::Corrupt, "there are bytes behind the compressed stream").into());
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let result = match &mut self.decompressor {
            Decompressor::None(source) => source.read(buffer),
            Decompressor::Lz4(decoder) => decoder.read(buffer),
            Decompressor::Zstd(decoder) => decoder.read(buffer),
            Decompressor::Gzip(decoder) => decoder.read(buffer),
        };
        self.ended = match &result {
            Ok(count) => *count == 0 && !buffer.is_empty(),
            Err(_) => true,
        };
        match result {
            Ok(count) => Ok(count),
            // Ours already: from the source, or from the LZ4 frames.
            Err(error) if self.source().failed || error.get_ref().is_some_and(|inner| inner.is::<Error>()) => {
                Err(error)
            }
            Err(error) => Err(Error::new(ErrorKind::Corrupt, "the compressed stream is damaged").source(error).into()),
        }
    }
}

/// Notes whether the reader beneath a decompressor failed, which the decompressor does not tell, and tries again where
/// it was only interrupted, which not every decompressor survives.
pub(super) struct Source<R> {
    reader: R,
    failed: bool,
}

impl<R: BufRead> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    self.failed = result.is_err();
                    return result;
                }
            }
        }
    }
}

impl<R: BufRead> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let result = fill_buf(&mut self.reader);
        self.failed = result.is_err();
        result
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
    }
}

/// As `fill_buf` of `reader`, tried again where it was only interrupted.
pub(super) fn fill_buf(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Ok([]) => return Ok(&[]),
            Ok(_) => return reader.fill_buf(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn shorter() -> io::Error {
    Error::new(ErrorKind::Corrupt, "the payload is shorter than its record says").into()
}

pub(super) fn longer() -> io::Error {
    Error::new(ErrorKind::Corrupt, "the payload is longer than its record says").into()
}
