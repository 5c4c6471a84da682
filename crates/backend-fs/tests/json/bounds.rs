//! How much goes in, and what happens to the rest.

use super::*;
use cacheness_storage::{Filter, Location, Patch, Reclaim, ReclaimOrder, Usage};
use cacheness_testkit::records::{sample, version};

fn small(path: &Path) -> JsonMetadata {
    JsonMetadata::open(path, &context(), JsonConfig::new().max_entries(3)).unwrap()
}

#[test]
fn a_full_index_refuses_new_entries_and_loses_nothing() {
    let (_home, path) = place();
    let index = small(&path);
    for key in ["a", "b", "c"] {
        commit(&index, put(sample(key)));
    }
    let before = fs::read(&path).unwrap();
    for changes in [vec![put(sample("d"))], vec![remove("a"), put(sample("d")), put(sample("e"))]] {
        let error = block_on(index.commit(changes, OnUnmet::Skip)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfSpace);
        assert!(!error.is_retryable());
        let line = error.to_string();
        assert!(line.contains("takes 3 entries") && line.contains("sqlite:index.db"), "{line}");
        assert_eq!(keys(&index), ["a", "b", "c"]);
        assert_eq!(block_on(index.stats()).unwrap().entries, 3);
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    commit(&index, put(sample("a")));
    commit(&index, put(sample(EntryKey::system("lease").as_str())));
    commit(
        &index,
        Change::Patch { key: "b".into(), patch: Box::new(Patch::new(version(2), NOW)), condition: Condition::Always },
    );
    let moved = block_on(index.commit(vec![put(sample("d")), remove("a")], OnUnmet::Abort)).unwrap();
    assert!(moved.iter().all(Outcome::is_applied));
    commit(&index, remove("b"));
    commit(&index, put(sample("e")));
    assert_eq!(keys(&small(&path)), ["c", "d", "e"]);
}

#[test]
fn an_index_with_more_entries_than_it_may_have_is_read_and_emptied() {
    let (_home, path) = place();
    let large = open(&path);
    for number in 0..6 {
        commit(&large, put(sample(&number.to_string())));
    }
    let index = small(&path);
    assert_eq!(all(&index).len(), 6);
    commit(&index, put(sample("0")));
    commit(&index, remove("0"));
    assert_eq!(try_commit(&index, put(sample("0"))).unwrap_err().kind(), ErrorKind::OutOfSpace);
    let plan = Reclaim::Entries {
        filter: Filter::All,
        order: ReclaimOrder::Key,
        limit: 3,
        until_bytes: None,
        until_entries: None,
    };
    assert_eq!(block_on(index.reclaim(&plan)).unwrap().keys.len(), 3);
    commit(&index, put(sample("0")));
    assert_eq!(keys(&index), ["0", "4", "5"]);
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let (_home, path) = place();
    let index = open(&path);
    commit(&index, put(sample("a")));
    let before = fs::read(&path).unwrap();
    assert!(try_commit(&index, remove("absent")).unwrap()[0].is_applied());
    let unmet = Change::Put { record: Box::new(sample("a")), condition: Condition::Absent };
    let outcomes = block_on(index.commit(vec![put(sample("b")), unmet.clone()], OnUnmet::Abort)).unwrap();
    assert!(!outcomes.iter().any(Outcome::is_applied));
    assert!(!try_commit(&index, unmet).unwrap()[0].is_applied());
    let plan = Reclaim::Entries {
        filter: Filter::All,
        order: ReclaimOrder::Key,
        limit: 0,
        until_bytes: None,
        until_entries: None,
    };
    block_on(index.reclaim(&plan)).unwrap();
    assert_eq!(keys(&index), ["a"]);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_record_without_its_payload_is_refused() {
    let (_home, path) = place();
    let index = open(&path);
    let record = Record { location: Location::Omitted, ..sample("a") };
    assert_eq!(try_commit(&index, put(record)).unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(keys(&open(&path)), [""; 0]);
}

#[test]
fn replacing_one_entry_again_and_again_does_not_grow_the_file() {
    let (_home, path) = place();
    let index = open(&path);
    for round in 0..1000 {
        commit(&index, put(Record { version: version(round), ..sample("a") }));
        assert!(fs::read_to_string(&path).unwrap().lines().count() <= 105);
    }
    assert_eq!(find(&open(&path), "a").unwrap().version, version(999));
}

#[test]
fn using_entries_again_and_again_does_not_grow_the_file() {
    let (_home, path) = place();
    let index = open(&path);
    let names: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    block_on(index.commit(names.iter().map(|key| put(sample(key))).collect(), OnUnmet::Abort)).unwrap();
    for round in 0..100 {
        let uses = names.iter().map(|key| use_of(key, round, 2)).collect();
        // Whoever opens it counts what others wrote, too.
        let writer = if round % 2 == 0 { &index } else { &open(&path) };
        assert!(block_on(writer.commit(uses, OnUnmet::Skip)).unwrap().iter().all(Outcome::is_applied));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.matches("{\"use\":").count() <= 200, "uses are not made one with their records");
    }
    assert!(!fs::read_to_string(&path).unwrap().contains("\"generation\":1}"));
    let expected = Usage { accessed_at: Some(NOW.offset(99)), hits: 200 };
    for index in [&index, &open(&path)] {
        assert!(all(index).iter().all(|record| record.usage == expected));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    cacheness_testkit::full_disk::run("bounds::a_full_disk_is_told_and_loses_nothing", 256, |disk| {
        let path = disk.join("index.jsonl");
        let index = open(&path);
        let record = |key: &str| cacheness_testkit::records::inline(key, vec![b'x'; 10_000]);
        let mut kept = Vec::new();
        let error = loop {
            let key = format!("{:03}", kept.len());
            match try_commit(&index, put(record(&key))) {
                Ok(_) => kept.push(key),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
        assert!(error.to_string().contains("free space"), "{error}");
        assert!(kept.len() > 5);
        for index in [&index, &open(&path)] {
            assert_eq!(keys(index), kept);
        }
        assert!(fs::read(&path).unwrap().ends_with(b"\n"), "a part of a line was left");
    });
}
