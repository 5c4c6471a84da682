//! Local copies that vanished or were damaged, and local places that fail: nobody above notices.

use crate::cached::{Place, file, local, taken};
use crate::{noise, put, read};
use cacheness::backends::sqlite::{SqliteConfig, SqliteMetadata};
use cacheness_storage::layers::Cached;
use cacheness_storage::sync::BlobStore;
use cacheness_storage::{BlobBackend, ErrorKind, OpenContext, block_on};
use cacheness_testkit::records::blob;
use cacheness_tests::scripted::ScriptedBlobs;
use std::fs;
use std::sync::Arc;

#[test]
fn a_copy_that_vanished_is_fetched_again() {
    let place = Place::new(1 << 30, true);
    put(&*place.blobs, blob(1), &noise(1000)).unwrap();
    fs::remove_file(file(place.dir.path(), blob(1))).unwrap();
    place.script.calls();
    assert!(read(&*place.blobs, blob(1)).unwrap() == Some(noise(1000)));
    assert_eq!(place.script.calls(), ["blob get"]);
    assert!(file(place.dir.path(), blob(1)).exists());
    fs::remove_dir_all(place.dir.path().join("copies")).unwrap();
    assert!(read(&*place.blobs, blob(1)).unwrap() == Some(noise(1000)), "the whole directory is gone");
}

#[test]
fn a_damaged_copy_is_fetched_again() {
    for size in [1000, 400_000] {
        let place = Place::new(1 << 30, true);
        let (one, other) = (noise(size), noise(size).slice(1..));
        put(&*place.blobs, blob(1), &one).unwrap();
        put(&*place.blobs, blob(2), &other).unwrap();
        let path = file(place.dir.path(), blob(1));
        let whole = fs::read(&path).unwrap();
        let mut damages = vec![Vec::new(), vec![0; whole.len()], [&whole[..], b"x"].concat()];
        damages.extend([1, 8, 9, 24, 25, whole.len() / 2].map(|cut| whole[..whole.len() - cut].to_vec()));
        damages.extend([0, size / 2, size, size + 15, size + 16, size + 23].map(|at| {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            flipped
        }));
        // The copy of another blob, whole in itself.
        damages.push(fs::read(file(place.dir.path(), blob(2))).unwrap());
        let count = damages.len() as u64;
        for (n, damage) in damages.into_iter().enumerate() {
            fs::write(&path, damage).unwrap();
            place.script.calls();
            assert!(read(&*place.blobs, blob(1)).unwrap() == Some(one.clone()), "damage {n} of {size} bytes");
            assert_eq!(place.script.calls(), ["blob get"], "damage {n} of {size} bytes");
            assert!(fs::read(&path).unwrap() == whole, "damage {n} of {size} bytes is not repaired");
        }
        assert_eq!(place.stats().damaged, count);
        assert_eq!(place.stats().bytes, taken(place.dir.path()));
    }
}

#[test]
fn a_local_place_that_fails_fails_nothing() {
    for kind in [ErrorKind::OutOfSpace, ErrorKind::Storage, ErrorKind::Permission, ErrorKind::Unavailable] {
        let (remote, copies) = (ScriptedBlobs::in_memory(true), ScriptedBlobs::in_memory(true));
        let (script, inner) = (copies.script.clone(), remote.inner());
        let cached = Cached::in_backend(copies, 10_000_u64);
        let blobs = block_on(cached.around_blobs(remote, &OpenContext::new())).unwrap();
        put(&*inner, blob(1), &noise(1000)).unwrap();
        script.fail(kind);
        for _ in 0..2 {
            assert!(read(&*blobs, blob(1)).unwrap() == Some(noise(1000)));
        }
        put(&*blobs, blob(2), &noise(1000)).unwrap();
        assert_eq!(block_on(blobs.delete(&[blob(2)])).unwrap(), [true]);
        let stats = cached.stats();
        assert!(stats.failures > 0);
        assert_eq!((stats.hits, stats.misses, stats.bytes), (0, 2, 0));
        script.heal();
        for _ in 0..2 {
            assert!(read(&*blobs, blob(1)).unwrap() == Some(noise(1000)));
        }
        assert_eq!(cached.stats().hits, 1, "it recovers");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_local_disk_fails_nothing() {
    const TEST: &str = "cached_damage::a_full_local_disk_fails_nothing";
    cacheness_testkit::full_disk::run(TEST, 1024, |disk| {
        let remote = ScriptedBlobs::in_memory(true);
        let cached = Cached::in_backend(local(disk), 1_u64 << 30);
        let blobs = block_on(cached.around_blobs(remote, &OpenContext::new())).unwrap();
        for n in 1..=8 {
            put(&*blobs, blob(n), &noise(300_000)).unwrap();
        }
        for n in 1..=8 {
            assert!(read(&*blobs, blob(n)).unwrap() == Some(noise(300_000)), "{n}");
        }
        let stats = cached.stats();
        assert!(stats.failures > 0 && stats.copies > 0, "{stats:?}");
        assert_eq!(stats.bytes, taken(disk));
    });
}

#[test]
fn damage_of_a_copy_is_none_of_the_entry_and_damage_of_the_blob_is_found_by_verification() {
    let dir = tempfile::tempdir().unwrap();
    let context = OpenContext::new();
    let index = SqliteMetadata::open(dir.path().join("index.db"), &context, SqliteConfig::default()).unwrap();
    let remote =
        cacheness::backends::fs::FsBlobs::open(dir.path().join("remote"), &context, Default::default()).unwrap();
    let cached = Cached::in_backend(local(dir.path()), 1_u64 << 30);
    let blobs: Arc<dyn BlobBackend> = block_on(cached.around_blobs(remote, &context)).unwrap();
    let store = BlobStore::builder().metadata_backend(index).blob_backend(blobs).open().unwrap();
    let value = cacheness_tests::noise(300_000);
    store.put("key", &value).unwrap();
    let copies = blob_files(&dir.path().join("copies"));
    let [copy] = &copies[..] else { panic!("{copies:?}") };
    flip(copy);
    assert!(store.get("key").unwrap() == Some(value.clone()));
    assert_eq!(cached.stats().damaged, 1);
    assert!(store.verify().unwrap().is_clean());

    let [original] = &blob_files(&dir.path().join("remote"))[..] else { panic!("one blob was stored") };
    flip(original);
    assert!(store.get("key").unwrap() == Some(value), "the copy is whole");
    assert_eq!(store.verify().unwrap().damaged, 1, "a copy does not speak for its blob");
}

/// The files of blobs below a directory, without the marker.
fn blob_files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".blob") && !name.starts_with("00000000000000000000000000000000") {
                found.push(path);
            }
        }
    }
    found
}

fn flip(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}
