//! Power loss: what was acknowledged at full durability is there afterwards, wherever the power went out.

use cacheness::sync::Cache;
use cacheness_testkit::Result;
use cacheness_testkit::syscalls::{PowerLoss, Recording, Worker};
use cacheness_tests::script::{Content, Told};
use std::process::Command;

fn recording(durability: &'static str, script: &'static str) -> Recording {
    let worker = Worker::new(move |directory| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_store-worker"));
        command.arg(directory.join("above/store")).args([durability, script]);
        command
    });
    // Both are shared memory, and made anew by whoever finds none.
    worker.ignoring("-shm").ignoring("-generations").record().unwrap()
}

fn check(loss: &PowerLoss<'_>) -> Result<()> {
    Told::by(loss.lines, |_| true).check(&loss.directory.join("above/store"))
}

#[test]
fn what_was_acknowledged_survives_power_loss() {
    let recording = recording("full", "alone");
    let told = Told::by(recording.lines(), |_| true);
    assert_eq!((told.done, &told.errors[..]), (20, &[][..]));
    let losses = recording.only_synced(check).unwrap();
    assert!(losses > 60, "{losses}");
}

#[test]
fn what_else_reached_the_disk_harms_nothing() {
    recording("full", "alone").with_leftovers(1, 100, check).unwrap();
}

#[test]
fn what_threads_were_told_at_once_survives_power_loss() {
    let recording = recording("full", "together");
    recording.only_synced(check).unwrap();
    recording.with_leftovers(2, 50, check).unwrap();
}

#[test]
fn what_an_opening_made_that_did_not_sync_is_synced_by_one_that_does() {
    let recording = recording("full", "reopened");
    recording
        .only_synced(|loss| match loss.lines.iter().any(|line| line == "alone done ") {
            true => check(loss),
            false => Ok(()),
        })
        .unwrap();
}

#[test]
fn a_cache_hands_its_durability_to_both_backends() {
    let recording = recording("full", "cache");
    assert_eq!(Told::by(recording.lines(), |_| true).done, 2);
    let check = |loss: &PowerLoss<'_>| {
        let cache = Cache::open(loss.directory.join("above/store"))?;
        for (key, can_be) in Told::by(loss.lines, |_| true).keys {
            let found = cache.get::<Vec<u8>>(&key)?.map(|bytes| Content::of(&bytes).unwrap());
            assert!(can_be.contains(&found), "{loss}: {key} is {found:?}, which is none of {can_be:?}");
        }
        Ok(())
    };
    recording.only_synced(check).unwrap();
}

#[test]
fn the_default_durability_does_not_survive_power_loss() {
    let error = recording("process", "alone").only_synced(check).unwrap_err();
    assert!(error.to_string().contains("power loss after operation"), "{error}");
}
