//! `cargo xtask services`: the servers that tests of remote backends talk to, kept up between runs; and those that
//! `cargo xtask test` starts for itself.

mod example;
mod given;
#[cfg(unix)]
mod kept;
#[cfg(unix)]
mod process;
#[cfg(unix)]
#[path = "../../crates/testkit/src/servers/mod.rs"]
#[allow(dead_code, reason = "the testkit uses the rest")]
mod servers;

pub(crate) use given::Given;

use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::third_party;
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
Usage: cargo xtask services up [--postgres URL] [--s3 URL]
       cargo xtask services down

`up` starts a PostgreSQL cluster and an S3 endpoint on free loopback ports, in temporary directories, and prints how to tell
tests of them:

  eval \"$(cargo xtask services up)\" && cargo test

and, as a comment, the command that runs the example `team` on them. A server that is given by its URL, or by the variable, is taken as it is. PostgreSQL is one that is installed (initdb in the
search path or below /usr/lib/postgresql), or the package postgresql, which root gets on Debian and Ubuntu; a cluster never
runs as root. The endpoint is the program of tests/s3-endpoint. What was started is noted in <target>/xtask/services.json;
a second `up` prints it again, and `down` ends exactly those processes and removes their directories.";

/// The variables by which tests find a server, as the testkit knows them.
pub(crate) const POSTGRES: &str = "CACHENESS_TEST_POSTGRES";
pub(crate) const S3: &str = "CACHENESS_TEST_S3";

/// The variable with the path of the endpoint's program.
const S3_ENDPOINT_BINARY: &str = "CACHENESS_TEST_S3_ENDPOINT_BIN";

/// The workspace of the endpoint.
pub(crate) const ENDPOINT: &str = "tests/s3-endpoint";

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (given, rest) = Given::take(arguments, HELP)?;
    match rest.as_slice() {
        [word] if word == "up" => up(workspace, given),
        [word] if word == "down" && given == Given::default() => down(workspace),
        _ => Err(Failure::Usage(HELP.into())),
    }
}

/// How the endpoint is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As the tests are.
    Debug,
    /// For measuring: the endpoint should not be what is waited for.
    Release,
}

/// Servers for one run of the tests or of the bench. What was started for it ends when this is dropped, or this process does.
#[derive(Default)]
pub(crate) struct Services {
    variables: Vec<(&'static str, String)>,
    #[cfg(unix)]
    _started: Started,
}

#[cfg(unix)]
#[derive(Default)]
struct Started {
    _postgres: Option<servers::Guard>,
    /// The endpoint ends when its input closes.
    _s3: Option<(std::process::Child, servers::Guard)>,
}

impl Services {
    /// Tells a command of the servers.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Those that are given, and private ones for the others. Where one cannot be had, a line says why, and the tests that
    /// need it fail.
    pub(crate) fn provide(workspace: &Workspace, given: Given, profile: Profile) -> Result<Self> {
        let binary = build(workspace, profile)?;
        let mut services = Self::default();
        services.variables.push((S3_ENDPOINT_BINARY, binary.display().to_string()));
        let Given { postgres, s3 } = given.or_from_environment();
        services.variables.extend(postgres.map(|url| (POSTGRES, url)));
        services.variables.extend(s3.map(|url| (S3, url)));
        #[cfg(unix)]
        services.start(&binary);
        Ok(services)
    }

    #[cfg(unix)]
    fn start(&mut self, binary: &std::path::Path) {
        let has = |services: &Self, variable| services.variables.iter().any(|(name, _)| *name == variable);
        if !has(self, POSTGRES) {
            install_postgres();
            match servers::start_postgres() {
                Ok((cluster, guard)) => {
                    self.variables.push((POSTGRES, cluster.url()));
                    self._started._postgres = Some(guard);
                }
                Err(error) => eprintln!("there is no PostgreSQL: {error}"),
            }
        }
        if !has(self, S3) {
            match servers::start_s3(binary) {
                Ok((endpoint, child, guard)) => {
                    self.variables.push((S3, endpoint.url()));
                    self._started._s3 = Some((child, guard));
                }
                Err(error) => eprintln!("there is no S3 endpoint: {error}"),
            }
        }
    }
}

#[cfg(unix)]
fn install_postgres() {
    if servers::postgres::binaries().is_none() {
        crate::tools::install("postgresql");
    }
}

/// Whether the endpoint is formatted, lints clean and depends on nothing that it may not.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let endpoint = workspace.nested(ENDPOINT)?;
    third_party::lint(&endpoint, &[])?;
    // It needs not all the licences that the workspace allows.
    let allowed = ["--allow", "license-not-encountered"];
    let deny = [&["deny", "--all-features", "check"], &allowed[..], &["bans", "licenses", "sources"]].concat();
    third_party::cargo(&endpoint, &deny)
}

/// Compiles the endpoint and returns the path of its program.
fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let endpoint = workspace.nested(ENDPOINT)?;
    let mut command = crate::process::command("cargo", &["build", "--locked", "--quiet"], &endpoint.root);
    let directory = match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    };
    command.args((profile == Profile::Release).then_some("--release"));
    let status = command.env("CARGO_TARGET_DIR", &endpoint.target).stdout(std::io::stderr()).status();
    match status.map_err(Failure::while_doing("starting cargo"))?.success() {
        true => Ok(endpoint.target.join(directory).join(format!("s3-endpoint{}", std::env::consts::EXE_SUFFIX))),
        false => Err(Failure::Broken("the S3 endpoint does not compile".into())),
    }
}

#[cfg(unix)]
fn up(workspace: &Workspace, given: Given) -> Result<()> {
    let kept = kept::Kept::at(workspace)?;
    if kept.runs()? {
        eprintln!("they run already");
    } else {
        kept.end()?;
        install_postgres();
        let taken = given.clone().or_from_environment();
        for (variable, is_from_there) in [(POSTGRES, taken.postgres != given.postgres), (S3, taken.s3 != given.s3)] {
            if is_from_there {
                eprintln!("{variable} is set, so that server is taken as it is");
            }
        }
        kept.start(&build(workspace, Profile::Debug)?, taken)?;
    }
    let urls = kept.urls()?;
    for (variable, url) in &urls {
        println!("export {variable}={url}");
    }
    example::announce(&urls);
    kept.complete()
}

#[cfg(unix)]
fn down(workspace: &Workspace) -> Result<()> {
    kept::Kept::at(workspace)?.end()
}

#[cfg(not(unix))]
fn up(_: &Workspace, _: Given) -> Result<()> {
    Err(Failure::Failed(format!("servers are started on Unix only; set {POSTGRES} and {S3} to some")))
}

#[cfg(not(unix))]
fn down(_: &Workspace) -> Result<()> {
    Ok(())
}
