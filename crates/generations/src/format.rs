//! The bytes of the file: its header, its length, and which stripe a key belongs to. Documented in the README.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use cacheness_core::{Error, ErrorKind, Result};
use xxhash_rust::xxh3::xxh3_64;

/// How many stripes there are.
pub(crate) const STRIPES: usize = 1 << 14;

/// Bytes before the first stripe.
pub(crate) const HEADER_LENGTH: usize = 64;

/// Bytes of the whole file.
pub(crate) const FILE_LENGTH: usize = HEADER_LENGTH + STRIPES * size_of::<u64>();

const MAGIC: [u8; 8] = *b"\x89CGENS\r\n";
const VERSION: u32 = 1;

/// The stripe of a key, below [`STRIPES`].
pub(crate) fn stripe_of(key: &[u8]) -> u32 {
    (xxh3_64(key) % STRIPES as u64) as u32
}

/// The only header of this version.
fn header() -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_LENGTH);
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend((STRIPES as u32).to_le_bytes());
    header.resize(HEADER_LENGTH - size_of::<u64>(), 0);
    header.extend(xxh3_64(&header).to_le_bytes());
    header
}

/// How far a file came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Empty, or nothing but zeros: who makes it is not done, or was killed.
    Unfinished,
    /// As it should be.
    Finished,
}

/// Reads what a file is. The caller holds a lock on it.
pub(crate) fn judge(mut file: &File, path: &Path) -> Result<Stage> {
    let unreadable = |source| Error::io(ErrorKind::Storage, format!("reading {} failed", path.display()), source);
    let length = file.metadata().map_err(unreadable)?.len();
    let mut beginning = Vec::with_capacity(HEADER_LENGTH);
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    file.take(HEADER_LENGTH as u64).read_to_end(&mut beginning).map_err(unreadable)?;
    if length <= FILE_LENGTH as u64 && is_zero(&beginning) {
        let mut rest = Vec::new();
        file.take(FILE_LENGTH as u64).read_to_end(&mut rest).map_err(unreadable)?;
        if is_zero(&rest) {
            return Ok(Stage::Unfinished);
        }
    }
    check(&beginning, length, path).map(|()| Stage::Finished)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn check(beginning: &[u8], length: u64, path: &Path) -> Result<()> {
    let path = path.display();
    let damaged = |what: String| {
        Err(Error::new(ErrorKind::Corrupt, what)
            .advice("delete it while no program has the store open; it is made anew"))
    };
    if !beginning.iter().zip(&MAGIC).all(|(is, ours)| is == ours) {
        let message = format!("{path} does not hold generation counters of cacheness");
        return Err(Error::new(ErrorKind::ForeignStore, message).advice("move it away, or name another file"));
    }
    let version =
        beginning.get(MAGIC.len()..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
    if let Some(version) = version.filter(|version| *version > VERSION) {
        let message = format!("{path} holds generation counters of format {version}, this program knows {VERSION}");
        return Err(Error::new(ErrorKind::FormatTooNew, message).advice("use a newer version of cacheness"));
    }
    if length != FILE_LENGTH as u64 {
        return damaged(format!("{path} has {length} bytes, generation counters have {FILE_LENGTH}"));
    }
    if beginning != header() {
        return damaged(format!("the header of {path} is damaged"));
    }
    Ok(())
}

/// Makes an unfinished file a finished one. The caller is alone with it.
///
/// The zeros are written, not skipped: a hole in the file would end a process by a signal when it marks a stripe and the
/// disk is full. They are on disk before the header is, so what a loss of power leaves is finished or unfinished.
pub(crate) fn finish(mut file: &File, path: &Path) -> Result<()> {
    let mut write = |bytes: &[u8]| {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    let written = write(&vec![0; FILE_LENGTH]).and_then(|()| write(&header()));
    written.map_err(|source| Error::io(ErrorKind::Storage, format!("writing {} failed", path.display()), source))
}
