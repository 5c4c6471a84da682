//! Stored bytes on their way out: verified, decompressed, decoded. Nothing that fails its digest is ever returned.

use crate::{Body, Content, Digest, Hasher};
use bytes::Bytes;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{
    CodecId, Decoder, Encoding, Format, HandlerRef, PayloadReader, SliceReader, decompress, read_numbers,
};
use std::any::Any;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

/// Stored bytes, opened and not verified.
#[derive(Debug)]
pub struct Stored(pub(super) Body);

impl Stored {
    /// All of them in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`] when they cannot be read.
    pub fn into_bytes(self) -> Result<Bytes> {
        self.0.read()
    }
}

impl From<Bytes> for Stored {
    fn from(bytes: Bytes) -> Self {
        Self(Body::Bytes(bytes))
    }
}

const BUFFER: usize = 64 << 10;

/// How much is read at once before it is hashed: a part of the second-level cache. Of 16 KiB to 1 MiB it was the fastest.
const PIECE: usize = 256 << 10;

/// Compares stored bytes with their digest, and gives them back to be read from their start.
pub(super) fn verify(content: &Content, stored: Stored) -> Result<Stored> {
    check_sizes(content)?;
    match stored.0 {
        Body::Bytes(bytes) => {
            check_size(content, bytes.len() as u64)?;
            check_digest(content, Digest::of(content.digest.algorithm(), &bytes))?;
            Ok(Stored(Body::Bytes(bytes)))
        }
        Body::File { mut file, size } => {
            check_size(content, size)?;
            let start = file.stream_position()?;
            let mut reader = BufReader::with_capacity(BUFFER, Hashing::new(&file, content));
            io::copy(&mut reader, &mut io::sink())?;
            reader.get_mut().verify(content)?;
            drop(reader);
            file.seek(SeekFrom::Start(start))?;
            Ok(Stored(Body::File { file, size }))
        }
    }
}

/// Decodes stored bytes.
pub(super) fn decode(handler: &HandlerRef, content: &Content, stored: Stored) -> Result<Box<dyn Any + Send + Sync>> {
    let mut format = Format::new(content.format.clone(), content.format_version);
    format.schema = content.schema;
    format.extra = content.extra.clone();
    match stored.0 {
        Body::Bytes(bytes) => handler.decode(&mut in_memory(content, bytes)?, &format),
        Body::File { file, size } => {
            check_size(content, size)?;
            let mut stored = BufReader::with_capacity(BUFFER, Hashing::new(&file, content));
            let mut reader = StreamReader::new(&file, content, &mut stored)?;
            let value = handler.decode(&mut reader, &format);
            let verified = reader.is_verified();
            drop(reader);
            // Whatever the handler says counts only if the bytes were the right ones.
            if !verified {
                stored.get_mut().verify(content)?;
            }
            value
        }
    }
}

fn in_memory(content: &Content, bytes: Bytes) -> Result<SliceReader> {
    check_size(content, bytes.len() as u64)?;
    check_digest(content, Digest::of(content.digest.algorithm(), &bytes))?;
    decompressed(content, bytes)
}

/// The value's bytes behind its stored ones, which are verified.
pub(super) fn decompressed(content: &Content, bytes: Bytes) -> Result<SliceReader> {
    if is_plain(content.encoding) {
        return Ok(SliceReader::new(bytes));
    }
    Ok(SliceReader::new(decompress(content.encoding, &bytes, content.raw_size)?.into()))
}

fn is_plain(encoding: Encoding) -> bool {
    encoding.codec == CodecId::None && encoding.shuffle <= 1
}

/// Without a codec, the sizes before and after it are equal.
pub(super) fn check_sizes(content: &Content) -> Result<()> {
    if is_plain(content.encoding) && content.raw_size != content.stored_size {
        return Err(Error::new(ErrorKind::Corrupt, "the record's sizes contradict each other"));
    }
    Ok(())
}

fn check_size(content: &Content, size: u64) -> Result<()> {
    if size != content.stored_size {
        let message = format!("{size} bytes are stored where the record says {}", content.stored_size);
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    Ok(())
}

fn check_digest(content: &Content, digest: Digest) -> Result<()> {
    if digest != content.digest {
        let message = format!("the stored bytes have the digest {digest}, the record says {}", content.digest);
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    Ok(())
}

/// A payload that is read from a file, decompressed and hashed on the way. A handler that seeks gets it in memory,
/// verified before.
struct StreamReader<'f, 's> {
    file: &'f File,
    start: u64,
    content: &'f Content,
    state: State<'f, 's>,
}

enum State<'f, 's> {
    Streaming(Decoder<&'s mut BufReader<Hashing<'f>>>),
    Memory(SliceReader),
}

impl<'f, 's> StreamReader<'f, 's> {
    fn new(mut file: &'f File, content: &'f Content, stored: &'s mut BufReader<Hashing<'f>>) -> Result<Self> {
        let start = file.stream_position()?;
        let decoder = Decoder::new(content.encoding, stored, content.raw_size)?;
        Ok(Self { file, start, content, state: State::Streaming(decoder) })
    }

    /// Whether all bytes passed their digest before the handler saw them.
    fn is_verified(&self) -> bool {
        matches!(self.state, State::Memory(_))
    }

    fn position(&self) -> u64 {
        self.content.raw_size.saturating_sub(self.remaining())
    }

    /// Reads everything from the start into memory, verified.
    fn load(&mut self) -> Result<()> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(self.start))?;
        self.file.take(self.content.stored_size).read_to_end(&mut bytes)?;
        self.state = State::Memory(in_memory(self.content, bytes.into())?);
        Ok(())
    }
}

impl Read for StreamReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Streaming(decoder) => decoder.read(buffer),
            State::Memory(reader) => reader.read(buffer),
        }
    }
}

impl BufRead for StreamReader<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.state {
            State::Streaming(decoder) => decoder.fill_buf(),
            State::Memory(reader) => reader.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match &mut self.state {
            State::Streaming(decoder) => decoder.consume(count),
            State::Memory(reader) => reader.consume(count),
        }
    }
}

impl Seek for StreamReader<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = self.position();
        if to == SeekFrom::Current(0) || to == SeekFrom::Start(position) {
            return Ok(position);
        }
        if !self.is_verified() {
            self.load()?;
            self.seek(SeekFrom::Start(position))?;
        }
        match &mut self.state {
            State::Memory(reader) => reader.seek(to),
            State::Streaming(_) => Ok(position),
        }
    }
}

impl PayloadReader for StreamReader<'_, '_> {
    fn remaining(&self) -> u64 {
        match &self.state {
            State::Streaming(decoder) => decoder.remaining(),
            State::Memory(reader) => reader.remaining(),
        }
    }

    fn backed(&self) -> u64 {
        self.content.encoding.most_raw(self.content.stored_size).min(self.remaining())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        if let State::Memory(reader) = &self.state { reader.as_slice() } else { None }
    }

    fn read_bytes(&mut self) -> io::Result<Bytes> {
        if let State::Memory(reader) = &mut self.state {
            return reader.read_bytes();
        }
        let (size, backed) = (self.remaining(), self.backed());
        Ok(read_numbers::<u8>(self, usize::try_from(size).unwrap_or(usize::MAX), backed)?.into())
    }
}

/// Hashes and counts what is read from a file.
struct Hashing<'f> {
    file: Take<&'f File>,
    hasher: Hasher,
    size: u64,
}

impl<'f> Hashing<'f> {
    fn new(file: &'f File, content: &Content) -> Self {
        let hasher = Hasher::new(content.digest.algorithm());
        Self { file: file.take(content.stored_size), hasher, size: 0 }
    }

    /// Reads what nobody read, and checks the digest of everything.
    fn verify(&mut self, content: &Content) -> Result<()> {
        io::copy(self, &mut io::sink())?;
        check_size(content, self.size)?;
        check_digest(content, self.hasher.digest())
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = buffer.len().min(PIECE);
        let count = self.file.read(buffer.get_mut(..piece).unwrap_or_default())?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }
}
