//! `cargo xtask ci`: the whole gate, stage by stage, with the time each one takes.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{BROKEN, Failure, Result};
use crate::workspace::Workspace;
use crate::{bench, examples, fuzz, package, process, services, test, third_party, tidy};

pub(crate) const HELP: &str = "\
Usage: cargo xtask ci

Runs all stages in order and prints how long each took: fmt, clippy (all features; the facade with its default features
and with none), test, third-party, s3-endpoint, fuzz, bench, examples, docs, tidy, deny, package. A failed stage does not stop the next
one, but code that does not compile does. `.ci/run` calls this after installing what it needs.";

/// Feature sets that are promised to build without a warning, each in one call of clippy.
const CLIPPY: [&[&str]; 3] = [
    &["--workspace", "--all-targets", "--all-features"],
    &["--package", "cacheness", "--all-targets"],
    &["--package", "cacheness", "--no-default-features"],
];

/// How long each fuzz target runs, in seconds.
const FUZZ_SECONDS: u64 = 4;

struct Stage {
    name: &'static str,
    run: fn(&Workspace, &mut Report) -> Result<()>,
}

const STAGES: &[Stage] = &[
    Stage { name: "fmt", run: |workspace, _| format(workspace) },
    Stage { name: "clippy", run: |workspace, _| clippy(workspace) },
    Stage { name: "test", run: run_tests },
    Stage { name: "third-party", run: |workspace, _| third_party::check(workspace) },
    Stage { name: "s3-endpoint", run: |workspace, _| services::check(workspace) },
    Stage { name: "fuzz", run: |workspace, _| fuzz::glance(workspace, FUZZ_SECONDS) },
    Stage { name: "bench", run: |workspace, _| bench::check(workspace) },
    Stage { name: "examples", run: |workspace, _| examples::check(workspace) },
    Stage { name: "docs", run: |workspace, _| docs(workspace) },
    Stage { name: "tidy", run: |workspace, _| tidy::command(workspace, &[]) },
    Stage { name: "deny", run: |workspace, _| deny(workspace) },
    Stage { name: "package", run: |workspace, _| package::command(workspace, &[]) },
];

/// What the stages leave for the last lines.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    failed: Vec<&'static str>,
    /// `N passed, N failed`, as the tests said it.
    tests: Option<String>,
}

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        return Err(Failure::Usage(HELP.into()));
    }
    let mut report = Report::default();
    let begin = Instant::now();
    let mut is_broken = false;
    for stage in STAGES {
        if is_broken {
            report.lines.push(line(stage.name, "skipped", Duration::ZERO));
            continue;
        }
        println!("\n== {} ==", stage.name);
        let begin = Instant::now();
        let outcome = (stage.run)(workspace, &mut report);
        if let Err(failure) = &outcome {
            println!("{}: {failure}", stage.name);
            report.failed.push(stage.name);
            is_broken = matches!(failure, Failure::Broken(_));
        }
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        report.lines.push(line(stage.name, word, begin.elapsed()));
    }
    let word = if report.failed.is_empty() { "ok" } else { "FAILED" };
    println!("\n{}\n{}", report.lines.join("\n"), line("total", word, begin.elapsed()));
    if let Some(tests) = &report.tests {
        println!("{tests}");
    }
    if report.failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Failed(format!("failed: {}", report.failed.join(", "))))
    }
}

fn line(stage: &str, outcome: &str, time: Duration) -> String {
    format!("{stage:<12}{outcome:<10}{:>7.1} s", time.as_secs_f64())
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    finish(process::command("cargo", arguments, &workspace.root), &process::command_line("cargo", arguments))
}

/// Runs to the end; errors with a compiler's error code mean that the code does not compile.
fn finish(command: Command, name: &str) -> Result<()> {
    let mut is_broken = false;
    let status = process::watch(command, |line| is_broken |= line.starts_with("error[E"))?;
    match status.success() {
        true => Ok(()),
        false if is_broken => Err(Failure::Broken(format!("`{name}` does not compile"))),
        false => Err(Failure::Failed(format!("`{name}` failed ({status})"))),
    }
}

fn format(workspace: &Workspace) -> Result<()> {
    cargo(workspace, &["fmt", "--all", "--check"])?;
    cargo(workspace, &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])
}

fn clippy(workspace: &Workspace) -> Result<()> {
    for features in CLIPPY {
        let mut arguments = vec!["clippy"];
        arguments.extend(features);
        arguments.extend(["--", "-D", "warnings"]);
        cargo(workspace, &arguments)?;
    }
    Ok(())
}

/// The command of the README, as a reader would type it.
fn run_tests(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let command = process::command("cargo", &["xtask", "test"], &workspace.root);
    let status = process::watch(command, |line| {
        if is_count(line) {
            report.tests = Some(line.to_owned());
        }
    })?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) if code == i32::from(BROKEN) => Err(Failure::Broken("the tests do not compile".into())),
        _ => Err(Failure::Failed(format!("`cargo xtask test` failed ({status})"))),
    }
}

/// Whether a line is `N passed, N failed` and nothing else.
fn is_count(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    matches!(words[..], [passed, "passed,", failed, "failed"] if [passed, failed].iter().all(|word| word.parse::<u64>().is_ok()))
}

fn docs(workspace: &Workspace) -> Result<()> {
    let arguments = ["doc", "--no-deps"];
    let mut command = process::command("cargo", &arguments, &workspace.root);
    command.args(test::PROMISED).env("RUSTDOCFLAGS", "-D warnings");
    finish(command, "cargo doc")
}

fn deny(workspace: &Workspace) -> Result<()> {
    cargo(workspace, &["deny", "--all-features", "check", "bans", "licenses", "sources"])
}

#[cfg(test)]
mod tests {
    use super::is_count;

    #[test]
    fn the_count_of_tests_is_told_from_other_lines() {
        assert!(is_count("12 passed, 0 failed"));
        for other in ["test result: ok. 1 passed; 0 failed", "x passed, 0 failed", "1 passed, 0 failed today", ""] {
            assert!(!is_count(other), "{other}");
        }
    }
}
