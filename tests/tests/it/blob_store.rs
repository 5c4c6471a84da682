//! `BlobStore`: typed values under string keys, on SQLite and files.

use crate::support::{Results, noise};
use cacheness::backends::{fs, sqlite};
use cacheness::core::runtime::block_on;
use cacheness::storage::{Bare, OpenContext, PutOptions, Query};
use cacheness::{Bundle, Bundled, ErrorKind, Field, Filter, MigrateOptions, future, sync};
use cacheness_tests::remote::Remote;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

fn open(dir: &Path) -> sync::BlobStore {
    sync::BlobStore::open(dir).unwrap()
}

#[test]
fn a_store_is_made_in_a_directory_and_opened_again_by_either_face() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("models/here");
    open(&place).put("key", &noise(50_000)).unwrap();
    assert!(place.join("index.db").is_file() && place.join("blobs").is_dir());
    let awaited = block_on(future::BlobStore::open(&place)).unwrap();
    assert_eq!(block_on(awaited.get("key")).unwrap(), Some(noise(50_000)));
    assert_eq!(sync::BlobStore::open("").unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn backends_are_named_by_url_or_given_ready() {
    let dir = tempfile::tempdir().unwrap();
    let (index, blobs) = (dir.path().join("index"), dir.path().join("bytes"));
    let (index_url, blobs_url) = (format!("sqlite:{}", index.display()), format!("fs:{}", blobs.display()));
    let store = sync::BlobStore::builder().metadata(index_url).blobs(&blobs_url).open().unwrap();
    store.put("key", &noise(50_000)).unwrap();

    let context = OpenContext::new();
    let ready = sqlite::SqliteMetadata::open(&index, &context, Default::default()).unwrap();
    let mixed = sync::BlobStore::builder().metadata_backend(ready).blobs(blobs_url).open().unwrap();
    assert_eq!(mixed.get("key").unwrap(), Some(noise(50_000)));
    mixed.close().unwrap();
    let ready = fs::FsBlobs::open(&blobs, &context, Default::default()).unwrap();
    let mixed =
        sync::BlobStore::builder().metadata(format!("sqlite:{}", index.display())).blob_backend(ready).open().unwrap();
    assert_eq!(mixed.get("key").unwrap(), Some(noise(50_000)));
}

#[test]
fn a_store_of_the_storage_floor_knows_memory_and_what_is_registered() {
    use cacheness::storage::sync::BlobStore;
    let error = BlobStore::builder().metadata("sqlite:index.db").blobs("fs:blobs").open().unwrap_err();
    assert!(error.to_string().contains("known here: memory;"), "{error}");
    assert_eq!(BlobStore::open("anywhere").unwrap_err().kind(), ErrorKind::Config, "nothing keeps one in a directory");

    let dir = tempfile::tempdir().unwrap();
    let mut registry = Bare::registry().unwrap();
    fs::register(&mut registry.backends).unwrap();
    let blobs = format!("fs:{}", dir.path().join("blobs").display());
    let store = BlobStore::builder().metadata("memory:").blobs(blobs).registry(registry).open().unwrap();
    store.put("key", &noise(50_000)).unwrap();
    assert_eq!(count_blobs(dir.path()), 1);
}

#[test]
fn a_store_opened_read_only_reads_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let read_only = |dir: &Path| sync::BlobStore::builder().dir(dir).read_only(true).open();
    let absent = dir.path().join("absent");
    read_only(&absent).unwrap_err();
    assert!(!absent.exists());
    open(dir.path()).put("key", &noise(50_000)).unwrap();
    let store = read_only(dir.path()).unwrap();
    assert_eq!(store.get("key").unwrap(), Some(noise(50_000)));
    assert_eq!(store.put("key", "mine").unwrap_err().kind(), ErrorKind::ReadOnly);
}

#[test]
fn a_store_over_remote_backends_needs_no_runtime_of_the_program() {
    let remote = Remote::start(env!("CARGO_BIN_EXE_remote-backend"), Duration::ZERO);
    let store =
        sync::BlobStore::builder().metadata_backend(remote.metadata()).blob_backend(remote.blobs()).open().unwrap();
    store.put("key", &noise(50_000)).unwrap();
    assert_eq!(store.get("key").unwrap(), Some(noise(50_000)));
}

#[test]
fn a_store_asks_the_handlers_of_its_registry() {
    let mut registry = Bundled::registry().unwrap();
    registry.handlers.remove("text").unwrap();
    let store = sync::BlobStore::builder().metadata("memory:").blobs("memory:").registry(registry).open().unwrap();
    store.put("key", "text").unwrap();
    assert_eq!(store.metadata("key").unwrap().unwrap().data_type(), "object");
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

#[test]
fn an_entry_keeps_what_the_store_of_blobs_calls_its_object() {
    let store = sync::BlobStore::builder().metadata("memory:").blobs("memory:").open().unwrap();
    store.put("large", &noise(50_000)).unwrap();
    store.put("small", "rides in the index").unwrap();
    store.put_many(&[("one of many", noise(50_000))]).unwrap();
    let etag = |key: &str| store.metadata(key).unwrap().unwrap().etag().map(str::to_owned);
    assert!(etag("large").unwrap().starts_with("xxh3"), "{:?}", etag("large"));
    assert_eq!(etag("small"), None);
    assert!(etag("one of many").is_some());
    assert!(store.copy("large", "copy").unwrap());
    assert_eq!(etag("copy"), etag("large"), "it is the same object");
    let other = sync::BlobStore::builder().metadata("memory:").blobs("memory:").open().unwrap();
    store.migrate_to(&other, MigrateOptions::new()).unwrap();
    let moved = other.metadata("large").unwrap().unwrap();
    assert!(moved.etag().is_some());
    assert_ne!(moved.etag().map(str::to_owned), etag("large"), "it is another object, with a trailer of its own");
}
