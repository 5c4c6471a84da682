//! `cargo xtask bench`: builds the crate of `bench/`, a workspace of its own, and lets it measure.

mod count;
mod python;

use std::path::{Path, PathBuf};

use count::Mode;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;
use crate::{process, third_party};

pub(crate) const HELP: &str = "\
Usage: cargo xtask bench [--json] [--list] [--no-peers] [FILTER...]
       cargo xtask bench --count | --check | --record [--json] [FILTER...]

Runs the workloads whose names contain one of the filters, or all of them: ours, the raw floor and what a user could pick
instead, in turns, and prints medians, 99th percentiles, ratios to the floor, and which bars are met. bench/README.md tells
how to read it.

  --json      one line for each measurement
  --list      the names of the workloads
  --no-peers  builds without the peers, which is faster; they are printed as missing, except those in Python

  --count     counts the instructions and system calls of the hot paths instead, which a busy machine does not change
  --check     counts, and fails where there are 5 % more than in bench/baseline.json
  --record    counts, and writes bench/baseline.json

What is measured lies in <target>/bench/scratch while it runs, and the peers in Python in <target>/bench/python. Counting
needs valgrind and strace.";

/// The workspace of the workloads.
pub(crate) const DIRECTORY: &str = "bench";
const MANIFEST: &str = "bench/Cargo.toml";
const OPTIONS: [&str; 6] = ["--json", "--list", "--no-peers", "--count", "--check", "--record"];

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
            let binary = build(workspace, false)?;
            count::run(workspace, &binary, mode, &filters, has("--json"))
        }
        None => {
            let binary = build(workspace, !has("--no-peers"))?;
            let passed = options.iter().filter(|option| **option != "--no-peers").chain(&filters).copied();
            measure(workspace, &binary, &passed.collect::<Vec<_>>())
        }
    }
}

fn measure(workspace: &Workspace, binary: &Path, arguments: &[&str]) -> Result<()> {
    let place = workspace.target.join("bench");
    let scratch = place.join("scratch");
    std::fs::create_dir_all(&scratch).map_err(Failure::while_doing(format!("creating {}", scratch.display())))?;
    let mut command = process::command(&binary.to_string_lossy(), arguments, &workspace.root);
    command.env("TMPDIR", &scratch);
    if let Some(interpreter) = python::provide(&place.join("python")) {
        command.env("CACHENESS_BENCH_PYTHON", interpreter);
    }
    let status = command.status().map_err(Failure::while_doing(format!("starting {}", binary.display())))?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("the measuring ended early ({status})"))),
    }
}

/// Whether it is formatted and lints clean, without the peers, which take long to compile. `cargo xtask test` runs its tests.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    third_party::lint(&workspace.nested(DIRECTORY)?)
}

/// Compiles it and returns the path of the program. Shows what the compiler says only while it compiles, so that lines of
/// JSON stay alone on standard output.
fn build(workspace: &Workspace, with_peers: bool) -> Result<PathBuf> {
    let place = workspace.target.join("bench");
    let mut command = process::command("cargo", &["build", "--locked", "--release"], &workspace.root);
    command.arg("--manifest-path").arg(Path::new(MANIFEST)).arg("--target-dir").arg(&place);
    if with_peers {
        command.args(["--features", "peers"]);
    }
    let status = command.status().map_err(Failure::while_doing("starting cargo"))?;
    match status.success() {
        true => Ok(place.join("release/cacheness-bench")),
        false => Err(Failure::Failed(
            "the bench does not compile; after a change of dependencies, \
             `cargo update --workspace --manifest-path bench/Cargo.toml`; without the peers, `--no-peers`"
                .into(),
        )),
    }
}
