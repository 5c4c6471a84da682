//! The place of an index in the file system: what is there, and whether it is still the file that was opened.

use crate::directory::{create_private, sync};
use cacheness_storage::{Durability, Error, ErrorKind, Result};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What a look at an index shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) identity: Identity,
    pub(super) size: u64,
}

/// Which of the files it is that follow each other under one name: two that are open are never equal.
#[cfg(unix)]
pub(super) type Identity = (u64, u64);
/// The header, which says how often the file was written anew.
#[cfg(not(unix))]
pub(super) type Identity = Vec<u8>;

#[cfg(unix)]
impl Look {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::of_metadata(&metadata))
    }

    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::of_metadata(&metadata))
    }

    fn of_metadata(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { identity: (metadata.dev(), metadata.ino()), size: metadata.len() }
    }
}

#[cfg(not(unix))]
impl Look {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Self::of(&File::open(path)?)
    }

    pub(super) fn of(mut file: &File) -> io::Result<Self> {
        use std::io::{BufRead, BufReader, Read, Seek};
        let size = file.metadata()?.len();
        let mut identity = Vec::new();
        file.rewind()?;
        BufReader::new(file.take(super::line::MAX_HEADER)).read_until(b'\n', &mut identity)?;
        Ok(Self { identity, size })
    }
}

/// The path of an index without links and without regard to the working directory, so that it can be replaced.
pub(super) fn resolved(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(|error| failed("resolved", path, error))?;
    if !absolute.exists() {
        return Ok(absolute);
    }
    absolute.canonicalize().map_err(|error| failed("resolved", path, error))
}

/// Whether there is a file that is not empty.
pub(super) fn is_there(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.len() > 0),
        Ok(_) => Err(Error::new(ErrorKind::Config, format!("{} is not a file", path.display()))
            .advice("give the path of a file, or a free one")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("reached", path, error)),
    }
}

/// Makes the directories above an index.
pub(super) fn make_directories(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    create_private(parent).map_err(|error| failed("created", parent, error))
}

/// Opens an index.
pub(super) fn open(path: &Path, writable: bool) -> Result<File> {
    OpenOptions::new().read(true).append(writable).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => gone(path, error),
        _ => failed("opened", path, error),
    })
}

/// The error for an index that was there when it was opened.
pub(super) fn gone(path: &Path, source: io::Error) -> Error {
    Error::new(ErrorKind::Metadata, format!("{} is gone: it was removed or moved while it was open", path.display()))
        .advice("put it back, or open the store again to begin with an empty one")
        .source(source)
}

/// Makes an index and its name, and the names of the directories above it, survive the loss of power: whoever made them
/// may not have.
pub(super) fn settle(path: &Path, durability: Durability) -> Result<()> {
    if durability == Durability::Full {
        sync(path).map_err(|error| failed("synced", path, error))?;
        for directory in path.ancestors().skip(1) {
            match sync(directory) {
                // Nor could the caller have made a name in it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced.map_err(|error| failed("synced", directory, error))?,
            }
        }
    }
    Ok(())
}

/// A file beside an index: its path with something behind it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The error of a file system call on `path`, which could not be `verb`: read, written, …
pub(super) fn failed(verb: &str, path: &Path, source: io::Error) -> Error {
    let error = Error::io(ErrorKind::Metadata, format!("{} could not be {verb}", path.display()), source);
    match error.kind() {
        ErrorKind::Permission => error.advice("run as the owner of the file, or give another one"),
        ErrorKind::OutOfSpace => error.advice("free space on the device, or give a file on another one"),
        _ => error,
    }
}
