//! Readers in and out: any number of bytes in constant memory, verified before the first of them.

use crate::stores::{assert_tidy, fill_disk_at, graceless, open, open_held};
use crate::support::{Place, noise};
use cacheness::{ErrorKind, MissReason, future};
use cacheness_storage::engine::Point;
use std::io::{self, Cursor, Read};
use std::process::Command;

fn all(mut reader: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_a_reader_gave_comes_back_by_a_reader_and_as_bytes() {
    let place = Place::new();
    let mut options = graceless();
    options.staging_memory = 100_000;
    let store = open(&place, options);
    for size in [0, 1, 16_384, 16_385, 99_999, 100_000, 1_000_000] {
        for value in [noise(size), vec![b'x'; size]] {
            store.put_reader("key", Cursor::new(value.clone())).unwrap();
            let reader = store.get_reader("key").unwrap().unwrap();
            assert_eq!(reader.size(), size as u64);
            assert!(all(reader) == value, "{size} bytes");
            assert!(store.get::<Vec<u8>>("key").unwrap() == Some(value), "{size} bytes");
        }
    }
    assert_tidy(&place, &store);
}

#[test]
fn bytes_and_texts_that_were_put_are_read_by_a_reader_and_nothing_else_is() {
    let place = Place::new();
    let store = open(&place, graceless());
    store.put("text", "some text").unwrap();
    store.put("bytes", &noise(50_000)).unwrap();
    store.put("object", &(1, 2.5)).unwrap();
    assert_eq!(all(store.get_reader("text").unwrap().unwrap()), b"some text");
    assert_eq!(all(store.get_reader("bytes").unwrap().unwrap()), noise(50_000));
    assert_eq!(store.get_reader("object").unwrap_err().kind(), ErrorKind::TypeMismatch);
    assert!(store.get_reader("nothing").unwrap().is_none());
}

#[test]
fn a_reader_that_was_given_out_outlives_its_entry() {
    let place = Place::new();
    let store = open(&place, graceless());
    store.put("key", &noise(3_000_000)).unwrap();
    let reader = store.get_reader("key").unwrap().unwrap();
    store.put("key", "something else").unwrap();
    store.sweep().unwrap();
    assert!(place.blobs().is_empty());
    assert!(all(reader) == noise(3_000_000));
}

#[test]
fn no_byte_of_a_damaged_value_is_handed_out() {
    let place = Place::new();
    let store = open(&place, graceless());
    for size in [50_000, 3_000_000] {
        store.put("key", &noise(size)).unwrap();
        let blob = place.blobs().pop().unwrap();
        let mut bytes = std::fs::read(&blob).unwrap();
        bytes[size - 1] ^= 1;
        std::fs::write(&blob, bytes).unwrap();
        assert_eq!(store.get_reader("key").unwrap_err().kind(), ErrorKind::Corrupt, "the last byte of {size}");
    }
}

/// Gives some bytes, then fails.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the source dried up"));
        }
        let count = buffer.len().min(self.0);
        buffer[..count].fill(7);
        self.0 -= count;
        Ok(count)
    }
}

#[test]
fn a_reader_that_fails_stores_nothing_and_leaves_nothing() {
    let place = Place::new();
    let mut options = graceless();
    options.staging_memory = 100_000;
    let store = open(&place, options);
    store.put("key", "old").unwrap();
    for size in [0, 10_000, 500_000] {
        let error = store.put_reader("key", Failing(size)).unwrap_err();
        assert!(error.to_string().contains("reader of the value failed"), "{error}");
        assert_eq!(store.get::<String>("key").unwrap().as_deref(), Some("old"));
        assert_tidy(&place, &store);
    }
}

#[tokio::test]
async fn the_async_face_takes_and_gives_readers() {
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    cache.put_reader("key", Cursor::new(noise(200_000))).await.unwrap();
    let reader = cache.get_reader("key").await.unwrap().unwrap();
    assert!(all(reader) == noise(200_000));
    cache.put("other", &1.5).await.unwrap();
    assert!(cache.get_reader("other").await.unwrap().is_none());
    assert_eq!(cache.stats().await.unwrap().misses_because(MissReason::OtherType), 1);
}

#[test]
fn a_store_that_fails_at_any_point_of_a_put_keeps_the_old_value_and_is_tidy_after_a_sweep() {
    let place = Place::new();
    let mut options = graceless();
    options.staging_memory = 100_000;
    let (store, failpoints) = open_held(&place, options.clone());
    for size in [50_000, 500_000] {
        for point in [Point::Staged, Point::BlobStored, Point::Condemned, Point::Deleted] {
            store.put("key", &noise(40_000)).unwrap();
            fill_disk_at(&failpoints, point);
            let put = store.put("key", &noise(size));
            failpoints.clear(point);
            let expected = match point {
                Point::Staged | Point::BlobStored => {
                    assert_eq!(put.unwrap_err().kind(), ErrorKind::OutOfSpace, "{point:?}");
                    40_000
                }
                // The commit was made; what it replaced waits for the sweep.
                _ => {
                    put.unwrap();
                    size
                }
            };
            assert_eq!(store.get::<Vec<u8>>("key").unwrap(), Some(noise(expected)), "{point:?}");
            store.sweep().unwrap();
            assert_tidy(&place, &open(&place, options.clone()));
            assert_eq!(place.blobs().len(), 1);
        }
    }
}

#[test]
fn a_large_value_goes_through_readers_in_constant_memory() {
    let place = Place::new();
    let size = std::env::var("CACHENESS_TEST_LARGE").unwrap_or_else(|_| (256 << 20).to_string());
    let output = Command::new(env!("CARGO_BIN_EXE_other-process"))
        .args(["readers", place.path().to_str().unwrap(), &size])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let peak: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert!(peak < 64 << 10, "{peak} KiB were resident");
}

#[test]
fn a_read_follows_a_key_that_is_overwritten_again_and_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let place = Place::new();
    let (reader, failpoints) = open_held(&place, graceless());
    let writer = open(&place, graceless());
    writer.put("key", &noise(40_000)).unwrap();
    let reads = AtomicUsize::new(0);
    failpoints.set(Point::RecordRead, move || match reads.fetch_add(1, Ordering::SeqCst) {
        number @ 0..5 => writer.put("key", &noise(40_001 + number)),
        _ => Ok(()),
    });
    assert_eq!(reader.get::<Vec<u8>>("key").unwrap(), Some(noise(40_005)));
}

/// Gives bytes between interruptions, as a slow source does in a process that gets signals.
struct Interrupted(usize);

impl Read for Interrupted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 += 1;
        match self.0 {
            number @ 1..20 if number % 2 == 1 => Err(io::ErrorKind::Interrupted.into()),
            1..20 => {
                buffer[..1000].fill(7);
                Ok(1000)
            }
            _ => Ok(0),
        }
    }
}

#[test]
fn a_reader_that_is_interrupted_goes_on() {
    let place = Place::new();
    let store = open(&place, graceless());
    store.put_reader("key", Interrupted(0)).unwrap();
    assert_eq!(store.get::<Vec<u8>>("key").unwrap(), Some(vec![7; 9000]));
}

#[test]
fn what_comes_from_a_reader_may_be_larger_than_what_is_held_in_memory() {
    let place = Place::new();
    let mut options = graceless();
    options.max_value_size = 1000;
    let store = open(&place, options);
    assert_eq!(store.put("key", &noise(1001)).unwrap_err().kind(), ErrorKind::TooLarge);
    store.put_reader("key", Cursor::new(noise(100_000))).unwrap();
    assert!(all(store.get_reader("key").unwrap().unwrap()) == noise(100_000));
}
