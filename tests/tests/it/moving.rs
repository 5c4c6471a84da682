//! A store is its directory: it can be moved, and it does not mix with another.

use crate::support::{Place, Results, noise};
use cacheness::{ErrorKind, sync::Cache};

#[test]
fn moving_the_directory_keeps_every_entry() {
    let place = Place::new();
    let cache = place.open();
    cache.put("object", &Results::sample()).unwrap();
    cache.put("large", &noise(100_000)).unwrap();
    cache.close().unwrap();
    let moved = place.dir.path().join("somewhere").join("else");
    std::fs::create_dir_all(moved.parent().unwrap()).unwrap();
    std::fs::rename(place.path(), &moved).unwrap();
    let cache = Cache::open(&moved).unwrap();
    assert_eq!(cache.get("object").unwrap(), Some(Results::sample()));
    assert_eq!(cache.get("large").unwrap(), Some(noise(100_000)));
    assert!(!place.path().exists(), "nothing points back");
}

#[test]
fn the_blobs_of_another_store_are_refused() {
    let (one, other) = (Place::new(), Place::new());
    one.open().put("large", &noise(100_000)).unwrap();
    other.open().put("large", &noise(100_000)).unwrap();
    std::fs::rename(one.path().join("blobs"), one.dir.path().join("aside")).unwrap();
    std::fs::rename(other.path().join("blobs"), one.path().join("blobs")).unwrap();
    let error = Cache::open(one.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignStore);
    assert!(error.to_string().contains("put the index and the blobs of one store together"), "{error}");
}

#[test]
fn an_index_whose_blobs_vanished_is_refused() {
    let place = Place::new();
    place.open().put("large", &noise(100_000)).unwrap();
    std::fs::rename(place.path().join("blobs"), place.dir.path().join("aside")).unwrap();
    assert_eq!(Cache::open(place.path()).unwrap_err().kind(), ErrorKind::ForeignStore);
    std::fs::remove_dir_all(place.path().join("blobs")).unwrap();
    std::fs::rename(place.dir.path().join("aside"), place.path().join("blobs")).unwrap();
    assert_eq!(place.open().get("large").unwrap(), Some(noise(100_000)));
}

#[test]
fn blobs_whose_index_vanished_are_refused() {
    let place = Place::new();
    let cache = place.open();
    cache.put("large", &noise(100_000)).unwrap();
    cache.close().unwrap();
    std::fs::remove_file(place.path().join("index.db")).unwrap();
    let error = Cache::open(place.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignStore);
    assert_eq!(place.blobs().len(), 1, "nothing was deleted");
}

#[test]
fn a_mark_without_any_blob_takes_a_new_index() {
    let place = Place::new();
    place.open().close().unwrap();
    std::fs::remove_file(place.path().join("index.db")).unwrap();
    place.open().put("key", &noise(50_000)).unwrap();
    assert_eq!(place.open().get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)));
    std::fs::remove_file(place.path().join("index.db")).unwrap();
    let error = Cache::open(place.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignStore, "with a blob it does not: {error}");
}
