//! The suites, through every layer: around SQLite and files, around backends that another process serves, and through one
//! deep stack.

use cacheness::TokioRuntime;
use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness::backends::sqlite::{SqliteConfig, SqliteMetadata};
use cacheness_storage::layers::{Cached, CircuitBreaker, Failover, Retry, Timeout};
use cacheness_storage::{BlobBackend, MetadataBackend, OpenContext, Result};
use cacheness_testkit::{BlobSubject, MetadataSubject};
use cacheness_tests::remote::Remote;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn remote() -> Arc<Remote> {
    Arc::new(Remote::start(env!("CARGO_BIN_EXE_remote-backend"), Duration::ZERO))
}

fn on_tokio(task: Pin<&mut (dyn Future<Output = ()> + '_)>) {
    use cacheness::core::Runtime;
    TokioRuntime::global().unwrap().block_on(task);
}

/// Where a subject's files are.
fn place() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

fn files(dir: &Path, name: &str, context: &OpenContext) -> Result<Arc<dyn BlobBackend>> {
    Ok(Arc::new(FsBlobs::open(dir.join(name), context, FsConfig::new())?))
}

/// SQLite with a layer.
fn index(wrap: fn(SqliteMetadata, &OpenContext) -> Arc<dyn MetadataBackend>) -> MetadataSubject {
    let place = place();
    MetadataSubject::shared(move |context| {
        let path = place.path().join("index.db");
        async move { Ok(wrap(SqliteMetadata::open(path, &context, SqliteConfig::default())?, &context)) }
    })
}

/// A remote index with a layer.
fn remote_index(wrap: fn(Arc<dyn MetadataBackend>, &OpenContext) -> Arc<dyn MetadataBackend>) -> MetadataSubject {
    let remote = remote();
    MetadataSubject::shared(move |context| {
        let metadata = wrap(Arc::new(remote.metadata()), &context);
        async move { Ok(metadata) }
    })
    .runner(on_tokio)
}

/// Files with a layer.
fn blobs(wrap: fn(Arc<dyn BlobBackend>, &OpenContext) -> Arc<dyn BlobBackend>) -> BlobSubject {
    let place = place();
    BlobSubject::shared(move |context| {
        let blobs = files(place.path(), "blobs", &context).map(|blobs| wrap(blobs, &context));
        async move { blobs }
    })
}

/// Remote blobs with a layer.
fn remote_blobs(wrap: fn(Arc<dyn BlobBackend>, &OpenContext) -> Arc<dyn BlobBackend>) -> BlobSubject {
    let remote = remote();
    BlobSubject::shared(move |context| {
        let blobs = wrap(Arc::new(remote.blobs()), &context);
        async move { Ok(blobs) }
    })
    .runner(on_tokio)
}

/// The directory is one for every opening: two of them see each other's deletions.
fn cached(remote: Option<Arc<Remote>>) -> BlobSubject {
    let place = place();
    let is_remote = remote.is_some();
    let subject = BlobSubject::shared(move |context| {
        let (place, remote) = (place.clone(), remote.clone());
        async move {
            let upstream = match &remote {
                Some(remote) => Arc::new(remote.blobs()),
                None => files(place.path(), "blobs", &context)?,
            };
            let local = files(place.path(), "copies", &OpenContext::new())?;
            Cached::in_backend(local, "1 MB").around_blobs(upstream, &context).await
        }
    });
    if is_remote { subject.runner(on_tokio) } else { subject }
}

fn failover(remote: Option<Arc<Remote>>) -> BlobSubject {
    let place = place();
    let is_remote = remote.is_some();
    let subject = BlobSubject::shared(move |context| {
        let (place, remote) = (place.clone(), remote.clone());
        async move {
            let first = match &remote {
                Some(remote) => Arc::new(remote.blobs()),
                None => files(place.path(), "first", &context)?,
            };
            Failover::to(files(place.path(), "second", &context)?).around_blobs(first, &context).await
        }
    });
    if is_remote { subject.runner(on_tokio) } else { subject }
}

/// `Cached(fs, Failover(CircuitBreaker(Timeout(Retry(fs))), fs))`
fn deep() -> BlobSubject {
    let place = place();
    BlobSubject::shared(move |context| {
        let place = place.clone();
        async move {
            let first = Retry::new().around_blobs(files(place.path(), "first", &context)?, &context);
            let first = Timeout::new().around_blobs(first, &context);
            let first = CircuitBreaker::new().around_blobs(first, &context);
            let both = Failover::to(files(place.path(), "second", &context)?).around_blobs(first, &context).await?;
            let local = files(place.path(), "copies", &OpenContext::new())?;
            Cached::in_backend(local, "1 MB").around_blobs(both, &context).await
        }
    })
}

mod retry_index {
    cacheness_testkit::metadata_suite!(super::index(
        |inner, context| super::Retry::new().around_metadata(inner, context)
    ));
}

mod breaker_index {
    cacheness_testkit::metadata_suite!(super::index(|inner, context| {
        super::CircuitBreaker::new().around_metadata(inner, context)
    }));
}

mod timeout_index {
    cacheness_testkit::metadata_suite!(super::index(|inner, context| {
        super::Timeout::new().around_metadata(inner, context)
    }));
}

/// One stack of all three: the suite takes long over a connection.
mod layered_remote_index {
    cacheness_testkit::metadata_suite!(super::remote_index(|inner, context| {
        let inner = super::Retry::new().around_metadata(inner, context);
        let inner = super::Timeout::new().around_metadata(inner, context);
        super::CircuitBreaker::new().around_metadata(inner, context)
    }));
}

mod retry_blobs {
    cacheness_testkit::blob_suite!(super::blobs(|inner, context| super::Retry::new().around_blobs(inner, context)));
}

mod breaker_blobs {
    cacheness_testkit::blob_suite!(super::blobs(|inner, context| {
        super::CircuitBreaker::new().around_blobs(inner, context)
    }));
}

mod timeout_blobs {
    cacheness_testkit::blob_suite!(super::blobs(|inner, context| super::Timeout::new().around_blobs(inner, context)));
}

mod retry_remote_blobs {
    cacheness_testkit::blob_suite!(super::remote_blobs(|inner, context| {
        super::Retry::new().around_blobs(inner, context)
    }));
}

mod breaker_remote_blobs {
    cacheness_testkit::blob_suite!(super::remote_blobs(|inner, context| {
        super::CircuitBreaker::new().around_blobs(inner, context)
    }));
}

mod timeout_remote_blobs {
    cacheness_testkit::blob_suite!(super::remote_blobs(|inner, context| {
        super::Timeout::new().around_blobs(inner, context)
    }));
}

mod cached_files {
    cacheness_testkit::blob_suite!(super::cached(None));
}

mod cached_remote {
    cacheness_testkit::blob_suite!(super::cached(Some(super::remote())));
}

mod failover_files {
    cacheness_testkit::blob_suite!(super::failover(None));
}

mod failover_remote {
    cacheness_testkit::blob_suite!(super::failover(Some(super::remote())));
}

mod deep_stack {
    cacheness_testkit::blob_suite!(super::deep());
}
