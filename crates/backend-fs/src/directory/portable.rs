//! Directories as paths, for systems without `openat`.

use super::Facts;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Whether a new name in a directory can be made to survive the loss of power.
pub(crate) const SYNCS_DIRECTORIES: bool = false;

/// Creates a directory and what is missing above it. Who may use it, the directory above decides.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Does nothing: a directory cannot be opened here.
pub(crate) fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A directory.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// The root.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::read_dir(path)?;
        Ok(Self(path.to_owned()))
    }

    /// Whether the caller may list it, and change it.
    pub(crate) fn check_access(&self, change: bool) -> io::Result<()> {
        if change { tempfile::tempfile_in(&self.0).map(drop) } else { fs::read_dir(&self.0).map(drop) }
    }

    /// The directory of that name in it; `None` when there is none, or something else has the name.
    pub(crate) fn child(&self, name: &str) -> io::Result<Option<Self>> {
        let path = self.0.join(name);
        Ok(known(fs::symlink_metadata(&path))?.filter(fs::Metadata::is_dir).map(|_| Self(path)))
    }

    /// Creates a directory in it; says whether the name was free.
    pub(crate) fn create_child(&self, name: &str) -> io::Result<bool> {
        match fs::create_dir(self.0.join(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates a file under a free name, for writing.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
    }

    /// Leaves it to [`create_file`](Self::create_file).
    pub(crate) fn create_file_below(&self, _: &str, _: &str) -> Option<File> {
        None
    }

    /// Leaves it to [`open_file`](Self::open_file).
    pub(crate) fn open_file_below(&self, _: &str, _: &str) -> Option<(File, Facts)> {
        None
    }

    /// Refuses, so that the file is copied: a link would inherit the attributes of a temporary file.
    pub(crate) fn link_file(&self, _: &Path, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Opens a regular file for reading; `None` when there is none.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<Option<(File, Facts)>> {
        if self.facts(name)?.is_none() {
            return Ok(None);
        }
        let Some(file) = known(File::open(self.0.join(name)))? else { return Ok(None) };
        let facts = Facts::of(&file.metadata()?);
        Ok(Some((file, facts)))
    }

    /// What is known of a regular file; `None` when there is none.
    pub(crate) fn facts(&self, name: &str) -> io::Result<Option<Facts>> {
        let metadata = known(fs::symlink_metadata(self.0.join(name)))?;
        Ok(metadata.filter(fs::Metadata::is_file).map(|metadata| Facts::of(&metadata)))
    }

    /// Removes a regular file; says whether there was one.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<bool> {
        if self.facts(name)?.is_none() {
            return Ok(false);
        }
        Ok(known(fs::remove_file(self.0.join(name)))?.is_some())
    }

    /// Does nothing: a directory cannot be opened here.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// The names in it, in no order, except those that are not UTF-8 or not of regular files.
    pub(crate) fn file_names(&self) -> io::Result<impl Iterator<Item = io::Result<String>>> {
        Ok(fs::read_dir(&self.0)?.filter_map(|entry| {
            let named = entry.and_then(|entry| Ok((entry.file_type()?.is_file(), entry.file_name())));
            match named {
                Ok((is_file, name)) => name.into_string().ok().filter(|_| is_file).map(Ok),
                Err(error) => Some(Err(error)),
            }
        }))
    }
}

/// Reads `size` bytes of a file from `start` on.
pub(crate) fn read_at(mut file: &File, start: u64, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// `None` for what is not there.
fn known<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
