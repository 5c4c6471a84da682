//! LZ4 frames, as strict as this crate writes them: independent blocks of 256 KiB raw bytes, all but the last full, no
//! checksums, since whole payloads are hashed. Every LZ4 tool reads them.
//!
//! Source: *LZ4 Frame Format Description* 1.6.4, sections "General Structure of LZ4 Frame format" and "Data Blocks".

use super::blocks::Blocks;
use super::stream::{longer, shorter};
use cacheness_core::{Error, ErrorKind};
use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};
use std::io::{self, BufRead, Read, Write};

/// The raw bytes of a full block. With the shuffle blocks of the same size, 64 KiB was not faster and compressed
/// less, 1 MiB was a tenth slower.
const BLOCK: usize = 256 * 1024;

/// The magic number; version 1 with independent blocks; blocks up to 256 KiB; the second byte of the XXH32 of the two
/// bytes before.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x50, 0xfb];

/// In the size of a block: it is stored as it is.
const UNCOMPRESSED: u32 = 0x8000_0000;

const END_MARK: [u8; 4] = [0; 4];

/// Writes one frame.
pub(super) struct FrameWriter<W> {
    out: W,
    blocks: Blocks,
    compressed: Vec<u8>,
    begun: bool,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, blocks: Blocks::new(BLOCK), compressed: Vec::new(), begun: false }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        let (out, compressed, begun) = (&mut self.out, &mut self.compressed, &mut self.begun);
        self.blocks.finish(|raw| write_block(raw, compressed, begun, out))?;
        begin(begun, out)?;
        out.write_all(&END_MARK)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (out, compressed, begun) = (&mut self.out, &mut self.compressed, &mut self.begun);
        self.blocks.write(bytes, |raw| write_block(raw, compressed, begun, out))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn begin(begun: &mut bool, out: &mut impl Write) -> io::Result<()> {
    if !std::mem::replace(begun, true) {
        out.write_all(&HEADER)?;
    }
    Ok(())
}

fn write_block(raw: &[u8], compressed: &mut Vec<u8>, begun: &mut bool, out: &mut impl Write) -> io::Result<()> {
    begin(begun, out)?;
    compressed.resize(get_maximum_output_size(raw.len()), 0);
    let length = compress_into(raw, compressed).map_err(io::Error::other)?;
    match compressed.get(..length) {
        Some(compressed) if length < raw.len() => {
            out.write_all(&(length as u32).to_le_bytes())?;
            out.write_all(compressed)
        }
        _ => {
            out.write_all(&(raw.len() as u32 | UNCOMPRESSED).to_le_bytes())?;
            out.write_all(raw)
        }
    }
}

/// Reads one frame of a known raw size, and nothing behind it.
pub(super) struct FrameReader<R> {
    source: R,
    /// Raw bytes that are not decompressed yet.
    remaining: u64,
    begun: bool,
    ended: bool,
    compressed: Vec<u8>,
    raw: Vec<u8>,
    position: usize,
}

impl<R: BufRead> FrameReader<R> {
    pub(super) fn new(source: R, raw_size: u64) -> Self {
        let (compressed, raw) = (Vec::new(), Vec::new());
        Self { source, remaining: raw_size, begun: false, ended: false, compressed, raw, position: 0 }
    }

    pub(super) fn get_mut(&mut self) -> &mut R {
        &mut self.source
    }

    fn read_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(cut_off)?;
        Ok(bytes)
    }

    fn read_size(&mut self) -> io::Result<u32> {
        if !self.begun {
            if self.read_array()? != HEADER {
                return Err(damaged("it does not begin with the header of a frame"));
            }
            self.begun = true;
        }
        Ok(u32::from_le_bytes(self.read_array()?))
    }

    /// Reads the next block, which must fill `target`.
    fn read_block(&mut self, target: &mut [u8]) -> io::Result<()> {
        let size = self.read_size()?;
        let length = (size & !UNCOMPRESSED) as usize;
        match length.cmp(&target.len()) {
            _ if size == 0 => return Err(shorter()),
            std::cmp::Ordering::Equal if size & UNCOMPRESSED != 0 => {
                self.source.read_exact(target).map_err(cut_off)?;
            }
            std::cmp::Ordering::Less if size & UNCOMPRESSED == 0 => self.decompress(length, target)?,
            _ => return Err(damaged("a block has the wrong size")),
        }
        self.remaining -= target.len() as u64;
        Ok(())
    }

    fn decompress(&mut self, length: usize, target: &mut [u8]) -> io::Result<()> {
        let result = match self.source.fill_buf()?.get(..length) {
            Some(compressed) => {
                let result = decompress_into(compressed, target);
                self.source.consume(length);
                result
            }
            None => {
                self.compressed.resize(length, 0);
                self.source.read_exact(&mut self.compressed).map_err(cut_off)?;
                decompress_into(&self.compressed, target)
            }
        };
        match result {
            Ok(count) if count == target.len() => Ok(()),
            Ok(_) => Err(damaged("a block is shorter than it must be")),
            Err(error) => Err(damaged(&error.to_string())),
        }
    }

    /// Reads the end mark.
    fn end(&mut self) -> io::Result<()> {
        if !self.ended {
            if self.read_size()? != 0 {
                return Err(longer());
            }
            self.ended = true;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for FrameReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.raw.len() {
            let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(BLOCK);
            if length == 0 {
                self.end()?;
                return Ok(0);
            }
            if let Some(target) = buffer.get_mut(..length) {
                self.read_block(target)?;
                return Ok(length);
            }
            let mut raw = std::mem::take(&mut self.raw);
            raw.resize(length, 0);
            self.position = 0;
            self.read_block(&mut raw)?;
            self.raw = raw;
        }
        let count = self.raw.get(self.position..).unwrap_or_default().read(buffer)?;
        self.position += count;
        Ok(count)
    }
}

fn damaged(how: &str) -> io::Error {
    Error::new(ErrorKind::Corrupt, format!("the LZ4 frame is damaged: {how}")).into()
}

fn cut_off(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { damaged("it is cut off") } else { error }
}
