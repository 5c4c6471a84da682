//! The suites, through every layer: around SQLite and files, around backends that another process serves, and through one
//! deep stack.

use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness::backends::sqlite::{SqliteConfig, SqliteMetadata};
use cacheness::{Bundle, Bundled, TokioRuntime};
use cacheness_storage::layers::{Cached, CircuitBreaker, Failover, Retry, Timeout};
use cacheness_storage::{BackendRegistry, BlobBackend, MetadataBackend, OpenContext, Result};
use cacheness_testkit::{BlobSubject, MetadataSubject};
use cacheness_tests::remote::Remote;
use cacheness_tests::servers;
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

/// Files of a subject, and its schema on the server of the tests.
struct Served {
    dir: TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        servers::drop_schema(self.dir.path());
    }
}

fn served() -> Arc<Served> {
    Arc::new(Served { dir: tempfile::tempdir().unwrap() })
}

/// Backends of servers, each opened by its URL.
fn registry() -> BackendRegistry {
    Bundled::registry().unwrap().backends
}

fn on_servers(context: OpenContext) -> OpenContext {
    context.runtime(TokioRuntime::global().unwrap())
}

/// S3 below a prefix for a directory.
async fn s3(dir: &Path, context: &OpenContext) -> Result<Arc<dyn BlobBackend>> {
    registry().open_blobs(&servers::s3(dir).parse()?, context).await
}

/// What makes a server dependable: `CircuitBreaker(Timeout(Retry(_)))`.
fn dependable_blobs(inner: Arc<dyn BlobBackend>, context: &OpenContext) -> Arc<dyn BlobBackend> {
    let inner = Retry::new().around_blobs(inner, context);
    let inner = Timeout::new().around_blobs(inner, context);
    CircuitBreaker::new().around_blobs(inner, context)
}

/// `CircuitBreaker(Timeout(Retry(PostgreSQL)))`
fn postgres() -> MetadataSubject {
    let served = served();
    MetadataSubject::shared(move |context| {
        let (served, context) = (served.clone(), on_servers(context));
        async move {
            let inner = registry().open_metadata(&servers::postgres(served.dir.path()).parse()?, &context).await?;
            let inner = Retry::new().around_metadata(inner, &context);
            let inner = Timeout::new().around_metadata(inner, &context);
            Ok(CircuitBreaker::new().around_metadata(inner, &context))
        }
    })
    .runner(on_tokio)
}

/// What is put around S3, which is opened at places of a directory.
#[derive(Clone, Copy)]
enum Around {
    /// `CircuitBreaker(Timeout(Retry(S3)))`
    Dependable,
    /// `Cached(fs, S3)`
    Cached,
    /// `Failover(S3, S3)`
    Failover,
    /// `Cached(fs, Failover(CircuitBreaker(Timeout(Retry(S3))), S3))`
    All,
}

fn around_s3(around: Around) -> BlobSubject {
    let served = served();
    BlobSubject::shared(move |context| {
        let (served, context) = (served.clone(), on_servers(context));
        async move {
            let dir = served.dir.path();
            let mut blobs = s3(&dir.join("first"), &context).await?;
            if let Around::Dependable | Around::All = around {
                blobs = dependable_blobs(blobs, &context);
            }
            if let Around::Failover | Around::All = around {
                let second = s3(&dir.join("second"), &context).await?;
                blobs = Failover::to(second).around_blobs(blobs, &context).await?;
            }
            if let Around::Cached | Around::All = around {
                let local = files(dir, "copies", &OpenContext::new())?;
                blobs = Cached::in_backend(local, "1 MB").around_blobs(blobs, &context).await?;
            }
            Ok(blobs)
        }
    })
    .runner(on_tokio)
}

mod dependable_postgres {
    cacheness_testkit::metadata_suite!(super::postgres());
}

mod dependable_s3 {
    cacheness_testkit::blob_suite!(super::around_s3(super::Around::Dependable));
}

mod cached_s3 {
    cacheness_testkit::blob_suite!(super::around_s3(super::Around::Cached));
}

mod failover_s3 {
    cacheness_testkit::blob_suite!(super::around_s3(super::Around::Failover));
}

mod deep_stack_over_s3 {
    cacheness_testkit::blob_suite!(super::around_s3(super::Around::All));
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
