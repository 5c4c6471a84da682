//! A PostgreSQL cluster: found binaries, a directory, a port.

use super::{Account, home};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What tests need. Without fsync a commit is as safe from the death of the server's processes as with it: what was written
/// stays with the kernel. The rest is as PostgreSQL has it, `synchronous_commit` too.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
fsync = off
full_page_writes = off
";

/// The order of words, not of bytes, as databases of people have it; otherwise a missing `COLLATE \"C\"` goes unnoticed.
const WORDS: [&str; 2] = ["--locale-provider=icu", "--icu-locale=en-US"];

/// How often a port is drawn that somebody else takes before the server does.
const DRAWS: usize = 3;

/// A cluster that runs or ran.
#[derive(Debug)]
pub(crate) struct Cluster {
    binaries: PathBuf,
    home: PathBuf,
    account: Account,
    password: String,
    port: u16,
}

/// The directory with the newest `initdb` and `pg_ctl`: in the search path, or where Debian has them.
pub(crate) fn binaries() -> Option<PathBuf> {
    let is_complete =
        |directory: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| directory.join(name).is_file());
    let paths = env::var_os("PATH").unwrap_or_default();
    // Links in the search path lead to the directory that has all of them.
    let linked = |directory: PathBuf| directory.join("initdb").canonicalize().ok()?.parent().map(Path::to_path_buf);
    let in_path = env::split_paths(&paths).filter_map(linked).find(is_complete);
    in_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
        let installed = versions.filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin"))));
        installed.filter(|(_, directory)| is_complete(directory)).max().map(|(_, directory)| directory)
    })
}

impl Cluster {
    /// Makes a new cluster, in about a second and a half. It does not run yet.
    pub(crate) fn create() -> io::Result<Self> {
        let binaries = binaries().ok_or_else(|| io::Error::other("initdb and pg_ctl are not installed"))?;
        let account = Account::unprivileged()?;
        let home = home::create("postgres", account)?;
        let cluster = Self { binaries, home, account, password: home::chance(), port: 0 };
        let made = cluster.fill();
        if made.is_err() {
            let _ = fs::remove_dir_all(&cluster.home);
        }
        made.map(|()| cluster)
    }

    fn fill(&self) -> io::Result<()> {
        self.write("password", &self.password)?;
        let mut command = self.command("initdb");
        command.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        command.arg("--pwfile").arg(self.home.join("password")).arg("-D").arg(self.data());
        let plain = command.get_args().map(ToOwned::to_owned).collect::<Vec<_>>();
        // Versions before 15 do not know the option, and some are built without ICU.
        run(command.args(WORDS)).or_else(|_| run(self.command("initdb").args(plain)))?;
        self.configure(SETTINGS)
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn account(&self) -> Account {
        self.account
    }

    /// The database `postgres`, as its superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// Adds lines to its configuration, which a start reads.
    pub(crate) fn configure(&self, lines: &str) -> io::Result<()> {
        OpenOptions::new().append(true).open(self.data().join("postgresql.conf"))?.write_all(lines.as_bytes())
    }

    /// Writes a file into its data directory, which only its account may read.
    pub(crate) fn write_data(&self, name: &str, contents: &str) -> io::Result<()> {
        self.write(&format!("data/{name}"), contents)
    }

    fn write(&self, name: &str, contents: &str) -> io::Result<()> {
        let path = self.home.join(name);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?
            .write_all(contents.as_bytes())?;
        self.account.own_path(&path)
    }

    /// Starts it on a free port, the first time, and returns when it takes connections.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        let draws = if self.port == 0 { DRAWS } else { 1 };
        let mut last = Ok(());
        for _ in 0..draws {
            if draws > 1 {
                self.port = home::free_port()?;
                self.configure(&format!("port = {}\n", self.port))?;
            }
            last = run(self
                .command("pg_ctl")
                .args(["start", "--wait", "--silent"])
                .arg("--log")
                .arg(self.log())
                .arg("-D")
                .arg(self.data()));
            if last.is_ok() {
                return Ok(());
            }
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let reason = log.lines().rfind(|line| line.contains("FATAL")).map(|line| io::Error::other(line.to_owned()));
        reason.map_or(last, Err)
    }

    /// Stops it as a crash would: nothing is finished, every connection breaks.
    pub(crate) fn stop(&self) -> io::Result<()> {
        run(&mut self.stopping())
    }

    /// The command that stops it.
    pub(crate) fn stopping(&self) -> Command {
        let mut command = self.command("pg_ctl");
        command.args(["stop", "--mode=immediate", "--silent"]).arg("-D").arg(self.data());
        command
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// One of its programs, in its account and with no settings from outside.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir("/").env_clear().env("LC_ALL", "C").envs(env::var_os("PATH").map(|path| ("PATH", path)));
        self.account.run(&mut command);
        command
    }
}

/// Runs a program to its end; what it says goes into the error.
fn run(command: &mut Command) -> io::Result<()> {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(io::Error::other(format!("{name}: {line}")))
}
