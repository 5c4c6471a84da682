//! Where a handler reads a value from.

use bytes::{Buf, Bytes};
use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// The payload of a value, decompressed, with its bounds known.
pub trait PayloadReader: BufRead + Seek {
    /// Bytes from here to the end. An upper bound for every allocation a decoder makes from a length it read.
    fn remaining(&self) -> u64;

    /// How many of the [`remaining`](Self::remaining) bytes what is stored can account for. As many may be allocated at
    /// once; memory for the others should grow as they arrive.
    fn backed(&self) -> u64 {
        0
    }

    /// The rest as one slice, when it lies in memory.
    fn as_slice(&self) -> Option<&[u8]>;

    /// Reads the rest, and the last: a reader may give its memory away here, so there is nothing to seek back to.
    ///
    /// # Errors
    ///
    /// What reading returns.
    fn read_bytes(&mut self) -> io::Result<Bytes>;
}

/// A payload that lies in memory.
///
/// ```
/// use cacheness_handlers::{PayloadReader, SliceReader};
///
/// let mut reader = SliceReader::new("abc".into());
/// assert_eq!(reader.remaining(), 3);
/// assert_eq!(reader.read_bytes()?, "abc");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SliceReader {
    bytes: Bytes,
    position: usize,
}

impl SliceReader {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes, position: 0 }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }
}

impl Read for SliceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.rest().read(buffer)?;
        self.position += count;
        Ok(count)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.rest().read_exact(buffer)?;
        self.position += buffer.len();
        Ok(())
    }
}

impl BufRead for SliceReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest())
    }

    fn consume(&mut self, count: usize) {
        self.position = (self.position + count).min(self.bytes.len());
    }
}

impl Seek for SliceReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut cursor = io::Cursor::new(&self.bytes);
        cursor.set_position(self.position as u64);
        let position = cursor.seek(to)?;
        self.position = usize::try_from(position).unwrap_or(usize::MAX).min(self.bytes.len());
        Ok(self.position as u64)
    }
}

impl PayloadReader for SliceReader {
    fn remaining(&self) -> u64 {
        self.rest().len() as u64
    }

    fn backed(&self) -> u64 {
        self.remaining()
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self.rest())
    }

    fn read_bytes(&mut self) -> io::Result<Bytes> {
        // Given away, so that who is the only holder may make a `Vec` of it without a copy.
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.advance(self.position.min(bytes.len()));
        self.position = 0;
        Ok(bytes)
    }
}
