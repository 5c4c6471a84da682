//! `cargo xtask fuzz`: builds the fuzz targets of `fuzz/` with the stable compiler and runs each for a while.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
Usage: cargo xtask fuzz [--seconds N] [--seed N] [TARGET...]

Builds all fuzz targets of fuzz/ in <target>/fuzz and runs those named, or all, one after the other, for N seconds each
(10 unless given), beginning with the inputs of fuzz/corpus/. The seed is 1 unless given. An input on which a target
panics, takes more than 10 seconds or makes the process larger than 512 MiB is kept in <target>/fuzz/artifacts/; its
path and the command that runs it again are printed, and the task fails. Nothing is written into the checkout.

Needs a C++ compiler. fuzz/README.md tells what the targets check.";

/// What cargo-fuzz passes to the compiler, without a sanitizer, which stable Rust does not have. Overflow checks and debug
/// assertions are switched on in fuzz/Cargo.toml.
const RUSTFLAGS: &[&str] = &[
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// How long a target runs when nobody says, in seconds.
const SECONDS: u64 = 10;

/// Which targets run, for how long and from which seed.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    seconds: u64,
    seed: u64,
    targets: Vec<String>,
}

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let plan = plan(arguments, &targets(&workspace.root)?)?;
    run(workspace, &plan)
}

/// Runs every target for a few seconds.
pub(crate) fn glance(workspace: &Workspace, seconds: u64) -> Result<()> {
    run(workspace, &Plan { seconds, seed: 1, targets: targets(&workspace.root)? })
}

fn plan(arguments: &[String], known: &[String]) -> Result<Plan> {
    let usage = |problem: String| Failure::Usage(format!("{problem}\n\n{HELP}"));
    let mut plan = Plan { seconds: SECONDS, seed: 1, targets: Vec::new() };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let number = match argument.as_str() {
            "--seconds" => &mut plan.seconds,
            "--seed" => &mut plan.seed,
            target if known.iter().any(|known| known == target) => {
                plan.targets.push(target.to_owned());
                continue;
            }
            other => return Err(usage(format!("`{other}` is no target; there are {}", known.join(", ")))),
        };
        // Zero would mean without end, and a new seed every time.
        let given = arguments.next().and_then(|text| text.parse().ok()).filter(|given| *given > 0);
        *number = given.ok_or_else(|| usage(format!("{argument} needs a number above 0")))?;
    }
    if plan.targets.is_empty() {
        plan.targets = known.to_vec();
    }
    Ok(plan)
}

/// The names of all targets.
fn targets(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz/fuzz_targets");
    let reading = || format!("reading {}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).map_err(Failure::while_doing(reading()))? {
        let path = entry.map_err(Failure::while_doing(reading()))?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn run(workspace: &Workspace, plan: &Plan) -> Result<()> {
    let place = workspace.target.join("fuzz");
    let binaries = build(workspace, &place)?;
    println!("{} s each, seed {}", plan.seconds, plan.seed);
    let mut failed = Vec::new();
    for target in &plan.targets {
        if !holds(workspace, &place, &binaries.join(target), plan, target)? {
            failed.push(target.as_str());
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("inputs were found that break: {}", failed.join(", ")))),
    }
}

/// Compiles all targets and returns the directory of their binaries.
fn build(workspace: &Workspace, place: &Path) -> Result<PathBuf> {
    let version = process::capture("rustc", &["-vV"], &workspace.root)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::Failed("`rustc -vV` does not tell the host".into()))?;
    // With --target the flags do not reach build scripts and proc macros. --locked: nothing is written into the checkout.
    let arguments = ["build", "--locked", "--release", "--bins", "--target", host];
    let mut command = process::command("cargo", &arguments, &workspace.root);
    command.arg("--manifest-path").arg(workspace.root.join("fuzz/Cargo.toml")).arg("--target-dir").arg(place);
    command.env("RUSTFLAGS", RUSTFLAGS.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    match process::watch(command, |_| {})?.success() {
        true => Ok(place.join(host).join("release")),
        false => Err(Failure::Failed(
            "the fuzz targets do not compile; after a change of dependencies, \
             `cargo update --workspace --manifest-path fuzz/Cargo.toml`"
                .into(),
        )),
    }
}

/// Runs one target. False when it found an input that breaks it.
fn holds(workspace: &Workspace, place: &Path, binary: &Path, plan: &Plan, target: &str) -> Result<bool> {
    let [scratch, artifacts] = ["scratch", "artifacts"].map(|name| place.join(name).join(target));
    let corpus = scratch.join("corpus");
    let preparing = || format!("preparing {}", scratch.display());
    clear(&scratch)?;
    fs::create_dir_all(&corpus).map_err(Failure::while_doing(preparing()))?;
    fs::create_dir_all(&artifacts).map_err(Failure::while_doing(preparing()))?;
    copy(&workspace.root.join("fuzz/corpus").join(target), &corpus)?;

    let mut command = process::command(&binary.to_string_lossy(), &[], &scratch);
    command.arg(&corpus).arg(format!("-artifact_prefix={}/", artifacts.display())).env("TMPDIR", &scratch);
    command.args([format!("-max_total_time={}", plan.seconds), format!("-seed={}", plan.seed)]);
    command.args(["-timeout=10", "-rss_limit_mb=512", "-verbosity=0", "-print_final_stats=1"]);
    let output = command.output().map_err(Failure::while_doing(format!("starting {}", binary.display())))?;
    clear(&scratch)?;
    let report = String::from_utf8_lossy(&output.stderr);
    let said = |what: &str| report.lines().find_map(|line| Some(line.split_once(what)?.1.trim()));
    if output.status.success() {
        let [inputs, peak] = ["number_of_executed_units:", "peak_rss_mb:"].map(|what| said(what).unwrap_or("?"));
        println!("fuzz {target:<10}ok: {inputs} inputs in {} s, at most {peak} MiB", plan.seconds);
        return Ok(true);
    }
    println!("{report}");
    match said("Test unit written to ") {
        Some(input) => println!("fuzz {target:<10}BROKEN\nrun it again: {} {input}", binary.display()),
        None => println!("fuzz {target:<10}ended without an input ({})", output.status),
    }
    Ok(false)
}

fn clear(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(Failure::while_doing(format!("clearing {}", directory.display())))?;
    }
    Ok(())
}

/// Copies the files of a directory, if there is one.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries {
        let copied = entry.and_then(|entry| fs::copy(entry.path(), to.join(entry.file_name())));
        copied.map_err(Failure::while_doing(format!("copying {}", from.display())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(arguments: &[&str]) -> Result<Plan> {
        let known = ["codecs", "keys"].map(str::to_owned);
        plan(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>(), &known)
    }

    #[test]
    fn without_names_every_target_runs() {
        let plan = planned(&["--seconds", "3"]).unwrap();
        assert_eq!((plan.seconds, plan.seed, plan.targets.len()), (3, 1, 2));
        let plan = planned(&["keys", "--seed", "7"]).unwrap();
        assert_eq!((plan.seconds, plan.seed, plan.targets), (SECONDS, 7, vec!["keys".to_owned()]));
    }

    #[test]
    fn what_is_no_target_and_no_number_is_refused() {
        for arguments in [&["kyes"][..], &["--seconds"], &["--seconds", "0"], &["--seed", "x"], &["--fast", "1"]] {
            assert!(matches!(planned(arguments), Err(Failure::Usage(_))), "{arguments:?}");
        }
    }
}
