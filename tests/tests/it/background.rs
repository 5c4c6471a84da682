//! What goes on in the background: only what was asked for, and nothing after the close.

use crate::support::{NOW, Place};
use cacheness::core::runtime::block_on;
use cacheness::core::{ManualClock, Timestamp};
use cacheness::sync::Cache;
use cacheness::{ErrorKind, PutOptions, future};
use std::thread;
use std::time::{Duration, Instant};

const BRIEFLY: Duration = Duration::from_millis(2);

fn clock() -> ManualClock {
    ManualClock::starting_at(Timestamp::from_micros(NOW))
}

/// Polls for something that happens elsewhere.
fn wait_until(what: &str, mut has_happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !has_happened() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(BRIEFLY);
    }
}

fn expired(place: &Place, clock: &ManualClock) {
    let cache = Cache::builder().dir(place.path()).clock(clock.clone()).open().unwrap();
    for n in 0..10 {
        cache.put_with(n, &n, PutOptions::new().ttl(Duration::from_secs(1))).unwrap();
    }
    cache.put("live", &1).unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(cache.stats().unwrap().entries, 11, "nothing is removed by itself");
    cache.close().unwrap();
}

#[test]
fn opening_cleans_up_only_when_asked_to() {
    let (place, clock) = (Place::new(), clock());
    expired(&place, &clock);
    let open = |clean_up| {
        let cache = Cache::builder().dir(place.path()).clock(clock.clone()).cleanup_on_open(clean_up).open().unwrap();
        cache.stats().unwrap().entries
    };
    assert_eq!((open(false), open(true)), (11, 1));
}

#[test]
fn cleaning_up_goes_on_until_the_cache_is_closed() {
    let (place, clock) = (Place::new(), clock());
    expired(&place, &clock);
    let cache = Cache::builder().dir(place.path()).clock(clock.clone()).cleanup_every(BRIEFLY).open().unwrap();
    wait_until("expired entries are removed", || cache.stats().unwrap().entries == 1);
    cache.put_with("again", &1, PutOptions::new().ttl(Duration::from_secs(1))).unwrap();
    clock.advance(Duration::from_secs(1));
    wait_until("again and again", || cache.stats().unwrap().entries == 1);
    cache.close().unwrap();
    expired(&place, &clock);
    thread::sleep(20 * BRIEFLY);
    let reopened = Cache::builder().dir(place.path()).clock(clock).open().unwrap();
    assert_eq!(reopened.stats().unwrap().entries, 11, "nothing goes on after the close");
}

#[test]
fn many_caches_that_clean_up_close_at_once_on_the_bounded_pool() {
    let places: Vec<_> = (0..40).map(|_| Place::new()).collect();
    let caches: Vec<_> = places
        .iter()
        .map(|place| {
            let opening = future::Cache::builder().dir(place.path()).cleanup_every(BRIEFLY).open();
            block_on(opening).unwrap()
        })
        .collect();
    let closing: Vec<_> =
        caches.into_iter().map(|cache| thread::spawn(move || block_on(cache.close()).map(drop))).collect();
    wait_until("every close ends", || closing.iter().all(thread::JoinHandle::is_finished));
    closing.into_iter().for_each(|closing| closing.join().unwrap().unwrap());
}

#[test]
fn a_cleanup_without_a_pause_is_refused() {
    let refused = Cache::builder().metadata("memory:").blobs("memory:").cleanup_every(Duration::ZERO).open();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
}
