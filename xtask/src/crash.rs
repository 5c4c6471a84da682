//! `cargo xtask crash`: the crash test of the default backends with as many kills as wanted, from any seed.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::{Failure, Result};
use crate::process;
use crate::services::{Given, Profile, Services};
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
Usage: cargo xtask crash N [--seed S] [--over PAIR]

Kills processes that work on a store N times with SIGKILL, at random moments and at every point of the write protocol, and
checks the store after each. The PAIR of its backends is sqlite+fs unless it is postgres+fs or postgres+s3, whose servers are
found or started as those of `cargo xtask test`. That does the same with fewer kills (200, and 30 for each of the others) from
one fixed seed; here the seed is a new one unless given, and printed. A store that failed a check is kept, with what its
processes told.";

/// The pairs, and the test that kills over each.
const TESTS: [(&str, &str); 3] = [
    ("sqlite+fs", "crash::killed_at_any_moment_a_store_loses_nothing_and_leaves_nothing"),
    ("postgres+fs", "crash::killed_at_any_moment_over_postgresql_and_files_a_store_loses_nothing_and_leaves_nothing"),
    ("postgres+s3", "crash::killed_at_any_moment_over_postgresql_and_s3_a_store_loses_nothing_and_leaves_nothing"),
];

/// The environment variables with the number of kills and the seed, as the testkit knows them.
const KILLS: &str = "CACHENESS_CRASH_KILLS";
const SEED: &str = "CACHENESS_CRASH_SEED";

#[derive(Debug, PartialEq, Eq)]
struct Plan {
    kills: u64,
    seed: Option<u64>,
    pair: &'static str,
    test: &'static str,
}

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let Plan { kills, seed, pair, test } = plan(arguments)?;
    let seed = seed.unwrap_or_else(new_seed);
    println!("{kills} kills over {pair}, seed {seed}");
    let arguments = [
        "test",
        "--package",
        "cacheness-tests",
        "--all-features",
        "--test",
        "it",
        "--",
        "--exact",
        test,
        "--nocapture",
    ];
    let mut command = process::command("cargo", &arguments, &workspace.root);
    command.env("CARGO_TARGET_DIR", &workspace.target).env(KILLS, kills.to_string()).env(SEED, seed.to_string());
    let services = match pair {
        "sqlite+fs" => Services::default(),
        _ => Services::provide(workspace, Given::default(), Profile::Debug)?,
    };
    services.tell(&mut command);
    let mut has_run = false;
    let status = process::watch(command, |line| has_run |= line == "running 1 test")?;
    if !status.success() {
        return Err(Failure::Failed(format!(
            "`cargo xtask crash {kills} --seed {seed} --over {pair}` failed ({status})"
        )));
    }
    if has_run { Ok(()) } else { Err(Failure::Failed(format!("there is no test {test}"))) }
}

fn plan(arguments: &[String]) -> Result<Plan> {
    let usage = || Failure::Usage(HELP.into());
    let number = |text: &String| text.parse::<u64>().map_err(|_| usage());
    let (mut kills, mut seed, mut over) = (None, None, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(usage);
        match argument.as_str() {
            "--seed" if seed.is_none() => seed = Some(number(value()?)?),
            "--over" if over.is_none() => over = Some(value()?.as_str()),
            _ if kills.is_none() => kills = Some(number(argument)?),
            _ => return Err(usage()),
        }
    }
    let over = over.unwrap_or("sqlite+fs");
    let (pair, test) = TESTS.into_iter().find(|(pair, _)| *pair == over).ok_or_else(usage)?;
    Ok(Plan { kills: kills.ok_or_else(usage)?, seed, pair, test })
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
    fn seed_and_pair_may_be_given_and_the_kills_must_be() {
        let expected = |seed, which: usize| {
            let (pair, test) = TESTS[which];
            Plan { kills: 7, seed, pair, test }
        };
        assert_eq!(planned(&["7"]).unwrap(), expected(None, 0));
        for arguments in [["7", "--seed", "3"], ["--seed", "3", "7"]] {
            assert_eq!(planned(&arguments).unwrap(), expected(Some(3), 0));
        }
        assert_eq!(planned(&["--over", "postgres+s3", "7", "--seed", "3"]).unwrap(), expected(Some(3), 2));
        let wrong = [&[][..], &["x"], &["7", "--seed"], &["7", "--speed", "3"], &["7", "--seed", "x"], &["7", "8"]];
        for arguments in wrong.into_iter().chain([&["7", "--over", "redis"][..], &["7", "--over"], &["--seed", "3"]]) {
            assert!(matches!(planned(arguments), Err(Failure::Usage(_))), "{arguments:?}");
        }
    }
}
