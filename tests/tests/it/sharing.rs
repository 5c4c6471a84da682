//! Content addressing: the same bytes are stored once, counted, and never lost while somebody shares them.

use crate::stores::{Hold, assert_tidy, graceless, open, open_held};
use crate::support::{Place, noise};
use cacheness_storage::engine::{EngineOptions, Point};
use cacheness_storage::{DigestAlgorithm, PutOptions, Trailer};
use std::thread;

fn options() -> EngineOptions {
    let mut options = graceless();
    options.content_addressable = true;
    options
}

#[test]
fn the_same_bytes_are_stored_once_under_any_keys() {
    let place = Place::new();
    let store = open(&place, options());
    let value = noise(300_000);
    for key in ["one", "two", "three"] {
        store.put(key, &value).unwrap();
    }
    store.put("two", &value).unwrap();
    let stored = store.metadata("one").unwrap().unwrap().stored_size();
    assert_eq!((place.blobs().len(), store.stats().unwrap().bytes), (1, stored));
    assert!(store.delete("one").unwrap() && store.delete("two").unwrap());
    assert_eq!(store.get("three").unwrap(), Some(value.clone()));
    assert_tidy(&place, &store);
    assert!(store.delete("three").unwrap());
    assert_eq!(place.blobs().len(), 0);
    store.put("one", &value).unwrap();
    assert_eq!(store.get("one").unwrap(), Some(value));
    assert_tidy(&place, &store);
}

#[test]
fn the_key_of_a_content_is_made_of_its_type_and_bytes() {
    let place = Place::new();
    let store = open(&place, options());
    let value = noise(100_000);
    let key = store.put_new(&value).unwrap();
    assert_eq!(store.put_new(&value).unwrap(), key);
    assert_eq!((key.len(), store.stats().unwrap().entries, place.blobs().len()), (64, 1, 1));
    assert_eq!(store.get(&key).unwrap(), Some(value.clone()));
    let mut other = value;
    other[50_000] ^= 1;
    assert_ne!(store.put_new(&other).unwrap(), key);
    let keys = [store.put_new("abc").unwrap(), store.put_new(&b"abc".to_vec()).unwrap(), store.put_new("abd").unwrap()];
    assert!(keys[0] != keys[1] && keys[0] != keys[2], "{keys:?}");
    assert_eq!(store.get::<String>(&keys[0]).unwrap().as_deref(), Some("abc"));
    // Part of the format: the same content has the same key in every version.
    assert_eq!(keys[0], "561e2c678604440502a661f9582841d6c01301cb4db0ab141cc997a22d3aa55f");
}

#[test]
fn the_key_of_a_content_does_not_depend_on_how_it_is_compressed() {
    let (plain, packed) = (Place::new(), Place::new());
    let mut uncompressed = options();
    uncompressed.compression = cacheness::Compression::NONE;
    let text = "the same text again and again ".repeat(5000);
    let (plain, packed) = (open(&plain, uncompressed), open(&packed, options()));
    let key = plain.put_new(&text).unwrap();
    assert_eq!(packed.put_new(&text).unwrap(), key);
    assert!(packed.metadata(&key).unwrap().unwrap().stored_size() < 10_000);
}

#[test]
fn values_that_share_bytes_keep_their_own_type_and_metadata() {
    let place = Place::new();
    let store = open(&place, options());
    let text = "x".repeat(50_000);
    let options = PutOptions::new().tags(["mine"]);
    store.put_with("text", &text, options).unwrap();
    store.put("bytes", &text.clone().into_bytes()).unwrap();
    assert_eq!(store.get::<String>("text").unwrap(), Some(text.clone()));
    assert_eq!(store.get::<Vec<u8>>("bytes").unwrap(), Some(text.into_bytes()));
    assert_eq!(store.metadata("text").unwrap().unwrap().tags(), ["mine"]);
    assert!(store.metadata("bytes").unwrap().unwrap().tags().is_empty());
}

#[test]
fn a_blob_that_somebody_took_away_is_not_shared() {
    let place = Place::new();
    let store = open(&place, options());
    store.put("lost", &noise(50_000)).unwrap();
    std::fs::remove_file(place.blobs().pop().unwrap()).unwrap();
    store.put("whole", &noise(50_000)).unwrap();
    assert_eq!(store.get::<Vec<u8>>("whole").unwrap(), Some(noise(50_000)));
}

#[test]
fn the_last_reference_goes_between_finding_the_content_and_sharing_it() {
    let place = Place::new();
    let (held, failpoints) = open_held(&place, options());
    let other = open(&place, options());
    other.put("first", &noise(50_000)).unwrap();
    thread::scope(|scope| {
        let hold = Hold::at(&failpoints, Point::ContentFound);
        scope.spawn(|| held.put("second", &noise(50_000)).unwrap());
        hold.wait();
        other.delete("first").unwrap();
        // The index forgets the blob: it is unknown now, not condemned.
        other.put("unrelated", "value").unwrap();
        other.sweep().unwrap();
        assert_eq!(place.blobs().len(), 0);
        hold.go();
    });
    assert_eq!(other.get::<Vec<u8>>("second").unwrap(), Some(noise(50_000)));
    assert_tidy(&place, &other);
}

#[test]
fn deleting_the_last_reference_races_a_put_of_the_same_content() {
    let place = Place::new();
    let (one, other) = (open(&place, options()), open(&place, options()));
    let value = noise(20_000);
    for round in 0..1000 {
        one.put("going", &value).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| assert!(one.delete("going").unwrap()));
            other.put("coming", &value).unwrap();
        });
        assert_eq!(one.get::<Vec<u8>>("coming").unwrap().as_ref(), Some(&value), "round {round}");
        assert!(other.delete("coming").unwrap());
    }
    one.sweep().unwrap();
    assert_eq!(place.blobs().len(), 0);
    assert_tidy(&place, &one);
}

#[test]
fn content_is_told_apart_by_a_digest_that_nobody_can_forge() {
    let place = Place::new();
    let mut options = options();
    options.digest = DigestAlgorithm::Xxh3;
    open(&place, options).put("key", &noise(50_000)).unwrap();
    let blob = std::fs::read(place.blobs().pop().unwrap()).unwrap();
    let digest = Trailer::from_end_of(&blob).unwrap().content.digest;
    assert_eq!(digest.algorithm(), DigestAlgorithm::Blake3, "whatever the options say");
}

#[test]
fn a_blob_that_was_cut_off_is_not_shared() {
    let place = Place::new();
    let store = open(&place, options());
    store.put("cut", &noise(50_000)).unwrap();
    let blob = std::fs::File::options().write(true).open(place.blobs().pop().unwrap()).unwrap();
    blob.set_len(49_999).unwrap();
    store.put("whole", &noise(50_000)).unwrap();
    assert_eq!(store.get::<Vec<u8>>("whole").unwrap(), Some(noise(50_000)));
}

#[test]
fn an_update_of_nothing_stores_nothing_although_its_content_is_there() {
    let place = Place::new();
    let store = open(&place, options());
    store.put("other", &noise(50_000)).unwrap();
    assert!(!store.update("absent", &noise(50_000)).unwrap());
    assert!(!store.exists("absent").unwrap());
    assert_tidy(&place, &store);
}

#[test]
fn a_value_that_is_replaced_by_a_shared_one_takes_its_blob_with_it() {
    let place = Place::new();
    let store = open(&place, options());
    store.put("other", &noise(50_000)).unwrap();
    store.put("key", &noise(60_000)).unwrap();
    store.put("key", &noise(50_000)).unwrap();
    assert_eq!(place.blobs().len(), 1, "no sweep had to come");
    assert_eq!(store.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)));
}
