//! What a full disk does.

use crate::{assert_totals_are_recounted, commit, open, put};
use cacheness_core::runtime::block_on;
use cacheness_storage::{EntryKey, ErrorKind, Fields, MetadataBackend, Record};
use cacheness_testkit::records::{inline, version};
use std::path::Path;

#[test]
fn a_full_disk_is_told_and_the_next_commit_finds_room_in_the_log() {
    let name = "full_disk::a_full_disk_is_told_and_the_next_commit_finds_room_in_the_log";
    cacheness_testkit::full_disk::run(name, 2048, |disk| fill(&disk.join("index.db")));
}

fn fill(path: &Path) {
    let keys: Vec<_> = (0..40).map(|n| EntryKey::new(format!("{n}"))).collect();
    let record = |n: u64| {
        let key = &keys[n as usize % keys.len()];
        Record { version: version(n), ..inline(key.as_str(), vec![n as u8; 8000]) }
    };
    let index = open(path).unwrap();
    for n in 0..40 {
        commit(&index, vec![put(record(n))]).unwrap();
    }
    block_on(index.close()).unwrap();

    let index = open(path).unwrap();
    let (mut refused, mut expected) = (0, (0..40).map(|n| Some(record(n))).collect::<Vec<_>>());
    for n in 40..400 {
        match commit(&index, vec![put(record(n))]) {
            Ok(_) => expected[n as usize % 40] = Some(record(n)),
            Err(error) => {
                refused += 1;
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::OutOfSpace, false), "{error}");
                assert!(error.to_string().contains("free space on the device"), "{error}");
                assert!(commit(&index, vec![put(record(n))]).unwrap()[0].is_applied());
                expected[n as usize % 40] = Some(record(n));
            }
        }
        assert_eq!(block_on(index.get(&keys, Fields::ALL)).unwrap(), expected);
    }
    assert!(refused > 0, "the disk was never full");
    assert_totals_are_recounted(&index, path);
}
