//! What a full disk does: the test runs itself again in a namespace of its own, on a tiny file system there.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_storage::{BlobBackend, Durability, ErrorKind, Staged};
use common::*;
use std::env;
use std::path::Path;
use std::process::Command;

const NAME: &str = "a_full_disk_is_told_and_leaves_no_part_of_a_blob";
const TINY: &str = "CACHENESS_TEST_TINY_DISK";

#[test]
fn a_full_disk_is_told_and_leaves_no_part_of_a_blob() {
    if let Some(path) = env::var_os(TINY) {
        return fill(Path::new(&path));
    }
    let home = tempfile::tempdir().unwrap();
    let again = "mount -t tmpfs -o size=256k tmpfs \"$2\" && exec \"$0\" --exact \"$1\" --nocapture";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", again])
        .arg(env::current_exe().unwrap())
        .arg(NAME)
        .arg(home.path())
        .env(TINY, home.path())
        .output()
        .expect("this test needs the command unshare of util-linux");
    let told = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "this test needs user namespaces, to mount a tiny file system:\n{told}{complained}"
    );
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
