//! Where blobs go, who answers, what is repaired, and what is left when one of the backends is down.

use crate::{noise, put, read};
use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness_storage::engine::EngineOptions;
use cacheness_storage::layers::{Failover, Retry};
use cacheness_storage::memory::MemoryMetadata;
use cacheness_storage::sync::BlobStore;
use cacheness_storage::{BlobBackend, ErrorKind, GetBlob, IntoMetadataBackend, Locality, OpenContext, block_on};
use cacheness_testkit::records::blob;
use cacheness_tests::scripted::{Failure, Script, ScriptedBlobs, ScriptedMetadata};
use std::sync::Arc;

/// Three backends in a row.
struct Row {
    members: Vec<Arc<dyn BlobBackend>>,
    scripts: Vec<Script>,
    failover: Failover,
    blobs: Arc<dyn BlobBackend>,
}

fn row(set: impl FnOnce(Failover) -> Failover) -> Row {
    row_of([false; 3].map(ScriptedBlobs::in_memory), set)
}

fn row_of(backends: [ScriptedBlobs; 3], set: impl FnOnce(Failover) -> Failover) -> Row {
    let members = backends.iter().map(ScriptedBlobs::inner).collect();
    let scripts = backends.iter().map(|backend| backend.script.clone()).collect();
    let [first, second, third] = backends;
    let failover = set(Failover::to(second).and(third));
    let blobs = block_on(failover.around_blobs(first, &OpenContext::new())).unwrap();
    Row { members, scripts, failover, blobs }
}

impl Row {
    /// Which of the backends have a blob.
    fn have(&self, n: u64) -> Vec<usize> {
        let has = |at: &usize| block_on(self.members[*at].head(&blob(n))).unwrap().is_some();
        (0..3).filter(has).collect()
    }

    /// How many blobs each of the backends has, without the store's own.
    fn left(&self) -> Vec<usize> {
        self.members.iter().map(|member| block_on(member.list(None, 10)).unwrap().len() - 1).collect()
    }
}

#[test]
fn a_put_goes_to_all_and_a_read_to_the_first() {
    let row = row(|failover| failover);
    put(&*row.blobs, blob(1), &noise(100_000)).unwrap();
    assert_eq!(row.have(1), [0, 1, 2]);
    for script in &row.scripts {
        assert_eq!(script.calls(), ["blob put"]);
    }
    assert!(read(&*row.blobs, blob(1)).unwrap() == Some(noise(100_000)));
    let counts: Vec<_> = row.scripts.iter().map(|script| script.calls().len()).collect();
    assert_eq!(counts, [1, 0, 0]);
    assert_eq!(put(&*row.blobs, blob(1), &noise(5)).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(read(&*row.members[1], blob(1)).unwrap() == Some(noise(100_000)));
    let stats = row.failover.stats();
    assert_eq!((stats.copies, stats.writes_taken_over, stats.reads_taken_over), (2, 0, 0));
}

#[test]
fn when_the_first_is_down_the_next_takes_over_and_reads_repair_it_later() {
    let row = row(|failover| failover);
    let sick = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::CircuitOpen, ErrorKind::OutOfSpace];
    for (n, kind) in (1..).zip(sick) {
        row.scripts[0].fail(kind);
        put(&*row.blobs, blob(n), &noise(1000)).unwrap();
        assert_eq!(row.have(n), [1, 2], "{kind:?}");
        assert!(read(&*row.blobs, blob(n)).unwrap() == Some(noise(1000)));
    }
    let stats = row.failover.stats();
    assert_eq!((stats.writes_taken_over, stats.reads_taken_over, stats.repairs), (4, 4, 0));
    assert_eq!(stats.members.iter().map(|member| member.healthy).collect::<Vec<_>>(), [false, true, true]);
    row.scripts[0].heal();
    // A read of a part repairs the whole.
    assert!(crate::read_with(&*row.blobs, blob(1), GetBlob::first(10)).unwrap() == Some(noise(10)));
    assert_eq!(row.have(1), [0, 1, 2]);
    assert!(read(&*row.members[0], blob(1)).unwrap() == Some(noise(1000)));
    row.scripts.iter().for_each(|script| drop(script.calls()));
    read(&*row.blobs, blob(1)).unwrap();
    assert_eq!(row.scripts.iter().map(|script| script.calls().len()).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(row.failover.stats().repairs, 1);
}

#[test]
fn a_repair_that_fails_is_counted_and_the_reader_has_his_bytes() {
    let row = row(|failover| failover);
    for n in [1, 2] {
        put(&*row.members[2], blob(n), &noise(1000)).unwrap();
    }
    row.scripts[0].fail_next([Failure::before(ErrorKind::OutOfSpace).of("blob put")]);
    assert!(read(&*row.blobs, blob(1)).unwrap() == Some(noise(1000)));
    assert_eq!(row.have(1), [1, 2]);
    row.scripts[1].fail_next([Failure::before(ErrorKind::Unavailable)]);
    assert!(read(&*row.blobs, blob(2)).unwrap() == Some(noise(1000)));
    assert_eq!(row.have(2), [0, 2], "what could not be asked is not repaired");
    row.scripts[2].fail_next([Failure::before(ErrorKind::Unavailable).of("blob get")]);
    assert!(read(&*row.blobs, blob(1)).unwrap() == Some(noise(1000)));
    let stats = row.failover.stats();
    assert_eq!((stats.repairs, stats.repairs_failed), (3, 1));

    let unrepaired = self::row(|failover| failover.repair(false));
    put(&*unrepaired.members[2], blob(1), &noise(1000)).unwrap();
    assert!(read(&*unrepaired.blobs, blob(1)).unwrap() == Some(noise(1000)));
    assert_eq!(unrepaired.have(1), [2]);
}

#[test]
fn without_taking_over_a_put_fails_with_the_first() {
    let row = row(|failover| failover.take_over(false));
    row.scripts[0].fail(ErrorKind::Unavailable);
    assert_eq!(put(&*row.blobs, blob(1), &noise(10)).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(row.have(1), [0; 0]);
}

#[test]
fn none_takes_over_that_fewer_can_see() {
    let backends = [Locality::Shared, Locality::Host, Locality::Shared]
        .map(|locality| ScriptedBlobs::in_memory(false).seen_by(locality));
    let row = row_of(backends, |failover| failover);
    assert_eq!(row.blobs.info().locality, Locality::Shared);
    row.scripts[0].fail(ErrorKind::Unavailable);
    put(&*row.blobs, blob(1), &noise(10)).unwrap();
    assert!(row.have(1).contains(&2));
    row.scripts[2].fail(ErrorKind::Unavailable);
    assert_eq!(put(&*row.blobs, blob(2), &noise(10)).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(row.have(2), [0; 0]);
}

#[test]
fn a_copy_that_fails_is_counted_unless_all_are_required() {
    let lax = row(|failover| failover);
    lax.scripts[1].fail(ErrorKind::Unavailable);
    put(&*lax.blobs, blob(1), &noise(10)).unwrap();
    assert_eq!(lax.have(1), [0, 2]);
    assert_eq!(lax.failover.stats().copies_failed, 1);

    let strict = row(|failover| failover.require_all(true));
    strict.scripts[1].fail_next([Failure::before(ErrorKind::Unavailable)]);
    let error = put(&*strict.blobs, blob(1), &noise(10)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert_eq!(strict.have(1), [0; 0], "what failed is taken away, so that it can be tried again");
    strict.scripts[1].fail(ErrorKind::Unavailable);
    let error = put(&*strict.blobs, blob(1), &noise(10)).unwrap_err();
    assert!(!error.is_retryable(), "it could not be taken away everywhere");

    let retried = row(|failover| failover.require_all(true));
    let blobs =
        Retry::new().initial(std::time::Duration::ZERO).around_blobs(retried.blobs.clone(), &OpenContext::new());
    retried.scripts[2].fail_next([Failure::before(ErrorKind::Unavailable)]);
    put(&*blobs, blob(1), &noise(10)).unwrap();
    assert_eq!(retried.have(1), [0, 1, 2]);
}

#[test]
fn nobody_says_that_a_blob_is_gone_while_one_of_them_cannot_be_asked() {
    let row = row(|failover| failover);
    assert_eq!(read(&*row.blobs, blob(1)).unwrap(), None);
    row.scripts[1].fail(ErrorKind::Unavailable);
    assert_eq!(read(&*row.blobs, blob(1)).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(block_on(row.blobs.head(&blob(1))).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(block_on(row.blobs.list(None, 10)).unwrap_err().kind(), ErrorKind::Unavailable);
    put(&*row.members[2], blob(1), &noise(10)).unwrap();
    assert!(block_on(row.blobs.head(&blob(1))).unwrap().is_some());
}

#[test]
fn a_listing_tells_every_name_once_in_order() {
    let row = row(|failover| failover);
    for (n, at) in [(7, 0), (3, 1), (9, 2), (1, 2), (5, 0), (5, 1), (8, 1)] {
        put(&*row.members[at], blob(n), &noise(10)).unwrap();
    }
    let mut names = Vec::new();
    loop {
        let page = block_on(row.blobs.list(names.last().copied(), 2)).unwrap();
        if page.is_empty() {
            break;
        }
        names.extend(page.into_iter().map(|info| info.id));
    }
    assert_eq!(names, [1, 3, 5, 7, 8, 9].map(blob));
}

#[test]
fn a_put_can_look_whether_the_blob_is_there() {
    let row = row(|failover| failover.verify_writes(true));
    put(&*row.blobs, blob(1), &noise(10)).unwrap();
    assert_eq!(row.scripts[0].calls(), ["blob put", "blob head"]);
    assert_eq!(row.failover.stats().unverified, 0);
    // The first takes blobs and keeps none.
    let backends = [
        ScriptedBlobs::over(Arc::new(Forgetful), &Script::default()).blocking(false),
        ScriptedBlobs::in_memory(false),
        ScriptedBlobs::in_memory(false),
    ];
    let row = row_of(backends, |failover| failover.verify_writes(true));
    put(&*row.blobs, blob(2), &noise(10)).unwrap();
    assert_eq!(row.have(2), [1, 2]);
    assert_eq!((row.failover.stats().unverified, row.failover.stats().writes_taken_over), (1, 1));
}

#[test]
fn what_could_not_be_deleted_everywhere_is_deleted_by_a_later_sweep_and_never_comes_back() {
    let row = row(|failover| failover);
    let store = graceless(MemoryMetadata::new(&OpenContext::new()), &row);
    let value = cacheness_tests::noise(100_000);
    store.put("key", &value).unwrap();
    row.scripts[1].fail(ErrorKind::Unavailable);
    assert!(store.delete("key").unwrap());
    assert_eq!(store.get::<Vec<u8>>("key").unwrap(), None);
    assert_eq!(row.left(), [0, 1, 0]);
    store.sweep().unwrap_err();
    row.scripts[1].heal();
    assert_eq!(store.get::<Vec<u8>>("key").unwrap(), None, "the blob that is left is nobody's");
    store.sweep().unwrap();
    assert_eq!(row.left(), [0, 0, 0]);
}

#[test]
fn a_sweep_names_the_one_that_is_down_and_takes_everything_once_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let files = FsBlobs::open(dir.path().join("second"), &OpenContext::new(), FsConfig::new()).unwrap();
    let second = ScriptedBlobs::over(Arc::new(files), &Script::default());
    let name = second.to_string();
    let row = row_of([ScriptedBlobs::in_memory(true), second, ScriptedBlobs::in_memory(true)], |failover| failover);
    let index = ScriptedMetadata::in_memory(true);
    let script = index.script.clone();
    let store = graceless(index, &row);
    let value = cacheness_tests::noise(100_000);
    ["deleted", "replaced", "kept"].iter().for_each(|key| store.put(key, &value).unwrap());
    // The index never knew the blob of a put that it refused, and could not be told to condemn it.
    script.fail_only(ErrorKind::Unavailable, &["commit"]);
    store.put("refused", &value).unwrap_err();
    script.heal();
    row.scripts[1].fail(ErrorKind::Unavailable);
    assert!(store.delete("deleted").unwrap());
    store.put("replaced", &value).unwrap();
    for _ in 0..2 {
        let error = store.sweep().unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
        assert!(error.to_string().contains(&name) && !error.to_string().contains('\n'), "{error}");
    }
    assert_eq!(row.left(), [3, 4, 3]);
    row.scripts[1].heal();
    store.sweep().unwrap();
    // What took the place of the replaced one never got to the second.
    assert_eq!(row.left(), [2, 1, 2]);
    assert!(store.get::<Vec<u8>>("replaced").unwrap() == Some(value.clone()));
    assert!(store.get::<Vec<u8>>("kept").unwrap() == Some(value));
    assert_eq!(store.sweep().unwrap().deleted, 0);
}

/// A store over a row, whose sweeps wait for nothing.
fn graceless(index: impl IntoMetadataBackend, row: &Row) -> BlobStore {
    let mut options = EngineOptions::default();
    options.grace = std::time::Duration::ZERO;
    let builder = BlobStore::builder().metadata_backend(index).blob_backend(row.blobs.clone()).options(options);
    builder.runtime(crate::naps::Naps::short()).open().unwrap()
}

/// Takes every blob and keeps none.
#[derive(Debug)]
struct Forgetful;

impl std::fmt::Display for Forgetful {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("forgetful:")
    }
}

#[cacheness_storage::async_trait]
impl BlobBackend for Forgetful {
    fn info(&self) -> cacheness_storage::BackendInfo {
        ScriptedBlobs::in_memory(true).inner().info()
    }

    fn staging(&self) -> Option<&std::path::Path> {
        None
    }

    async fn put(
        &self,
        id: &cacheness_storage::BlobId,
        payload: cacheness_storage::Staged,
        _: cacheness_storage::PutBlob,
    ) -> cacheness_storage::Result<cacheness_storage::BlobInfo> {
        Ok(cacheness_storage::BlobInfo::new(*id, payload.size()))
    }

    async fn get(
        &self,
        _: &cacheness_storage::BlobId,
        _: GetBlob,
    ) -> cacheness_storage::Result<Option<cacheness_storage::Payload>> {
        Ok(None)
    }

    async fn head(
        &self,
        _: &cacheness_storage::BlobId,
    ) -> cacheness_storage::Result<Option<cacheness_storage::BlobInfo>> {
        Ok(None)
    }

    async fn delete(&self, ids: &[cacheness_storage::BlobId]) -> cacheness_storage::Result<Vec<bool>> {
        Ok(vec![false; ids.len()])
    }

    async fn list(
        &self,
        _: Option<cacheness_storage::BlobId>,
        _: usize,
    ) -> cacheness_storage::Result<Vec<cacheness_storage::BlobInfo>> {
        Ok(Vec::new())
    }

    async fn discard_remnants(&self, _: cacheness_storage::Timestamp) -> cacheness_storage::Result<u64> {
        Ok(0)
    }

    async fn close(&self) -> cacheness_storage::Result<()> {
        Ok(())
    }
}
