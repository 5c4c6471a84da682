//! The way of a value's bytes: handler, codec, hash, spool.

use super::options::{Choice, EngineOptions};
use super::source::{Held, Source};
use crate::{Content, Digest, Hasher, Terms};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::codec::looks_random;
use cacheness_handlers::{Codec, Encoder, Encoding, Spool, Spooled};
use std::io::{self, Read, Write};
use std::path::Path;

/// What separates content keys from other uses of BLAKE3. Part of the format: it never changes.
const CONTENT_KEY: &str = "cacheness 2026 content key v1";

/// How much is read at once from the reader of a value.
const BUFFER: usize = 256 << 10;

/// How much is written at once before it is hashed: a part of the second-level cache. Of 64 KiB to 8 MiB it was the
/// fastest.
const PIECE: usize = 256 << 10;

/// Room for a trailer behind the stored bytes.
const TRAILER: u64 = 512;

/// A value whose stored bytes lie in a spool, where a trailer may still follow them.
pub(super) struct Encoded {
    pub(super) spool: Spool,
    pub(super) content: Content,
    /// The key that the content makes, in a store that is content-addressable.
    pub(super) content_key: Option<String>,
}

/// Runs a value through the pipeline.
pub(super) fn encode(source: Source<'_>, options: &EngineOptions, staging: Option<&Path>) -> Result<Encoded> {
    let hints = &source.format.hints;
    let output = Output {
        hasher: Hasher::new(options.digest),
        size: 0,
        spool: Spool::new(options.staging_memory, staging).with_capacity(hints.size.map_or(0, |size| size + TRAILER)),
    };
    let mut pipeline = Pipeline {
        choice: options.compression.choose(hints),
        // Nobody holds in memory what comes from a reader.
        limit: if matches!(source.held, Held::Reader(_)) { u64::MAX } else { options.max_value_size },
        size: hints.size,
        raw_size: 0,
        raw_hasher: options.content_addressable.then(|| content_hasher(&source)),
        stage: Stage::Undecided(Vec::new(), output),
    };
    if let Some(size) = hints.size {
        pipeline.check_limit(size)?;
        if size > pipeline.choice.threshold {
            pipeline.choice.threshold = 0;
        }
    }
    match source.held {
        Held::Borrowed(value) => source.handler.encode(value, &source.format, &mut pipeline)?,
        Held::Shared(value) => source.handler.encode(&*value, &source.format, &mut pipeline)?,
        Held::Encoded(Spooled::Memory(bytes)) => pipeline.write_all(&bytes)?,
        Held::Encoded(Spooled::File(file)) => drain(file.reader()?, &mut pipeline)?,
        Held::Stored(encoded) => return Ok(*encoded),
        Held::Reader(reader) => drain(reader, &mut pipeline)?,
    }
    let content_key = pipeline.raw_hasher.take().map(|hasher| hasher.finalize().to_hex().to_string());
    let Finished { encoding, raw_size, output } = pipeline.finish()?;
    let content = Content {
        type_tag: source.handler.type_tag().to_owned().into(),
        type_name: source.type_name.into(),
        format: source.format.name.clone(),
        format_version: source.format.version,
        schema: source.format.schema,
        extra: source.format.extra.clone(),
        encoding,
        raw_size,
        stored_size: output.size,
        digest: output.digest(),
        key_digest: None,
        terms: Terms::default(),
        object: None,
    };
    content.check()?;
    Ok(Encoded { spool: output.spool, content, content_key })
}

/// Hashes what makes two values the same: how they are read, then their bytes before the codec.
fn content_hasher(source: &Source<'_>) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new_derive_key(CONTENT_KEY);
    let Source { handler, format, .. } = source;
    for text in [handler.type_tag(), &format.name] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.update(&format.version.to_le_bytes());
    hasher.update(&format.schema.unwrap_or(0).to_le_bytes());
    // A map in order, so the same fields are the same text.
    hasher.update(serde_json::Value::from_iter(format.extra.clone()).to_string().as_bytes());
    hasher
}

/// Writes what a reader gives, in pieces.
fn drain(mut reader: impl Read, pipeline: &mut Pipeline) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io(ErrorKind::Storage, "the reader of the value failed", error)),
        };
        pipeline.write_all(buffer.get(..count).unwrap_or_default())?;
    }
}

struct Pipeline {
    choice: Choice,
    limit: u64,
    /// How many raw bytes the handler said there will be.
    size: Option<u64>,
    raw_size: u64,
    raw_hasher: Option<blake3::Hasher>,
    stage: Stage,
}

enum Stage {
    /// Too few bytes so far to know whether the codec is worth it.
    Undecided(Vec<u8>, Output),
    Plain(Output),
    Coded(Encoder<Output>),
    /// A codec failed; the error was reported.
    Failed,
}

struct Finished {
    encoding: Encoding,
    raw_size: u64,
    output: Output,
}

impl Pipeline {
    fn check_limit(&self, size: u64) -> Result<()> {
        if size > self.limit {
            let message = format!("the value has more than {} bytes, the largest that is stored", self.limit);
            return Err(Error::new(ErrorKind::TooLarge, message).advice("split it, or raise max_value_size"));
        }
        Ok(())
    }

    /// The value is large enough for its codec, unless `next` is all of it, and noise.
    fn decide(&mut self, next: &[u8]) -> Result<()> {
        if let Stage::Undecided(buffer, output) = std::mem::replace(&mut self.stage, Stage::Failed) {
            let is_whole = self.size == Some(next.len() as u64);
            let is_noise = is_whole && self.choice.shuffle <= 1 && looks_random(next);
            self.stage = match self.choice.codec {
                Codec::None => Stage::Plain(output),
                _ if is_noise => Stage::Plain(output),
                codec => Stage::Coded(Encoder::new(codec, self.choice.shuffle, output)?),
            };
            self.forward(&buffer)?;
        }
        Ok(())
    }

    fn forward(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stage {
            Stage::Undecided(buffer, _) => {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            Stage::Plain(output) => output.write_all(bytes),
            Stage::Coded(encoder) => encoder.write_all(bytes),
            Stage::Failed => Err(Error::new(ErrorKind::Compression, "the codec failed before").into()),
        }
    }

    fn finish(self) -> Result<Finished> {
        let raw_size = self.raw_size;
        let plain = Encoding::NONE;
        match self.stage {
            Stage::Undecided(buffer, mut output) => {
                output.write_all(&buffer)?;
                Ok(Finished { encoding: plain, raw_size, output })
            }
            Stage::Plain(output) => Ok(Finished { encoding: plain, raw_size, output }),
            Stage::Coded(encoder) => {
                let encoding = self.choice.codec.encoding(self.choice.shuffle);
                Ok(Finished { encoding, raw_size, output: encoder.finish()? })
            }
            Stage::Failed => Err(Error::new(ErrorKind::Compression, "the codec failed before")),
        }
    }
}

impl Write for Pipeline {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.raw_size += bytes.len() as u64;
        self.check_limit(self.raw_size)?;
        if let Some(hasher) = &mut self.raw_hasher {
            hasher.update(bytes);
        }
        if matches!(self.stage, Stage::Undecided(..)) && self.raw_size > self.choice.threshold {
            self.decide(bytes)?;
        }
        self.forward(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The stored bytes: counted, hashed, spooled.
struct Output {
    hasher: Hasher,
    size: u64,
    spool: Spool,
}

impl Output {
    fn digest(&self) -> Digest {
        self.hasher.digest()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Written, then hashed while it is in the cache: the copy is what fetches best from memory.
        for piece in bytes.chunks(PIECE) {
            self.spool.write_all(piece)?;
            self.hasher.update(piece);
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}
