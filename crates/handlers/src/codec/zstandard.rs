//! Zstandard frames with contexts that a thread keeps: to set one up costs more than to compress a small object.

use super::Level;
use super::blocks::Blocks;
use super::stream::{longer, shorter};
use cacheness_core::{Error, ErrorKind, Result};
use std::cell::Cell;
use std::cmp::Ordering;
use std::io::{self, Write};
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective::{self as Directive, ZSTD_e_continue, ZSTD_e_end};
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, InBuffer, OutBuffer, ResetDirective, compress_bound, find_frame_compressed_size,
    get_error_name,
};

/// The raw bytes up to which a payload is compressed in one go, which sizes the tables by it; larger ones are
/// streamed in blocks of as many.
const BLOCK: usize = 128 * 1024;

/// The raw bytes up to which a payload is decompressed in one go.
const DECOMPRESSED_AT_ONCE: u64 = 1024 * 1024;

/// The memory of a context that a thread still keeps.
const KEPT: usize = 4 * 1024 * 1024;

thread_local! {
    static COMPRESSOR: Cell<Option<CCtx<'static>>> = const { Cell::new(None) };
    static DECOMPRESSOR: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// Writes one frame.
pub(super) struct FrameWriter<W> {
    out: W,
    context: Context,
    blocks: Blocks,
}

struct Context {
    compressor: CCtx<'static>,
    compressed: Vec<u8>,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(level: Level, out: W) -> Result<Self> {
        let kept = COMPRESSOR.try_with(Cell::take).unwrap_or_default();
        let mut compressor = kept.or_else(CCtx::try_create).ok_or_else(no_memory)?;
        compressor.reset(ResetDirective::SessionAndParameters).map_err(|_| no_memory())?;
        compressor.set_parameter(CParameter::CompressionLevel(i32::from(level.get()))).map_err(|_| no_memory())?;
        Ok(Self { out, context: Context { compressor, compressed: Vec::new() }, blocks: Blocks::new(BLOCK) })
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        let mut ended = false;
        let (context, out) = (&mut self.context, &mut self.out);
        self.blocks.finish(|raw| {
            ended = true;
            context.compress(raw, ZSTD_e_end, out)
        })?;
        if !ended {
            context.compress(&[], ZSTD_e_end, out)?;
        }
        if context.compressor.sizeof() <= KEPT {
            let compressor = self.context.compressor;
            let _ = COMPRESSOR.try_with(|kept| kept.set(Some(compressor)));
        }
        Ok(self.out)
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (context, out) = (&mut self.context, &mut self.out);
        self.blocks.write(bytes, |raw| context.compress(raw, ZSTD_e_continue, out))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Context {
    fn compress(&mut self, raw: &[u8], directive: Directive, out: &mut impl Write) -> io::Result<()> {
        self.compressed.reserve(compress_bound(raw.len()));
        let mut input = InBuffer::around(raw);
        loop {
            let mut output = OutBuffer::around(&mut self.compressed);
            let left = self.compressor.compress_stream2(&mut output, &mut input, directive).map_err(|code| {
                Error::new(ErrorKind::Compression, format!("zstd could not compress: {}", get_error_name(code)))
            })?;
            out.write_all(output.as_slice())?;
            let done = if directive == ZSTD_e_end { left == 0 } else { input.pos() == raw.len() };
            if done {
                return Ok(());
            }
        }
    }
}

/// Whether [`decompress`] is meant for a payload of that size.
pub(super) fn is_small(raw_size: u64) -> bool {
    raw_size <= DECOMPRESSED_AT_ONCE
}

/// Decompresses one frame of a small raw size in one go.
pub(super) fn decompress(stored: &[u8], raw_size: u64) -> Result<Vec<u8>> {
    let frame = find_frame_compressed_size(stored).map_err(damaged)?;
    if frame < stored.len() {
        return Err(Error::new(ErrorKind::Corrupt, "there are bytes behind the compressed stream"));
    }
    let kept = DECOMPRESSOR.try_with(Cell::take).unwrap_or_default();
    let mut decompressor = kept.or_else(DCtx::try_create).ok_or_else(no_memory)?;
    let mut raw = Vec::new();
    raw.try_reserve_exact(raw_size.min(DECOMPRESSED_AT_ONCE) as usize).map_err(|_| no_memory())?;
    let count = decompressor.decompress(&mut raw, stored);
    let _ = DECOMPRESSOR.try_with(|kept| kept.set(Some(decompressor)));
    match (count.map_err(damaged)? as u64).cmp(&raw_size) {
        Ordering::Less => Err(shorter().into()),
        Ordering::Equal => Ok(raw),
        Ordering::Greater => Err(longer().into()),
    }
}

fn damaged(code: usize) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the zstd frame is damaged: {}", get_error_name(code)))
}

fn no_memory() -> Error {
    Error::new(ErrorKind::Compression, "zstd could not be set up for want of memory")
}
