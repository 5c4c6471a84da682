//! How blobs come into being: their files, their modes, their inodes, and what is left when it fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_backend_fs::FsConfig;
use cacheness_core::runtime::block_on;
use cacheness_storage::{BlobBackend, BlobId, Bytes, Durability, ErrorKind, GetBlob, Staged};
use common::*;
use std::fs;
use std::path::Path;
use std::thread;

const DURABILITIES: [Durability; 2] = [Durability::Process, Durability::Full];

#[test]
fn bytes_and_files_come_back_at_any_durability() {
    for shard_chars in [0, 2] {
        let home = tempfile::tempdir().unwrap();
        let blobs = open_with(home.path(), FsConfig::new().shard_chars(shard_chars)).unwrap();
        let mut names = ids(12).into_iter();
        for durability in DURABILITIES {
            for size in [1, 100_000] {
                let bytes = vec![7; size];
                for payload in [staged(blobs.staging().unwrap(), &bytes), in_memory(&bytes)] {
                    let id = names.next().unwrap();
                    let info = put_staged(&blobs, id, payload, durability).unwrap();
                    assert_eq!(info.size, size as u64);
                    assert_eq!(get(&blobs, id), Some(bytes.clone()));
                }
            }
        }
    }
}

fn in_memory(bytes: &[u8]) -> Staged {
    Staged::Bytes(Bytes::copy_from_slice(bytes))
}

#[test]
fn an_empty_blob_is_a_blob() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    put(&blobs, id("ab"), b"").unwrap();
    assert_eq!(get(&blobs, id("ab")).as_deref(), Some(&b""[..]));
    assert_eq!(list(&blobs), [id("ab")]);
}

#[test]
fn publishing_onto_an_existing_name_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    put(&blobs, id("ab"), b"first").unwrap();
    for payload in [in_memory(b"second"), staged(blobs.staging().unwrap(), b"third")] {
        let error = put_staged(&blobs, id("ab"), payload, Durability::Process).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(get(&blobs, id("ab")).as_deref(), Some(&b"first"[..]));
    }
    assert_eq!(fs::read_dir(blobs.staging().unwrap()).unwrap().count(), 0);
}

#[test]
fn of_two_puts_of_a_name_one_wins() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    for name in ids(50) {
        let outcomes = thread::scope(|scope| {
            let blobs = &blobs;
            let puts = [1, 2].map(|writer| scope.spawn(move || put(blobs, name, &[writer; 1000])));
            puts.map(|put| put.join().unwrap())
        });
        let winner = outcomes.iter().position(Result::is_ok).unwrap();
        assert_eq!(outcomes[1 - winner].as_ref().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(get(&blobs, name), Some(vec![winner as u8 + 1; 1000]));
    }
}

#[test]
fn a_removed_shard_directory_is_made_again() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    for durability in DURABILITIES {
        for _ in 0..2 {
            let payloads = [in_memory(b"x"), staged(blobs.staging().unwrap(), b"x")];
            for payload in payloads {
                put_staged(&blobs, id("ab"), payload, durability).unwrap();
                assert!(delete(&blobs, id("ab")));
                fs::remove_dir(home.path().join("ab")).unwrap();
                assert_eq!(get(&blobs, id("ab")), None);
            }
        }
    }
}

#[test]
fn a_staged_file_that_changed_is_not_published() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    let payload = staged(blobs.staging().unwrap(), b"whole");
    let Staged::File(file) = &payload else { panic!("no file") };
    fs::write(file.path(), b"torn").unwrap();
    let error = put_staged(&blobs, id("ab"), payload, Durability::Process).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert_eq!(files(home.path()), [Path::new("layout")]);
}

#[test]
fn a_deleted_blob_can_be_read_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    put(&blobs, id("ab"), &bytes).unwrap();
    let whole = block_on(blobs.get(&id("ab"), GetBlob::default())).unwrap().unwrap();
    let mut part = GetBlob::default();
    part.range = Some(999_999..u64::MAX);
    let part = block_on(blobs.get(&id("ab"), part)).unwrap().unwrap();
    assert!(delete(&blobs, id("ab")));
    assert_eq!(contents(whole.body), bytes);
    assert_eq!(contents(part.body), bytes[999_999..]);
}

#[test]
fn a_range_is_clipped_to_the_blob() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    put(&blobs, id("ab"), b"0123456789").unwrap();
    #[expect(clippy::reversed_empty_ranges)]
    let ranges =
        [(0..10, "0123456789"), (3..5, "34"), (8..u64::MAX, "89"), (10..11, ""), (u64::MAX..u64::MAX, ""), (7..2, "")];
    for (range, expected) in ranges {
        let mut options = GetBlob::default();
        options.range = Some(range.clone());
        let payload = block_on(blobs.get(&id("ab"), options)).unwrap().unwrap();
        assert_eq!(payload.info.size, 10);
        assert_eq!(contents(payload.body), expected.as_bytes(), "{range:?}");
    }
}

#[test]
fn a_condition_on_an_entity_tag_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    put(&blobs, id("ab"), b"x").unwrap();
    let mut options = GetBlob::default();
    options.if_match = Some("etag".into());
    assert_eq!(block_on(blobs.get(&id("ab"), options)).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn the_stores_own_blob_is_an_ordinary_one() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    put(&blobs, BlobId::STORE, b"identity").unwrap();
    assert_eq!(list(&blobs), [BlobId::STORE]);
    assert_eq!(get(&blobs, BlobId::STORE).as_deref(), Some(&b"identity"[..]));
    assert!(home.path().join("00").join(format!("{:032}.blob", 0)).is_file());
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn files_and_directories_are_the_owners_alone() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("parent/store");
        let blobs = open(&root);
        put(&blobs, id("ab"), b"written").unwrap();
        put_staged(&blobs, id("cd"), staged(blobs.staging().unwrap(), b"linked"), Durability::Process).unwrap();
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
        for file in files(&root) {
            assert_eq!(mode(&root.join(&file)), 0o600, "{file:?}");
        }
        for directory in ["..", "", "ab", "cd", "staging"] {
            assert_eq!(mode(&root.join(directory)), 0o700, "{directory:?}");
        }
    }

    #[test]
    fn a_staged_file_becomes_the_blob_without_being_copied() {
        let home = tempfile::tempdir().unwrap();
        let blobs = open(home.path());
        let payload = staged(blobs.staging().unwrap(), &[1; 100_000]);
        let Staged::File(file) = &payload else { panic!("no file") };
        let inode = fs::metadata(file.path()).unwrap().ino();
        put_staged(&blobs, id("ab"), payload, Durability::Process).unwrap();
        let blob = fs::metadata(home.path().join("ab").join(format!("{}.blob", id("ab")))).unwrap();
        assert_eq!((blob.ino(), blob.nlink()), (inode, 1));
        assert_eq!(fs::read_dir(blobs.staging().unwrap()).unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_staged_on_another_file_system_is_copied() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        assert_ne!(device(home.path()), device(elsewhere.path()), "this test needs two file systems");
        let blobs = open(home.path());
        for (durability, name) in DURABILITIES.into_iter().zip(ids(2)) {
            put_staged(&blobs, name, staged(elsewhere.path(), &[1; 100_000]), durability).unwrap();
            assert_eq!(get(&blobs, name), Some(vec![1; 100_000]));
        }
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
