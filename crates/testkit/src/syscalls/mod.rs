//! Power loss and I/O errors, at the level of system calls, for any pair of backends that keep files. Linux only.
//!
//! A worker process does something to a store in the directory that it is given, and reports every step as a line on
//! its standard output. It runs under [`strace`](https://strace.io), which must be installed or named by [`STRACE`].
//!
//! - [`Worker::record`] watches the calls and knows what would be on the disk if the power had gone out at any moment:
//!   [`Recording::only_synced`] and [`Recording::with_leftovers`] make such directories for a check to open.
//! - [`Worker::faults`] lists the calls that can fail, and [`Worker::run_with`] lets one of them fail.
//!
//! ```no_run
//! use cacheness_testkit::syscalls::{Worker, report};
//! use cacheness_testkit::{Error, Result};
//! use std::{env, path::Path, process::Command};
//!
//! /// Runs in the worker, which is the test's own program once more.
//! fn work(directory: &Path) -> Result<()> {
//!     report("begin open");
//!     // Open a store below the directory, for the durability that is to be shown.
//!     report("done");
//!     Ok(())
//! }
//!
//! /// Opens the store that a loss of power left, and compares it with what was acknowledged.
//! fn check(directory: &Path, lines: &[String]) -> Result<()> {
//! #   let _ = (directory, lines);
//!     Ok(())
//! }
//!
//! if let Some(directory) = env::var_os("WORK_IN") {
//!     return work(directory.as_ref());
//! }
//! let program = env::current_exe()?;
//! let worker = Worker::new(move |directory| {
//!     let mut command = Command::new(&program);
//!     command.env("WORK_IN", directory);
//!     command
//! });
//! let recording = worker.record()?;
//! recording.only_synced(|loss| check(loss.directory, loss.lines))?;
//! recording.with_leftovers(1, 100, |loss| check(loss.directory, loss.lines))?;
//! for fault in worker.faults()? {
//!     let ending = worker.run_with(&fault)?;
//!     assert!(ending.status.success(), "{fault}: {}", ending.complaints);
//!     check(&ending.directory, &ending.lines)?;
//! }
//! # Ok::<(), Error>(())
//! ```

mod call;
mod descriptors;
mod disk;
mod faults;
mod follow;
mod power;
mod strace;

pub use faults::{Ending, Fault};
pub use power::{PowerLoss, Recording};
pub use strace::STRACE;

use cacheness_core::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A process that works on a store.
pub struct Worker {
    command: Box<dyn Fn(&Path) -> Command + Send + Sync>,
    ignored: Vec<String>,
}

impl Worker {
    /// A worker that `command` starts. It is given an empty directory that survives any loss of power; the store belongs
    /// into it or below it. Standard input, output and error of the command are set by whoever runs it.
    pub fn new(command: impl Fn(&Path) -> Command + Send + Sync + 'static) -> Self {
        Self { command: Box::new(command), ignored: Vec::new() }
    }

    /// Leaves files out whose names end so: after a loss of power there are none. For files that recovery makes anew,
    /// such as the `-shm` of SQLite, and are written to through memory, which no trace of system calls shows.
    #[must_use]
    pub fn ignoring(mut self, end: impl Into<String>) -> Self {
        self.ignored.push(end.into());
        self
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("ignored", &self.ignored).finish_non_exhaustive()
    }
}

/// Writes a line to standard output at once, whether or not that fails: what the worker tried to report is known even
/// if the fault of the day is that every write fails. Other lines on standard output count just the same.
pub fn report(line: impl fmt::Display) {
    let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
}

/// A temporary directory, in memory where there is room for that: nothing waits for a device then.
fn temporary_directory() -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("cacheness-testkit-");
    builder
        .tempdir_in("/dev/shm")
        .or_else(|_| builder.tempdir())
        .map_err(failed("a temporary directory could not be made"))
}

/// The error of something that the checks themselves need.
fn failed(message: impl Into<Cow<'static, str>>) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::io(ErrorKind::Storage, message, error)
}
