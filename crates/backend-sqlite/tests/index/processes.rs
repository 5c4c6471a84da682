//! Several processes on one file. The test program starts itself again as the other processes.

use crate::{assert_totals_are_recounted, commit, open, place, put};
use cacheness_core::runtime::block_on;
use cacheness_storage::{EntryKey, Fields, MetadataBackend, Record};
use cacheness_testkit::records::{blob, in_blob, version};
use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const PLACE: &str = "CACHENESS_TEST_INDEX";
const NUMBER: &str = "CACHENESS_TEST_PROCESS";
const PUTS: u64 = 60;

#[test]
fn processes_that_create_and_write_one_index_lose_nothing() {
    if let (Some(path), Ok(number)) = (env::var_os(PLACE), env::var(NUMBER)) {
        return write(Path::new(&path), number.parse().unwrap());
    }
    let (_directory, path) = place();
    let start = |number: u64| -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "processes::processes_that_create_and_write_one_index_lose_nothing"])
            .env(PLACE, &path)
            .env(NUMBER, number.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let processes: Vec<_> = (1..=3).map(start).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let index = open(&path).unwrap();
    let keys: Vec<_> = (1..=3).flat_map(|number| (0..PUTS).map(move |n| own_key(number, n))).collect();
    let found = block_on(index.get(&keys, Fields::LEAST)).unwrap();
    assert!(found.iter().all(Option::is_some));
    assert_eq!(block_on(index.stats()).unwrap().entries, 3 * PUTS + 1);
    assert_totals_are_recounted(&index, &path);
}

fn own_key(number: u64, n: u64) -> EntryKey {
    EntryKey::new(format!("process {number}, put {n}"))
}

/// What each process does: puts of its own, and as many to a key that all of them overwrite.
fn write(path: &Path, number: u64) {
    let index = open(path).unwrap();
    for n in 0..PUTS {
        let unique = number * 1_000_000 + n;
        let own = in_blob(own_key(number, n).as_str(), blob(unique), 10);
        let shared = Record { version: version(unique), ..in_blob("shared", blob(unique + 1000), 20) };
        let outcomes = commit(&index, vec![put(own), put(shared)]).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.is_applied()), "{outcomes:?}");
    }
}
