//! Digests of files and directories.

use super::encode::MAX_DEPTH;
use super::file::bytes_of;
use cacheness_core::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The context of digests of directories. Digests of files are plain BLAKE3, so no file has that of a directory.
const DIRECTORY_CONTEXT: &str = "cacheness 2026-11-20 directory version 1";

type Digest = [u8; 32];

/// The kinds of what lies in a directory, as its digest counts them.
const FILE: u8 = 1;
const DIRECTORY: u8 = 2;

/// The digest of what lies at a path. Blocks while it reads.
pub(super) fn digest(path: &Path) -> Result<Digest> {
    match kind_of(path)? {
        FILE => of_file(path),
        _ => {
            let real = fs::canonicalize(path).map_err(|error| unreadable(path, error))?;
            Walk::default().directory(&real)
        }
    }
}

/// What lies at a path, or where a symbolic link there leads to; an error unless it is a file or a directory.
fn kind_of(path: &Path) -> Result<u8> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() { Ok(DIRECTORY) } else { check_is_file(path, &metadata).map(|()| FILE) }
}

fn check_is_file(path: &Path, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidKey, format!("{path:?} is neither a file nor a directory"))
        .advice("pipes, sockets and devices have no content to make a key of"))
}

fn of_file(path: &Path) -> Result<Digest> {
    let unreadable = |error| unreadable(path, error);
    let file = File::open(path).map_err(unreadable)?;
    check_is_file(path, &file.metadata().map_err(unreadable)?)?;
    unchanged(
        path,
        || file.metadata(),
        || {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(&file).map_err(unreadable)?;
            Ok(*hasher.finalize().as_bytes())
        },
    )
}

/// Digests of directories. Their paths are real ones: on a path of many symbolic links systems give up.
#[derive(Default)]
struct Walk {
    /// The directories on the way to the one being read, and that one.
    above: Vec<PathBuf>,
    /// The digests of directories that symbolic links led to: links to directories of links would otherwise be
    /// followed times over, doubling at every level.
    linked: HashMap<PathBuf, Digest>,
}

impl Walk {
    fn directory(&mut self, path: &Path) -> Result<Digest> {
        if self.above.len() >= MAX_DEPTH {
            let message = format!("{path:?} lies deeper than {MAX_DEPTH} directories");
            return Err(Error::new(ErrorKind::InvalidKey, message).advice("name a directory further down"));
        }
        self.above.push(path.to_owned());
        let digest = unchanged(path, || fs::metadata(path), || self.entries(path))?;
        self.above.pop();
        Ok(digest)
    }

    fn entries(&mut self, path: &Path) -> Result<Digest> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| unreadable(path, error))? {
            let entry = entry.map_err(|error| unreadable(path, error))?;
            let is_link = entry.file_type().map_err(|error| unreadable(&entry.path(), error))?.is_symlink();
            names.push((entry.file_name(), is_link));
        }
        names.sort();
        let mut hasher = blake3::Hasher::new_derive_key(DIRECTORY_CONTEXT);
        for (name, is_link) in names {
            let inner = path.join(&name);
            let bytes = bytes_of(&name).ok_or_else(|| {
                Error::new(ErrorKind::InvalidKey, format!("the name of {inner:?} is not Unicode")).advice("rename it")
            })?;
            let kind = kind_of(&inner)?;
            let digest = match kind {
                FILE => of_file(&inner)?,
                _ if is_link => self.linked_directory(&inner)?,
                _ => self.directory(&inner)?,
            };
            hasher.update(&[kind]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes).update(&digest);
        }
        Ok(*hasher.finalize().as_bytes())
    }

    fn linked_directory(&mut self, link: &Path) -> Result<Digest> {
        let real = fs::canonicalize(link).map_err(|error| unreadable(link, error))?;
        if let Some(digest) = self.linked.get(&real) {
            return Ok(*digest);
        }
        if self.above.contains(&real) {
            return Err(Error::new(ErrorKind::InvalidKey, format!("{link:?} leads to a directory that it lies in"))
                .advice("remove the symbolic link, or name what lies beside it"));
        }
        let digest = self.directory(&real)?;
        self.linked.insert(real, digest);
        Ok(digest)
    }
}

/// What `read` makes of what lies at a path, unless that changed meanwhile as far as its length and time tell.
pub(super) fn unchanged<T>(
    path: &Path,
    metadata: impl Fn() -> io::Result<Metadata>,
    read: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let state = || -> Result<(u64, Option<SystemTime>)> {
        let metadata = metadata().map_err(|error| unreadable(path, error))?;
        Ok((metadata.len(), metadata.modified().ok()))
    };
    let before = state()?;
    let made = read()?;
    if state()? == before {
        return Ok(made);
    }
    Err(Error::new(ErrorKind::InvalidKey, format!("{path:?} changed while it was read for a key"))
        .advice("try again when nobody writes to it")
        .retryable(true))
}

/// The error for what could not be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "`file(path)` reads the file for the key; check the path",
        io::ErrorKind::PermissionDenied => "make it readable to this user",
        _ => "`file(path)` reads the file for the key; check that it can be read",
    };
    Error::io(ErrorKind::InvalidKey, format!("{path:?} cannot be read for a key"), error).advice(advice)
}
