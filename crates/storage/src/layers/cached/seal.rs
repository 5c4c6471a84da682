//! How a local copy is written, and told from a damaged one: behind the bytes of the blob lies a digest of them and of
//! the blob's name.
//!
//! The digest that a blob backend may know is no help: it is that of the value's stored bytes, without the trailer.

use crate::layers::replay::Replay;
use crate::{BlobId, Body, Digest, DigestAlgorithm, Hasher, Staged};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{Spool, Spooled};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

/// The last eight bytes of every local copy.
const MAGIC: [u8; 8] = *b"\x89CCOPY\r\n";

/// Bytes behind those of the blob: an XXH3-128 digest and [`MAGIC`].
const SEAL: usize = 16 + 8;

/// Bytes that a seal takes.
pub(super) const SEAL_SIZE: u64 = SEAL as u64;

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// Copies of more bytes go through a file of the staging directory, or of the system's when there is none.
const IN_MEMORY: usize = 1 << 20;

/// The bytes of a blob with their seal, staged. With a staging directory they are always in a file of it, which is
/// published whole: nobody sees half a copy.
///
/// # Errors
///
/// [`ErrorKind::Storage`] when there are fewer bytes than the blob has, and what the file system returns.
pub(super) fn sealed(id: BlobId, source: &Replay, staging: Option<&Path>) -> Result<Staged> {
    let mut spool = Spool::new(if staging.is_some() { 0 } else { IN_MEMORY }, staging);
    let mut hasher = Hasher::new(DigestAlgorithm::Xxh3);
    let mut reader = source.reader()?;
    let mut buffer = vec![0; PIECE.min(usize::try_from(source.size()).unwrap_or(PIECE)).max(1)];
    let mut size = 0;
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        hasher.update(piece);
        spool.write_all(piece)?;
        size += count as u64;
    }
    if size != source.size() {
        let message = format!("{size} bytes of the blob {id} arrived, but it has {}", source.size());
        return Err(Error::new(ErrorKind::Storage, message));
    }
    spool.write_all(seal(hasher, id).as_bytes())?;
    spool.write_all(&MAGIC)?;
    Ok(match spool.finish()? {
        Spooled::Memory(bytes) => Staged::Bytes(bytes),
        Spooled::File(file) => Staged::File(file),
    })
}

fn seal(mut hasher: Hasher, id: BlobId) -> Digest {
    hasher.update(id.as_bytes());
    hasher.digest()
}

/// A part of a blob and the size of the whole, from a local copy; `None` when that is damaged. All of it is read first.
pub(super) fn opened(id: BlobId, copy: Body, range: Option<&Range<u64>>) -> Result<Option<(Body, u64)>> {
    match copy {
        Body::Bytes(bytes) => {
            let Some(size) = bytes.len().checked_sub(SEAL) else { return Ok(None) };
            let (content, footer) = (bytes.slice(..size), bytes.slice(size..));
            let mut hasher = Hasher::new(DigestAlgorithm::Xxh3);
            hasher.update(&content);
            if !is_seal(&footer, hasher, id) {
                return Ok(None);
            }
            let part = clipped(range, size as u64);
            let place = |at: u64| usize::try_from(at).unwrap_or(size).min(size);
            Ok(Some((Body::Bytes(content.slice(place(part.start)..place(part.end))), size as u64)))
        }
        Body::File { mut file, size } => {
            let Some(size) = size.checked_sub(SEAL_SIZE) else { return Ok(None) };
            let start = file.stream_position()?;
            if !is_whole(&mut file, size, id)? {
                return Ok(None);
            }
            let part = clipped(range, size);
            file.seek(SeekFrom::Start(start.saturating_add(part.start)))?;
            Ok(Some((Body::File { file, size: part.end - part.start }, size)))
        }
    }
}

fn is_whole(file: &mut File, size: u64, id: BlobId) -> Result<bool> {
    let mut hasher = Hasher::new(DigestAlgorithm::Xxh3);
    let mut buffer = vec![0; PIECE.min(usize::try_from(size).unwrap_or(PIECE))];
    let mut left = size;
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(PIECE).min(buffer.len());
        let piece = buffer.get_mut(..piece).unwrap_or_default();
        if !fill(file, piece)? {
            return Ok(false);
        }
        hasher.update(piece);
        left -= piece.len() as u64;
    }
    let mut footer = [0; SEAL];
    Ok(fill(file, &mut footer)? && is_seal(&footer, hasher, id))
}

/// Reads a whole piece, if there are so many bytes.
fn fill(file: &mut File, piece: &mut [u8]) -> Result<bool> {
    match file.read_exact(piece) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => Ok(read.map(|()| true)?),
    }
}

fn is_seal(footer: &[u8], hasher: Hasher, id: BlobId) -> bool {
    footer.strip_suffix(&MAGIC).is_some_and(|digest| digest == seal(hasher, id).as_bytes())
}

/// The part of a range that lies within `size` bytes.
fn clipped(range: Option<&Range<u64>>, size: u64) -> Range<u64> {
    let Some(range) = range else { return 0..size };
    let start = range.start.min(size);
    start..range.end.clamp(start, size)
}
