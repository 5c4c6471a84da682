//! Blobs that travel in parts, and what becomes of uploads that are not completed.

use crate::common::{self, blob, bytes_of, context, keys, noise, put, read, server, staged, uploads};
use crate::relay::{Act, Relay, refusal};
use cacheness_backend_s3::{S3Blobs, S3Config};
use cacheness_core::ManualClock;
use cacheness_storage::engine::{Engine, EngineOptions, Parts};
use cacheness_storage::memory::MemoryMetadata;
use cacheness_storage::{BlobBackend, Bytes, Clock, ErrorKind, GetBlob, PutBlob, Staged, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const MIB: usize = 1 << 20;

/// Four parts, of which the last is short.
const LARGE: usize = 15 * MIB + 4321;

fn in_parts(mut config: S3Config) -> S3Config {
    (config.part_size, config.multipart_threshold) = (5 << 20, 5 << 20);
    (config.memory_limit, config.concurrency) = (1 << 20, 3);
    config
}

/// Waits until something holds that another task or process brings about.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_large_blob_travels_in_parts_both_ways_and_comes_back() {
    common::run(async {
        let relay = Relay::start(&server(), |_| Act::Forward).await;
        let prefix = common::prefix();
        let store = common::open(in_parts(relay.before(&server()).config(&prefix))).await;
        let bytes = noise(LARGE);
        for (n, payload) in [(1, Staged::Bytes(bytes.clone())), (2, staged(&bytes))] {
            let begun = relay.count("POST", "?uploads");
            let sent = relay.count("PUT", "partNumber=");
            let told = store.put(&blob(n), payload, PutBlob::default()).await.unwrap();
            assert_eq!(relay.count("POST", "?uploads") - begun, 1);
            assert_eq!(relay.count("PUT", "partNumber=") - sent, 4, "three whole parts and a rest");
            let head = store.head(&blob(n)).await.unwrap().unwrap();
            assert_eq!((told.size, head.size), (LARGE as u64, LARGE as u64));
            assert_eq!(told.etag, head.etag);
            assert!(read(&store, blob(n)).await.unwrap() == bytes, "the blob came back otherwise");
        }
        assert_eq!(uploads(&prefix).await, [""; 0]);

        let seen = relay.seen().len();
        let payload = store.get(&blob(2), GetBlob::default()).await.unwrap().unwrap();
        let etag = payload.info.etag.clone().unwrap();
        assert!(bytes_of(payload) == bytes);
        let ranges: Vec<_> = relay.seen().split_off(seen);
        assert_eq!(ranges[0].header("range"), Some("bytes=0-1048575"));
        assert_eq!(ranges[0].header("if-match"), None);
        assert_eq!(ranges.len(), 4, "1 MiB at first, then 5 MiB a part");
        for part in &ranges[1..] {
            assert_eq!(part.header("if-match"), Some(etag.as_str()), "{}", part.line);
        }
        let mut options = GetBlob::default();
        options.range = Some(MIB as u64 + 7..LARGE as u64 - 9);
        let part = store.get(&blob(1), options).await.unwrap().unwrap();
        assert_eq!(part.info.size, LARGE as u64);
        assert!(bytes_of(part) == bytes.slice(MIB + 7..LARGE - 9));
    });
}

#[test]
fn a_name_that_is_taken_keeps_its_large_blob() {
    common::run(async {
        let prefix = common::prefix();
        let store = common::open(in_parts(server().config(&prefix))).await;
        let bytes = noise(LARGE);
        put(&store, blob(1), &bytes).await;
        let other = noise(LARGE + 1);
        let refused = store.put(&blob(1), Staged::Bytes(other), PutBlob::default()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(read(&store, blob(1)).await.unwrap() == bytes);
        assert_eq!(uploads(&prefix).await, [""; 0]);
    });
}

#[test]
fn a_large_blob_that_another_put_overtakes_is_refused_and_leaves_no_upload() {
    common::run(async {
        let gate = Arc::new(Semaphore::new(0));
        let held = gate.clone();
        let relay = Relay::start(&server(), move |seen| match seen.is("POST", "uploadId=") {
            true => Act::HoldRequest(held.clone()),
            false => Act::Forward,
        })
        .await;
        let prefix = common::prefix();
        let store = common::open(in_parts(relay.before(&server()).config(&prefix))).await;
        assert!(store.info().capabilities.exclusive_puts);
        let store = Arc::new(store);
        let slow = tokio::spawn({
            let store = store.clone();
            async move { store.put(&blob(1), Staged::Bytes(noise(LARGE)), PutBlob::default()).await }
        });
        until("the end of the upload", async || relay.count("POST", "uploadId=") == 1).await;
        let small = noise(1000);
        put(&store, blob(1), &small).await;
        gate.add_permits(10);
        assert_eq!(slow.await.unwrap().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read(&store, blob(1)).await, Some(small));
        assert_eq!(uploads(&prefix).await, [""; 0]);
    });
}

#[test]
fn a_put_that_fails_in_between_leaves_no_upload_and_no_object() {
    common::run(async {
        for refused in ["partNumber=3", "uploadId="] {
            let method = if refused == "uploadId=" { "POST" } else { "PUT" };
            let relay = Relay::start(&server(), move |seen| match seen.is(method, refused) {
                true => refusal(403, "AccessDenied", "no"),
                false => Act::Forward,
            })
            .await;
            let prefix = common::prefix();
            let store = common::open(in_parts(relay.before(&server()).config(&prefix))).await;
            let error = store.put(&blob(1), staged(&noise(LARGE)), PutBlob::default()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
            assert_eq!(uploads(&prefix).await, [""; 0], "{refused}");
            assert!(store.head(&blob(1)).await.unwrap().is_none());
            assert_eq!(relay.count("DELETE", "uploadId="), 1);
        }
    });
}

/// Begins a put, lets it come as far as `reached`, and drops it.
async fn cancelled(relay: &Relay, store: &S3Blobs, bytes: &Bytes, reached: (&str, &str)) {
    let id = blob(1);
    let put = store.put(&id, Staged::Bytes(bytes.clone()), PutBlob::default());
    tokio::select! {
        _ = put => panic!("the put is held"),
        () = until("the request", async || relay.count(reached.0, reached.1) > 0) => {}
    }
}

#[test]
fn a_put_that_is_cancelled_leaves_no_upload_and_no_object() {
    common::run(async {
        let bytes = noise(LARGE);
        // While the answer to the beginning is under way, and while parts are.
        for (method, part) in [("POST", "?uploads"), ("PUT", "partNumber=2")] {
            let gate = Arc::new(Semaphore::new(0));
            let held = gate.clone();
            let relay = Relay::start(&server(), move |seen| match seen.is(method, part) {
                true => Act::HoldAnswer(held.clone()),
                false => Act::Forward,
            })
            .await;
            let prefix = common::prefix();
            let store = common::open(in_parts(relay.before(&server()).config(&prefix))).await;
            cancelled(&relay, &store, &bytes, (method, part)).await;
            gate.add_permits(10);
            until("the abortion", async || relay.count("DELETE", "uploadId=") > 0).await;
            until("the end of the upload", async || uploads(&prefix).await.is_empty()).await;
            assert!(store.head(&blob(1)).await.unwrap().is_none(), "{part}");
            assert!(keys(&prefix).await.iter().all(|key| !key.ends_with(".blob")));
        }
    });
}

#[test]
fn a_put_whose_last_answer_is_lost_is_known_again_as_its_own() {
    common::run(async {
        for (size, method, part) in [(1000, "PUT", ".blob"), (LARGE, "POST", "uploadId=")] {
            let lost = AtomicBool::new(true);
            let relay = Relay::start(&server(), move |seen| {
                match seen.is(method, part) && lost.swap(false, Ordering::SeqCst) {
                    true => Act::Lose,
                    false => Act::Forward,
                }
            })
            .await;
            let prefix = common::prefix();
            let store = common::open(in_parts(relay.before(&server()).config(&prefix))).await;
            let bytes = noise(size);
            let told = store.put(&blob(1), Staged::Bytes(bytes.clone()), PutBlob::default()).await.unwrap();
            assert_eq!(told.size, size as u64);
            assert_eq!(relay.count(method, part), 2, "it was tried again");
            assert!(read(&store, blob(1)).await.unwrap() == bytes);
            let again = store.put(&blob(1), Staged::Bytes(bytes), PutBlob::default()).await;
            assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists, "another put is another one");
        }
    });
}

/// Begins an upload as a process leaves it that is killed.
async fn leave_upload(key: &str) {
    let client = server().client();
    let begun = client.create_multipart_upload().bucket(common::BUCKET).key(key).send().await.unwrap();
    let part = client.upload_part().bucket(common::BUCKET).key(key).upload_id(begun.upload_id.unwrap()).part_number(1);
    part.body(Bytes::from_static(b"part").into()).send().await.unwrap();
}

#[test]
fn uploads_of_ours_that_are_old_are_aborted_and_no_others() {
    common::run(async {
        let (store, prefix) = common::store().await;
        let ours = format!("{prefix}/0a/0a000000000000000000000000000000.blob");
        let others = [
            format!("{prefix}/0a/0a000000000000000000000000000000.tmp"),
            format!("{prefix}/0a000000000000000000000000000000.blob"),
            format!("{prefix}-b/0a/0a000000000000000000000000000000.blob"),
        ];
        for key in [&ours, &ours].into_iter().chain(&others) {
            leave_upload(key).await;
        }
        put(&store, blob(1), &noise(10)).await;
        let now = cacheness_core::SystemClock.now();
        assert_eq!(store.discard_remnants(now.before(Duration::from_secs(3600))).await.unwrap(), 0, "they are young");
        assert_eq!(uploads(&prefix).await.len(), 4);
        assert_eq!(store.discard_remnants(now.after(Duration::from_secs(3600))).await.unwrap(), 2);
        assert_eq!(uploads(&prefix).await, others[..2]);
        assert_eq!(uploads(&format!("{prefix}-b")).await, others[2..]);
        assert_eq!(store.discard_remnants(Timestamp::MAX).await.unwrap(), 0);
        assert!(store.head(&blob(1)).await.unwrap().is_some());
    });
}

/// A page of a listing of uploads that a server could send.
fn page(key: &str, more: &str) -> Act {
    let begun = "<Initiated>2020-01-01T00:00:00Z</Initiated>";
    let upload = format!("<Upload><Key>{key}</Key><UploadId>u</UploadId>{begun}</Upload>{more}");
    let page = format!("<ListMultipartUploadsResult>{upload}</ListMultipartUploadsResult>");
    Act::Answer(200, Vec::new(), page)
}

#[test]
fn uploads_on_every_page_of_their_listing_are_aborted() {
    common::run(async {
        let prefix = common::prefix();
        let (one, two) = (format!("{prefix}/0a/0a{:030x}.blob", 1), format!("{prefix}/0a/0a{:030x}.blob", 2));
        let relay = Relay::start(&server(), move |seen| match seen.is("GET", "uploads") {
            true if seen.line.contains("key-marker=k") => page(&two, "<IsTruncated>false</IsTruncated>"),
            true => page(&one, "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"),
            false if seen.is("DELETE", "uploadId=u") => Act::Answer(204, Vec::new(), String::new()),
            false => Act::Forward,
        })
        .await;
        let store = common::open(relay.before(&server()).config(&prefix)).await;
        assert_eq!(store.discard_remnants(Timestamp::from_micros(0)).await.unwrap(), 0, "none is as old as that");
        assert_eq!(store.discard_remnants(Timestamp::MAX).await.unwrap(), 2);
    });
}

#[test]
fn a_store_that_knows_of_no_uploads_has_none_to_abort() {
    common::run(async {
        let relay = Relay::start(&server(), |seen| match seen.is("GET", "uploads") {
            true => refusal(501, "NotImplemented", "no such thing"),
            false => Act::Forward,
        })
        .await;
        let store = common::open(relay.before(&server()).config(&common::prefix())).await;
        assert_eq!(store.discard_remnants(Timestamp::MAX).await.unwrap(), 0);
    });
}

#[test]
fn a_sweep_aborts_what_interrupted_puts_left() {
    common::run(async {
        let (store, prefix) = common::store().await;
        let in_two_hours = cacheness_core::SystemClock.now().after(Duration::from_secs(2 * 3600));
        let context = context().clock(Arc::new(ManualClock::starting_at(in_two_hours)));
        let mut options = EngineOptions::default();
        options.allow_split_locality = true;
        let engine = Engine::open(Parts {
            metadata: Arc::new(MemoryMetadata::new(&context)),
            blobs: Arc::new(store),
            handlers: cacheness_handlers::HandlerRegistry::standard(),
            runtime: context.runtime.clone(),
            clock: context.clock.clone(),
            rng: context.rng.clone(),
            options,
        })
        .await
        .unwrap();
        leave_upload(&format!("{prefix}/0a/0a000000000000000000000000000000.blob")).await;
        leave_upload(&format!("{prefix}/foreign")).await;
        assert_eq!(engine.sweep().await.unwrap().remnants, 1);
        assert_eq!(uploads(&prefix).await, [format!("{prefix}/foreign")]);
        assert_eq!(engine.sweep().await.unwrap().remnants, 0);
    });
}
