//! Where an encoded payload waits to be stored: in memory while it is small, in a temporary file from then on.

use bytes::Bytes;
use cacheness_core::{Error, ErrorKind, Result};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile, TempPath};

/// What the names of temporary files begin with. They are locked as long as their process lives, so that a sweep knows
/// those of a killed one.
pub const FILE_PREFIX: &str = "cacheness-spool-";

/// The memory, in bytes, that a thread keeps at most for its next payload. An allocator that gives memory back to the
/// system at once makes each put pay for the pages again.
const KEPT: usize = 256 << 10;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Takes back the memory of a payload that was stored, for the next one of this thread, if nobody else holds it.
pub fn recycle(bytes: Bytes) {
    if let Ok(bytes) = bytes.try_into_mut() {
        keep(bytes.into());
    }
}

fn keep(mut memory: Vec<u8>) {
    if (1..=KEPT).contains(&memory.capacity()) {
        memory.clear();
        let _ = SPARE.try_with(|spare| spare.set(memory));
    }
}

/// Takes a payload of any size in constant memory. Dropped before [`finish`](Self::finish), it leaves nothing behind.
///
/// ```
/// use cacheness_handlers::spool::{Spool, Spooled};
/// use std::io::Write;
///
/// let mut spool = Spool::new(1024, None);
/// spool.write_all(b"small")?;
/// assert!(matches!(spool.finish()?, Spooled::Memory(bytes) if bytes == "small"));
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Spool {
    memory_limit: usize,
    staging: Option<PathBuf>,
    memory: Vec<u8>,
    file: Option<NamedTempFile>,
    length: u64,
}

impl Spool {
    /// A spool that holds up to `memory_limit` bytes in memory and more in a file under `staging`, by default the
    /// system's directory for temporary files.
    pub fn new(memory_limit: usize, staging: Option<&Path>) -> Self {
        Self { memory_limit, staging: staging.map(Path::to_owned), memory: Vec::new(), file: None, length: 0 }
    }

    /// Gets ready for about `bytes`: memory for them is reserved if they are to stay there, and otherwise the first of
    /// them goes to the file already.
    #[must_use]
    pub fn with_capacity(mut self, bytes: u64) -> Self {
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= self.memory_limit => {
                if bytes <= KEPT && self.memory.capacity() == 0 {
                    self.memory = SPARE.try_with(Cell::take).unwrap_or_default();
                }
                self.memory.reserve_exact(bytes);
            }
            _ => self.memory_limit = 0,
        }
        self
    }

    /// Ends the payload.
    ///
    /// # Errors
    ///
    /// What the file system returns.
    pub fn finish(self) -> Result<Spooled> {
        Ok(match self.file {
            // Few bytes in much memory: who holds them is not to hold all of it.
            None if self.memory.len() < self.memory.capacity() / 2 => {
                let bytes = Bytes::copy_from_slice(&self.memory);
                keep(self.memory);
                Spooled::Memory(bytes)
            }
            None => Spooled::Memory(self.memory.into()),
            Some(file) => {
                let (file, path) = file.into_parts();
                Spooled::File(SpooledFile { file, path, length: self.length })
            }
        })
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            None if bytes.len() <= self.memory_limit.saturating_sub(self.memory.len()) => {
                self.memory.extend_from_slice(bytes);
                self.length += bytes.len() as u64;
                return Ok(bytes.len());
            }
            None => {
                let mut file = create_file(self.staging.as_deref())?;
                file.as_file_mut().write_all(&self.memory).map_err(|error| not_written(file.path(), error))?;
                self.memory = Vec::new();
                self.file.insert(file)
            }
        };
        let count = file.as_file_mut().write(bytes).map_err(|error| not_written(file.path(), error))?;
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn create_file(staging: Option<&Path>) -> Result<NamedTempFile> {
    let directory = staging.map_or_else(std::env::temp_dir, Path::to_owned);
    let file = Builder::new().prefix(FILE_PREFIX).tempfile_in(&directory).map_err(|error| {
        let message = format!("a temporary file in {} could not be created", directory.display());
        Error::io(ErrorKind::Storage, message, error)
    })?;
    // Where locks do not work, the sweep goes by the age of the file alone.
    drop(file.as_file().try_lock());
    Ok(file)
}

fn not_written(path: &Path, error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    Error::io(ErrorKind::Storage, format!("{} could not be written", path.display()), error).into()
}

/// A whole payload, ready to be stored.
#[derive(Debug)]
pub enum Spooled {
    /// It was small.
    Memory(Bytes),
    /// It was large.
    File(SpooledFile),
}

impl Spooled {
    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.len(),
        }
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it in memory.
    ///
    /// # Errors
    ///
    /// What the file system returns.
    pub fn into_bytes(self) -> Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File(file) => {
                let mut bytes = Vec::new();
                file.reader()?.read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

/// A payload in a temporary file, readable by its owner alone, which is removed when this is dropped.
#[derive(Debug)]
pub struct SpooledFile {
    file: File,
    path: TempPath,
    length: u64,
}

impl SpooledFile {
    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading, from its start.
    ///
    /// # Errors
    ///
    /// What the file system returns.
    pub fn reader(&self) -> Result<File> {
        File::open(&self.path).map_err(|error| {
            Error::io(ErrorKind::Storage, format!("{} could not be opened", self.path.display()), error)
        })
    }

    /// The file, open for writing at its end, and its path, which removes it on drop until it is kept or persisted:
    /// for a store that publishes it by link or rename.
    pub fn into_parts(self) -> (File, TempPath) {
        (self.file, self.path)
    }
}
