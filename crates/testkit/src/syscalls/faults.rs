//! System calls that fail.

use super::Worker;
use super::call::{Call, Event, events};
use super::strace::{self, Run};
use super::temporary_directory;
use cacheness_core::Result;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use tempfile::TempDir;

/// Calls that make or change files and directories, and the errors that they can have.
const WRITES: &[&str] = &[
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "link",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "copy_file_range",
    "sendfile",
];
const WRITE_ERRORS: &[&str] = &["ENOSPC", "EIO"];

/// Calls that read or remove.
const OTHERS: &[&str] = &["read", "readv", "pread64", "preadv", "unlink", "unlinkat", "rmdir"];
const OTHER_ERRORS: &[&str] = &["EIO"];

const OPENS: &[&str] = &["open", "openat", "openat2"];
const OPEN_ERRORS: &[&str] = &["EACCES"];
const OPEN_FOR_WRITING_ERRORS: &[&str] = &["EACCES", "EROFS"];
const CREATE_ERRORS: &[&str] = &["EACCES", "EROFS", "ENOSPC", "EIO"];

/// Strings are recorded up to this length, in bytes: the lines of the worker.
const LONGEST: usize = 4 << 10;

/// A system call on a file below the worker's directory that is to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    call: String,
    /// The how manieth of this name in its thread, from 1 on.
    number: usize,
    path: PathBuf,
    error: &'static str,
    lasts: bool,
}

impl Fault {
    /// The name of the call, such as `pwrite64`.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// The name of the error, such as `ENOSPC`.
    pub fn error(&self) -> &'static str {
        self.error
    }

    /// Whether all later calls of the name fail, too, on whatever file.
    pub fn lasts(&self) -> bool {
        self.lasts
    }

    /// The file, relative to the worker's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, number, path, error, lasts } = self;
        let later = if *lasts { ", like all later ones" } else { "" };
        write!(f, "{error} from {call} number {number}, on {}{later}", path.display())
    }
}

/// How a worker ended that a fault struck.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ending {
    /// What it reported, or tried to.
    pub lines: Vec<String>,
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// What it wrote to standard error.
    pub complaints: String,
    /// Each call below the directory that failed: how many lines the worker had reported before, and the file's path
    /// relative to the directory.
    pub struck: Vec<(usize, PathBuf)>,
    /// The directory that it worked in, which is removed when this is dropped.
    pub directory: PathBuf,
    _home: TempDir,
}

impl Worker {
    /// Every call of a run that can fail, with every error, once and lastingly. The worker must be one that does the
    /// same calls in the same order whenever it is run, on one thread.
    ///
    /// Calls that write or make files fail with ENOSPC and EIO, those that read or remove with EIO, and those that open
    /// with EACCES and, where they open for writing, EROFS.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without `strace`; [`ErrorKind::Internal`] when the worker fails by itself;
    /// [`ErrorKind::Timeout`] after two minutes.
    ///
    /// [`ErrorKind::Config`]: cacheness_core::ErrorKind::Config
    /// [`ErrorKind::Internal`]: cacheness_core::ErrorKind::Internal
    /// [`ErrorKind::Timeout`]: cacheness_core::ErrorKind::Timeout
    pub fn faults(&self) -> Result<Vec<Fault>> {
        let run = self.run(None)?;
        run.check()?;
        let mut counts = HashMap::new();
        let mut faults = Vec::new();
        for call in calls(&run)? {
            let number = counts.entry((call.thread, call.name.clone())).or_insert(0_usize);
            *number += 1;
            let Some(path) = path(&call, &run.directory) else { continue };
            for error in errors(&call) {
                for lasts in [false, true] {
                    let (call, number, path) = (call.name.clone(), *number, path.clone());
                    faults.push(Fault { call, number, path, error, lasts });
                }
            }
        }
        Ok(faults)
    }

    /// Runs the worker to its end in a new directory, and lets a call fail.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] without `strace`; [`ErrorKind::Timeout`] after two minutes. What the worker does of the
    /// fault is no error.
    ///
    /// [`ErrorKind::Config`]: cacheness_core::ErrorKind::Config
    /// [`ErrorKind::Timeout`]: cacheness_core::ErrorKind::Timeout
    pub fn run_with(&self, fault: &Fault) -> Result<Ending> {
        let run = self.run(Some(fault))?;
        let (mut lines, mut struck) = (Vec::new(), Vec::new());
        for call in calls(&run)? {
            if call.descriptor_path(0).is_some_and(|path| path == run.stdout) {
                lines.extend(String::from_utf8_lossy(&call.bytes(1)?).lines().map(str::to_owned));
            }
            if call.is_injected() {
                struck.extend(path(&call, &run.directory).map(|path| (lines.len(), path)));
            }
        }
        let Run { directory, status, complaints, home, .. } = run;
        Ok(Ending { lines, status, complaints, struck, directory, _home: home })
    }

    fn run(&self, fault: Option<&Fault>) -> Result<Run> {
        let names: Vec<String> = [WRITES, OTHERS, OPENS].concat().iter().map(|name| format!("?{name}")).collect();
        let mut options = vec![format!("-s{LONGEST}"), "-e".into(), format!("trace={}", names.join(","))];
        if let Some(Fault { call, number, error, lasts, .. }) = fault {
            let more = if *lasts { "+" } else { "" };
            options.extend(["-e".into(), format!("inject={call}:error={error}:when={number}{more}")]);
        }
        strace::run(self, temporary_directory()?, &options)
    }
}

fn calls(run: &Run) -> Result<Vec<Call>> {
    let ends = |event| if let Event::Ends(call) = event { Some(call) } else { None };
    Ok(events(&run.trace)?.into_iter().filter_map(ends).collect())
}

/// The file below the directory that a call is about: the last that it names.
fn path(call: &Call, directory: &Path) -> Option<PathBuf> {
    let below = |path: PathBuf| path.strip_prefix(directory).ok().map(Path::to_owned);
    let named = |index| if call.argument(index).starts_with('"') { call.path(index).ok() } else { None };
    let is_data = !matches!(call.name.as_str(), "open" | "openat" | "openat2" | "mkdir" | "mkdirat" | "rmdir")
        && !["link", "rename"].iter().any(|part| call.name.contains(part));
    if is_data {
        return call.descriptor_path(0).and_then(below);
    }
    (0..call.arguments.len()).rev().find_map(|index| named(index).and_then(below))
}

fn errors(call: &Call) -> &'static [&'static str] {
    let name = call.name.as_str();
    let flags = call.open_flags();
    match name {
        _ if OPENS.contains(&name) && flags.contains("O_CREAT") => CREATE_ERRORS,
        _ if OPENS.contains(&name) && !flags.contains("O_RDONLY") => OPEN_FOR_WRITING_ERRORS,
        _ if OPENS.contains(&name) => OPEN_ERRORS,
        _ if WRITES.contains(&name) => WRITE_ERRORS,
        _ => OTHER_ERRORS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Call {
        match events(&format!("1 {line}")).unwrap().pop() {
            Some(Event::Ends(call)) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_is_about_the_file_that_it_changes() {
        let calls = [
            ("pwrite64(3</d/a>, \"/d/other\", 8, 0) = 8", Some("a")),
            ("fsync(3</d/a>(deleted)) = 0", Some("a")),
            ("write(1</out>, \"/d/a\", 4) = 4", None),
            ("openat(3</d>, \"b\", O_RDONLY) = 4</d/b>", Some("b")),
            ("openat(AT_FDCWD</x>, \"b\", O_RDONLY) = 4</x/b>", None),
            ("linkat(3</x>, \"b\", 4</d/s>, \"c\", 0) = 0", Some("s/c")),
            ("mkdir(\"/d/s\", 0700) = 0", Some("s")),
            ("unlink(\"/d/s/a\") = 0", Some("s/a")),
        ];
        for (line, file) in calls {
            assert_eq!(path(&call(line), Path::new("/d")), file.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn calls_fail_as_the_system_lets_them_fail() {
        let open = |flags: &str| errors(&call(&format!("openat(AT_FDCWD</x>, \"/d/a\", {flags}) = 3")));
        assert_eq!(open("O_RDONLY|O_CLOEXEC"), ["EACCES"]);
        assert_eq!(open("O_RDWR|O_CLOEXEC"), ["EACCES", "EROFS"]);
        assert_eq!(open("O_RDWR|O_CREAT"), ["EACCES", "EROFS", "ENOSPC", "EIO"]);
        let structure = "openat2(3</d>, \"a\", {flags=O_WRONLY|O_CREAT, mode=0600, resolve=RESOLVE_BENEATH}, 24) = 4";
        assert_eq!(errors(&call(structure)), ["EACCES", "EROFS", "ENOSPC", "EIO"]);
        assert_eq!(errors(&call("fsync(3</d/a>) = 0")), ["ENOSPC", "EIO"]);
        assert_eq!(errors(&call("pread64(3</d/a>, \"\", 4, 0) = 0")), ["EIO"]);
    }
}
