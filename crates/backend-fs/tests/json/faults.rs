//! Calls that fail once: what was acknowledged is there, and what a failed sync may have lost is written anew.

use super::*;
use cacheness_storage::Durability;
use cacheness_testkit::records::sample;
use cacheness_testkit::syscalls::{Worker, report};
use std::collections::BTreeSet;
use std::env;
use std::process::Command;

const PLACE: &str = "CACHENESS_JSON_TEST_FAULTS";
const TEST: &str = "faults::a_call_that_fails_once_loses_nothing_that_was_acknowledged";

fn work(path: &Path) {
    let opened = JsonMetadata::open(path, &context().durability(Durability::Full), JsonConfig::new());
    let Ok(index) = opened else { return report("refused") };
    for key in ["a", "b", "c"] {
        match try_commit(&index, put(sample(key))) {
            Ok(_) => report(format_args!("done {key}")),
            Err(error) => report(format_args!("failed {key} {}", error.is_retryable())),
        }
    }
}

#[test]
fn a_call_that_fails_once_loses_nothing_that_was_acknowledged() {
    if let Some(path) = env::var_os(PLACE) {
        return work(Path::new(&path));
    }
    let worker = Worker::new(move |directory| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", TEST, "--nocapture", "--test-threads=1"]).env(PLACE, directory.join("index.jsonl"));
        command
    });
    let mut calls = BTreeSet::new();
    // The test harness writes, too, and would be struck itself.
    let changes = ["fsync", "fdatasync", "rename"];
    for fault in worker.faults().unwrap() {
        if fault.lasts() || fault.error() != "EIO" || !changes.contains(&fault.call()) {
            continue;
        }
        calls.insert(fault.call().to_owned());
        let ending = worker.run_with(&fault).unwrap();
        assert!(ending.status.success(), "{fault}: {}", ending.complaints);
        let path = ending.directory.join("index.jsonl");
        let found = keys(&open(&path));
        for line in &ending.lines {
            if let Some(key) = line.strip_prefix("done ") {
                assert!(found.iter().any(|found| found == key), "{fault}: {key} is not in {found:?}");
            }
            assert!(!line.ends_with(" true"), "{fault}: whether it happened is open, so it is not retryable: {line}");
        }
        let anew = fs::read_to_string(&path).unwrap().contains("\"generation\":2}");
        let is_in_doubt = fault.call() == "fdatasync" && !ending.lines.iter().any(|line| line == "failed c false");
        assert_eq!(anew, is_in_doubt, "{fault}");
    }
    assert_eq!(calls.len(), changes.len(), "{calls:?}");
}
