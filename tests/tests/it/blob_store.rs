//! `BlobStore`: typed values under string keys, on SQLite and files.

use crate::support::{Results, noise};
use cacheness::backends::{fs, sqlite};
use cacheness::core::runtime::block_on;
use cacheness::storage::{OpenContext, PutOptions, Query};
use cacheness::{ErrorKind, Field, Filter, future, sync};
use serde_json::json;
use std::path::Path;

fn open(dir: &Path) -> sync::BlobStore {
    let context = OpenContext::new();
    sync::BlobStore::builder()
        .metadata_backend(sqlite::SqliteMetadata::open(dir.join("index.db"), &context, Default::default()).unwrap())
        .blob_backend(fs::FsBlobs::open(dir.join("blobs"), &context, Default::default()).unwrap())
        .open()
        .unwrap()
}

#[test]
fn values_rest_under_any_key() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let keys = ["", "models/best", "../../etc/passwd", "with\0nul", "ünïcode 🦀", "%_*", &"long".repeat(10_000)];
    for key in keys {
        store.put(key, key).unwrap();
    }
    let store = open(dir.path());
    for key in keys {
        assert_eq!(store.get::<String>(key).unwrap().as_deref(), Some(key));
    }
    assert_eq!(store.stats().unwrap().entries, keys.len() as u64);
    assert_eq!(store.put("\u{10FFFF}store", "mine").unwrap_err().kind(), ErrorKind::InvalidKey);
    assert_eq!(store.get::<String>("\u{10FFFF}store").unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[test]
fn metadata_is_read_without_the_content_even_when_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let options = PutOptions::new().metadata(json!({"version": "1.0"})).tags(["a"]);
    store.put_with("large", &noise(100_000), options).unwrap();
    std::fs::remove_dir_all(dir.path().join("blobs")).unwrap();
    let entry = store.metadata("large").unwrap().unwrap();
    assert_eq!(entry.metadata()["version"], "1.0");
    assert_eq!(store.get::<Vec<u8>>("large").unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn metadata_changes_only_where_something_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let options = || PutOptions::new().metadata(json!({"note": "new"})).description("changed");
    assert!(!store.update_metadata("absent", options()).unwrap());
    store.put_with("present", &1, PutOptions::new().tags(["old"])).unwrap();
    let before = store.metadata("present").unwrap().unwrap();
    assert!(store.update_metadata("present", options()).unwrap());
    let after = store.metadata("present").unwrap().unwrap();
    assert_eq!((after.description(), after.tags()), (Some("changed"), &[][..]));
    assert_eq!(after.created_at(), before.created_at());
    assert_ne!(after.version(), before.version());
    assert_eq!(store.get::<i32>("present").unwrap(), Some(1));
}

#[test]
fn update_stores_only_where_something_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert!(!store.update("key", &noise(50_000)).unwrap());
    assert_eq!(count_blobs(dir.path()), 0, "what was not wanted leaves nothing behind");
    store.put("key", &1).unwrap();
    assert!(store.update("key", &2).unwrap());
    assert_eq!(store.get::<i32>("key").unwrap(), Some(2));
}

fn count_blobs(dir: &Path) -> usize {
    let shards = std::fs::read_dir(dir.join("blobs")).unwrap().map(|entry| entry.unwrap().path());
    let marker = 1;
    shards
        .filter(|path| path.is_dir() && !path.ends_with("staging"))
        .map(|shard| std::fs::read_dir(shard).unwrap().count())
        .sum::<usize>()
        - marker
}

#[test]
fn a_new_key_is_made_for_every_put_new() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let one = store.put_new(&Results::sample()).unwrap();
    let other = store.put_new(&Results::sample()).unwrap();
    assert_ne!(one, other);
    assert_eq!(store.get(&one).unwrap(), Some(Results::sample()));
}

#[test]
fn a_listing_takes_its_prefix_literally() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for key in ["model_1", "modelX1", "Model_1", "model_", "model"] {
        store.put_with(key, &1, PutOptions::new().metadata(json!({"key": key}))).unwrap();
    }
    let keys = |query| {
        let page = store.list(&query).unwrap();
        page.entries.iter().map(|entry| entry.key().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys(Query::new().prefix("model_")), ["model_", "model_1"]);
    let filter = Filter::eq(Field::metadata("key"), "modelX1");
    assert_eq!(keys(Query::new().filter(filter)), ["modelX1"]);
}

#[test]
fn what_was_never_put_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(store.get::<String>("absent").unwrap(), None);
    assert_eq!(store.metadata("absent").unwrap(), None);
    assert!(!store.exists("absent").unwrap());
}

#[test]
fn a_listing_goes_on_page_by_page_until_every_key_was_seen() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let keys: Vec<_> = (0..25).map(|number| format!("key {number:02}")).collect();
    keys.iter().for_each(|key| store.put(key, key).unwrap());
    let (mut seen, mut query) = (Vec::new(), Query::new().limit(4));
    loop {
        let page = store.list(&query).unwrap();
        seen.extend(page.entries.iter().map(|entry| entry.key().to_owned()));
        match page.next {
            Some(next) => query = query.after(next),
            None => break,
        }
    }
    assert_eq!(seen, keys);
}

#[test]
fn clear_spares_what_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put("small", &1).unwrap();
    store.put("large", &noise(50_000)).unwrap();
    let foreign = dir.path().join("blobs/00/mine.txt");
    std::fs::write(&foreign, "mine").unwrap();
    assert_eq!(store.clear().unwrap(), 2);
    assert_eq!(store.stats().unwrap().entries, 0);
    assert_eq!(std::fs::read_to_string(foreign).unwrap(), "mine");
}

#[test]
fn deleting_says_whether_something_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put("key", &noise(50_000)).unwrap();
    assert!(store.exists("key").unwrap());
    assert!(store.delete("key").unwrap());
    assert!(!store.delete("key").unwrap());
    assert!(!store.exists("key").unwrap());
    assert_eq!(count_blobs(dir.path()), 0);
}

#[test]
fn another_type_is_an_error_that_names_both() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put("key", "text").unwrap();
    let error = store.get::<u64>("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    let line = error.to_string();
    assert!(line.contains("String") && line.contains("u64"), "{line}");
}

#[test]
fn the_async_face_is_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let awaited = future::BlobStore::from(store.clone());
    block_on(async {
        awaited.put("key", &Results::sample()).await.unwrap();
        assert_eq!(awaited.get("key").await.unwrap(), Some(Results::sample()));
        assert_eq!(awaited.clear().await.unwrap(), 1);
        awaited.close().await.unwrap();
    });
    assert_eq!(store.get::<u8>("key").unwrap_err().kind(), ErrorKind::Closed);
}
