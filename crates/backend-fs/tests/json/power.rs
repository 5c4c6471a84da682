//! Power loss at full durability: commits, compaction, and openings that did not sync.

use super::*;
use cacheness_storage::Durability;
use cacheness_testkit::records::{inline, version};
use cacheness_testkit::syscalls::{PowerLoss, Recording, Worker, report};
use std::collections::BTreeMap;
use std::env;
use std::process::Command;

const PLACE: &str = "CACHENESS_JSON_TEST_POWER";
const DURABILITY: &str = "CACHENESS_JSON_TEST_DURABILITY";
const WORKER: &str = "power::what_was_acknowledged_survives_power_loss";
const KEYS: u64 = 8;

/// Payloads that are longer than a page of the disk.
fn record(round: u64) -> Record {
    Record { version: version(round), ..inline(&format!("key {}", round % KEYS), vec![b'x'; 5000]) }
}

/// Commits more lines than a journal of so few records keeps, and tells each.
fn work(path: &Path, durability: Durability) {
    // Another one made the index, and synced nothing beyond need.
    drop(open(path));
    let index = JsonMetadata::open(path, &context().durability(durability), JsonConfig::new()).unwrap();
    for round in 1..=140 {
        commit(&index, put(record(round)));
        report(format_args!("round {round}"));
    }
}

fn recording(durability: &'static str) -> Recording {
    let worker = Worker::new(move |directory| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", WORKER, "--nocapture", "--test-threads=1"]);
        command.env(PLACE, directory.join("above/index.jsonl")).env(DURABILITY, durability);
        command
    });
    worker.record().unwrap()
}

fn check(loss: &PowerLoss<'_>) -> Result<()> {
    let told = loss.lines.iter().filter_map(|line| line.strip_prefix("round ")?.parse::<u64>().ok()).max();
    let Some(told) = told else { return Ok(()) };
    let index = try_open(&loss.directory.join("above/index.jsonl"))?;
    let latest = |last| -> BTreeMap<_, _> { (1..=last).map(|round| (round % KEYS, record(round))).collect() };
    let found = all(&index);
    let can_be = [latest(told), latest(told + 1)].map(|records| records.into_values().collect::<Vec<_>>());
    assert!(can_be.contains(&found), "{loss}: after {told} rounds there is {:?}", keys(&index));
    commit(&index, put(record(told)));
    Ok(())
}

#[test]
fn what_was_acknowledged_survives_power_loss() {
    if let Some(path) = env::var_os(PLACE) {
        let is_full = env::var_os(DURABILITY).is_some_and(|durability| durability == "full");
        return work(Path::new(&path), if is_full { Durability::Full } else { Durability::Process });
    }
    let recording = recording("full");
    assert_eq!(recording.lines().iter().filter(|line| line.starts_with("round ")).count(), 140);
    assert!(recording.only_synced(check).unwrap() > 280);
}

#[test]
fn what_else_reached_the_disk_harms_nothing() {
    recording("full").with_leftovers(1, 300, check).unwrap();
}

#[test]
fn the_default_durability_does_not_survive_power_loss() {
    let lost = std::panic::catch_unwind(|| recording("process").only_synced(check).is_err());
    assert!(lost.unwrap_or(true), "the replay finds nothing");
}
