//! Many hands on one key, and puts that nobody waits for.

use crate::stores::{assert_tidy, graceless, open};
use crate::support::{Place, noise};
use cacheness::{future, sync};
use cacheness_testkit::SeededRng;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SIZE: usize = 64 << 10;

/// A value that says which one it is, in every part of it.
fn value(writer: u64, number: u64) -> Vec<u8> {
    let stamp = ((writer << 56) | number).to_le_bytes();
    stamp.iter().copied().cycle().take(SIZE).collect()
}

/// Which value it is; `None` when its parts belong to different ones.
fn stamp_of(value: &[u8]) -> Option<u64> {
    let stamp = <[u8; 8]>::try_from(value.get(..8)?).ok()?;
    let whole = value.len() == SIZE && value.chunks(8).all(|part| part == stamp);
    whole.then(|| u64::from_le_bytes(stamp))
}

#[test]
fn three_writers_and_three_readers_of_one_key_see_only_what_was_written() {
    let place = Place::new();
    let mut options = graceless();
    options.compression = cacheness::Compression::NONE;
    open(&place, options.clone()).put("key", &value(0, 0)).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let (written, read) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for writer in 1..4 {
            // Each has an opening of its own, as another process would.
            let (store, written) = (open(&place, options.clone()), &written);
            scope.spawn(move || {
                for number in 0.. {
                    if Instant::now() >= end {
                        break;
                    }
                    store.put("key", &value(writer, number)).unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..3 {
            let (store, read) = (open(&place, options.clone()), &read);
            scope.spawn(move || {
                let mut newest = [0; 4];
                while Instant::now() < end {
                    let found = store.get::<Vec<u8>>("key").unwrap().unwrap();
                    let stamp = stamp_of(&found).unwrap();
                    let (writer, number) = ((stamp >> 56) as usize, stamp & ((1 << 56) - 1));
                    assert!(number >= newest[writer], "an older value of writer {writer} came back");
                    newest[writer] = number;
                    read.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(written.into_inner() > 100 && read.into_inner() > 100, "too little happened to see anything");
    assert_tidy(&place, &open(&place, options));
}

#[test]
fn a_thousand_puts_dropped_at_random_leave_a_clean_store() {
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    let chance = SeededRng::new(7);
    for number in 0..1000_u64 {
        let size = [100, 20_000, 60_000][(number % 3) as usize];
        let mut op = cache.put(number % 50, &noise(size));
        for _ in 0..chance.below(3) {
            let _ = Pin::new(&mut op).poll(&mut Context::from_waker(Waker::noop()));
            (0..chance.below(2000)).for_each(|_| std::hint::spin_loop());
        }
        drop(op);
    }
    // What was polled goes on alone; an operation behind it on the same pool, and quiet, say that it is done.
    let blocking = sync::Cache::from(cache);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut quiet = 0;
    let mut last = None;
    while quiet < 20 && Instant::now() < deadline {
        let now = (blocking.stats().unwrap().bytes, place.blobs().len());
        quiet = if last == Some(now) { quiet + 1 } else { 0 };
        last = Some(now);
        thread::sleep(Duration::from_millis(10));
    }
    let verified = blocking.verify().unwrap();
    assert!(verified.is_clean() && verified.entries > 0, "{verified:?}");
    assert_eq!((verified.unreferenced, verified.staging_files), (0, 0));
    assert_eq!(
        place.blobs().len() as u64,
        blocking.entries(&Default::default()).unwrap().entries.iter().filter(|entry| entry.blob().is_some()).count()
            as u64
    );
    for number in 0..50 {
        if let Some(value) = blocking.get::<Vec<u8>>(number).unwrap() {
            assert!(value == noise(value.len()));
        }
    }
}

#[test]
fn what_is_replaced_during_a_verification_is_no_damage() {
    let place = Place::new();
    let (writer, store) = (open(&place, graceless()), open(&place, graceless()));
    let keys: Vec<_> = (0..10).map(|number| format!("key {number}")).collect();
    keys.iter().for_each(|key| writer.put(key, &noise(20_000)).unwrap());
    let going = std::sync::atomic::AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            while going.load(Ordering::Relaxed) {
                keys.iter().for_each(|key| writer.put(key, &noise(20_000)).unwrap());
            }
        });
        let problems: Vec<_> = (0..200).flat_map(|_| store.verify().unwrap().problems).collect();
        going.store(false, Ordering::Relaxed);
        assert!(problems.is_empty(), "{problems:?}");
    });
}
