//! LZ4 frames, as strict as this crate writes them: independent blocks of 256 KiB raw bytes, all but the last full, no
//! checksums, since whole payloads are hashed. Every LZ4 tool reads them.
//!
//! Source: *LZ4 Frame Format Description* 1.6.4, sections "General Structure of LZ4 Frame format" and "Data Blocks".

use super::blocks::Blocks;
use super::stream::{longer, shorter};
use cacheness_core::{Error, ErrorKind};
use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};
use std::cmp::Ordering;
use std::io::{self, BufRead, Read, Write};

/// The raw bytes of a full block. With the shuffle blocks of the same size, 64 KiB was not faster and compressed
/// less, 1 MiB was a tenth slower.
pub(super) const BLOCK: usize = 256 * 1024;

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

/// How a block is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Raw,
    Compressed,
}

/// Decodes the stored bytes of a block, which must fill `target`.
pub(super) fn decode_block(form: Form, stored: &[u8], target: &mut [u8]) -> io::Result<()> {
    match form {
        Form::Raw if stored.len() == target.len() => {
            target.copy_from_slice(stored);
            Ok(())
        }
        Form::Raw => Err(damaged("a block has the wrong size")),
        Form::Compressed => match decompress_into(stored, target) {
            Ok(count) if count == target.len() => Ok(()),
            Ok(_) => Err(damaged("a block is shorter than it must be")),
            Err(error) => Err(damaged(&error.to_string())),
        },
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

    /// Whether all raw bytes of the blocks before were handed out.
    pub(super) fn is_between_blocks(&self) -> bool {
        self.position == self.raw.len()
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

    /// Reads the head of the next block of `raw_length` raw bytes: its form, and how many bytes are stored of it.
    fn read_head(&mut self, raw_length: usize) -> io::Result<(Form, usize)> {
        let size = self.read_size()?;
        let length = (size & !UNCOMPRESSED) as usize;
        let form = match length.cmp(&raw_length) {
            _ if size == 0 => return Err(shorter()),
            Ordering::Equal if size & UNCOMPRESSED != 0 => Form::Raw,
            Ordering::Less if size & UNCOMPRESSED == 0 => Form::Compressed,
            _ => return Err(damaged("a block has the wrong size")),
        };
        self.remaining = self.remaining.saturating_sub(raw_length as u64);
        Ok((form, length))
    }

    /// Reads the stored bytes of the next block, which holds `raw_length` raw ones, for [`decode_block`].
    pub(super) fn read_stored(&mut self, raw_length: usize, stored: &mut Vec<u8>) -> io::Result<Form> {
        let (form, length) = self.read_head(raw_length)?;
        stored.resize(length, 0);
        self.source.read_exact(stored).map_err(cut_off)?;
        Ok(form)
    }

    /// Reads the next block, which must fill `target`.
    fn read_block(&mut self, target: &mut [u8]) -> io::Result<()> {
        let (form, length) = self.read_head(target.len())?;
        if form == Form::Raw {
            return self.source.read_exact(target).map_err(cut_off);
        }
        if let Some(compressed) = self.source.fill_buf()?.get(..length) {
            let result = decode_block(form, compressed, target);
            self.source.consume(length);
            return result;
        }
        self.compressed.resize(length, 0);
        self.source.read_exact(&mut self.compressed).map_err(cut_off)?;
        decode_block(form, &self.compressed, target)
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
