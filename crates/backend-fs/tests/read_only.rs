//! Read-only openings: what they leave as it is, and what they refuse.
#![allow(clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_backend_fs::{FsBlobs, FsConfig};
use cacheness_core::runtime::block_on;
use cacheness_storage::{BlobBackend, Bytes, Durability, ErrorKind, OpenContext, Result, Staged};
use common::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

fn open_read_only(path: impl AsRef<Path>) -> Result<FsBlobs> {
    FsBlobs::open(path, &OpenContext::new().read_only(true).durability(Durability::Full), FsConfig::new())
}

/// All that lies below a directory, with its time, and the directory itself.
fn tree(path: &Path) -> BTreeMap<PathBuf, (SystemTime, Option<Vec<u8>>)> {
    let metadata = fs::metadata(path).unwrap();
    let bytes = metadata.is_file().then(|| fs::read(path).unwrap());
    let mut tree = BTreeMap::from([(path.to_owned(), (metadata.modified().unwrap(), bytes))]);
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            tree.extend(self::tree(&entry.unwrap().path()));
        }
    }
    tree
}

/// Reads the blob `ab…`, tries to change the directory, and closes.
fn use_and_close(blobs: &FsBlobs) {
    assert_eq!(get(blobs, id("ab")).as_deref(), Some(&b"payload"[..]));
    assert_eq!(list(blobs), [id("ab")]);
    assert_eq!(blobs.staging(), None);
    let payload = Staged::Bytes(Bytes::from_static(b"new"));
    let error = put_staged(blobs, id("cd"), payload, Durability::Full).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
    let line = error.to_string();
    assert!(line.starts_with("put a blob on fs:"), "{line}");
    assert!(line.ends_with("opened read-only and takes no changes (open it without read_only)"), "{line}");
    assert_eq!(block_on(blobs.delete(&[id("ab")])).unwrap_err().kind(), ErrorKind::ReadOnly);
    block_on(blobs.close()).unwrap();
}

#[test]
fn a_read_only_opening_leaves_everything_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    put(&open(home.path()), id("ab"), b"payload").unwrap();
    for has_staging in [true, false] {
        if !has_staging {
            fs::remove_dir(home.path().join("staging")).unwrap();
        }
        let before = tree(home.path());
        use_and_close(&open_read_only(home.path()).unwrap());
        assert_eq!(tree(home.path()), before);
    }
}

#[test]
fn a_place_without_a_blob_directory_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("empty")).unwrap();
    fs::create_dir_all(home.path().join("killed/staging")).unwrap();
    fs::create_dir(home.path().join("theirs")).unwrap();
    fs::write(home.path().join("theirs/layout"), "my layout\n").unwrap();
    fs::write(home.path().join("file"), "theirs").unwrap();
    drop(open_with(home.path().join("other"), FsConfig::new().shard_chars(3)).unwrap());
    let before = tree(home.path());
    for (name, kind) in [
        ("missing", ErrorKind::Config),
        ("missing/deep/er", ErrorKind::Config),
        ("empty", ErrorKind::Config),
        ("killed", ErrorKind::Config),
        ("file", ErrorKind::Config),
        ("other", ErrorKind::Config),
        ("theirs", ErrorKind::ForeignStore),
    ] {
        let error = open_read_only(home.path().join(name)).unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        let line = error.to_string();
        assert!(line.starts_with("open on fs:") && line.contains(name) && !line.contains('\n'), "{line}");
        assert_eq!(tree(home.path()), before, "{name}");
    }
    open(home.path().join("missing"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_blob_directory_is_read_where_nothing_can_be_written() {
    use common::user::{hand_over, set_mode, without_privileges};
    let home = tempfile::tempdir().unwrap();
    set_mode(home.path(), 0o755);
    let path = home.path().join("blobs");
    put(&open(&path), id("ab"), b"payload").unwrap();
    hand_over(&path, 0o500, 0o400);
    without_privileges(|| {
        assert_eq!(open_with(&path, FsConfig::new()).unwrap_err().kind(), ErrorKind::Permission);
        use_and_close(&open_read_only(&path).unwrap());
    });
    hand_over(&path, 0o000, 0o400);
    let error = without_privileges(|| open_read_only(&path).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.to_string().contains("blobs could not be opened for reading"), "{error}");
    hand_over(&path, 0o700, 0o600);
}
