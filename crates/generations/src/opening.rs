//! How a file is opened by several processes at once, and who may clear what killed ones left.
//!
//! Every handle holds a shared lock for its life. An opening first tries for the exclusive lock: who gets it is alone,
//! finishes an unfinished file and settles the stripes that killed processes left busy. It goes on like all others: with
//! a shared lock, and a look at what the file is now. The exclusive lock is given up first, as converting a lock is
//! neither portable nor atomic; another opening may be alone in between. It finds nothing to do, and does no harm, as
//! the first one has given no stamp yet and begun no change.
//!
//! A file that is still unfinished under the shared lock is one whose maker was killed or is not there yet; nobody keeps
//! the shared lock on such a file. The second time the opening waits for its turn to be alone, and thus finishes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use cacheness_core::{Error, ErrorKind, Result};

use crate::format::{self, Stage};
use crate::mapped::Mapping;
use crate::table::{self, Table};

pub(crate) fn open(path: &Path) -> Result<Table> {
    refuse_what_is_no_file(path)?;
    let file = create(path).map_err(failed("opening", path))?;
    for waits in [false, true] {
        if is_alone(&file, waits).map_err(failed("locking", path))? {
            if format::judge(&file, path)? == Stage::Unfinished {
                format::finish(&file, path)?;
            }
            table::settle(Mapping::writable(&file).map_err(failed("mapping", path))?.words());
            file.unlock().map_err(failed("unlocking", path))?;
        }
        until_uninterrupted(|| file.lock_shared()).map_err(failed("locking", path))?;
        if format::judge(&file, path)? == Stage::Finished {
            let memory = Mapping::writable(&file).map_err(failed("mapping", path))?;
            return Ok(Table::mapped(memory, file));
        }
        file.unlock().map_err(failed("unlocking", path))?;
    }
    Err(Error::new(ErrorKind::Unavailable, format!("{} is emptied again and again", path.display())))
}

pub(crate) fn open_read_only(path: &Path) -> Result<Option<Table>> {
    // Elsewhere a load of 64 bits may be a write to the processor, which read-only memory does not take.
    if !cfg!(target_pointer_width = "64") || !refuse_what_is_no_file(path)? {
        return Ok(None);
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed("opening", path))?,
    };
    until_uninterrupted(|| file.lock_shared()).map_err(failed("locking", path))?;
    if format::judge(&file, path)? == Stage::Unfinished {
        return Ok(None);
    }
    let memory = Mapping::read_only(&file).map_err(failed("mapping", path))?;
    Ok(Some(Table::mapped(memory, file)))
}

/// Whether there is a file. Opening a pipe could wait for ever.
fn refuse_what_is_no_file(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => Err(Error::new(ErrorKind::ForeignStore, format!("{} is not a regular file", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("opening", path)(error)),
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether the exclusive lock was got.
fn is_alone(file: &File, waits: bool) -> io::Result<bool> {
    if waits {
        return until_uninterrupted(|| file.lock()).map(|()| true);
    }
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A lock that is waited for, also when signals arrive meanwhile.
fn until_uninterrupted(mut lock: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::io(ErrorKind::Storage, format!("{doing} {} failed", path.display()), source)
}
