//! The counters of a mapped file, seen as atomics: the one place of the family that uses `unsafe`.

use std::fs::File;
use std::io;
use std::slice;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};

use crate::format::{FILE_LENGTH, HEADER_LENGTH, STRIPES};

/// The memory of a whole file of counters.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// At least [`FILE_LENGTH`] bytes.
    memory: MmapRaw,
}

impl Mapping {
    /// Maps a file that has its full length. Its counters may be read and changed.
    pub(crate) fn writable(file: &File) -> io::Result<Self> {
        MmapOptions::new().len(FILE_LENGTH).map_raw(file).and_then(Self::new)
    }

    /// Maps a file that has its full length. Its counters must only be read, and only relaxed.
    pub(crate) fn read_only(file: &File) -> io::Result<Self> {
        MmapOptions::new().len(FILE_LENGTH).map_raw_read_only(file).and_then(Self::new)
    }

    fn new(memory: MmapRaw) -> io::Result<Self> {
        if memory.len() < FILE_LENGTH {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { memory })
    }

    #[inline]
    #[allow(
        unsafe_code,
        reason = "counters that processes share are atomics in mapped memory, and no safe call says so"
    )]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        let first = self.memory.as_mut_ptr().wrapping_add(HEADER_LENGTH).cast::<AtomicU64>();
        // SAFETY:
        // - `first` and the `STRIPES` words from it lie in one mapping: it has at least `FILE_LENGTH` bytes, which is
        //   the header and these words (`new` compared, `format` defines). It lives, unmoved, until `self` is dropped,
        //   and the slice borrows `self`.
        // - `first` is aligned to 8 bytes: a mapping from the start of a file begins at a page, the header has 64 bytes.
        // - Every bit pattern is a valid `AtomicU64`.
        // - The memory changes under the shared slice only as atomics may: this program never makes another reference
        //   to it, and other processes change it by the atomics of their own mapping. The file is not written in other
        //   ways while it is mapped: the header and the zeros are written by who is alone, and before it maps.
        // - A read-only mapping is only loaded from, relaxed: it is reached through `Reader`, which cannot change.
        // A file that others truncate ends the process by a signal when it is touched; it does not corrupt memory.
        unsafe { slice::from_raw_parts(first, STRIPES) }
    }
}
