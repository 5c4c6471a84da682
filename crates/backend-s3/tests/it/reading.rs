//! What a read makes of transfers that break off, stand still, or meet another blob than the one they began with.

use crate::common::{self, BUCKET, blob, bytes_of, noise, put, read, server};
use crate::relay::{Act, Relay};
use cacheness_backend_s3::S3Blobs;
use cacheness_storage::{BlobBackend, Body, Bytes, ErrorKind, GetBlob};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

const SMALL: usize = 40_000;
const LARGE: usize = 11 << 20;

/// A store of which the first `count` transfers of blobs end as said, and the blobs that are in it.
async fn behind(count: usize, act: Act) -> (Relay, S3Blobs) {
    let transfers = AtomicUsize::new(0);
    let relay = Relay::start(&server(), move |seen| {
        match seen.is("GET", ".blob") && transfers.fetch_add(1, Ordering::SeqCst) < count {
            true => act.clone(),
            false => Act::Forward,
        }
    })
    .await;
    let mut config = relay.before(&server()).config(&common::prefix());
    (config.memory_limit, config.part_size, config.stall_timeout_ms) = (1 << 20, 5 << 20, 500);
    let store = common::open(config).await;
    put(&store, blob(1), &noise(SMALL)).await;
    put(&store, blob(2), &noise(LARGE)).await;
    (relay, store)
}

#[test]
fn a_transfer_that_breaks_off_is_an_error_and_never_short() {
    common::run(async {
        for cut in [0, 1, SMALL - 1] {
            let (relay, store) = behind(usize::MAX, Act::Cut(cut)).await;
            // The large one travels in three parts at a time, and the first that fails is the end of all.
            for (id, tries) in [(blob(1), 3..=3), (blob(2), 3..=9)] {
                let begun = relay.count("GET", ".blob");
                let error = store.get(&id, GetBlob::default()).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.is_retryable());
                let tried = relay.count("GET", ".blob") - begun;
                assert!(tries.contains(&tried), "it is tried three times: {tried}");
            }
        }
    });
}

#[test]
fn a_transfer_that_broke_off_is_begun_again() {
    common::run(async {
        let (relay, store) = behind(2, Act::Cut(SMALL - 1)).await;
        assert!(read(&store, blob(1)).await.unwrap() == noise(SMALL));
        assert_eq!(relay.count("GET", ".blob"), 3);
    });
}

#[test]
fn a_transfer_that_stands_still_is_an_error() {
    common::run(async {
        let (_relay, store) = behind(usize::MAX, Act::Stall(10_000)).await;
        let error = store.get(&blob(1), GetBlob::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.is_retryable() && error.to_string().contains("stall_timeout_ms"), "{error}");
    });
}

#[test]
fn small_blobs_are_read_into_memory_and_large_ones_into_a_file() {
    common::run(async {
        let (_relay, store) = behind(0, Act::Forward).await;
        let small = store.get(&blob(1), GetBlob::default()).await.unwrap().unwrap();
        assert!(matches!(small.body, Body::Bytes(_)));
        let part = store.get(&blob(2), GetBlob::first(1 << 20)).await.unwrap().unwrap();
        assert!(matches!(part.body, Body::Bytes(_)));
        let large = store.get(&blob(2), GetBlob::first((1 << 20) + 1)).await.unwrap().unwrap();
        assert!(matches!(large.body, Body::File { size, .. } if size == (1 << 20) + 1));
        assert!(bytes_of(large) == noise(LARGE).slice(..(1 << 20) + 1));
    });
}

/// What becomes of a large read when `meanwhile` happens between its first part and the rest.
async fn interrupted(meanwhile: impl AsyncFnOnce(&str)) -> cacheness_storage::Result<Option<Bytes>> {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let relay =
        Relay::start(&server(), move |seen| match seen.is("GET", ".blob") && seen.header("if-match").is_some() {
            true => Act::HoldRequest(held.clone()),
            false => Act::Forward,
        })
        .await;
    let prefix = common::prefix();
    let mut config = relay.before(&server()).config(&prefix);
    config.memory_limit = 1 << 20;
    let store = Arc::new(common::open(config).await);
    put(&store, blob(2), &noise(LARGE)).await;
    let reading = tokio::spawn({
        let store = store.clone();
        async move { store.get(&blob(2), GetBlob::default()).await }
    });
    while relay.count("GET", ".blob") < 2 {
        tokio::task::yield_now().await;
    }
    meanwhile(&format!("{prefix}/00/{}.blob", blob(2))).await;
    gate.add_permits(10);
    Ok(reading.await.unwrap()?.map(bytes_of))
}

#[test]
fn parts_of_two_blobs_are_never_mixed() {
    common::run(async {
        let replaced = interrupted(async |key| {
            let other = Bytes::from(vec![7; LARGE]);
            let client = server().client();
            client.put_object().bucket(BUCKET).key(key).body(other.into()).send().await.unwrap();
        })
        .await;
        assert_eq!(replaced.unwrap_err().kind(), ErrorKind::Conflict);
    });
}

#[test]
fn a_blob_that_is_deleted_while_it_is_read_is_none() {
    common::run(async {
        let deleted = interrupted(async |key| {
            server().client().delete_object().bucket(BUCKET).key(key).send().await.unwrap();
        })
        .await;
        assert!(deleted.unwrap().is_none());
        let left = interrupted(async |_| {}).await.unwrap().unwrap();
        assert!(left == noise(LARGE), "nothing happened meanwhile");
    });
}

#[test]
fn a_store_that_ignores_conditions_and_ranges_is_found_out() {
    common::run(async {
        let headers = vec![("etag", "\"one\"".to_owned()), ("content-range", "bytes 0-2/3".to_owned())];
        let (_relay, store) = behind(usize::MAX, Act::Answer(206, headers, "abc".into())).await;
        let mut options = GetBlob::default();
        options.if_match = Some("\"one\"".into());
        assert_eq!(bytes_of(store.get(&blob(1), options.clone()).await.unwrap().unwrap()), "abc");
        options.if_match = Some("\"two\"".into());
        assert_eq!(store.get(&blob(1), options.clone()).await.unwrap_err().kind(), ErrorKind::Conflict);
        let mut options = GetBlob::default();
        options.range = Some(1..3);
        assert_eq!(store.get(&blob(1), options).await.unwrap_err().kind(), ErrorKind::Storage, "another range");

        let (_relay, store) = behind(usize::MAX, Act::Answer(200, Vec::new(), "abc".into())).await;
        assert_eq!(store.get(&blob(1), GetBlob::default()).await.unwrap_err().kind(), ErrorKind::Unsupported);
    });
}
