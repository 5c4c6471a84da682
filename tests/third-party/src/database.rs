//! Opening a file, once for all backends of this process on it, and running transactions.

use crate::failure::{Failure, Result};
use crate::{RedbConfig, SCHEME, schema};
use cacheness_storage::{Error, ErrorKind, OpenContext};
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// The databases that this process has open, by their real paths. redb lets one `Database` into a file, so the
/// backends on it share one. The lock is held while one is opened or dropped: no opening meets a closing.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Database>>> = Mutex::new(BTreeMap::new());

/// What a redb file begins with.
const MAGIC: [u8; 4] = *b"redb";

/// A file that one backend has open.
#[derive(Debug)]
pub(crate) struct Store {
    /// The URL, without options.
    pub(crate) name: String,
    /// What an error is when redb says nothing more.
    otherwise: ErrorKind,
    quick_repair: bool,
    /// `None` after `close`.
    database: RwLock<Option<Arc<Database>>>,
}

impl Store {
    pub(crate) fn open(
        path: &Path,
        context: &OpenContext,
        config: &RedbConfig,
        otherwise: ErrorKind,
    ) -> Result<Self, Error> {
        let name = format!("{SCHEME}:{}", path.display());
        let failed = |failure: Failure| failure.error(otherwise).operation("open").backend(&name);
        if context.read_only {
            return Err(failed(Error::new(ErrorKind::Unsupported, "it cannot be opened read-only").into()));
        }
        let database = RwLock::new(Some(shared(path, config).map_err(failed)?));
        Ok(Self { name, otherwise, quick_repair: config.quick_repair, database })
    }

    /// Reads as of one moment.
    pub(crate) fn read<R>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&ReadTransaction) -> Result<R>,
    ) -> Result<R, Error> {
        self.with(operation, |database| work(&database.begin_read()?))
    }

    /// Changes at once all that `work` changes, if it says so; otherwise nothing. What is kept survives the loss of power.
    pub(crate) fn write<R>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&WriteTransaction) -> Result<(R, bool)>,
    ) -> Result<R, Error> {
        self.with(operation, |database| {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(self.quick_repair);
            let (result, is_kept) = work(&transaction)?;
            if is_kept {
                // Whether a commit that failed has happened is open, so trying again may do it twice.
                let unsure = |error| Failure::from(error).error(self.otherwise).retryable(false);
                transaction.commit().map_err(unsure)?;
            }
            Ok(result)
        })
    }

    fn with<R>(&self, operation: &'static str, work: impl FnOnce(&Database) -> Result<R>) -> Result<R, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let result = match &*database {
            Some(database) => work(database),
            None => Err(Error::new(ErrorKind::Closed, "it was closed").advice("open it again").into()),
        };
        result.map_err(|failure| failure.error(self.otherwise).operation(operation).backend(&self.name))
    }

    /// Waits for what is under way and lets go of the file.
    pub(crate) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        drop(database);
        open.retain(|_, database| database.strong_count() > 0);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// The database at a path, the one that is open already if there is one.
fn shared(path: &Path, config: &RedbConfig) -> Result<Arc<Database>> {
    let wrong = |source| {
        let message = format!("{} cannot be opened", path.display());
        Error::io(ErrorKind::Config, message, source).advice("name a file in a directory that exists")
    };
    let cache_size = config.cache_size()?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let place = place(path).map_err(wrong)?;
    if let Some(database) = open.get(&place).and_then(Weak::upgrade) {
        return Ok(database);
    }
    let file = file(&place).map_err(wrong)?.ok_or_else(|| schema::foreign("the file is not a redb database"))?;
    let database = Arc::new(redb::Builder::new().set_cache_size(cache_size).create_file(file)?);
    schema::prepare(&database)?;
    open.insert(place, Arc::downgrade(&database));
    Ok(database)
}

/// The one name of a file, which need not be there yet.
fn place(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = std::path::absolute(path)?;
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Err(error) };
            Ok(directory.canonicalize()?.join(name))
        }
        found => found,
    }
}

/// Opens a redb file, or makes an empty one for its owner only. `None` when the file is something else.
fn file(place: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let is_new = !place.exists();
    if is_new {
        options.create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(place)?;
    #[cfg(unix)]
    if let Some(directory) = place.parent().filter(|_| is_new) {
        // The name of a new file survives the loss of power only when its directory was synced.
        File::open(directory)?.sync_all()?;
    }
    let mut beginning = Vec::new();
    (&mut file).take(MAGIC.len() as u64).read_to_end(&mut beginning)?;
    file.rewind()?;
    Ok((beginning.is_empty() || beginning == MAGIC).then_some(file))
}
