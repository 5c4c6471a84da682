//! Cacheness beside the raw floor and beside its peers, in one run: `cargo xtask bench`. The README tells how to read it.

mod blob;
mod child;
mod count;
mod fixtures;
mod floors;
mod numbers;
mod peers;
mod race;
mod report;
mod sample;
#[cfg(feature = "remote")]
mod servers;
mod store;
mod timing;
mod value;
mod workloads;

use fixtures::Fixtures;
use report::Report;
use std::process::ExitCode;

/// Whatever goes wrong, in words.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

const HELP: &str = "\
Usage: cacheness-bench [--json] [--list] [FILTER...]

Runs the workloads whose names contain one of the filters, or all.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--child", part, place] => return child::run(part, place.as_ref()),
        ["--count"] => {
            count::list();
            return Ok(());
        }
        ["--count", path, calls] => return count::run(path, calls.parse()?),
        _ => {}
    }
    let (options, filters): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    if options.iter().any(|option| !matches!(*option, "--json" | "--list")) {
        return Err(HELP.into());
    }
    let is_meant = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    let meant: Vec<_> = workloads::all().filter(|workload| is_meant(workload.name)).collect();
    if meant.is_empty() {
        let names: Vec<_> = workloads::all().map(|workload| workload.name).collect();
        return Err(format!("no workload is meant; there are {}", names.join(", ")).into());
    }
    if options.contains(&"--list") {
        meant.iter().for_each(|workload| println!("{:<22}{}", workload.name, workload.what));
        return Ok(());
    }
    let fixtures = Fixtures::new()?;
    let mut report = Report::new(options.contains(&"--json"));
    for workload in meant {
        report.begin(workload);
        fixtures::settle();
        (workload.run)(workload, &fixtures, &mut report)?;
    }
    report.end();
    Ok(())
}
