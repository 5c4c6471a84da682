//! What is not ours is never listed, followed, changed or removed.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_backend_fs::FsBlobs;
use cacheness_storage::{BlobBackend, BlobId, Durability, ErrorKind};
use common::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use tempfile::TempDir;

struct Store {
    home: TempDir,
    blobs: FsBlobs,
}

impl Store {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let blobs = open(home.path().join("store"));
        fs::create_dir(home.path().join("store/ab")).unwrap();
        Self { home, blobs }
    }

    fn outside(&self) -> PathBuf {
        self.home.path().join("outside")
    }

    fn file_of(&self, id: BlobId) -> PathBuf {
        let name = id.to_string();
        self.home.path().join("store").join(&name[..2]).join(format!("{name}.blob"))
    }

    /// Whatever has the blob's name is no blob, and stays.
    fn assert_foreign(&self, id: BlobId) {
        assert_eq!(get(&self.blobs, id), None);
        assert_eq!(head(&self.blobs, id), None);
        assert!(!delete(&self.blobs, id));
        assert_eq!(list(&self.blobs), []);
        assert_eq!(put(&self.blobs, id, b"ours").unwrap_err().kind(), ErrorKind::AlreadyExists);
        let payload = staged(self.blobs.staging().unwrap(), b"ours");
        let error = put_staged(&self.blobs, id, payload, Durability::Process).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(fs::symlink_metadata(self.file_of(id)).is_ok());
    }
}

#[test]
fn a_symbolic_link_with_a_blobs_name_is_not_followed() {
    let store = Store::new();
    fs::write(store.outside(), b"theirs").unwrap();
    symlink(store.outside(), store.file_of(id("ab"))).unwrap();
    store.assert_foreign(id("ab"));
    assert_eq!(fs::read(store.outside()).unwrap(), b"theirs");
}

#[test]
fn nothing_is_written_through_a_dangling_link() {
    let store = Store::new();
    symlink(store.outside(), store.file_of(id("ab"))).unwrap();
    store.assert_foreign(id("ab"));
    assert!(!store.outside().exists());
}

#[test]
fn a_symbolic_link_in_the_place_of_a_shard_is_not_followed() {
    let store = Store::new();
    fs::create_dir(store.outside()).unwrap();
    let theirs = store.outside().join(format!("{}.blob", id("cd")));
    fs::write(&theirs, b"theirs").unwrap();
    symlink(store.outside(), store.home.path().join("store/cd")).unwrap();

    assert_eq!(get(&store.blobs, id("cd")), None);
    assert_eq!(head(&store.blobs, id("cd")), None);
    assert!(!delete(&store.blobs, id("cd")));
    assert_eq!(list(&store.blobs), []);
    let error = put(&store.blobs, id("cd1"), b"ours").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignStore);
    assert!(error.to_string().contains("store/cd is in the way"), "{error}");
    assert_eq!(files(&store.outside()), [theirs.file_name().unwrap()]);
}

#[test]
fn a_file_in_the_place_of_a_shard_stays() {
    let store = Store::new();
    let file = store.home.path().join("store/cd");
    fs::write(&file, b"theirs").unwrap();
    assert_eq!(get(&store.blobs, id("cd")), None);
    assert!(!delete(&store.blobs, id("cd")));
    assert_eq!(list(&store.blobs), []);
    assert_eq!(put(&store.blobs, id("cd"), b"ours").unwrap_err().kind(), ErrorKind::ForeignStore);
    assert_eq!(fs::read(&file).unwrap(), b"theirs");
}

#[test]
fn a_directory_with_a_blobs_name_is_no_blob() {
    let store = Store::new();
    fs::create_dir(store.file_of(id("ab"))).unwrap();
    store.assert_foreign(id("ab"));
}

#[test]
fn a_socket_with_a_blobs_name_is_no_blob() {
    let store = Store::new();
    let _listener = UnixListener::bind(store.file_of(id("ab"))).unwrap();
    store.assert_foreign(id("ab"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_with_a_blobs_name_is_no_blob_and_blocks_nobody() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let store = Store::new();
    mknodat(CWD, store.file_of(id("ab")), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    store.assert_foreign(id("ab"));
}

#[test]
fn files_with_other_names_are_passed_over_and_stay() {
    let store = Store::new();
    let root = store.home.path().join("store");
    let name = id("ab").to_string();
    let foreign = [
        format!("{name}.blob"),
        "ab/README".into(),
        format!("ab/{name}"),
        format!("ab/{name}.blob~"),
        format!("ab/.{name}.blob"),
        format!("ab/{}.blob", name.to_uppercase()),
        format!("ab/{}.blob", &name[1..]),
        format!("ab/{name}0.blob"),
        format!("ab/{}.blob", id("cd")),
        "notes.txt".into(),
        format!("staging/{name}.blob"),
    ];
    for path in &foreign {
        fs::write(root.join(path), b"theirs").unwrap();
    }
    put(&store.blobs, id("ab0001"), b"ours").unwrap();
    assert_eq!(list(&store.blobs), [id("ab0001")]);
    assert_eq!(get(&store.blobs, id("cd")), None);
    assert!(delete(&store.blobs, id("ab0001")));
    assert!(!delete(&store.blobs, id("ab")));
    for path in &foreign {
        assert_eq!(fs::read(root.join(path)).unwrap(), b"theirs", "{path}");
    }
}
