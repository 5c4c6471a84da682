//! The way out: stored bytes are decompressed, unshuffled and counted.

use super::stream::{Stream, fill_buf, longer, shorter};
use super::{CodecId, Encoding, lz4, parallel, zstandard};
use crate::bytes::read_exactly;
use crate::shuffle::{block_length, unshuffle};
use cacheness_core::Result;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

/// The buffer between a codec and small reads, in bytes.
const BUFFER: u64 = 64 * 1024;

/// Reads a stored payload as the raw bytes it was made of, exactly as many as its record says.
///
/// Fewer or more raw bytes, a damaged stream, and anything behind its end are an `io::Error` that carries an
/// [`Error`] of kind [`Corrupt`]. The end is checked when the last raw bytes are handed out, without codec and
/// shuffle at the latest by the next read. Errors of the source pass through as they are. Memory is bounded by the
/// codec's window, at most 128 MiB, and a block or two, whatever the stream claims; large reads of shuffled LZ4 are decoded
/// on up to four threads, which take a block or two each and end before the read does.
///
/// [`Error`]: cacheness_core::Error
/// [`Corrupt`]: cacheness_core::ErrorKind::Corrupt
pub struct Decoder<R: BufRead + Send> {
    stage: Stage<R>,
    remaining: u64,
}

enum Stage<R: BufRead + Send> {
    Direct(R),
    Buffered(BufReader<Stream<R>>),
    Shuffled(Unshuffler<R>),
}

impl<R: BufRead + Send> Decoder<R> {
    /// A decoder of `stored`, which holds `raw_size` raw bytes.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] when there should be no raw bytes and the stream is not an empty one, [`Compression`] when the codec
    /// cannot be set up, [`Unsupported`] for gzip without the feature `gzip`.
    ///
    /// [`Corrupt`]: cacheness_core::ErrorKind::Corrupt
    /// [`Unsupported`]: cacheness_core::ErrorKind::Unsupported
    /// [`Compression`]: cacheness_core::ErrorKind::Compression
    pub fn new(encoding: Encoding, stored: R, raw_size: u64) -> Result<Self> {
        let stage = match encoding {
            Encoding { codec: CodecId::None, shuffle: 0 | 1 } => Stage::Direct(stored),
            Encoding { codec, shuffle: 0 | 1 } => {
                let capacity = usize::try_from(raw_size.min(BUFFER)).unwrap_or_default();
                Stage::Buffered(BufReader::with_capacity(capacity.max(1), Stream::new(codec, stored, raw_size)?))
            }
            Encoding { codec, shuffle } => {
                Stage::Shuffled(Unshuffler::new(shuffle, Stream::new(codec, stored, raw_size)?))
            }
        };
        let mut decoder = Self { stage, remaining: raw_size };
        if raw_size == 0 {
            decoder.check_end()?;
        }
        Ok(decoder)
    }

    /// Raw bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    fn check_end(&mut self) -> io::Result<()> {
        let longer_by_any = match &mut self.stage {
            Stage::Direct(stored) => !fill_buf(stored)?.is_empty(),
            Stage::Buffered(stream) => {
                stream.get_mut().check_end()?;
                !stream.buffer().is_empty()
            }
            Stage::Shuffled(blocks) => {
                blocks.stream.check_end()?;
                false
            }
        };
        if longer_by_any { Err(longer()) } else { Ok(()) }
    }
}

impl<R: BufRead + Send> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let count = match &mut self.stage {
            Stage::Direct(stored) => stored.read(buffer)?,
            Stage::Buffered(stream) => stream.read(buffer)?,
            Stage::Shuffled(blocks) => blocks.read(buffer, self.remaining)?,
        };
        if count == 0 {
            return Err(shorter());
        }
        self.remaining = self.remaining.saturating_sub(count as u64);
        if self.remaining == 0 {
            self.check_end()?;
        }
        Ok(count)
    }
}

impl<R: BufRead + Send> BufRead for Decoder<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.remaining == 0 {
            self.check_end()?;
            return Ok(&[]);
        }
        let length = match &mut self.stage {
            Stage::Direct(stored) => stored.fill_buf()?.len(),
            Stage::Buffered(stream) => {
                let length = stream.fill_buf()?.len();
                if length as u64 == self.remaining {
                    stream.get_mut().check_end()?;
                }
                length
            }
            Stage::Shuffled(blocks) => blocks.fill_buf(self.remaining)?.len(),
        };
        if length == 0 {
            return Err(shorter());
        }
        if length as u64 > self.remaining {
            return Err(longer());
        }
        match &mut self.stage {
            Stage::Direct(stored) => stored.fill_buf(),
            Stage::Buffered(stream) => stream.fill_buf(),
            Stage::Shuffled(blocks) => blocks.fill_buf(self.remaining),
        }
    }

    fn consume(&mut self, count: usize) {
        match &mut self.stage {
            Stage::Direct(stored) => stored.consume(count),
            Stage::Buffered(stream) => stream.consume(count),
            Stage::Shuffled(blocks) => blocks.consume(count),
        }
        self.remaining = self.remaining.saturating_sub(count as u64);
    }
}

impl<R: BufRead + Send> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

/// Decodes a payload that lies in memory.
///
/// # Errors
///
/// [`Corrupt`] unless `stored` is exactly one payload of `raw_size` bytes; [`TooLarge`] when they do not fit in memory,
/// which grows as they arrive, so a wrong `raw_size` costs nothing; [`Unsupported`] for gzip without the feature `gzip`.
///
/// [`Corrupt`]: cacheness_core::ErrorKind::Corrupt
/// [`Unsupported`]: cacheness_core::ErrorKind::Unsupported
/// [`TooLarge`]: cacheness_core::ErrorKind::TooLarge
pub fn decompress(encoding: Encoding, stored: &[u8], raw_size: u64) -> Result<Vec<u8>> {
    match encoding {
        Encoding { codec: CodecId::Zstd, shuffle: 0 | 1 } if zstandard::is_small(raw_size) => {
            zstandard::decompress(stored, raw_size)
        }
        _ => {
            let backed = encoding.most_raw(stored.len() as u64).min(raw_size);
            read_exactly(&mut Decoder::new(encoding, stored, raw_size)?, raw_size, backed)
        }
    }
}

/// Holds one unshuffled block for small reads.
struct Unshuffler<R: BufRead + Send> {
    stream: Stream<R>,
    width: u8,
    block: usize,
    shuffled: Vec<u8>,
    raw: Vec<u8>,
    position: usize,
}

impl<R: BufRead + Send> Unshuffler<R> {
    fn new(width: u8, stream: Stream<R>) -> Self {
        Self { stream, width, block: block_length(width), shuffled: Vec::new(), raw: Vec::new(), position: 0 }
    }

    /// The next block as it is stored, of at most `remaining` bytes.
    fn read_shuffled(&mut self, remaining: u64) -> io::Result<()> {
        let length = usize::try_from(remaining).unwrap_or(usize::MAX).min(self.block);
        self.shuffled.resize(length, 0);
        self.stream.read_block(&mut self.shuffled)
    }

    fn read(&mut self, buffer: &mut [u8], remaining: u64) -> io::Result<usize> {
        let length = usize::try_from(remaining).unwrap_or(usize::MAX).min(self.block);
        if self.position == self.raw.len() && length <= buffer.len() {
            if let Some(count) = self.read_in_parallel(buffer, remaining)? {
                return Ok(count);
            }
            self.read_shuffled(remaining)?;
            unshuffle(self.width, &self.shuffled, buffer);
            return Ok(length);
        }
        let count = self.fill_buf(remaining)?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }

    /// Reads as many whole blocks as `buffer` holds on several threads; `None` where that does not pay, or cannot be
    /// done.
    fn read_in_parallel(&mut self, buffer: &mut [u8], remaining: u64) -> io::Result<Option<usize>> {
        let blocks = usize::try_from(remaining).unwrap_or(usize::MAX).min(buffer.len()) / lz4::BLOCK;
        let threads = parallel::threads(blocks);
        if threads < 2 || self.block != lz4::BLOCK {
            return Ok(None);
        }
        let count = blocks * lz4::BLOCK;
        match (self.stream.blocks(), buffer.get_mut(..count)) {
            (Some(frame), Some(target)) => {
                let result = parallel::read_blocks(frame, self.width, target, threads);
                result.inspect_err(|_| self.stream.fail()).map(|()| Some(count))
            }
            _ => Ok(None),
        }
    }

    fn fill_buf(&mut self, remaining: u64) -> io::Result<&[u8]> {
        if self.position == self.raw.len() {
            self.read_shuffled(remaining)?;
            if self.shuffled.len() as u64 == remaining {
                self.stream.check_end()?;
            }
            self.raw.resize(self.shuffled.len(), 0);
            unshuffle(self.width, &self.shuffled, &mut self.raw);
            self.position = 0;
        }
        Ok(self.raw.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.position = self.position.saturating_add(count).min(self.raw.len());
    }
}
