//! Where caches are called from: threads, executors of any kind, and futures that are dropped.

use crate::support::{Place, noise};
use cacheness::future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "current_thread")]
async fn the_async_face_works_on_a_current_thread_runtime() {
    exercise().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_async_face_works_on_a_multi_thread_runtime() {
    exercise().await;
}

#[test]
fn the_async_face_works_without_any_runtime() {
    cacheness::core::runtime::block_on(exercise());
}

async fn exercise() {
    let place = Place::new();
    let cache: future::Cache = future::Cache::open(place.path()).await.unwrap();
    let puts: Vec<_> = (0..50).map(|number| cache.put(number, &noise(number * 1000))).collect();
    for put in puts {
        put.await.unwrap();
    }
    for number in 0..50 {
        assert_eq!(cache.get::<Vec<u8>>(number).await.unwrap(), Some(noise(number * 1000)));
    }
    cache.close().await.unwrap();
}

#[tokio::test]
async fn the_blocking_face_of_a_local_cache_works_inside_async_code() {
    let place = Place::new();
    let cache = place.open();
    cache.put(1, "value").unwrap();
    assert_eq!(cache.get::<String>(1).unwrap().as_deref(), Some("value"));
}

#[tokio::test]
async fn an_op_that_nobody_polled_stores_nothing() {
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    for number in 0..100 {
        drop(cache.put(number, "value"));
    }
    assert_eq!(cache.stats().await.unwrap().entries, 0);
}

#[test]
fn an_op_that_was_polled_and_dropped_happens_wholly_or_not_at_all() {
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    let value = noise(200_000);
    for number in 0..100 {
        let mut op = cache.put(number, &value);
        let _ = Pin::new(&mut op).poll(&mut Context::from_waker(Waker::noop()));
        drop(op);
    }
    // The pool is first in, first out, but has many threads: wait until nothing changes any more.
    let blocking = cacheness::sync::Cache::from(cache);
    let deadline = Instant::now() + Duration::from_secs(60);
    while blocking.stats().unwrap().entries < 100 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    for number in 0..100 {
        assert_eq!(blocking.get::<Vec<u8>>(number).unwrap().as_ref(), Some(&value), "polled means done");
    }
    assert_eq!(place.blobs().len(), 100);
    assert_eq!(std::fs::read_dir(place.path().join("blobs/staging")).unwrap().count(), 0);
}
