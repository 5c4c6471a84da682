//! `kill -9` at any moment: what was acknowledged is there, nothing is torn, and nothing is left.

use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness::backends::sqlite::{SqliteConfig, SqliteMetadata};
use cacheness::storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness::storage::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, GetBlob, OpenContext, Payload, PutBlob, Staged, Timestamp, async_trait,
};
use cacheness::{Bundle, Bundled, ErrorKind, Result, TokioRuntime};
use cacheness_testkit::crash::{self, Pair, Plan};
use cacheness_tests::{pairs, servers};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn index(directory: &Path, context: &OpenContext) -> Result<SqliteMetadata> {
    SqliteMetadata::open(directory.join("index.db"), context, SqliteConfig::default())
}

fn blobs(directory: &Path, context: &OpenContext) -> Result<FsBlobs> {
    FsBlobs::open(directory.join("blobs"), context, FsConfig::default())
}

#[test]
fn killed_at_any_moment_a_store_loses_nothing_and_leaves_nothing() -> Result<()> {
    const NAME: &str = "crash::killed_at_any_moment_a_store_loses_nothing_and_leaves_nothing";
    crash::run(NAME, Plan::default().kills(200), async |directory, context| {
        Ok(Pair::new(index(&directory, &context)?, blobs(&directory, &context)?))
    })
}

/// The same, over a server and what `pair` says.
fn survive_over(test: &str, pair: pairs::Pair) -> Result<()> {
    // An object whose last byte was sent before the kill is one when S3 has come to it.
    let lateness = if pair == pairs::Pair::PostgresS3 { Duration::from_secs(10) } else { Duration::ZERO };
    let plan = Plan::default().kills(30).runtime(TokioRuntime::global()?).lateness(lateness).settling(|directory| {
        let end = Instant::now() + Duration::from_secs(60);
        // A commit may have been sent just before the kill.
        while servers::is_connected_to(directory) {
            assert!(Instant::now() < end, "the server keeps the connections of the dead");
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let opened = Mutex::new(BTreeSet::new());
    let survived = crash::run(test, plan, async |directory, context| {
        opened.lock().unwrap().insert(directory.clone());
        let registry = Bundled::registry()?.backends;
        let metadata = registry.open_metadata(&servers::postgres(&directory).parse()?, &context).await?;
        Ok(match pair {
            pairs::Pair::PostgresS3 => {
                Pair::new(metadata, registry.open_blobs(&servers::s3(&directory).parse()?, &context).await?)
            }
            _ => Pair::new(metadata, blobs(&directory, &context)?),
        })
    });
    opened.into_inner().unwrap().iter().for_each(|directory| servers::drop_schema(directory));
    survived
}

#[test]
fn killed_at_any_moment_over_postgresql_and_files_a_store_loses_nothing_and_leaves_nothing() -> Result<()> {
    const NAME: &str = "crash::killed_at_any_moment_over_postgresql_and_files_a_store_loses_nothing_and_leaves_nothing";
    survive_over(NAME, pairs::Pair::PostgresFs)
}

#[test]
fn killed_at_any_moment_over_postgresql_and_s3_a_store_loses_nothing_and_leaves_nothing() -> Result<()> {
    const NAME: &str = "crash::killed_at_any_moment_over_postgresql_and_s3_a_store_loses_nothing_and_leaves_nothing";
    survive_over(NAME, pairs::Pair::PostgresS3)
}

/// Acknowledges a blob that is in memory, and writes it soon after.
struct WriteBehind {
    front: MemoryBlobs,
    back: Arc<FsBlobs>,
}

impl fmt::Debug for WriteBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for WriteBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteBehind({})", self.back)
    }
}

#[async_trait]
impl BlobBackend for WriteBehind {
    fn info(&self) -> BackendInfo {
        self.back.info()
    }
    fn staging(&self) -> Option<&Path> {
        None
    }
    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let Staged::Bytes(bytes) = payload else { return self.back.put(id, payload, options).await };
        if *id == BlobId::STORE {
            return self.back.put(id, Staged::Bytes(bytes), options).await;
        }
        let (id, back, later) = (*id, self.back.clone(), (Staged::Bytes(bytes.clone()), options.clone()));
        std::thread::spawn(move || {
            // Longer than any process here lives: a kill never meets the write half done, which is another finding.
            std::thread::sleep(Duration::from_secs(60));
            cacheness::core::runtime::block_on(back.put(&id, later.0, later.1))
        });
        self.front.put(&id, Staged::Bytes(bytes), options).await
    }
    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        match self.front.get(id, options.clone()).await? {
            None => self.back.get(id, options).await,
            found => Ok(found),
        }
    }
    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        match self.front.head(id).await? {
            None => self.back.head(id).await,
            found => Ok(found),
        }
    }
    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.front.delete(ids).await?;
        self.back.delete(ids).await
    }
    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.back.list(after, limit).await
    }
    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.back.discard_remnants(before).await
    }
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_backend_that_acknowledges_too_early_is_found() {
    const NAME: &str = "crash::a_backend_that_acknowledges_too_early_is_found";
    let home = tempfile::tempdir().unwrap();
    let plan = Plan::default().alone().directory(home.path());
    let error = crash::run(NAME, plan, async |directory: PathBuf, context| {
        let (front, back) = (MemoryBlobs::new(&context), Arc::new(blobs(&directory, &context)?));
        Ok(Pair::new(index(&directory, &context)?, WriteBehind { front, back }))
    })
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let told = error.to_string();
    assert!(told.contains("seed 1") && told.contains("missing") && told.contains("lines"), "{told}");
}

#[test]
fn what_could_not_survive_anyway_is_refused() {
    let in_memory = async |_, context| Ok(Pair::new(MemoryMetadata::new(&context), MemoryBlobs::new(&context)));
    let error = crash::run("crash::what_could_not_survive_anyway_is_refused", Plan::default(), in_memory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[test]
fn the_name_of_no_test_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let error =
        crash::run("crash::none", Plan::default().directory(home.path()), async |directory: PathBuf, context| {
            Ok(Pair::new(index(&directory, &context)?, blobs(&directory, &context)?))
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
