//! Development tasks of the workspace, started as `cargo xtask <task>`: the tests, the house rules, the feature list and
//! the whole gate.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks through its streams")]

mod bench;
mod ci;
mod crash;
mod examples;
mod failure;
mod features;
mod fuzz;
mod libtest;
mod package;
mod process;
mod services;
mod source;
mod test;
mod third_party;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Result};
use workspace::Workspace;

/// A task with the lines `--help` shows for it.
struct Task {
    name: &'static str,
    summary: &'static str,
    help: &'static str,
    run: fn(&Workspace, &[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task { name: "test", summary: "run every test and check the feature rows", help: test::HELP, run: test::command },
    Task {
        name: "services",
        summary: "keep a PostgreSQL and an S3 endpoint up for tests",
        help: services::HELP,
        run: services::command,
    },
    Task { name: "crash", summary: "kill a store again and again", help: crash::HELP, run: crash::command },
    Task { name: "fuzz", summary: "look for inputs that break a parser", help: fuzz::HELP, run: fuzz::command },
    Task { name: "bench", summary: "measure beside floors and peers", help: bench::HELP, run: bench::command },
    Task { name: "tidy", summary: "check the house rules", help: tidy::HELP, run: tidy::command },
    Task { name: "features", summary: "write docs/features.md", help: features::HELP, run: features::command },
    Task { name: "package", summary: "pack every library crate", help: package::HELP, run: package::command },
    Task { name: "ci", summary: "run the whole gate, with the time of each stage", help: ci::HELP, run: ci::command },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        println!("{}", overview());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        println!("{}", overview());
        return Ok(());
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        return Err(Failure::Usage(format!("no task is called `{name}`\n\n{}", overview())));
    };
    let own = rest.iter().take_while(|argument| *argument != "--");
    if own.clone().any(|argument| matches!(argument.as_str(), "--help" | "-h")) {
        println!("{}", task.help);
        return Ok(());
    }
    (task.run)(&Workspace::load()?, rest)
}

fn overview() -> String {
    let mut text = String::from("Usage: cargo xtask <task> [options]\n\nTasks:\n");
    for task in TASKS {
        text.push_str(&format!("  {:<10}{}\n", task.name, task.summary));
    }
    text.push_str("\n`cargo xtask <task> --help` tells more.");
    text
}
