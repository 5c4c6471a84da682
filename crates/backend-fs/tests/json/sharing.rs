//! Several openings and processes on one index.

use super::*;
use cacheness_storage::Version;
use cacheness_testkit::records::{sample, version};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, thread};

const PLACE: &str = "CACHENESS_JSON_TEST_INDEX";

/// Runs a test of this program once more, with the index at `path`.
fn spawn(test: &str, path: &Path, name: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(PLACE, path)
        .env("CACHENESS_JSON_TEST_NAME", name)
        .spawn()
        .unwrap()
}

/// Adds one to the version of a record, if it is still the one that was read.
fn count_up(index: &JsonMetadata, key: &str) {
    loop {
        let current = find(index, key).unwrap().version;
        let next = Version::from_bytes((u128::from_be_bytes(*current.as_bytes()) + 1).to_be_bytes());
        let record = Record { version: next, ..sample(key) };
        let change = Change::Put { record: Box::new(record), condition: Condition::Version(current) };
        if try_commit(index, change).unwrap()[0].is_applied() {
            return;
        }
    }
}

#[test]
fn processes_that_count_together_lose_no_count() {
    const TEST: &str = "sharing::processes_that_count_together_lose_no_count";
    const ROUNDS: u128 = 200;
    if let Some(path) = env::var_os(PLACE) {
        let (index, name) = (open(Path::new(&path)), env::var("CACHENESS_JSON_TEST_NAME").unwrap());
        for round in 0..ROUNDS {
            count_up(&index, "count");
            commit(&index, put(sample(&format!("{name} {round}"))));
        }
        return;
    }
    let (_home, path) = place();
    let index = open(&path);
    commit(&index, put(Record { version: version(0), ..sample("count") }));
    let first = u128::from_be_bytes(*version(0).as_bytes());
    let children: Vec<Child> = ["one", "two", "three"].into_iter().map(|name| spawn(TEST, &path, name)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let last = find(&index, "count").unwrap().version;
    assert_eq!(u128::from_be_bytes(*last.as_bytes()) - first, 3 * ROUNDS);
    assert_eq!(all(&index).len() as u128, 1 + 3 * ROUNDS);
    assert_eq!(all(&open(&path)), all(&index));
}

#[test]
fn compaction_beside_readers_and_writers_loses_nothing_and_shows_nothing_old() {
    const WRITERS: usize = 3;
    const ROUNDS: u64 = 400;
    let (home, path) = place();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|number| {
                let (path, done) = (&path, &done);
                scope.spawn(move || {
                    drop(open(path));
                    let index = JsonMetadata::open(path, &context().read_only(number == 0), JsonConfig::new()).unwrap();
                    let mut seen = [None; WRITERS];
                    let mut reads = 0;
                    while !done.load(Ordering::Acquire) || reads == 0 {
                        for (writer, seen) in seen.iter_mut().enumerate() {
                            let found = find(&index, &format!("writer {writer}")).map(|record| record.version);
                            assert!(found >= *seen, "an older record was read: {found:?} after {seen:?}");
                            *seen = found;
                        }
                        reads += 1;
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let path = &path;
                scope.spawn(move || {
                    let (index, key) = (open(path), format!("writer {number}"));
                    for round in 1..=ROUNDS {
                        commit(&index, put(Record { version: version(round), ..sample(&key) }));
                        assert_eq!(find(&index, &key).unwrap().version, version(round), "its own commit is missing");
                    }
                })
            })
            .collect();
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::Release);
        written.into_iter().for_each(|written| written.unwrap());
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(keys(&open(&path)), ["writer 0", "writer 1", "writer 2"]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() <= 2 * WRITERS + 102, "{} lines", text.lines().count());
    assert!(
        !text.starts_with("{\"format\":\"cacheness-index\",\"version\":1,\"generation\":1}"),
        "it was not compacted"
    );
    assert_eq!(names(home.path()), ["index.jsonl", "index.jsonl-lock"]);
}

#[test]
fn an_opening_sees_what_another_one_committed_before_and_after_a_compaction() {
    let (_home, path) = place();
    let (one, other) = (open(&path), open(&path));
    for round in 1..=300 {
        let (writer, reader) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        commit(writer, put(Record { version: version(round), ..sample("key") }));
        assert_eq!(find(reader, "key").unwrap().version, version(round));
    }
}
