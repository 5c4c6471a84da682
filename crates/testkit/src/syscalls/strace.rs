//! The program `strace`: where it is, and a worker that runs under it to its end.

use super::{Worker, failed};
use cacheness_core::{Error, ErrorKind, Result};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use tempfile::TempDir;

/// The environment variable with the path of a `strace`.
pub const STRACE: &str = "CACHENESS_STRACE";

/// How long a worker may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What became of a worker.
pub(super) struct Run {
    /// The directory that it was given, without symbolic links in its path.
    pub(super) directory: PathBuf,
    pub(super) home: TempDir,
    /// Its file of standard output.
    pub(super) stdout: PathBuf,
    /// Every traced call, in the words of `strace`.
    pub(super) trace: String,
    pub(super) status: ExitStatus,
    /// What it wrote to standard error.
    pub(super) complaints: String,
}

impl Run {
    /// Refuses a worker that failed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] with what it complained of.
    pub(super) fn check(&self) -> Result<()> {
        if self.status.success() {
            return Ok(());
        }
        let message = format!("the worker failed ({}): {}", self.status, one_line(&self.complaints));
        Err(Error::new(ErrorKind::Internal, message))
    }
}

/// Runs a worker in an empty directory, under `strace` with these options.
pub(super) fn run(worker: &Worker, home: TempDir, options: &[String]) -> Result<Run> {
    let program = program()?;
    let real = fs::canonicalize(home.path()).map_err(failed("a temporary directory could not be found"))?;
    let (stdout, stderr, trace) = (real.join("stdout"), real.join("stderr"), real.join("trace"));
    let create = |path| fs::File::create(path).map_err(failed("a temporary file could not be made"));
    let directory = real.join("disk");
    fs::create_dir(&directory).map_err(failed("a temporary directory could not be made"))?;
    let inner = (worker.command)(&directory);
    let mut command = Command::new(&program);
    command.args(["-f", "-y", "-xx", "-a1", "--seccomp-bpf", "-e", "signal=none", "-o"]).arg(&trace).args(options);
    command.arg("--").arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(current) = inner.get_current_dir() {
        command.current_dir(current);
    }
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::null()).stdout(create(&stdout)?).stderr(create(&stderr)?);
    let child = command.spawn().map_err(failed(format!("{} could not be started", program.display())))?;
    let status = wait(child)?;
    let text = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let complaints = text(&stderr).map_err(failed("the worker's errors could not be read"))?;
    let trace = text(&trace).unwrap_or_default();
    if trace.is_empty() {
        let message = format!("strace traced nothing ({status}): {}", one_line(&complaints));
        return Err(Error::new(ErrorKind::Internal, message));
    }
    Ok(Run { directory, home, stdout, trace, status, complaints })
}

/// What a process complained of, as a part of a message.
fn one_line(complaints: &str) -> String {
    complaints.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

fn wait(mut child: Child) -> Result<ExitStatus> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().map_err(failed("strace cannot be waited for"))? {
            return Ok(status);
        }
        if begin.elapsed() > PATIENCE {
            // The worker is not our child; it is killed with its group.
            drop(Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status());
            drop(child.wait());
            return Err(Error::new(ErrorKind::Timeout, format!("the worker took more than {PATIENCE:?}")));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// The `strace` that the environment names, or the first in the search path.
fn program() -> Result<PathBuf> {
    choose(env::var_os(STRACE), &env::var_os("PATH").unwrap_or_default())
}

fn choose(named: Option<OsString>, search_path: &OsStr) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.into());
    }
    let mut candidates = env::split_paths(search_path).map(|directory| directory.join("strace"));
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        Error::new(ErrorKind::Config, "this test needs strace, which is not in the search path").advice(format!(
            "install the package strace, or run `cargo xtask test` as root on Debian or Ubuntu, \
            or set {STRACE} to the path of one"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn without_strace_the_error_names_three_ways_to_provide_it() {
        let directory = tempfile::tempdir().unwrap();
        let error = choose(None, directory.path().as_os_str()).unwrap_err();
        let message = error.to_string();
        let ways = ["the package strace", "cargo xtask test", "CACHENESS_STRACE"];
        assert!(ways.iter().all(|way| message.contains(way)) && !message.contains('\n'), "{message}");
        fs::write(directory.path().join("strace"), "").unwrap();
        assert_eq!(choose(None, directory.path().as_os_str()).unwrap(), directory.path().join("strace"));
        assert_eq!(choose(Some("mine".into()), directory.path().as_os_str()).unwrap(), Path::new("mine"));
    }
}
