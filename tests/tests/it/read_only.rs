//! A store opened read-only: everything is read, nothing is made, nothing changes.

use crate::stores::{graceless, open, tree};
use crate::support::{Place, noise};
use cacheness::backends::{fs::FsBlobs, sqlite::SqliteMetadata};
use cacheness::{ErrorKind, PutOptions, sync::BlobStore, sync::Cache};
use cacheness_storage::OpenContext;
use std::fs;
use std::io::Cursor;

fn open_read_only(place: &Place) -> cacheness::Result<Cache> {
    Cache::builder().dir(place.path()).clock(place.clock.clone()).read_only(true).open()
}

#[test]
fn everything_is_read_and_every_change_is_refused() {
    let place = Place::new();
    let writer = place.open();
    writer.put_with("small", "value", PutOptions::new().tags(["a"])).unwrap();
    writer.put("large", &noise(300_000)).unwrap();
    writer.close().unwrap();
    let before = tree(&place.path());

    let cache = open_read_only(&place).unwrap();
    assert_eq!(cache.get::<String>("small").unwrap().as_deref(), Some("value"));
    assert_eq!(cache.get::<Vec<u8>>("large").unwrap(), Some(noise(300_000)));
    assert_eq!(cache.entries(&Default::default()).unwrap().entries.len(), 2);
    assert!(cache.get_reader("large").unwrap().is_some());
    assert!(cache.verify().unwrap().is_clean());
    let refused = [
        cache.put("new", "value").map(drop),
        cache.put("small", "other").map(drop),
        cache.put_reader("new", Cursor::new(noise(10))).map(drop),
        cache.invalidate("small").map(drop),
        cache.clear().map(drop),
        cache.sweep().map(drop),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        assert!(error.to_string().contains("open it for writing"), "{error}");
    }
    cache.close().unwrap();
    assert!(tree(&place.path()) == before, "not a byte changed");
}

#[test]
fn what_is_damaged_is_a_miss_and_stays() {
    let place = Place::new();
    place.open().put("key", &noise(50_000)).unwrap();
    fs::remove_file(place.blobs().pop().unwrap()).unwrap();
    let cache = open_read_only(&place).unwrap();
    assert_eq!(cache.get::<Vec<u8>>("key").unwrap(), None);
    assert!(cache.exists("key").unwrap());
}

#[test]
fn a_place_without_a_store_stays_without_one() {
    let place = Place::new();
    assert!(matches!(open_read_only(&place).unwrap_err().kind(), ErrorKind::Config | ErrorKind::Unavailable));
    assert!(!place.path().exists());
    fs::create_dir(place.path()).unwrap();
    assert!(open_read_only(&place).is_err());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn what_another_opening_writes_is_seen() {
    let place = Place::new();
    let writer = open(&place, graceless());
    writer.put("key", &noise(50_000)).unwrap();
    let mut options = graceless();
    options.read_only = true;
    let reader = open(&place, options);
    for number in 0..20 {
        writer.put("key", &noise(50_000 + number)).unwrap();
        assert_eq!(reader.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000 + number)));
    }
    assert_eq!(reader.put("key", "mine").unwrap_err().kind(), ErrorKind::ReadOnly);
}

#[test]
fn backends_that_know_nothing_of_it_are_refused() {
    let error = Cache::builder().metadata("memory:").blobs("memory:").read_only(true).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("cannot be opened read-only"), "{error}");
}

/// A store that is opened read-only over backends that would take changes.
fn open_over_writable_backends(place: &Place) -> cacheness::Result<BlobStore> {
    let context = OpenContext::new();
    let index = SqliteMetadata::open(place.path().join("index.db"), &context, Default::default())?;
    let blobs = FsBlobs::open(place.path().join("blobs"), &context, Default::default())?;
    let mut options = graceless();
    (options.read_only, options.content_addressable) = (true, true);
    BlobStore::builder().metadata_backend(index).blob_backend(blobs).options(options).open()
}

#[test]
fn every_change_is_refused_before_the_backends_are_asked() {
    let place = Place::new();
    open(&place, graceless()).put("key", &noise(50_000)).unwrap();
    let store = open_over_writable_backends(&place).unwrap();
    let refused = [
        store.put("new", "value").map(drop),
        store.put_new("value").map(drop),
        store.put_reader("new", Cursor::new(noise(10))).map(drop),
        store.update("key", "other").map(drop),
        store.update_metadata("key", cacheness_storage::PutOptions::new().tags(["a"])).map(drop),
        store.delete("key").map(drop),
        store.clear().map(drop),
        store.sweep().map(drop),
    ];
    for (number, refused) in refused.into_iter().enumerate() {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ReadOnly, "change {number}");
    }
    assert_eq!(store.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)));
}

#[test]
fn an_empty_place_gets_no_identity_even_where_the_backends_would_take_it() {
    let place = Place::new();
    assert_eq!(open_over_writable_backends(&place).unwrap_err().kind(), ErrorKind::Config);
    assert!(!place.path().join("blobs/00/00000000000000000000000000000000.blob").exists());
    assert_eq!(open_over_writable_backends(&place).unwrap_err().kind(), ErrorKind::Config, "nor half of one");
}
