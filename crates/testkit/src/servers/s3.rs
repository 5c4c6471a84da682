//! The S3 endpoint of `tests/s3-endpoint`, as a process.

use super::{Account, home};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// An endpoint that runs or ran.
#[derive(Debug)]
pub(crate) struct Endpoint {
    binary: PathBuf,
    home: PathBuf,
    access_key: String,
    secret_key: String,
    port: u16,
}

impl Endpoint {
    /// Prepares an endpoint with no bucket.
    pub(crate) fn create(binary: &Path) -> io::Result<Self> {
        let home = home::create("s3", Account::own())?;
        let [access_key, secret_key] = ["access", "secret"].map(|kind| format!("{kind}-{}", home::chance()));
        Ok(Self { binary: binary.to_owned(), home, access_key, secret_key, port: 0 })
    }

    /// The directory whose directories are its buckets.
    pub(crate) fn buckets(&self) -> PathBuf {
        self.home.join("buckets")
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Where it is, with its credentials.
    pub(crate) fn url(&self) -> String {
        format!("http://{}:{}@127.0.0.1:{}", self.access_key, self.secret_key, self.port)
    }

    /// Starts it, on a free port the first time, and returns when it listens. It ends when its standard input closes, unless
    /// it stays.
    pub(crate) fn start(&mut self, stays: bool) -> io::Result<Child> {
        let log = self.home.join("log");
        let mut command = Command::new(&self.binary);
        command.arg("--directory").arg(self.buckets()).args(["--port", &self.port.to_string()]);
        command.args(["--access-key", &self.access_key, "--secret-key", &self.secret_key]);
        command.args(stays.then_some("--stay")).stdin(if stays { Stdio::null() } else { Stdio::piped() });
        // In a group of its own, Ctrl-C does not reach it.
        command.process_group(0).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let starting = |error: io::Error| io::Error::other(format!("{}: {error}", self.binary.display()));
        let mut child = command.spawn().map_err(starting)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if let Some(port) = line.trim_end().rsplit_once(':').and_then(|(_, port)| port.parse().ok()) {
            self.port = port;
            return Ok(child);
        }
        child.kill()?;
        child.wait()?;
        let said = fs::read_to_string(log)?;
        Err(io::Error::other(said.lines().next().unwrap_or("it said nothing").to_owned()))
    }
}
