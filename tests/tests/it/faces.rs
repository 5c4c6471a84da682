//! The two faces are one cache: the same script, run on both, gives the same answers.

use crate::support::{Place, Results, noise};
use cacheness::core::runtime::block_on;
use cacheness::{ErrorKind, Key, Op, PutOptions, Query, future, key, sync};
use ndarray::array;
use std::sync::Arc;
use std::time::Duration;

/// Runs a script on a face; `done!` waits for an answer as that face does.
macro_rules! script {
    ($cache:ident, $done:ident) => {{
        let options = || PutOptions::new().ttl(Duration::from_hours(1)).tags(["x"]);
        let mut log: Vec<String> = Vec::new();
        let mut note = |what: &str, answer: String| log.push(format!("{what}: {answer}"));
        note("put", format!("{:?}", $done!($cache.put(key! { a: 1 }, &Results::sample()))));
        note("put str", format!("{:?}", $done!($cache.put("s", "text"))));
        note("put slice", format!("{:?}", $done!($cache.put("b", [1_u8, 2].as_slice()))));
        note("put_with", format!("{:?}", $done!($cache.put_with(2, &7_u64, options()))));
        note("put_shared", format!("{:?}", $done!($cache.put_shared(3, Arc::new(noise(50_000))))));
        note("put_typed", format!("{:?}", $done!($cache.put_typed(4, &array![[1.0, 2.0]]))));
        note("get", format!("{:?}", $done!($cache.get::<Results>(key! { a: 1 }))));
        note("get absent", format!("{:?}", $done!($cache.get::<Results>("absent"))));
        note("get other type", format!("{:?}", $done!($cache.get::<String>(2))));
        note("get_typed", format!("{:?}", $done!($cache.get_typed::<ndarray::Array2<f64>>(4))));
        note("get_with_metadata", {
            let answer = $done!($cache.get_with_metadata::<u64>(2));
            format!("{:?}", answer.map(|found| found.map(|(value, entry)| (value, entry.tags().to_vec()))))
        });
        note("large", format!("{:?}", $done!($cache.get::<Vec<u8>>(3)).map(|found| found == Some(noise(50_000)))));
        note("metadata", {
            let answer = $done!($cache.metadata("s"));
            format!("{:?}", answer.map(|found| found.map(|entry| (entry.key().to_owned(), entry.stored_size()))))
        });
        note("exists", format!("{:?}", $done!($cache.exists("s"))));
        note("invalidate", format!("{:?}", $done!($cache.invalidate("s"))));
        note("invalidate again", format!("{:?}", $done!($cache.invalidate("s"))));
        note("entries", {
            let answer = $done!($cache.entries(&Query::new()));
            format!("{:?}", answer.map(|page| page.entries.iter().map(|e| e.key().to_owned()).collect::<Vec<_>>()))
        });
        note("stats", {
            let answer = $done!($cache.stats());
            format!("{:?}", answer.map(|s| (s.entries, s.bytes, s.blobs, s.hits, s.misses(), s.puts)))
        });
        note("zero ttl", format!("{:?}", $done!($cache.put_with(5, &1, PutOptions::new().ttl(Duration::ZERO)))));
        note("bad metadata", format!("{:?}", $done!($cache.put_with(5, &1, PutOptions::new().metadata(1)))));
        note("no handler", format!("{:?}", $done!($cache.put_typed(5, &std::sync::Mutex::new(1)))));
        note("clear", format!("{:?}", $done!($cache.clear())));
        note("close", format!("{:?}", $done!($cache.close())));
        note("close again", format!("{:?}", $done!($cache.close())));
        note("closed", format!("{:?}", $done!($cache.get::<u64>(2))));
        note("closed put", format!("{:?}", $done!($cache.put(2, &1))));
        log
    }};
}

macro_rules! now {
    ($answer:expr) => {
        $answer
    };
}

macro_rules! awaited {
    ($answer:expr) => {
        $answer.await
    };
}

#[test]
fn both_faces_give_the_same_answers() {
    let (one, other) = (Place::new(), Place::new());
    let cache = one.open();
    let blocking = script!(cache, now);
    let cache = future::Cache::from(other.open());
    let awaited = block_on(async { script!(cache, awaited) });
    for (blocking, awaited) in blocking.iter().zip(&awaited) {
        assert_eq!(blocking, awaited);
    }
    assert!(blocking.iter().any(|line| line.starts_with("closed: Err(Closed")), "{blocking:?}");
    assert!(!blocking.iter().any(|line| line.contains("Internal")), "{blocking:?}");
}

#[test]
fn both_faces_see_one_store() {
    let place = Place::new();
    let blocking = place.open();
    let awaited = future::Cache::from(blocking.clone());
    let key = block_on(awaited.put("shared", &1)).unwrap();
    assert_eq!(blocking.get::<i32>(key).unwrap(), Some(1));
    blocking.invalidate(key).unwrap();
    assert_eq!(block_on(awaited.get::<i32>(key)).unwrap(), None);
}

#[test]
fn an_operation_owns_everything_it_needs() {
    fn sendable<R: Send + 'static>(op: Op<R>) -> impl Future + Send + 'static {
        op
    }
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    let op = {
        let (name, value) = (String::from("short-lived"), Results::sample());
        sendable(cache.put(name.as_str(), &value))
    };
    drop(cache.clone());
    block_on(op);
    assert_eq!(block_on(cache.get("short-lived")).unwrap(), Some(Results::sample()));
}

#[test]
fn errors_of_the_call_arrive_when_the_operation_is_awaited() {
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    let op: Op<Key> = cache.put(key! { a: 1, "a": 2 }, &1);
    let error = block_on(op).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    assert!(error.to_string().starts_with("put: "), "{error}");
}

#[test]
fn a_blocking_error_names_its_operation_too() {
    let place = Place::new();
    let cache: sync::Cache = place.open();
    let error = cache.get::<u8>(key! { a: 1, "a": 2 }).unwrap_err();
    assert!(error.to_string().starts_with("get: "), "{error}");
}
