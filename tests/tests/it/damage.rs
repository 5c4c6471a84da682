//! Damaged bytes: never a value, never a panic, and nothing else is lost.

use crate::support::{Place, noise};
use cacheness::{Compression, ErrorKind, MissReason, OnInvalid, sync::Cache};
use proptest::prelude::*;

const SIZE: usize = 40_000;

/// A cache with one value in a blob and one in the index.
fn filled(place: &Place) -> Cache {
    let cache = place.open();
    cache.put("victim", &noise(SIZE)).unwrap();
    cache.put("bystander", "unharmed").unwrap();
    cache
}

fn assert_dropped(place: &Place, cache: &Cache) {
    assert_eq!(cache.get::<Vec<u8>>("victim").unwrap(), None);
    assert_eq!(cache.stats().unwrap().misses_because(MissReason::Corrupt), 1);
    assert!(!cache.exists("victim").unwrap(), "what is damaged is dropped");
    assert!(place.blobs().is_empty(), "and leaves nothing behind");
    assert_eq!(cache.get::<String>("bystander").unwrap().as_deref(), Some("unharmed"));
}

#[test]
fn a_flipped_bit_in_a_blob_is_a_counted_miss() {
    let place = Place::new();
    let cache = filled(&place);
    let blob = place.blobs().pop().unwrap();
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[SIZE / 2] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    assert_dropped(&place, &cache);
}

#[test]
fn a_flipped_bit_in_a_blob_that_is_read_piece_by_piece_is_a_counted_miss() {
    const LARGE: usize = 1_000_000;
    for at in [0, LARGE / 2, LARGE - 1] {
        let place = Place::new();
        let cache = filled(&place);
        cache.put("victim", &noise(LARGE)).unwrap();
        let blob = place.blobs().pop().unwrap();
        let mut bytes = std::fs::read(&blob).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&blob, bytes).unwrap();
        assert_dropped(&place, &cache);
    }
}

#[test]
fn a_truncated_blob_is_a_counted_miss() {
    let place = Place::new();
    let cache = filled(&place);
    let blob = place.blobs().pop().unwrap();
    std::fs::OpenOptions::new().write(true).open(blob).unwrap().set_len(100).unwrap();
    assert_dropped(&place, &cache);
}

#[test]
fn a_missing_blob_is_a_counted_miss() {
    let place = Place::new();
    let cache = filled(&place);
    std::fs::remove_file(place.blobs().pop().unwrap()).unwrap();
    assert_dropped(&place, &cache);
}

#[test]
fn swapped_blobs_are_never_taken_for_each_other() {
    let place = Place::new();
    let cache = place.open();
    let mut other = noise(SIZE);
    other.reverse();
    cache.put("one", &noise(SIZE)).unwrap();
    cache.put("other", &other).unwrap();
    let blobs = place.blobs();
    let bytes: Vec<_> = blobs.iter().map(|blob| std::fs::read(blob).unwrap()).collect();
    std::fs::write(&blobs[0], &bytes[1]).unwrap();
    std::fs::write(&blobs[1], &bytes[0]).unwrap();
    assert_eq!(cache.get::<Vec<u8>>("one").unwrap(), None);
    assert_eq!(cache.get::<Vec<u8>>("other").unwrap(), None);
}

#[test]
fn damage_is_an_error_where_the_policy_says_so_and_nothing_is_dropped() {
    let place = Place::new();
    filled(&place).close().unwrap();
    std::fs::remove_file(place.blobs().pop().unwrap()).unwrap();
    let cache = Cache::builder().dir(place.path()).on_invalid(OnInvalid::Error).open().unwrap();
    let error = cache.get::<Vec<u8>>("victim").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(cache.exists("victim").unwrap());
    assert_eq!(cache.get::<String>("victim").unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(cache.get::<u8>("bystander").unwrap_err().kind(), ErrorKind::TypeMismatch);
}

#[test]
fn whatever_a_handler_says_of_damaged_bytes_they_are_damaged() {
    let words: Vec<String> = noise(600_000).chunks(6).map(|word| format!("{word:?}")).collect();
    for at in [0, 1, 2, 200_000] {
        let place = Place::new();
        let builder = Cache::builder().dir(place.path()).compression(Compression::NONE);
        let cache = builder.on_invalid(OnInvalid::Error).open().unwrap();
        cache.put("victim", &words).unwrap();
        let blob = place.blobs().pop().unwrap();
        let mut bytes = std::fs::read(&blob).unwrap();
        bytes[at] ^= 0x90;
        std::fs::write(&blob, bytes).unwrap();
        let error = cache.get::<Vec<String>>("victim").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error}");
        assert!(error.to_string().contains("digest"), "byte {at}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_damage_to_a_blob_returns_a_value_or_panics(at in 0..SIZE, bits in 1_u8.., array in any::<bool>()) {
        let place = Place::new();
        let cache = place.open();
        let words = noise(SIZE);
        let numbers = ndarray::Array1::from_iter(words.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())));
        if array { cache.put_typed("victim", &numbers) } else { cache.put("victim", &noise(SIZE)) }.unwrap();
        let blob = place.blobs().pop().unwrap();
        let mut bytes = std::fs::read(&blob).unwrap();
        let payload = cache.metadata("victim").unwrap().unwrap().stored_size() as usize;
        bytes[at % payload] ^= bits;
        std::fs::write(&blob, bytes).unwrap();
        if array {
            prop_assert_eq!(cache.get_typed::<ndarray::Array1<u32>>("victim").unwrap(), None);
        } else {
            prop_assert_eq!(cache.get::<Vec<u8>>("victim").unwrap(), None);
        }
        prop_assert_eq!(cache.stats().unwrap().misses_because(MissReason::Corrupt), 1);
    }
}
