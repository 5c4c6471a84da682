//! Directories as open handles: everything happens relative to one, so it reaches the directory that was meant,
//! wherever that was moved to.

use super::Facts;
use cacheness_storage::Timestamp;
use rustix::buffer::spare_capacity;
use rustix::fs::{Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Whether a new name in a directory can be made to survive the loss of power.
pub(crate) const SYNCS_DIRECTORIES: bool = true;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Opening a FIFO must not wait for its writer.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const CREATE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);

/// Creates a directory and what is missing above it, all for the owner alone.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file or directory survive the loss of power.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(File);

impl Directory {
    /// Opens the root, through symbolic links too.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let directory = retry_on_intr(|| rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty()))?;
        Ok(Self(directory.into()))
    }

    /// Whether the caller may list and search it, and change it.
    pub(crate) fn check_access(&self, change: bool) -> io::Result<()> {
        let mut access = Access::READ_OK | Access::EXEC_OK;
        access.set(Access::WRITE_OK, change);
        Ok(rustix::fs::accessat(&self.0, ".", access, AtFlags::EACCESS)?)
    }

    /// The directory of that name in it; `None` when there is none, or something else has the name.
    pub(crate) fn child(&self, name: &str) -> io::Result<Option<Self>> {
        match retry_on_intr(|| rustix::fs::openat(&self.0, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())) {
            Ok(directory) => Ok(Some(Self(directory.into()))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a directory in it; says whether the name was free.
    pub(crate) fn create_child(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::mkdirat(&self.0, name, Mode::RWXU) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a file under a free name, for writing.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        let file = retry_on_intr(|| rustix::fs::openat(&self.0, name, CREATE, Mode::RUSR | Mode::WUSR))?;
        Ok(file.into())
    }

    /// As [`create_file`](Self::create_file) in a directory below, in one call; `None` where that cannot be done so.
    pub(crate) fn create_file_below(&self, directory: &str, name: &str) -> Option<File> {
        below(&self.0, directory, name, CREATE, Mode::RUSR | Mode::WUSR)
    }

    /// As [`open_file`](Self::open_file) in a directory below, in one call; `None` where that cannot be done so, or there
    /// is none.
    pub(crate) fn open_file_below(&self, directory: &str, name: &str) -> Option<(File, Facts)> {
        let file = below(&self.0, directory, name, READ, Mode::empty())?;
        let metadata = file.metadata().ok().filter(Metadata::is_file)?;
        let facts = Facts::of(&metadata);
        Some((file, facts))
    }

    /// Gives a file, which may lie elsewhere on the same file system, a free name in this directory.
    pub(crate) fn link_file(&self, from: &Path, name: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(CWD, from, &self.0, name, AtFlags::empty())?)
    }

    /// Opens a regular file for reading; `None` when there is none.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<Option<(File, Facts)>> {
        let file: File = match retry_on_intr(|| rustix::fs::openat(&self.0, name, READ, Mode::empty())) {
            Ok(file) => file.into(),
            // A symbolic link, or a socket.
            Err(Errno::NOENT | Errno::LOOP | Errno::MLINK | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        Ok(metadata.is_file().then(|| (file, Facts::of(&metadata))))
    }

    /// What is known of a regular file; `None` when there is none.
    pub(crate) fn facts(&self, name: &str) -> io::Result<Option<Facts>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode).is_file().then(|| facts(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a regular file; says whether there was one.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<bool> {
        if self.facts(name)?.is_none() {
            return Ok(false);
        }
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the names in it survive the loss of power.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    /// The names in it, in no order, except those that are not UTF-8 or, as far as known, not of regular files.
    pub(crate) fn file_names(&self) -> io::Result<impl Iterator<Item = io::Result<String>>> {
        Ok(Dir::read_from(&self.0)?.filter_map(|entry| match entry {
            Ok(entry) if !matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown) => None,
            Ok(entry) => entry.file_name().to_str().ok().map(|name| Ok(name.to_owned())),
            Err(error) => Some(Err(error.into())),
        }))
    }
}

/// Opens a file in a directory of `root` that no symbolic link leads to. `None` for every error: the way over the open
/// directory meets it again, and says what it means.
#[cfg(target_os = "linux")]
fn below(root: &File, directory: &str, name: &str, flags: OFlags, mode: Mode) -> Option<File> {
    use rustix::fs::{ResolveFlags, openat2};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Whether the system, or what guards it, does not know the call.
    static UNKNOWN: AtomicBool = AtomicBool::new(false);
    if UNKNOWN.load(Ordering::Relaxed) {
        return None;
    }
    let path = [directory, "/", name].concat();
    match openat2(root, path, flags, mode, ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH) {
        Ok(file) => Some(file.into()),
        Err(error) => {
            if matches!(error, Errno::NOSYS | Errno::PERM) {
                UNKNOWN.store(true, Ordering::Relaxed);
            }
            None
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn below(_: &File, _: &str, _: &str, _: OFlags, _: Mode) -> Option<File> {
    None
}

/// Reads `size` bytes of a file from `start` on, without touching its position.
pub(crate) fn read_at(file: &File, start: u64, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let position = start.saturating_add(bytes.len() as u64);
        if retry_on_intr(|| rustix::io::pread(file, spare_capacity(&mut bytes), position))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    bytes.truncate(size);
    Ok(bytes)
}

#[expect(clippy::unnecessary_cast, reason = "the fields have other types on other systems")]
fn facts(stat: &Stat) -> Facts {
    let micros = (stat.st_mtime as i64).saturating_mul(1_000_000).saturating_add(stat.st_mtime_nsec as i64 / 1000);
    Facts { size: u64::try_from(stat.st_size).unwrap_or(0), modified_at: Some(Timestamp::from_micros(micros)) }
}
