//! An index that is opened for reading only: nothing is made, nothing is changed.
//!
//! SQLite reads a database in write-ahead mode through two files beside it, the log and the shared memory that says what
//! is in the log. Where both are, some process may be writing, or was killed, and SQLite finds its way: also where it
//! may not write to the shared memory. Where there is no log, nobody is writing; SQLite would make both files, so it is
//! told that the index is immutable, and whether that was true is known after each read: a process that begins to write
//! makes a log, and one that came and went left the file changed. Then the index is opened anew and read again.
//!
//! A log without its shared memory is refused. SQLite can read one, but either it makes the shared memory, or it reads
//! with the file system `unix-none`, and closing a file that was opened so takes away all the locks that this process
//! has on it, those of other connections, too.

use crate::SqliteConfig;
use crate::failure::{closed, failure};
use crate::open;
use crate::place;
use crate::readers::Readers;
use crate::schema::{self, Identity};
use crate::totals::Totals;
use cacheness_storage::{Error, ErrorKind, GenerationReader, Result};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long an opening tries again when files are missing, which may be because a process just opens or closes the index.
const PATIENCE: Duration = Duration::from_secs(1);

/// An index that is only read.
pub(crate) struct ReadOnly {
    /// Absolute, without symbolic links.
    path: PathBuf,
    config: SqliteConfig,
    /// `None` when there are none, or none that can be read.
    generations: Option<GenerationReader>,
    /// `None` after `close`.
    opened: Mutex<Option<Arc<Opened>>>,
}

/// One opening, good as long as the files are what they were.
struct Opened {
    access: Access,
    readers: Readers,
}

/// How the files beside the index say it can be read.
#[derive(PartialEq)]
enum Access {
    /// With locks and the log.
    Shared,
    /// Without either, while the file stays as it is.
    Immutable(Stamp),
    /// Not at all, before its log was moved into it.
    Unfinished,
}

/// What changes with a file, as far as the file system tells.
#[derive(PartialEq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    /// Device, number, and when its attributes changed.
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl ReadOnly {
    /// Opens an existing index.
    ///
    /// # Errors
    ///
    /// As [`SqliteMetadata::open`](crate::SqliteMetadata::open).
    pub(crate) fn open(path: PathBuf, config: &SqliteConfig) -> Result<Self> {
        place::find(&path)?;
        let path = place::resolved(path)?;
        let opened = Mutex::new(Some(Arc::new(Opened::open(&path, config)?)));
        // Without it copies are probed.
        let generations = GenerationReader::open(place::generations(&path)?).ok().flatten();
        Ok(Self { path, config: config.clone(), generations, opened })
    }

    /// Works with a connection, more than once if the index changes meanwhile.
    pub(crate) fn read<R>(&self, work: impl Fn(&Connection) -> Result<R>) -> Result<R> {
        let start = Instant::now();
        loop {
            let opened = self.lock().clone().ok_or_else(closed)?;
            let result = opened.readers.with(&work);
            let is_current = opened.is_current(&self.path)?;
            if is_current && !result.as_ref().is_err_and(Error::is_retryable) {
                return result;
            }
            if start.elapsed() >= self.config.busy_timeout() {
                return result.and(Err(unsettled()));
            }
            if is_current {
                pause();
            } else {
                self.open_anew(&opened)?;
            }
        }
    }

    /// What those who write mark.
    pub(crate) fn generations(&self) -> Option<&GenerationReader> {
        self.generations.as_ref()
    }

    /// Why nothing is changed here.
    pub(crate) fn refuse<R>(&self) -> Result<R> {
        self.lock().as_ref().ok_or_else(closed)?;
        let error = Error::new(ErrorKind::ReadOnly, "the index was opened read-only and takes no changes");
        Err(error.advice("open it without read_only"))
    }

    pub(crate) fn close(&self) {
        if let Some(opened) = self.lock().take() {
            opened.readers.close();
        }
    }

    /// Replaces an opening that is no longer good, unless another thread did.
    fn open_anew(&self, old: &Arc<Opened>) -> Result<()> {
        let mut opened = self.lock();
        if opened.as_ref().is_some_and(|opened| Arc::ptr_eq(opened, old)) {
            *opened = Some(Arc::new(Opened::open(&self.path, &self.config)?));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Opened>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    fn open(path: &Path, config: &SqliteConfig) -> Result<Self> {
        let start = Instant::now();
        loop {
            let access = Access::of(path)?;
            let readers = (0..config.readers).map(|_| access.connect(path, config)).collect::<Result<_>>();
            let is_current = access == Access::of(path)?;
            let opened = readers.map(|readers| Self { access, readers: Readers::new(readers) });
            let patience = match &opened {
                Ok(_) if is_current => return opened,
                Err(error) if error.is_retryable() => config.busy_timeout(),
                Err(error) if is_current && !matches!(error.kind(), ErrorKind::Permission | ErrorKind::ReadOnly) => {
                    return opened;
                }
                _ => PATIENCE,
            };
            if start.elapsed() >= patience {
                return opened.and(Err(unsettled()));
            }
            pause();
        }
    }

    /// Whether everything that was read so far was right.
    fn is_current(&self, path: &Path) -> Result<bool> {
        // Where there are locks, those of this opening keep the files in place.
        Ok(self.access == Access::Shared || self.access == Access::of(path)?)
    }
}

impl Access {
    fn of(path: &Path) -> Result<Self> {
        let facts = |suffix| {
            let path = place::beside(path, suffix);
            match fs::metadata(&path) {
                Ok(metadata) => Ok(Some(metadata)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(place::refused(&path, "cannot be reached", error)),
            }
        };
        let is_filled = |file: &Option<Metadata>| file.as_ref().is_some_and(|file| file.len() > 0);
        let (log, memory, journal) = (facts("-wal")?, facts("-shm")?, facts("-journal")?);
        Ok(match (&log, memory.is_some()) {
            (Some(_), true) => Self::Shared,
            _ if is_filled(&log) || is_filled(&journal) => Self::Unfinished,
            _ => {
                let metadata = fs::metadata(path).map_err(|error| place::refused(path, "cannot be reached", error))?;
                Self::Immutable(Stamp::of(&metadata))
            }
        })
    }

    fn connect(&self, path: &Path, config: &SqliteConfig) -> Result<Connection> {
        let connection = match self {
            Self::Shared => open::reader(path, config)?,
            Self::Immutable(_) => open::immutable(path, config)?,
            Self::Unfinished => return Err(unfinished(path)),
        };
        check(&connection)?;
        open::keep_pages(&connection)?;
        Ok(connection)
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            size: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            identity: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Makes sure that the file is an index. The first read also takes the lock that keeps the log in its place.
fn check(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failure)?;
    let snapshot = connection.unchecked_transaction().map_err(failure)?;
    if schema::identify(&snapshot)? == Identity::Empty {
        let message = "the file is empty, and a read-only opening makes no index";
        return Err(Error::new(ErrorKind::Config, message).advice("open it for writing first"));
    }
    Totals::read(&snapshot).map(drop)
}

fn unfinished(path: &Path) -> Error {
    let message = format!("{} has a log that was not moved into it, and no -shm file to read it by", path.display());
    Error::new(ErrorKind::ReadOnly, message).advice("open it for writing once, which moves the log")
}

fn unsettled() -> Error {
    Error::new(ErrorKind::Unavailable, "other processes change the index again and again").advice("try again")
}

fn pause() {
    thread::sleep(Duration::from_millis(2));
}
