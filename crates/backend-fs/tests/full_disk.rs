//! What a full disk does.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_storage::{BlobBackend, Durability, ErrorKind, Staged};
use common::*;
use std::path::Path;

#[test]
fn a_full_disk_is_told_and_leaves_no_part_of_a_blob() {
    cacheness_testkit::full_disk::run("a_full_disk_is_told_and_leaves_no_part_of_a_blob", 256, fill);
}

fn fill(disk: &Path) {
    let root = disk.join("store");
    let blobs = open(&root);
    put(&blobs, id("aa"), &[1; 100_000]).unwrap();

    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let large = vec![2; 300_000];
    let copied = staged(elsewhere.path(), &large);
    for payload in [Staged::Bytes(large.into()), copied] {
        let error = put_staged(&blobs, id("bb"), payload, Durability::Process).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
        assert!(error.to_string().contains("free space on the device"), "{error}");
        assert_eq!(head(&blobs, id("bb")), None);
        assert_eq!(list(&blobs), [id("aa")]);
    }

    let linked = staged(blobs.staging().unwrap(), &[3; 100_000]);
    assert_eq!(put(&blobs, id("cc"), &[4; 100_000]).unwrap_err().kind(), ErrorKind::OutOfSpace);
    put_staged(&blobs, id("dd"), linked, Durability::Full).unwrap();
    assert_eq!(get(&blobs, id("aa")), Some(vec![1; 100_000]));
    assert_eq!(get(&blobs, id("dd")), Some(vec![3; 100_000]));
    assert!(delete(&blobs, id("aa")));
    put(&blobs, id("bb"), &[5; 50_000]).unwrap();
}
