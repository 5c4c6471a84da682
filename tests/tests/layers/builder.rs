//! Layers that are given to builders: their order, what they print, and what is wrong with them.

use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness::storage::layers::{Cached, CircuitBreaker, Failover, Retry, Timeout};
use cacheness::sync::{BlobStore, Cache};
use cacheness::{ErrorKind, future};
use cacheness_storage::{BlobBackend, OpenContext, block_on};
use cacheness_tests::scripted::{Failure, ScriptedBlobs};
use std::time::Duration;

#[test]
fn the_layer_given_first_is_the_innermost() {
    let dir = tempfile::tempdir().unwrap();
    let (remote, backup, copies) = (dir.path().join("remote"), dir.path().join("backup"), dir.path().join("copies"));
    let (retry, cached, failover) = (
        Retry::new().initial(Duration::from_micros(1)),
        Cached::in_dir(&copies, "10 MB"),
        Failover::to_url(format!("fs:{}", backup.display())),
    );
    let open = || {
        Cache::builder()
            .metadata(format!("sqlite:{}", dir.path().join("index.db").display()))
            .blobs(format!("fs:{}", remote.display()))
            .layer(retry.clone())
            .layer_metadata(CircuitBreaker::new())
            .layer_blobs(failover.clone())
            .layer_blobs(cached.clone())
            .no_memory()
            .open()
            .unwrap()
    };
    let cache = open();
    let shown = format!("{cache:?}");
    let (remote, backup, copies) = (remote.display(), backup.display(), copies.display());
    let blobs = format!("Cached(fs:{copies}, Failover(Retry(3, fs:{remote}), fs:{backup}))");
    let index = format!("CircuitBreaker(Retry(3, sqlite:{}))", dir.path().join("index.db").display());
    assert!(shown.contains(&format!("{index} + {blobs}")), "{shown}");

    let value = cacheness_tests::noise(100_000);
    cache.put("key", &value).unwrap();
    assert!(cache.get("key").unwrap() == Some(value.clone()));
    assert_eq!(cached.stats().hits, 1);
    assert_eq!(failover.stats().copies, 2, "a blob and the marker");
    assert!(retry.stats().attempts > 0);
    drop(cache);
    let again = open();
    assert!(again.get("key").unwrap() == Some(value));
    assert_eq!(cached.stats().hits, 2, "copies survive a restart");
}

#[test]
fn everything_wrong_with_layers_is_told_with_everything_else() {
    let builder = Cache::builder()
        .metadata("memory:")
        .blobs("nowhere:x")
        .layer_blobs(Cached::in_dir("/copies", "much"))
        .layer_blobs(Cached::in_url("nope:/copies"))
        .layer_blobs(Cached::in_dir("/copies", 0_u64))
        .layer_blobs(Failover::to_url("s3a://id:secret@bucket"));
    let error = builder.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let line = error.to_string();
    for part in ["\"nowhere\"", "\"much\" is no size", "\"nope\"", "at most 0 bytes", "\"s3a\""] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("secret"), "{line}");
    let error =
        BlobStore::builder().metadata("memory:").blobs("memory:").layer_blobs(Failover::to_url("no-url")).open();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn no_layer_prints_a_secret() {
    let url = "s3://id:hush@bucket/prefix?token=hush";
    for text in [
        format!("{:?}", Failover::to_url(url).and_url(url)),
        format!("{:?}", Failover::to_url("hush")),
        format!("{:?}", Cached::in_url(url)),
        format!("{:?}", Cached::in_url("hush")),
        format!(
            "{:?}",
            block_on(Cached::in_url(url).around_blobs(ScriptedBlobs::in_memory(true), &OpenContext::new()))
        ),
        format!(
            "{:?}",
            block_on(Failover::to_url(url).around_blobs(ScriptedBlobs::in_memory(true), &OpenContext::new()))
        ),
        format!("{:?}", Cache::builder().layer_blobs(Failover::to_url(url)).layer(Timeout::new())),
    ] {
        assert!(!text.contains("hush"), "{text}");
    }
}

#[test]
fn a_layered_store_rides_out_what_a_bare_one_reports() {
    let blobs = ScriptedBlobs::in_memory(true);
    let script = blobs.script.clone();
    let retry = Retry::new().initial(Duration::from_micros(1));
    let store = BlobStore::builder().metadata("memory:").blob_backend(blobs).layer(retry.clone()).open().unwrap();
    let value = cacheness_tests::noise(100_000);
    script.fail_next([Failure::before(ErrorKind::Unavailable); 2]);
    store.put("key", &value).unwrap();
    script.fail_next([Failure::before(ErrorKind::Timeout); 3]);
    assert!(store.get("key").unwrap() == Some(value));
    assert_eq!((retry.stats().recovered, retry.stats().retries), (2, 5));
}

#[tokio::test]
async fn layers_over_a_mixed_pair_work_in_async_code() {
    let dir = tempfile::tempdir().unwrap();
    let cached = Cached::in_dir(dir.path().join("copies"), "10 MB");
    let remote = cacheness_tests::remote::Remote::start(env!("CARGO_BIN_EXE_remote-backend"), Duration::from_millis(1));
    let open = || {
        let builder = future::Cache::builder().metadata_backend(remote.metadata()).blob_backend(remote.blobs());
        builder.layer(Retry::new()).layer(Timeout::new()).layer_blobs(cached.clone()).no_memory().open()
    };
    let value = cacheness_tests::noise(300_000);
    open().await.unwrap().put("key", &value).await.unwrap();
    assert!(open().await.unwrap().get("key").await.unwrap() == Some(value));
    assert_eq!((cached.stats().hits, cached.stats().misses), (1, 0));
    drop(remote);
}

#[test]
fn a_read_only_opening_without_copies_goes_without_them() {
    let dir = tempfile::tempdir().unwrap();
    let open = |read_only| {
        let builder = Cache::builder().dir(dir.path().join("cache")).read_only(read_only);
        builder.layer_blobs(Cached::in_dir(dir.path().join("copies"), "10 MB")).open()
    };
    let value = cacheness_tests::noise(100_000);
    Cache::builder().dir(dir.path().join("cache")).open().unwrap().put("key", &value).unwrap();
    assert!(open(true).unwrap().get("key").unwrap() == Some(value.clone()));
    assert!(!dir.path().join("copies").exists(), "nothing is made");
    assert!(open(false).unwrap().get("key").unwrap() == Some(value.clone()));
    assert!(open(true).unwrap().get("key").unwrap() == Some(value));
    let _: Box<dyn BlobBackend> =
        Box::new(FsBlobs::open(dir.path().join("copies"), &OpenContext::new(), FsConfig::new()).unwrap());
}
