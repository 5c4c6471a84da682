//! The verbs of `BlobStore` beyond putting and getting one value.

use cacheness::storage::PutOptions;
use cacheness::sync::BlobStore;
use cacheness::{ErrorKind, Field, Filter, Query};
use ndarray::Array2;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

fn store() -> (TempDir, BlobStore) {
    let place = tempfile::tempdir().unwrap();
    let store = BlobStore::open(place.path().join("store")).unwrap();
    (place, store)
}

/// Large enough for a blob of its own.
fn large(byte: u8) -> Vec<u8> {
    cacheness_tests::noise(20_000).into_iter().map(|noise| noise ^ byte).collect()
}

#[test]
fn of_many_who_put_what_is_absent_one_does() {
    let (_place, store) = store();
    let stored = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for n in 0..8_u8 {
            let (store, stored) = (&store, &stored);
            scope.spawn(move || {
                stored.fetch_add(store.put_if_absent("one", &large(n)).unwrap().into(), Ordering::Relaxed);
            });
        }
    });
    assert_eq!(stored.into_inner(), 1);
    assert_eq!(store.stats().unwrap().blobs, 1);
    assert!(!store.put_if_absent("one", "other").unwrap());
    assert!(store.delete("one").unwrap() && store.put_if_absent("one", "other").unwrap());
}

#[test]
fn many_values_go_in_together_and_come_back_in_order() {
    let (_place, store) = store();
    store.put_many(&[("a", large(1)), ("b", large(2)), ("a", large(3))]).unwrap();
    let values: Vec<Option<Vec<u8>>> = store.get_many(["b", "nothing", "a"]).unwrap();
    assert_eq!(values, [Some(large(2)), None, Some(large(3))]);
    let refused = store.put_many(&[("c", 1), ("\u{10FFFF}", 2)]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidKey);
    assert!(!store.exists("c").unwrap(), "all or none");
    assert_eq!(store.delete_many(["a", "nothing", "b"]).unwrap(), 2);
    assert_eq!(store.stats().unwrap().bytes, 0);
}

#[test]
fn a_value_comes_back_with_what_is_known_about_it() {
    let (_place, store) = store();
    let options = PutOptions::new().metadata(json!({"accuracy": 0.93})).tags(["nightly"]);
    store.put_with("model", &7, options).unwrap();
    let (value, entry) = store.get_with_metadata::<i32>("model").unwrap().unwrap();
    assert_eq!(
        (value, &entry.metadata()["accuracy"], entry.tags()),
        (7, &json!(0.93), ["nightly".to_owned()].as_slice())
    );
    assert!(store.get_with_metadata::<i32>("nothing").unwrap().is_none());
}

#[test]
fn arrays_go_through_their_handler() {
    let (_place, store) = store();
    let array = Array2::from_shape_fn((100, 50), |(row, column)| (row * column) as f64);
    store.put_typed("array", &array).unwrap();
    assert_eq!(store.get_typed::<Array2<f64>>("array").unwrap(), Some(array));
    let unknown = store.put_typed("other", &std::sync::Mutex::new(1)).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NoHandler);
}

#[test]
fn a_copy_shares_its_bytes_and_a_renaming_moves_them() {
    let (_place, store) = store();
    store.put("from", &large(1)).unwrap();
    let before = store.stats().unwrap();
    assert!(store.copy("from", "to").unwrap());
    let after = store.stats().unwrap();
    assert_eq!((after.entries, after.blobs, after.bytes), (2, 1, before.bytes));
    assert_eq!(store.copy("from", "to").unwrap_err().kind(), ErrorKind::Conflict);
    assert!(store.rename("from", "other").unwrap() && !store.exists("from").unwrap());
    assert!(!store.rename("from", "again").unwrap() && !store.copy("from", "again").unwrap());
    assert!(store.delete("to").unwrap());
    assert_eq!(store.get("other").unwrap(), Some(large(1)), "the copy took only its own reference");
}

#[test]
fn a_filter_says_what_is_deleted_and_a_prefix_means_its_bytes() {
    let (_place, store) = store();
    for (key, accuracy) in [("m/1", 0.5), ("m/2", 0.9), ("m_3", 0.95), ("m%", 0.99)] {
        store.put_with(key, &1, PutOptions::new().metadata(json!({"accuracy": accuracy}))).unwrap();
    }
    let keys = |query: &Query| -> Vec<String> {
        store.list(query).unwrap().entries.iter().map(|entry| entry.key().to_owned()).collect()
    };
    assert_eq!(keys(&Query::new().prefix("m_")), ["m_3"]);
    assert_eq!(keys(&Query::new().prefix("m%")), ["m%"]);
    assert_eq!(store.delete_where(&Filter::ge(Field::metadata("accuracy"), 0.9)).unwrap(), 3);
    assert_eq!(keys(&Query::new()), ["m/1"]);
}

#[test]
fn a_dropped_store_leaves_what_it_acknowledged_and_a_closed_one_refuses() {
    let place = tempfile::tempdir().unwrap();
    let open = || BlobStore::open(place.path().join("store")).unwrap();
    let store = open();
    store.put("kept", &large(1)).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.get("kept").unwrap(), Some(large(1)));
    let clone = store.clone();
    store.close().unwrap();
    store.close().unwrap();
    assert_eq!(clone.get::<Vec<u8>>("kept").unwrap_err().kind(), ErrorKind::Closed);
}
