//! Registering and opening: by name, by URL, twice, again, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic)]

use acme_redb::{RedbBlobs, RedbConfig, RedbMetadata};
use cacheness_storage::sync::BlobStore;
use cacheness_storage::{BackendRegistry, BackendUrl, ErrorKind, OpenContext, Result};
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition, TableHandle};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What a future returns that does its work when polled, as those of both backends do.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits for something"),
    }
}

fn registry() -> BackendRegistry {
    let mut registry = BackendRegistry::empty();
    acme_redb::register(&mut registry).unwrap();
    registry
}

fn url(path: &Path, options: &str) -> BackendUrl {
    format!("redb:{}{options}", path.display()).parse().unwrap()
}

fn store(path: &Path) -> Result<BlobStore> {
    let context = OpenContext::new();
    BlobStore::builder()
        .metadata_backend(RedbMetadata::open(path, &context, RedbConfig::default())?)
        .blob_backend(RedbBlobs::open(path, &context, RedbConfig::default())?)
        .open()
}

fn refusal(path: &Path) -> ErrorKind {
    let error = RedbMetadata::open(path, &OpenContext::new(), RedbConfig::default()).unwrap_err();
    assert!(error.to_string().starts_with(&format!("open on redb:{}: ", path.display())), "{error}");
    error.kind()
}

#[test]
fn a_store_over_both_backends_is_opened_by_url() {
    let home = tempfile::tempdir().unwrap();
    let (registry, context) = (registry(), OpenContext::new());
    assert_eq!(
        registry.metadata_backends().chain(registry.blob_backends()).map(|entry| entry.name).collect::<Vec<_>>(),
        ["redb", "redb"]
    );
    let url = url(&home.path().join("store.redb"), "?cache_mib=8&quick_repair=true");
    let index = now(registry.open_metadata(&url, &context)).unwrap();
    let blobs = now(registry.open_blobs(&url, &context)).unwrap();
    let values = BlobStore::builder().metadata_backend(index).blob_backend(blobs).open().unwrap();
    values.put("key", &vec![0.25, 0.75]).unwrap();
    assert_eq!(values.get::<Vec<f64>>("key").unwrap(), Some(vec![0.25, 0.75]));
    let twice = acme_redb::register(&mut registry.clone()).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::AlreadyRegistered);
}

#[test]
fn a_url_that_is_wrong_is_refused_and_makes_no_file() {
    let home = tempfile::tempdir().unwrap();
    let (registry, context) = (registry(), OpenContext::new());
    let path = home.path().join("store.redb");
    for options in ["?cash_mib=8", "?cache_mib=many", "?cache_mib=0", "?cache_mib=65537", "?quick_repair=perhaps"] {
        let url = url(&path, options);
        let refusals = [
            now(registry.open_metadata(&url, &context)).unwrap_err(),
            now(registry.open_blobs(&url, &context)).unwrap_err(),
        ];
        for error in refusals {
            assert_eq!(error.kind(), ErrorKind::Config, "{options}: {error}");
        }
    }
    let unknown: BackendUrl = "lmdb:store".parse().unwrap();
    let error = now(registry.open_metadata(&unknown, &context)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownBackend);
    assert!(error.to_string().contains("redb"), "it names what there is: {error}");
    assert!(!path.exists());
}

#[test]
fn a_place_that_cannot_be_a_file_is_refused() {
    let home = tempfile::tempdir().unwrap();
    for path in [home.path(), &home.path().join("missing/store.redb"), Path::new("")] {
        assert_eq!(refusal(path), ErrorKind::Config, "{}", path.display());
    }
}

#[test]
fn typed_values_of_every_size_are_there_when_the_file_is_opened_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.redb");
    let large: Vec<u64> = (0..100_000).map(|n| n * n).collect();
    let values = store(&path).unwrap();
    values.put("small", "inside the record").unwrap();
    values.put("large", &large).unwrap();
    values.put("deleted", &large).unwrap();
    assert!(values.delete("deleted").unwrap());
    values.close().unwrap();

    let values = store(&path).unwrap();
    assert_eq!(values.get::<String>("small").unwrap().as_deref(), Some("inside the record"));
    assert_eq!(values.get::<Vec<u64>>("large").unwrap(), Some(large));
    assert_eq!(values.get::<Vec<u64>>("deleted").unwrap(), None);
    let stats = values.stats().unwrap();
    assert_eq!((stats.entries, stats.blobs), (2, 1));
}

#[test]
fn a_put_that_returned_is_in_the_file_also_when_the_process_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let (path, copy) = (home.path().join("store.redb"), home.path().join("copy.redb"));
    let large: Vec<u64> = (0..100_000).collect();
    let values = store(&path).unwrap();
    values.put("key", &large).unwrap();
    // What a killed process would leave: the file, without a close.
    fs::copy(&path, &copy).unwrap();
    assert_eq!(store(&copy).unwrap().get::<Vec<u64>>("key").unwrap(), Some(large));
}

#[test]
fn what_is_replaced_and_deleted_leaves_nothing_in_the_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.redb");
    store(&path).unwrap().close().unwrap();
    let empty = lengths(&path);
    let (small, large) = (vec![7u8; 100], (0..100_000).collect::<Vec<u64>>());
    let values = store(&path).unwrap();
    values.put("outgrown", &small).unwrap();
    values.put("outgrown", &large).unwrap();
    values.put("outgrown", &large).unwrap();
    values.put("small", &small).unwrap();
    values.close().unwrap();
    let full = lengths(&path);
    let payloads = |lengths: &BTreeMap<String, u64>| lengths["payloads"];
    assert_eq!(payloads(&full), payloads(&empty) + 1, "a payload was left when its value moved to a blob");

    let values = store(&path).unwrap();
    values.delete("outgrown").unwrap();
    values.delete("small").unwrap();
    values.close().unwrap();
    assert_eq!(lengths(&path), empty);
}

/// How many rows each table has.
fn lengths(path: &Path) -> BTreeMap<String, u64> {
    let snapshot = Database::open(path).unwrap().begin_read().unwrap();
    let tables = snapshot.list_tables().unwrap();
    tables.map(|table| (table.name().into(), snapshot.open_untyped_table(table).unwrap().len().unwrap())).collect()
}

#[cfg(unix)]
#[test]
fn stores_of_one_process_share_a_file_whatever_they_call_it() {
    let home = tempfile::tempdir().unwrap();
    let (directory, link) = (home.path().join("directory"), home.path().join("link"));
    fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink(&directory, &link).unwrap();
    let one = store(&directory.join("store.redb")).unwrap();
    let other = store(&link.join("store.redb")).unwrap();
    one.put("key", "value").unwrap();
    assert_eq!(other.get::<String>("key").unwrap().as_deref(), Some("value"));
    one.close().unwrap();
    other.put("key", "another value").unwrap();
    assert_eq!(other.get::<String>("key").unwrap().as_deref(), Some("another value"));
}

#[test]
fn another_process_gets_in_when_the_last_backend_is_closed() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.redb");
    // Whoever opens the file past this crate is to redb what another process is.
    let stranger = Database::create(&path).unwrap();
    assert_eq!(refusal(&path), ErrorKind::Unavailable);
    drop(stranger);

    let closed = store(&path).unwrap();
    let dropped = store(&path).unwrap();
    closed.close().unwrap();
    assert!(matches!(Database::open(&path), Err(redb::DatabaseError::DatabaseAlreadyOpen)));
    drop(dropped);
    Database::open(&path).unwrap();
}

#[test]
fn an_opening_never_meets_a_closing() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.redb");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    RedbMetadata::open(&path, &OpenContext::new(), RedbConfig::default()).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    const THEIRS: TableDefinition<&str, u64> = TableDefinition::new("theirs");
    let home = tempfile::tempdir().unwrap();
    let (text, tables) = (home.path().join("text"), home.path().join("tables.redb"));
    fs::write(&text, "Dear diary").unwrap();
    let database = Database::create(&tables).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(THEIRS).unwrap().insert("answer", 42).unwrap();
    transaction.commit().unwrap();
    drop(database);

    assert_eq!(refusal(&text), ErrorKind::ForeignStore);
    assert_eq!(refusal(&tables), ErrorKind::ForeignStore);
    assert_eq!(fs::read(&text).unwrap(), b"Dear diary");
    let snapshot = Database::open(&tables).unwrap().begin_read().unwrap();
    assert_eq!(snapshot.list_tables().unwrap().count(), 1);
    assert_eq!(snapshot.open_table(THEIRS).unwrap().get("answer").unwrap().unwrap().value(), 42);
}

#[test]
fn a_file_of_a_later_format_is_refused() {
    const IDENTITY: TableDefinition<&str, u64> = TableDefinition::new("acme-redb");
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.redb");
    store(&path).unwrap().close().unwrap();
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(IDENTITY).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_eq!(refusal(&path), ErrorKind::FormatTooNew);
}

#[test]
fn what_it_cannot_do_is_refused_when_it_is_opened() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.redb");
    let context = OpenContext::new().read_only(true);
    let error = RedbMetadata::open(&path, &context, RedbConfig::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.redb");
    store(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
