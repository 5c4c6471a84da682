//! Formats at rest: what version 1 wrote stays readable, byte for byte.

use crate::support::{NOW, noise};
use cacheness::core::{ManualClock, Timestamp};
use cacheness::handlers::{Codec, Extra};
use cacheness::storage::{
    BlobId, Content, Digest, DigestAlgorithm, EntryKey, ErrorKind, ObjectTag, StoreId, Terms, Trailer,
};
use cacheness::sync::Cache;
use cacheness::{Ttl, key};
use proptest::prelude::*;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn content() -> Content {
    Content {
        type_tag: "ndarray".into(),
        type_name: "some::Array".into(),
        format: "ndarray".into(),
        format_version: 1,
        schema: Some(0x0102_0304_0506_0708),
        extra: Extra::from([("dtype".into(), json!("f64")), ("shape".into(), json!([2, 3]))]),
        encoding: Codec::Lz4.encoding(8),
        raw_size: 48,
        stored_size: 300,
        digest: Digest::of(DigestAlgorithm::Xxh3, b"payload"),
        key_digest: Some([7; 32]),
        terms: Terms::default(),
        object: None,
    }
}

fn terms() -> Terms {
    Terms {
        namespace: Some("team".into()),
        parameters: Some(r#"{"depth":3}"#.into()),
        epoch: Some(300),
        idle: Some(60_000_000),
        until: Some(Timestamp::from_micros(NOW + 2)),
    }
}

fn trailer() -> Trailer {
    Trailer {
        blob: BlobId::from_bytes([1; 16]),
        store: StoreId::from_bytes([2; 16]),
        key: EntryKey::new("models/bést"),
        created_at: Timestamp::from_micros(NOW),
        expires_at: Some(Timestamp::from_micros(NOW + 1)),
        content: content(),
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn hex(bytes: &[u8]) -> String {
    let lines: Vec<String> =
        bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    lines.join("\n") + "\n"
}

#[test]
fn the_content_descriptor_of_version_1_never_changes() {
    assert_eq!(hex(&content().to_bytes()), std::fs::read_to_string(golden("content-v1.hex")).unwrap());
    assert_eq!(Content::from_bytes(&content().to_bytes()).unwrap(), content());
}

#[test]
fn the_terms_at_the_end_of_a_content_descriptor_never_change() {
    let with_terms = Content { terms: terms(), ..content() };
    assert_eq!(hex(&with_terms.to_bytes()), std::fs::read_to_string(golden("content-terms-v1.hex")).unwrap());
    assert_eq!(Content::from_bytes(&with_terms.to_bytes()).unwrap(), with_terms);
    for length in content().to_bytes().len()..with_terms.to_bytes().len() {
        assert!(Content::from_bytes(&with_terms.to_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_object_at_the_end_of_a_content_descriptor_never_changes() {
    let object =
        ObjectTag { etag: Some("\"9b2cf535f27731c9-2\"".into()), version: Some("3HL4kqtJvjVBH40Nrjfkd".into()) };
    let with_object = Content { terms: terms(), object: Some(Box::new(object)), ..content() };
    assert_eq!(hex(&with_object.to_bytes()), std::fs::read_to_string(golden("content-object-v1.hex")).unwrap());
    assert_eq!(Content::from_bytes(&with_object.to_bytes()).unwrap(), with_object);
    let without = Content { object: None, ..with_object.clone() }.to_bytes();
    for length in without.len()..with_object.to_bytes().len() {
        assert!(Content::from_bytes(&with_object.to_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_trailer_of_version_1_never_changes() {
    assert_eq!(hex(&trailer().to_bytes()), std::fs::read_to_string(golden("trailer-v1.hex")).unwrap());
    let mut blob = noise(500);
    blob.extend(trailer().to_bytes());
    assert_eq!(Trailer::from_end_of(&blob).unwrap(), trailer());
}

#[test]
fn a_newer_structure_is_refused_as_such() {
    let mut bytes = content().to_bytes();
    bytes[0] = 2;
    assert_eq!(Content::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::FormatTooNew);
    let mut bytes = content().to_bytes();
    bytes[1] |= 0x80;
    assert_eq!(Content::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::FormatTooNew);
    let mut bytes = trailer().to_bytes();
    let version = bytes.len() - 20;
    bytes[version] = 2;
    assert_eq!(Trailer::from_end_of(&bytes).unwrap_err().kind(), ErrorKind::FormatTooNew);
}

#[test]
fn a_trailer_that_is_cut_off_or_changed_is_corrupt() {
    let bytes = trailer().to_bytes();
    for length in 0..bytes.len() {
        assert!(Trailer::from_end_of(&bytes[..length]).is_err());
        assert!(Trailer::from_end_of(&bytes[bytes.len() - length..]).is_err());
        let mut changed = bytes.clone();
        changed[length] ^= 0x10;
        assert!(Trailer::from_end_of(&changed).is_err(), "byte {length}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..150_usize, flip: u8) {
        let _ = Content::from_bytes(&bytes);
        let _ = Trailer::from_end_of(&bytes);
        let mut changed = content().to_bytes();
        let length = changed.len();
        changed[at % length] ^= flip;
        let _ = Content::from_bytes(&changed);
    }
}

#[test]
fn every_blob_ends_in_a_trailer_that_tells_where_it_came_from() {
    let place = crate::support::Place::new();
    let cache = place.open();
    let key = cache.put("large", &noise(50_000)).unwrap();
    let blob = place.blobs().pop().unwrap();
    let bytes = std::fs::read(&blob).unwrap();
    let trailer = Trailer::from_end_of(&bytes).unwrap();
    assert_eq!(trailer.key.as_str(), key.to_string());
    assert_eq!(format!("{}.blob", trailer.blob), blob.file_name().unwrap().to_string_lossy());
    assert_eq!(trailer.created_at, Timestamp::from_micros(NOW));
    let payload = &bytes[..trailer.content.stored_size as usize];
    assert_eq!(Digest::of(DigestAlgorithm::Xxh3, payload), trailer.content.digest);
    assert_eq!(trailer.content.key_digest, key.full_digest());
}

/// The values of the golden store.
fn check_golden(cache: &Cache) {
    assert_eq!(cache.get::<String>("text").unwrap().as_deref(), Some("written by version 1"));
    assert_eq!(cache.get("object").unwrap(), Some(crate::support::Results::sample()));
    assert_eq!(cache.get("large").unwrap(), Some(noise(20_000)));
    let array: ndarray::Array1<i16> = cache.get_typed("array").unwrap().unwrap();
    assert_eq!(array, ndarray::Array1::from_iter(0..5000));
    let text = cache.metadata("text").unwrap().unwrap();
    assert_eq!((text.tags(), text.parameters()), (["golden".to_owned()].as_slice(), Some(json!("text"))));
    assert!(text.hits() >= 1, "it was read by who wrote it");
    assert_eq!(cache.get::<String>("invalidated").unwrap(), None);
    assert_eq!(cache.get::<String>("tagged").unwrap().as_deref(), Some("anew"));
    let team = cache.namespace("team").unwrap();
    assert_eq!(team.get::<String>(key! { n: 1 }).unwrap().as_deref(), Some("in a namespace"));
    assert_eq!(team.ttl(key! { n: 1 }).unwrap().and_then(Ttl::left), Some(Duration::from_hours(1)));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { std::fs::copy(&path, target).map(drop).unwrap() }
    }
}

#[test]
fn a_store_of_version_1_stays_readable() {
    let place = tempfile::tempdir().unwrap();
    copy(&golden("store-v1"), place.path());
    let clock = ManualClock::starting_at(Timestamp::from_micros(NOW));
    let cache = Cache::builder().dir(place.path()).clock(clock).open().unwrap();
    check_golden(&cache);
    cache.put("new", &1).unwrap();
    check_golden(&cache);
}
