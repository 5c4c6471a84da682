//! `cargo xtask test`: builds and runs every test, notes which passed, and holds the feature rows against them.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::libtest::{Binaries, Transcript, Verdict};
use crate::services::{Given, Profile, Services};
use crate::workspace::Workspace;
use crate::{bench, features, process, services, third_party, tools};

pub(crate) const HELP: &str = "\
Usage: cargo xtask test [--postgres URL] [--s3 URL] [-- FILTER...]

Builds the workspace with the promised features and its examples, the crate of tests/third-party, the program of
tests/s3-endpoint and bench without its peers, runs all unit, integration and documentation tests, writes the names of those that passed to
<target>/xtask/tests.txt and checks that every test named in docs/features/status.txt is among them. The last line is `N passed, N failed`.

The tests of power loss and I/O errors need strace: where it is missing it is installed, if root runs this on Debian or
Ubuntu.

Tests of remote backends talk to a PostgreSQL and an S3 endpoint that are started for this run and end with it, unless they
are given, here or by CACHENESS_TEST_POSTGRES=postgres://user:password@host/database, whose user may make schemas, roles and
databases, and CACHENESS_TEST_S3=http://ACCESS_KEY:SECRET_KEY@host:port, where buckets may be made. `cargo xtask services
--help` tells where PostgreSQL comes from.

With a FILTER (passed on to the test binaries) neither the file nor the rows are touched.

Exit code: 0 all good, 1 a test or a row failed, 2 the tests do not compile.";

/// What is built and tested. One set for the whole workspace, so that each crate is compiled once.
pub(crate) const PROMISED: &[&str] = &["--workspace", "--all-features"];

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (given, rest) = Given::take(arguments, HELP)?;
    let filter = match rest.split_first() {
        None => &[][..],
        Some((first, filter)) if first == "--" => filter,
        Some((first, _)) => return Err(Failure::Usage(format!("unexpected `{first}`\n\n{HELP}"))),
    };
    tools::provide();
    let stranger = third_party::load(workspace)?;
    let endpoint = workspace.nested(services::ENDPOINT)?;
    let bench = workspace.nested(bench::DIRECTORY)?;
    let nested = [(&stranger, third_party::OPTIONS), (&endpoint, third_party::OPTIONS), (&bench, bench::TESTED)];
    let all: Vec<_> = [(workspace, PROMISED)].into_iter().chain(nested).collect();
    let mut binaries = Binaries::default();
    for &(workspace, options) in &all {
        build(workspace, options, &mut binaries)?;
    }
    let services = Services::provide(workspace, given, Profile::Debug)?;
    let mut transcript = Transcript::new(binaries);
    let mut unsuccessful = None;
    for (workspace, options) in all {
        let mut command = cargo_test(workspace, &["--no-fail-fast"], options);
        command.arg("--").args(filter);
        services.tell(&mut command);
        let status = process::watch(command, |line| transcript.line(line))?;
        transcript.close();
        unsuccessful = unsuccessful.or((!status.success()).then_some(status));
    }

    let mut failed = transcript.failed + transcript.unfinished.len() as u64;
    for binary in &transcript.unfinished {
        println!("{binary} ended without a result");
    }
    if let Some(status) = unsuccessful.filter(|_| failed == 0) {
        println!("`cargo test` failed ({status}) although no test did");
        failed = 1;
    }
    let rows = if filter.is_empty() {
        let passed: Vec<&str> = passed(&transcript).collect();
        note(workspace, &passed)?;
        features::check(workspace, &passed)
    } else {
        Ok(())
    };
    if let Err(failure) = &rows {
        println!("{failure}");
    }
    if transcript.ignored > 0 {
        println!("{} ignored", transcript.ignored);
    }
    println!("{} passed, {failed} failed", transcript.passed);
    if failed > 0 {
        return Err(Failure::Failed("tests failed".into()));
    }
    rows.map_err(|_| Failure::Failed("feature rows are not proven".into()))
}

/// Compiles the tests and learns which executable belongs to which crate; `cargo test` itself does not tell.
fn build(workspace: &Workspace, options: &[&str], binaries: &mut Binaries) -> Result<()> {
    let output = cargo_test(workspace, &["--no-run", "--message-format", "json-render-diagnostics"], options)
        .stderr(Stdio::inherit())
        .output()
        .map_err(Failure::while_doing("starting cargo"))?;
    if !output.status.success() {
        return Err(Failure::Broken("the tests do not compile".into()));
    }
    for package in &workspace.packages {
        binaries.documented.insert(package.name.replace('-', "_"), format!("{}::doc", package.name));
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Ok(message) = serde_json::from_str::<Value>(line)
            && let Some((file, binary)) = executable(workspace, &message)
        {
            binaries.executables.insert(file, binary);
        }
    }
    Ok(())
}

fn cargo_test(workspace: &Workspace, arguments: &[&str], options: &[&str]) -> Command {
    let mut command = process::command("cargo", &["test"], &workspace.root);
    command.args(arguments).args(options).env("CARGO_TARGET_DIR", &workspace.target);
    command
}

/// The file name of a test executable and its `crate::binary`, where `lib` stands for a library's own tests.
fn executable(workspace: &Workspace, message: &Value) -> Option<(String, String)> {
    let file = Path::new(message.get("executable")?.as_str()?).file_name()?.to_str()?;
    let id = message.get("package_id")?.as_str()?;
    let package = workspace.packages.iter().find(|package| package.id == id)?;
    let target = message.get("target")?;
    let kinds = target.get("kind")?.as_array()?;
    let is_library = kinds.iter().filter_map(Value::as_str).any(|kind| kind.ends_with("lib") || kind == "proc-macro");
    let binary = if is_library { "lib" } else { target.get("name")?.as_str()? };
    Some((file.to_owned(), format!("{}::{binary}", package.name)))
}

fn passed(transcript: &Transcript) -> impl Iterator<Item = &str> {
    transcript.verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::Passed).map(|(name, _)| name.as_str())
}

fn note(workspace: &Workspace, passed: &[&str]) -> Result<()> {
    let file = workspace.reports()?.join("tests.txt");
    let mut text = passed.join("\n");
    text.push('\n');
    std::fs::write(&file, text).map_err(Failure::while_doing(format!("writing {}", file.display())))
}
