//! The place of an index in the file system: made for its owner only, and never on a network.

use crate::failure::foreign;
use cacheness_storage::{Durability, Error, ErrorKind, Result};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One thread at a time creates files: closing a file drops all POSIX locks that this process has on it, also those of
/// an index that another thread opened meanwhile.
static CREATION: Mutex<()> = Mutex::new(());

/// The fewest bytes that a SQLite database has, if it has any.
const SMALLEST_PAGE: u64 = 512;

/// Creates the file and its directories where they are missing. An existing file is not touched, nor opened.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a place that cannot hold an index, [`ErrorKind::ForeignStore`] for a file that is too small
/// to be one, and what the system says.
pub(crate) fn prepare(path: &Path, durability: Durability) -> Result<()> {
    let _only_one = CREATION.lock().unwrap_or_else(PoisonError::into_inner);
    if is_there(path)? {
        return settle(path, durability);
    }
    let missing: Vec<PathBuf> =
        path.ancestors().skip(1).take_while(|directory| !directory.exists()).map(Path::to_owned).collect();
    let parent = path.parent().unwrap_or(path);
    refuse_network(missing.last().and_then(|directory| directory.parent()).unwrap_or(parent))?;
    create_directories(parent).map_err(|error| refused(parent, "cannot be created", error))?;
    create_file(path).map_err(|error| refused(path, "cannot be created", error))?;
    settle(path, durability)
}

/// Makes the names of the file and of the directories above it survive the loss of power: who made them may not have.
fn settle(path: &Path, durability: Durability) -> Result<()> {
    if durability == Durability::Full {
        for directory in path.ancestors().skip(1) {
            match synchronise(directory) {
                // Nor could the caller have made a name in it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced.map_err(|error| refused(directory, "cannot be written to the device", error))?,
            }
        }
    }
    Ok(())
}

/// Makes sure that there is a file. Nothing is created, and the file is not opened.
///
/// # Errors
///
/// As [`prepare`], and [`ErrorKind::Config`] when there is none.
pub(crate) fn find(path: &Path) -> Result<()> {
    if is_there(path)? {
        return Ok(());
    }
    let message = format!("{} does not exist, and a read-only opening makes no index", path.display());
    Err(Error::new(ErrorKind::Config, message).advice("name an existing index, or open it for writing first"))
}

/// The path without symbolic links, where these are followed to the files beside the index, too.
pub(crate) fn resolved(path: PathBuf) -> Result<PathBuf> {
    if cfg!(unix) { path.canonicalize().map_err(|error| refused(&path, "cannot be reached", error)) } else { Ok(path) }
}

/// A file beside the index: its path with something behind it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The file that proves copies of records fresh, beside the index.
pub(crate) fn generations(path: &Path) -> Result<PathBuf> {
    resolved(path.to_owned()).map(|path| beside(&path, "-generations"))
}

/// Whether there is a file that can be an index.
fn is_there(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        // SQLite takes a file that cannot hold a page for an empty one.
        Ok(metadata) if metadata.is_file() && (1..SMALLEST_PAGE).contains(&metadata.len()) => {
            Err(foreign("the file is not a SQLite database"))
        }
        Ok(metadata) if metadata.is_file() => refuse_network(path).map(|()| true),
        Ok(_) => Err(Error::new(ErrorKind::Config, format!("{} is not a file", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(refused(path, "cannot be reached", error)),
    }
}

pub(crate) fn refused(path: &Path, problem: &str, source: io::Error) -> Error {
    let otherwise = match source.kind() {
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename => ErrorKind::Config,
        _ => ErrorKind::Storage,
    };
    Error::io(otherwise, format!("{} {problem}", path.display()), source)
}

fn create_directories(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn create_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // Another thread or process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(unix)]
fn synchronise(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn synchronise(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn refuse_network(path: &Path) -> Result<()> {
    let statistics = rustix::fs::statfs(path).map_err(|error| refused(path, "cannot be reached", error.into()))?;
    // The type's width and sign differ between architectures; the numbers have 32 bits.
    match network_file_system(statistics.f_type as u32) {
        None => Ok(()),
        Some(name) => {
            let message = format!("{} lies on a network file system ({name}), where locks fail", path.display());
            Err(Error::new(ErrorKind::Config, message).advice("put the index on a local disk, or use PostgreSQL"))
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn refuse_network(_path: &Path) -> Result<()> {
    Ok(())
}

/// The name of a network file system by its number, as `statfs(2)` lists them.
#[cfg(target_os = "linux")]
fn network_file_system(number: u32) -> Option<&'static str> {
    Some(match number {
        0x6969 => "NFS",
        0x517B => "SMB",
        0xFE53_4D42 => "SMB2",
        0xFF53_4D42 => "CIFS",
        0x0102_1997 => "9P",
        0x5346_414F => "AFS",
        0x00C3_6400 => "Ceph",
        0x7375_7245 => "Coda",
        0x0BD0_0BD0 => "Lustre",
        0x564C => "NCP",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        for number in [0x6969, 0xFF53_4D42, 0x0102_1997] {
            assert!(network_file_system(number).is_some(), "{number:x}");
        }
        let (ext4, tmpfs, btrfs) = (0xEF53, 0x0102_1994, 0x9123_683E);
        for number in [ext4, tmpfs, btrfs] {
            assert!(network_file_system(number).is_none(), "{number:x}");
        }
    }
}
