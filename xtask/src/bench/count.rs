//! `cargo xtask bench --count`: instructions and system calls of the hot paths, which a busy machine does not change, and
//! their comparison with what was recorded.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// What was recorded, by path.
const BASELINE: &str = "bench/baseline.json";
/// How much more a path may do before it is a regression.
const TOLERANCE: f64 = 0.05;
/// System calls a call that are chance: a buffer that grows, a page that is reused.
const CHANCE: f64 = 0.02;

/// What to do with the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Print,
    Check,
    Record,
}

/// What one call of a path costs.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Count {
    instructions: f64,
    system_calls: f64,
}

pub(super) fn run(workspace: &Workspace, binary: &Path, mode: Mode, filters: &[&str], as_json: bool) -> Result<()> {
    let file = workspace.root.join(BASELINE);
    let mut baseline = read(&file)?;
    let mut worse = Vec::new();
    for (path, calls) in paths(binary)? {
        if !filters.is_empty() && !filters.iter().any(|filter| path.contains(filter)) {
            continue;
        }
        let count = count(binary, &path, calls)?;
        let before = baseline.insert(path.clone(), count);
        match as_json {
            true => println!("{}", json_line(&path, count)),
            false => println!("{}", line(&path, count, before.filter(|_| mode != Mode::Record))),
        }
        match before {
            _ if mode != Mode::Check => {}
            None => worse.push(format!("{path} was never recorded")),
            Some(before) => worse.extend(regressions(&path, before, count)),
        }
    }
    match mode {
        Mode::Record => write(&file, &baseline),
        _ if worse.is_empty() => Ok(()),
        _ => Err(Failure::Failed(format!("more than was recorded in {BASELINE}:\n  {}", worse.join("\n  ")))),
    }
}

/// The paths that can be counted, each with a fair number of calls.
fn paths(binary: &Path) -> Result<Vec<(String, u64)>> {
    let output = finished(Command::new(binary).arg("--count"), "the bench")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| line.split_once(' ').and_then(|(path, calls)| Some((path.to_owned(), calls.parse().ok()?)));
    Ok(text.lines().filter_map(line).collect())
}

/// The difference between twice the calls and the calls, which leaves out what is prepared.
fn count(binary: &Path, path: &str, calls: u64) -> Result<Count> {
    let of_call = |counted: fn(&Path, &str, u64) -> Result<u64>| {
        let [once, twice] = [counted(binary, path, calls)?, counted(binary, path, calls * 2)?];
        Ok::<_, Failure>(twice.saturating_sub(once) as f64 / calls as f64)
    };
    Ok(Count { instructions: of_call(instructions)?.round(), system_calls: round(of_call(system_calls)?) })
}

fn instructions(binary: &Path, path: &str, calls: u64) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(binary);
    let output = finished(command.args(["--count", path, &calls.to_string()]), "valgrind")?;
    collected(&String::from_utf8_lossy(&output.stderr))
        .ok_or_else(|| Failure::Failed("valgrind does not tell how much it collected".into()))
}

/// The number behind `Collected :`.
fn collected(report: &str) -> Option<u64> {
    report.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

/// Without waits of threads for each other, which are chance.
fn system_calls(binary: &Path, path: &str, calls: u64) -> Result<u64> {
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-e", "trace=!futex,sched_yield", "--"]).arg(binary);
    let output = finished(command.args(["--count", path, &calls.to_string()]), "strace")?;
    total(&String::from_utf8_lossy(&output.stderr))
        .ok_or_else(|| Failure::Failed("strace does not tell how many calls it saw".into()))
}

/// The number of calls in the last line of a summary.
fn total(report: &str) -> Option<u64> {
    let line = report.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

fn finished(command: &mut Command, program: &str) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Failed(format!("{program} is not there: `apt-get install {program}`")),
        _ => Failure::Failed(format!("starting {program}: {error}")),
    })?;
    match output.status.success() {
        true => Ok(output),
        false => {
            Err(Failure::Failed(format!("{program}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr))))
        }
    }
}

/// What a path does more of than was recorded.
fn regressions(path: &str, before: Count, after: Count) -> Vec<String> {
    let mut worse = Vec::new();
    let kinds = [
        ("instructions", before.instructions, after.instructions, 0.0),
        ("system calls", before.system_calls, after.system_calls, CHANCE),
    ];
    for (what, before, after, chance) in kinds {
        if after > before * (1.0 + TOLERANCE) + chance {
            let more = 100.0 * (after / before - 1.0);
            worse.push(format!("{path}: {before} {what} before, {after} now (+{more:.1} %)"));
        }
    }
    worse
}

fn line(path: &str, count: Count, before: Option<Count>) -> String {
    let was = before.map_or(String::new(), |before| {
        format!("   recorded {:>8} and {:>6.2}", before.instructions, before.system_calls)
    });
    format!("{path:<16}{:>9} instructions{:>8.2} system calls{was}", count.instructions, count.system_calls)
}

fn json_line(path: &str, count: Count) -> Value {
    json!({"path": path, "instructions": count.instructions, "system_calls": count.system_calls})
}

fn read(file: &Path) -> Result<BTreeMap<String, Count>> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text.map_err(Failure::while_doing(format!("reading {BASELINE}")))?,
    };
    let json: Value = serde_json::from_str(&text).map_err(Failure::while_doing(format!("reading {BASELINE}")))?;
    let count = |(path, count): (&String, &Value)| {
        let field = |name| count.get(name).and_then(Value::as_f64);
        let count = Count { instructions: field("instructions")?, system_calls: field("system_calls")? };
        Some((path.clone(), count))
    };
    let counts: Option<_> = json.as_object().and_then(|paths| paths.iter().map(count).collect());
    counts.ok_or_else(|| Failure::Failed(format!("{BASELINE} is not what `--record` writes")))
}

/// One line a path, so that a change shows what it changed.
fn write(file: &Path, counts: &BTreeMap<String, Count>) -> Result<()> {
    let line = |(path, count): (&String, &Count)| {
        format!("  \"{path}\": {{\"instructions\": {}, \"system_calls\": {}}}", count.instructions, count.system_calls)
    };
    let text = format!("{{\n{}\n}}\n", counts.iter().map(line).collect::<Vec<_>>().join(",\n"));
    std::fs::write(file, text).map_err(Failure::while_doing(format!("writing {BASELINE}")))
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Count = Count { instructions: 1000.0, system_calls: 2.0 };

    #[test]
    fn five_in_a_hundred_more_is_a_regression_and_names_both() {
        let after = |instructions, system_calls| regressions("disk_get", BEFORE, Count { instructions, system_calls });
        assert!(after(1050.0, 2.1).is_empty());
        assert!(after(500.0, 0.0).is_empty());
        assert_eq!(after(1060.0, 2.0), ["disk_get: 1000 instructions before, 1060 now (+6.0 %)"]);
        assert_eq!(after(1000.0, 3.0), ["disk_get: 2 system calls before, 3 now (+50.0 %)"]);
    }

    #[test]
    fn what_the_programs_print_is_understood() {
        assert_eq!(collected("==1== Events    : Ir\n==1== Collected : 123456\n"), Some(123_456));
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
                       ------ ----------- ----------- --------- --------- ----------------\n\
                       60.00    0.000012           1        12         2 openat\n\
                       100.00    0.000020           1        17         2 total\n";
        assert_eq!(total(summary), Some(17));
        assert_eq!(total("nothing"), None);
    }

    #[test]
    fn what_is_recorded_is_read_again() {
        let place = std::env::temp_dir().join(format!("xtask-baseline-{}", std::process::id()));
        let counts = BTreeMap::from([("disk_get".to_owned(), BEFORE), ("put_new".to_owned(), BEFORE)]);
        write(&place, &counts).unwrap();
        let again = read(&place).unwrap();
        std::fs::remove_file(&place).unwrap();
        assert_eq!(again, counts);
    }
}
