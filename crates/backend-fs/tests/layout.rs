//! Where blobs lie on disk, and in which order they are listed.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_backend_fs::{FsBlobs, FsConfig};
use cacheness_core::runtime::block_on;
use cacheness_storage::{BlobBackend, BlobId, ErrorKind};
use common::*;
use std::fs;
use std::path::PathBuf;

#[test]
fn a_blob_lies_below_the_first_digits_of_its_name_and_keeps_the_whole_name() {
    let whole = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    for (shard_chars, directory) in [(0, ""), (1, "0"), (2, "0a"), (3, "0a1"), (4, "0a1b")] {
        let home = tempfile::tempdir().unwrap();
        let blobs = open_with(home.path(), FsConfig::new().shard_chars(shard_chars)).unwrap();
        put(&blobs, id(whole), b"x").unwrap();
        let mut expected = vec![PathBuf::from(directory).join(format!("{whole}.blob")), PathBuf::from("layout")];
        expected.sort();
        assert_eq!(files(home.path()), expected, "{shard_chars}");
        assert_eq!(get(&blobs, id(whole)).as_deref(), Some(&b"x"[..]));
    }
}

#[test]
fn the_layout_file_says_how_blobs_are_spread() {
    let home = tempfile::tempdir().unwrap();
    open(home.path().join("default"));
    open_with(home.path().join("flat"), FsConfig::new().shard_chars(0)).unwrap();
    assert_eq!(fs::read_to_string(home.path().join("default/layout")).unwrap(), "cacheness-blobs 1\nshard_chars 2\n");
    assert_eq!(fs::read_to_string(home.path().join("flat/layout")).unwrap(), "cacheness-blobs 1\nshard_chars 0\n");
}

#[test]
fn pages_of_any_size_make_the_whole_list_in_the_order_of_names() {
    let mut expected = ids(40);
    expected.extend([BlobId::STORE, BlobId::from_bytes([0xff; 16])]);
    for shard_chars in 0..=4 {
        let home = tempfile::tempdir().unwrap();
        let blobs = open_with(home.path(), FsConfig::new().shard_chars(shard_chars)).unwrap();
        for id in &expected {
            put(&blobs, *id, b"x").unwrap();
        }
        expected.sort();
        for limit in [1, 3, 42, 43] {
            assert_eq!(paged(&blobs, limit), expected, "shard_chars {shard_chars}, limit {limit}");
        }
        assert_eq!(block_on(blobs.list(None, 0)).unwrap(), []);
    }
}

fn paged(blobs: &FsBlobs, limit: usize) -> Vec<BlobId> {
    let mut found = Vec::new();
    loop {
        let page = block_on(blobs.list(found.last().copied(), limit)).unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return found;
        }
        found.extend(page.into_iter().map(|info| info.id));
    }
}

#[test]
fn a_list_tells_size_and_time_of_each_file() {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path());
    let written = put(&blobs, id("ab"), b"twelve bytes").unwrap();
    let listed = block_on(blobs.list(None, 10)).unwrap();
    assert_eq!(listed, std::slice::from_ref(&written));
    assert_eq!(head(&blobs, id("ab")).as_ref(), Some(&written));
    assert_eq!(written.size, 12);
    let modified = fs::metadata(home.path().join("ab").join(format!("{}.blob", id("ab")))).unwrap().modified().unwrap();
    assert_eq!(written.modified_at, Some(modified.into()));
}

#[test]
fn a_moved_directory_keeps_its_blobs() {
    let home = tempfile::tempdir().unwrap();
    let (old, new) = (home.path().join("old"), home.path().join("new"));
    put(&open(&old), id("ab"), b"x").unwrap();
    fs::rename(&old, &new).unwrap();
    assert_eq!(get(&open(&new), id("ab")).as_deref(), Some(&b"x"[..]));
}

#[test]
fn another_sharding_than_the_recorded_one_is_refused() {
    let home = tempfile::tempdir().unwrap();
    open_with(home.path(), FsConfig::new().shard_chars(3)).unwrap();
    let error = open_with(home.path(), FsConfig::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("made with shard_chars 3, not 2 (set shard_chars=3"), "{error}");
    open_with(home.path(), FsConfig::new().shard_chars(3)).unwrap();
}
