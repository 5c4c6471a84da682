//! Backends that do not block, served by another process that answers late.

use crate::support::{Place, Results, noise};
use cacheness::storage::OpenContext;
use cacheness::storage::memory::MemoryMetadata;
use cacheness::{ErrorKind, MemoryConfig, TokioRuntime, future, sync};
use cacheness_tests::remote::Remote;
use std::sync::Arc;
use std::time::Duration;

fn remote(latency: u64) -> Arc<Remote> {
    Arc::new(Remote::start(env!("CARGO_BIN_EXE_remote-backend"), Duration::from_millis(latency)))
}

mod index_conformance {
    use super::*;
    use cacheness_testkit::MetadataSubject;

    fn subject() -> MetadataSubject {
        let remote = remote(0);
        MetadataSubject::new(move |_| {
            let metadata = remote.metadata();
            async move { Ok(metadata) }
        })
        .runner(|task| on_tokio(task))
    }

    cacheness_testkit::metadata_suite!(subject());
}

mod blob_conformance {
    use super::*;
    use cacheness_testkit::BlobSubject;

    fn subject() -> BlobSubject {
        let remote = remote(0);
        BlobSubject::new(move |_| {
            let blobs = remote.blobs();
            async move { Ok(blobs) }
        })
        .runner(|task| on_tokio(task))
    }

    cacheness_testkit::blob_suite!(subject());
}

fn on_tokio(task: std::pin::Pin<&mut (dyn Future<Output = ()> + '_)>) {
    use cacheness::core::Runtime;
    TokioRuntime::global().unwrap().block_on(task);
}

fn open_future(remote: &Remote) -> cacheness::Op<future::Cache> {
    future::Cache::builder().metadata_backend(remote.metadata()).blob_backend(remote.blobs()).open()
}

fn open_sync(remote: &Remote) -> cacheness::Result<sync::Cache> {
    sync::Cache::builder().metadata_backend(remote.metadata()).blob_backend(remote.blobs()).open()
}

#[test]
fn the_blocking_face_waits_for_a_remote_store() {
    let remote = remote(3);
    let cache = open_sync(&remote).unwrap();
    cache.put("object", &Results::sample()).unwrap();
    cache.put("large", &noise(300_000)).unwrap();
    let other = open_sync(&remote).unwrap();
    assert_eq!(other.get("object").unwrap(), Some(Results::sample()));
    assert_eq!(other.get("large").unwrap(), Some(noise(300_000)));
    assert_eq!(other.clear().unwrap(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn the_async_face_waits_for_a_remote_store_on_a_current_thread_runtime() {
    let remote = remote(3);
    let cache = open_future(&remote).await.unwrap();
    cache.put("large", &noise(300_000)).await.unwrap();
    assert_eq!(cache.get("large").await.unwrap(), Some(noise(300_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_async_face_waits_for_a_remote_store_on_a_multi_thread_runtime() {
    let remote = remote(3);
    let cache = open_future(&remote).await.unwrap();
    cache.put_shared("large", Arc::new(noise(300_000))).await.unwrap();
    assert_eq!(cache.get("large").await.unwrap(), Some(noise(300_000)));
}

#[tokio::test]
async fn the_blocking_face_of_a_remote_store_is_a_clear_error_inside_async_code() {
    let remote = remote(1);
    let error = open_sync(&remote).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AsyncContext);
    let cache = sync::Cache::from(open_future(&remote).await.unwrap());
    let error = cache.get::<String>("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AsyncContext);
    assert!(error.to_string().contains("use the handle of the same name in `future`"), "{error}");
}

#[tokio::test]
async fn the_blocking_face_of_a_remote_store_is_refused_inside_async_code_whatever_is_in_memory() {
    let remote = remote(1);
    let memory = MemoryConfig::new().staleness(Duration::from_hours(1));
    let builder = future::Cache::builder().metadata_backend(remote.metadata()).blob_backend(remote.blobs());
    let cache = builder.memory(memory).open().await.unwrap();
    cache.put("key", "value").await.unwrap();
    for _ in 0..2 {
        assert_eq!(cache.get::<String>("key").await.unwrap().as_deref(), Some("value"));
    }
    assert_eq!(cache.stats().await.unwrap().memory.unwrap().hits, 1);
    let blocking = sync::Cache::from(cache);
    assert_eq!(blocking.get::<String>("key").unwrap_err().kind(), ErrorKind::AsyncContext);
    assert_eq!(blocking.get_or_put("key", String::new).unwrap_err().kind(), ErrorKind::AsyncContext);
}

#[test]
fn a_remote_index_works_with_local_blobs() {
    let (remote, place) = (remote(1), Place::new());
    let open = || {
        let blobs = format!("fs:{}", place.path().display());
        sync::Cache::builder().metadata_backend(remote.metadata()).blobs(blobs).open()
    };
    let cache = open().unwrap();
    cache.put("large", &noise(300_000)).unwrap();
    assert_eq!(open().unwrap().get("large").unwrap(), Some(noise(300_000)));
    let awaited = future::Cache::from(cache);
    assert_eq!(cacheness::core::runtime::block_on(awaited.get("large")).unwrap(), Some(noise(300_000)));
}

#[test]
fn a_local_index_with_remote_blobs_is_refused_unless_it_is_wanted() {
    let remote = remote(0);
    let builder = || {
        let index = MemoryMetadata::new(&OpenContext::new());
        sync::Cache::builder().metadata_backend(index).blob_backend(remote.blobs())
    };
    let error = builder().open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("allow_split_locality"), "{error}");
    let cache = builder().allow_split_locality(true).open().unwrap();
    cache.put("large", &noise(300_000)).unwrap();
    assert_eq!(cache.get("large").unwrap(), Some(noise(300_000)));
}

#[test]
fn a_server_that_is_gone_is_an_error_and_no_hang() {
    let server = remote(0);
    let cache = open_sync(&server).unwrap();
    drop(server);
    let error = cache.get::<String>("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable(), "a read may be tried again");
}
