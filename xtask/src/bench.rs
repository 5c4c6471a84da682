//! `cargo xtask bench`: builds the crate of `bench/`, a workspace of its own, and lets it measure.

mod count;
mod python;

use std::path::{Path, PathBuf};

use count::Mode;

use crate::failure::{Failure, Result};
use crate::services::{Given, Profile, Services};
use crate::workspace::Workspace;
use crate::{process, third_party};

pub(crate) const HELP: &str = "\
Usage: cargo xtask bench [--json] [--list] [--no-peers] [--no-remote] [FILTER...]
       cargo xtask bench --count | --check | --record [--json] [FILTER...]

Runs the workloads whose names contain one of the filters, or all of them: ours, the raw floor and what a user could pick
instead, in turns, and prints medians, 99th percentiles, ratios to the floor, and which bars are met. bench/README.md tells
how to read it.

  --json       one line for each measurement
  --list       the names of the workloads
  --no-peers   builds without the peers, which is faster; they are printed as missing, except those in Python
  --no-remote  builds without the workloads pg_… and s3_…, which saves compiling the drivers

  --count     counts the instructions and system calls of the hot paths instead, which a busy machine does not change
  --check     counts, and fails where there are 5 % more than in bench/baseline.json
  --record    counts, and writes bench/baseline.json

Workloads pg_… and s3_… talk to servers that are found or started as for `cargo xtask test`; without one they are printed as
missing. What is measured lies in <target>/bench/scratch while it runs, and the peers in Python in <target>/bench/python. Counting
needs valgrind and strace.";

/// The workspace of the workloads.
pub(crate) const DIRECTORY: &str = "bench";
const MANIFEST: &str = "bench/Cargo.toml";
const OPTIONS: [&str; 7] = ["--json", "--list", "--no-peers", "--no-remote", "--count", "--check", "--record"];

/// What the names of workloads begin with that need a server.
const REMOTE: [&str; 2] = ["pg_", "s3_"];

/// How its tests are built: without the peers, which take long to compile.
pub(crate) const TESTED: &[&str] = &["--locked", "--features", "remote"];

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (options, filters): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with('-'));
    if let Some(unknown) = options.iter().find(|option| !OPTIONS.contains(option)) {
        return Err(Failure::Usage(format!("`{unknown}` is no option\n\n{HELP}")));
    }
    let has = |option| options.contains(&option);
    let modes = [("--count", Mode::Print), ("--check", Mode::Check), ("--record", Mode::Record)];
    match modes.into_iter().find(|(option, _)| has(option)) {
        Some((_, mode)) => {
            let binary = build(workspace, &[])?;
            count::run(workspace, &binary, mode, &filters, has("--json"))
        }
        None => {
            let optional = [("--no-peers", "peers"), ("--no-remote", "remote")];
            let features = optional.into_iter().filter(|(without, _)| !has(without)).map(|(_, feature)| feature);
            let binary = build(workspace, &features.collect::<Vec<_>>())?;
            let passed = options.iter().filter(|option| !option.starts_with("--no-")).chain(&filters).copied();
            measure(workspace, &binary, &passed.collect::<Vec<_>>(), &filters)
        }
    }
}

fn measure(workspace: &Workspace, binary: &Path, arguments: &[&str], filters: &[&str]) -> Result<()> {
    let place = workspace.target.join("bench");
    let scratch = place.join("scratch");
    std::fs::create_dir_all(&scratch).map_err(Failure::while_doing(format!("creating {}", scratch.display())))?;
    let mut command = process::command(&binary.to_string_lossy(), arguments, &workspace.root);
    command.env("TMPDIR", &scratch);
    if let Some(interpreter) = python::provide(&place.join("python")) {
        command.env("CACHENESS_BENCH_PYTHON", interpreter);
    }
    let services = match !arguments.contains(&"--list") && needs_servers(workspace, binary, filters)? {
        true => Services::provide(workspace, Given::default(), Profile::Release)?,
        false => Services::default(),
    };
    services.tell(&mut command);
    let status = command.status().map_err(Failure::while_doing(format!("starting {}", binary.display())))?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("the measuring ended early ({status})"))),
    }
}

/// Whether a workload that is meant talks to a server.
fn needs_servers(workspace: &Workspace, binary: &Path, filters: &[&str]) -> Result<bool> {
    let arguments = [&["--list"], filters].concat();
    let listing = process::command(&binary.to_string_lossy(), &arguments, &workspace.root).output();
    let listed = listing.map_err(Failure::while_doing(format!("starting {}", binary.display())))?;
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(names.lines().any(|name| REMOTE.iter().any(|start| name.starts_with(start))))
}

/// Whether it is formatted and lints clean, without the peers, which take long to compile. `cargo xtask test` runs its tests.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    third_party::lint(&workspace.nested(DIRECTORY)?, &["remote"])
}

/// Compiles it and returns the path of the program. Shows what the compiler says only while it compiles, so that lines of
/// JSON stay alone on standard output.
fn build(workspace: &Workspace, features: &[&str]) -> Result<PathBuf> {
    let place = workspace.target.join("bench");
    let mut command = process::command("cargo", &["build", "--locked", "--release"], &workspace.root);
    command.arg("--manifest-path").arg(Path::new(MANIFEST)).arg("--target-dir").arg(&place);
    command.arg("--features").arg(features.join(","));
    let status = command.status().map_err(Failure::while_doing("starting cargo"))?;
    match status.success() {
        true => Ok(place.join("release/cacheness-bench")),
        false => Err(Failure::Failed(
            "the bench does not compile; after a change of dependencies, \
             `cargo update --workspace --manifest-path bench/Cargo.toml`; with less, `--no-peers` and `--no-remote`"
                .into(),
        )),
    }
}
