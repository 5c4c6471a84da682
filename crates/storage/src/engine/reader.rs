//! A value as a stream of bytes: verified before the first of them is handed out, decompressed on the way.

use super::payload::{self, Stored};
use super::{Engine, Found};
use crate::Body;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{Decoder, SliceReader};
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Take};

/// How much is read from a file at once.
const BUFFER: usize = 256 << 10;

/// The types whose stored bytes, after the codec, are the value itself.
const PLAIN: [&str; 2] = ["bytes", "text"];

/// Reads the bytes of a stored value. It holds an open file or memory, not the store: replacing or removing the entry
/// changes nothing for it.
pub struct ValueReader {
    bytes: Source,
    size: u64,
}

enum Source {
    Memory(SliceReader),
    File(Box<Decoder<BufReader<Take<File>>>>),
}

impl ValueReader {
    /// The value's size in bytes, all of it.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for ValueReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Source::Memory(reader) => reader.read(buffer),
            Source::File(decoder) => decoder.read(buffer),
        }
    }
}

impl fmt::Debug for ValueReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueReader").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the bytes of what was found. All of them pass their digest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TypeMismatch`] for values that are no bytes and no text; [`ErrorKind::Corrupt`],
    /// [`ErrorKind::FormatTooNew`], and what reading returns.
    pub async fn reader(&self, found: Found) -> Result<ValueReader> {
        let Found { record, stored } = found;
        let content = record.content;
        if !PLAIN.contains(&&*content.type_tag) {
            let message = format!("{:?} of {} is stored, not bytes", content.type_tag, content.type_name);
            return Err(Error::new(ErrorKind::TypeMismatch, message)
                .key(&record.key)
                .advice("read it as the type that was put"));
        }
        let open = move || {
            let size = content.raw_size;
            let bytes = match payload::verify(&content, stored)? {
                Stored(Body::Bytes(bytes)) => Source::Memory(payload::decompressed(&content, bytes)?),
                Stored(Body::File { file, .. }) => {
                    let file = BufReader::with_capacity(BUFFER, file.take(content.stored_size));
                    Source::File(Box::new(Decoder::new(content.encoding, file, content.raw_size)?))
                }
            };
            Ok(ValueReader { bytes, size })
        };
        self.driver.compute(open).await.map_err(|error| error.key(&record.key))
    }
}
