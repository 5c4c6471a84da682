//! `cargo xtask crash`: the crash test of the default backends with as many kills as wanted, from any seed.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
Usage: cargo xtask crash N [--seed S]

Kills processes that work on a store of SQLite and files N times with SIGKILL, at random moments and at every point of the
write protocol, and checks the store after each. `cargo xtask test` does the same with 200 kills from one fixed seed; here the
seed is a new one unless given, and printed. A store that failed a check is kept, with what its processes told.";

const TEST: &str = "crash::killed_at_any_moment_a_store_loses_nothing_and_leaves_nothing";

/// The environment variables with the number of kills and the seed, as the testkit knows them.
const KILLS: &str = "CACHENESS_CRASH_KILLS";
const SEED: &str = "CACHENESS_CRASH_SEED";

#[derive(Debug, PartialEq, Eq)]
struct Plan {
    kills: u64,
    seed: Option<u64>,
}

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let Plan { kills, seed } = plan(arguments)?;
    let seed = seed.unwrap_or_else(new_seed);
    println!("{kills} kills, seed {seed}");
    let arguments = [
        "test",
        "--package",
        "cacheness-tests",
        "--all-features",
        "--test",
        "it",
        "--",
        "--exact",
        TEST,
        "--nocapture",
    ];
    let mut command = process::command("cargo", &arguments, &workspace.root);
    command.env("CARGO_TARGET_DIR", &workspace.target).env(KILLS, kills.to_string()).env(SEED, seed.to_string());
    let mut has_run = false;
    let status = process::watch(command, |line| has_run |= line == "running 1 test")?;
    if !status.success() {
        return Err(Failure::Failed(format!("`cargo xtask crash {kills} --seed {seed}` failed ({status})")));
    }
    if has_run { Ok(()) } else { Err(Failure::Failed(format!("there is no test {TEST}"))) }
}

fn plan(arguments: &[String]) -> Result<Plan> {
    let usage = || Failure::Usage(HELP.into());
    let number = |text: &String| text.parse::<u64>().map_err(|_| usage());
    match arguments {
        [kills] => Ok(Plan { kills: number(kills)?, seed: None }),
        [kills, option, seed] | [option, seed, kills] if option == "--seed" => {
            Ok(Plan { kills: number(kills)?, seed: Some(number(seed)?) })
        }
        _ => Err(usage()),
    }
}

fn new_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(arguments: &[&str]) -> Result<Plan> {
        plan(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_seed_may_be_given_and_the_kills_must_be() {
        assert_eq!(planned(&["7"]).unwrap(), Plan { kills: 7, seed: None });
        for arguments in [["7", "--seed", "3"], ["--seed", "3", "7"]] {
            assert_eq!(planned(&arguments).unwrap(), Plan { kills: 7, seed: Some(3) });
        }
        for arguments in [&[][..], &["x"], &["7", "--seed"], &["7", "--speed", "3"], &["7", "--seed", "x"]] {
            assert!(matches!(planned(arguments), Err(Failure::Usage(_))), "{arguments:?}");
        }
    }
}
