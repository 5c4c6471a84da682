//! The lock of an index: a file beside it that holds nothing. It is not the index itself, which is replaced.

use super::opening::{beside, failed};
use cacheness_storage::Result;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The lock file of one opening.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

/// The lock, held until this is dropped.
pub(super) struct Held<'a>(&'a File);

impl Lock {
    /// Opens the lock of the index at `path`, which is made when it is missing.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let path = beside(path, "-lock");
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| failed("opened", &path, error))?;
        Ok(Self { file, path })
    }

    /// Opens the lock of the index at `path` for reading, if it is there and may be read: nobody writes otherwise.
    pub(super) fn open_read_only(path: &Path) -> Option<Self> {
        let path = beside(path, "-lock");
        File::open(&path).ok().map(|file| Self { file, path })
    }

    /// Waits until nobody else holds the lock.
    pub(super) fn exclusive(&self) -> Result<Held<'_>> {
        self.hold(File::lock)
    }

    /// Waits until nobody writes.
    pub(super) fn shared(&self) -> Result<Held<'_>> {
        self.hold(File::lock_shared)
    }

    fn hold(&self, lock: impl Fn(&File) -> io::Result<()>) -> Result<Held<'_>> {
        loop {
            match lock(&self.file) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("locked", &self.path, error)),
                Ok(()) => return Ok(Held(&self.file)),
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Whoever cannot unlock a file loses the lock when it is closed.
        let _ = self.0.unlock();
    }
}
