//! What local copies answer, how many there are, and what passes them.

use crate::{noise, put, read, read_with};
use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness_storage::layers::{Cached, CachedStats};
use cacheness_storage::{BlobBackend, BlobId, Bytes, ErrorKind, GetBlob, OpenContext, Payload, Result, block_on};
use cacheness_testkit::records::blob;
use cacheness_tests::scripted::{Failure, Script, ScriptedBlobs};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tempfile::TempDir;

/// Scripted remote blobs with local copies in a directory.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) remote: Arc<dyn BlobBackend>,
    pub(crate) script: Script,
    pub(crate) cached: Cached,
    pub(crate) blobs: Arc<dyn BlobBackend>,
}

impl Place {
    pub(crate) fn new(limit: u64, blocking: bool) -> Self {
        Self::with(limit, blocking, |cached| cached)
    }

    pub(crate) fn with(limit: u64, blocking: bool, set: impl FnOnce(Cached) -> Cached) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = ScriptedBlobs::in_memory(blocking);
        let (remote, script) = (blobs.inner(), blobs.script.clone());
        let cached = set(Cached::in_backend(local(dir.path()), limit));
        let blobs = block_on(cached.around_blobs(blobs, &OpenContext::new())).unwrap();
        Self { dir, remote, script, cached, blobs }
    }

    /// A remote blob that was never here.
    pub(crate) fn elsewhere(&self, id: BlobId, bytes: &Bytes) {
        put(&*self.remote, id, bytes).unwrap();
    }

    pub(crate) fn stats(&self) -> CachedStats {
        self.cached.stats()
    }

    /// Another opening of the same directory, as after a restart.
    pub(crate) fn reopened(&self, limit: u64) -> (Cached, Arc<dyn BlobBackend>) {
        let cached = Cached::in_backend(local(self.dir.path()), limit);
        let blobs = block_on(cached.around_blobs(self.remote.clone(), &OpenContext::new())).unwrap();
        (cached, blobs)
    }
}

pub(crate) fn local(dir: &Path) -> FsBlobs {
    FsBlobs::open(dir.join("copies"), &OpenContext::new(), FsConfig::new()).unwrap()
}

/// The file of a local copy.
pub(crate) fn file(dir: &Path, id: BlobId) -> PathBuf {
    let name = id.to_string();
    dir.join("copies").join(&name[..2]).join(format!("{name}.blob"))
}

/// The bytes on the disk.
pub(crate) fn taken(dir: &Path) -> u64 {
    let (mut bytes, mut folders) = (0, vec![dir.join("copies")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "blob") {
                bytes += path.metadata().unwrap().len();
            }
        }
    }
    bytes
}

#[test]
fn the_second_read_asks_nobody() {
    for blocking in [true, false] {
        for size in [0, 1, 1000, 300_000, 3_000_000] {
            let place = Place::new(1 << 30, blocking);
            let bytes = noise(size);
            place.elsewhere(blob(1), &bytes);
            assert_eq!(place.blobs.info().blocking, blocking);
            for _ in 0..2 {
                assert!(read(&*place.blobs, blob(1)).unwrap() == Some(bytes.clone()), "{size} bytes");
            }
            assert_eq!(place.script.calls(), ["blob get"]);
            let stats = place.stats();
            assert_eq!((stats.hits, stats.misses, stats.copies), (1, 1, 1));
            assert_eq!((stats.bytes, stats.failures), (taken(place.dir.path()), 0));
            assert_eq!(read(&*place.blobs, blob(2)).unwrap(), None, "what is nowhere is nowhere");
        }
    }
}

#[test]
fn a_value_read_without_its_trailer_makes_a_whole_copy() {
    let place = Place::new(1 << 30, true);
    let bytes = noise(500_000);
    place.elsewhere(blob(1), &bytes);
    let value = GetBlob::first(499_000);
    assert!(read_with(&*place.blobs, blob(1), value.clone()).unwrap() == Some(bytes.slice(..499_000)));
    assert_eq!(place.script.calls(), ["blob get"]);
    assert!(read_with(&*place.blobs, blob(1), value).unwrap() == Some(bytes.slice(..499_000)));
    let backwards = std::ops::Range { start: 9, end: 3 };
    for range in [0..0, 0..1, 5..99, 499_999..500_000, 499_999..u64::MAX, 500_000..u64::MAX, backwards] {
        let mut options = GetBlob::default();
        options.range = Some(range.clone());
        let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(500_000);
        let start = (range.start as usize).min(500_000);
        let expected = bytes.slice(start..end.max(start));
        assert!(read_with(&*place.blobs, blob(1), options).unwrap() == Some(expected), "{range:?}");
    }
    assert_eq!(place.script.calls(), [""; 0]);
}

#[test]
fn a_part_of_a_blob_that_is_not_here_passes_and_makes_no_copy() {
    let place = Place::new(1 << 30, true);
    let bytes = noise(500_000);
    place.elsewhere(blob(1), &bytes);
    for (range, answer) in [(0..10, bytes.slice(..10)), (400_000..u64::MAX, bytes.slice(400_000..))] {
        let mut options = GetBlob::default();
        options.range = Some(range);
        assert!(read_with(&*place.blobs, blob(1), options).unwrap() == Some(answer));
    }
    assert_eq!((taken(place.dir.path()), place.stats().copies), (0, 0));
}

#[test]
fn the_marker_and_what_bypasses_copies_come_from_the_remote() {
    let place = Place::new(1 << 30, true);
    let bytes = noise(1000);
    place.elsewhere(BlobId::STORE, &bytes);
    place.elsewhere(blob(1), &bytes);
    for _ in 0..2 {
        read(&*place.blobs, BlobId::STORE).unwrap();
        let mut options = GetBlob::default();
        options.bypass_copies = true;
        read_with(&*place.blobs, blob(1), options).unwrap();
    }
    assert_eq!(place.script.calls(), ["blob get"; 4]);
    put(&*place.blobs, blob(2), &bytes).unwrap();
    block_on(place.blobs.delete(&[BlobId::STORE])).unwrap();
    put(&*place.blobs, BlobId::STORE, &bytes).unwrap();
    assert!(!file(place.dir.path(), BlobId::STORE).exists());
    for _ in 0..2 {
        block_on(place.blobs.head(&blob(2))).unwrap().unwrap();
        assert_eq!(block_on(place.blobs.list(None, 10)).unwrap().len(), 3);
    }
    assert_eq!(
        place.script.calls(),
        ["blob put", "blob delete", "blob put", "blob head", "blob list", "blob head", "blob list"]
    );
}

#[test]
fn a_put_makes_a_copy_unless_that_is_off() {
    for write_through in [true, false] {
        let place = Place::with(1 << 30, false, |cached| cached.write_through(write_through));
        put(&*place.blobs, blob(1), &noise(300_000)).unwrap();
        place.script.calls();
        assert!(read(&*place.blobs, blob(1)).unwrap() == Some(noise(300_000)));
        assert_eq!(place.script.calls().is_empty(), write_through);
    }
    let place = Place::new(1 << 30, true);
    place.script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    put(&*place.blobs, blob(1), &noise(10)).unwrap_err();
    assert_eq!(taken(place.dir.path()), 0, "what was not stored has no copy");
}

#[test]
fn copies_stay_below_the_limit_and_the_least_recently_used_go_first() {
    let place = Place::new(10_000, true);
    for n in 1..=9 {
        put(&*place.blobs, blob(n), &noise(1000)).unwrap();
    }
    assert_eq!(taken(place.dir.path()), 9 * 1024);
    for n in [1, 2] {
        read(&*place.blobs, blob(n)).unwrap();
    }
    put(&*place.blobs, blob(10), &noise(1000)).unwrap();
    // Down to 90 %: two go for the one that comes.
    let there: Vec<u64> = (1..=10).filter(|n| file(place.dir.path(), blob(*n)).exists()).collect();
    assert_eq!(there, [1, 2, 5, 6, 7, 8, 9, 10]);
    let stats = place.stats();
    assert_eq!((stats.evictions, stats.bytes), (2, taken(place.dir.path())));
    put(&*place.blobs, blob(11), &noise(9_977)).unwrap();
    assert_eq!(taken(place.dir.path()), 8 * 1024, "what is larger than all copies may be makes none");
    assert!(read(&*place.blobs, blob(11)).unwrap() == Some(noise(9_977)));
    assert!(place.stats().bypassed > 0);
}

#[test]
fn copies_survive_a_restart_and_the_oldest_go_first() {
    let place = Place::new(10_000, true);
    for n in 1..=9 {
        put(&*place.blobs, blob(n), &noise(1000)).unwrap();
        let age = std::time::Duration::from_secs(100 - n);
        let written = std::time::SystemTime::now() - age;
        let copy = std::fs::File::options().write(true).open(file(place.dir.path(), blob(n))).unwrap();
        copy.set_modified(written).unwrap();
    }
    block_on(place.blobs.close()).unwrap();
    let remote = ScriptedBlobs::in_memory(true);
    let script = remote.script.clone();
    let cached = Cached::in_backend(local(place.dir.path()), 10_000_u64);
    let blobs = block_on(cached.around_blobs(remote, &OpenContext::new())).unwrap();
    assert!(read(&*blobs, blob(1)).unwrap() == Some(noise(1000)), "used after the restart");
    assert_eq!(script.calls(), [""; 0]);
    put(&*blobs, blob(10), &noise(1000)).unwrap();
    let there: Vec<u64> = (1..=10).filter(|n| file(place.dir.path(), blob(*n)).exists()).collect();
    assert_eq!(there, [1, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(cached.stats().bytes, taken(place.dir.path()));
}

#[test]
fn many_callers_of_a_blob_fetch_it_once() {
    for blocking in [true, false] {
        let place = Place::new(1 << 30, blocking);
        let bytes = noise(300_000);
        place.elsewhere(blob(1), &bytes);
        place.script.hold();
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| read(&*place.blobs, blob(1)).unwrap())).collect();
            place.script.wait_inside(1);
            place.script.heal();
            for caller in callers {
                assert!(caller.join().unwrap() == Some(bytes.clone()));
            }
        });
        assert_eq!(place.script.calls(), ["blob get"], "blocking: {blocking}");
    }
}

#[test]
fn those_who_waited_for_a_fetch_that_failed_ask_for_themselves_and_at_once() {
    // Neither blocks, so that nothing hops and each poll leads as far as it can.
    let (remote, script) = scripted_remote();
    let cached = Cached::in_backend(ScriptedBlobs::in_memory(false), 10_000_u64);
    let blobs = block_on(cached.around_blobs(remote, &OpenContext::new())).unwrap();
    let id = blob(1);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut callers: Vec<_> = (0..4).map(|_| blobs.get(&id, GetBlob::default())).collect();
    let mut poll_all = |callers: &mut [Get<'_>]| {
        let mut answers = callers.iter_mut().map(|caller: &mut Get<'_>| caller.as_mut().poll(&mut context));
        answers.find_map(|answer| if let Poll::Ready(answer) = answer { Some(answer) } else { None })
    };
    script.hold();
    for _ in 0..10 {
        assert!(poll_all(&mut callers).is_none());
    }
    assert_eq!(script.inside(), 1);
    script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    script.heal();
    let failed = poll_all(&mut callers[..1]).unwrap();
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
    drop(callers.remove(0));
    script.hold();
    for _ in 0..10 {
        assert!(poll_all(&mut callers).is_none());
    }
    assert_eq!(script.inside(), 3);
    script.heal();
    for caller in callers {
        assert!(block_on(caller).unwrap().is_some());
    }
}

#[test]
fn a_local_place_that_blocks_is_asked_elsewhere_while_the_remote_does_not() {
    for blocking in [true, false] {
        let (remote, copies) = (ScriptedBlobs::in_memory(blocking), ScriptedBlobs::in_memory(true));
        let script = copies.script.clone();
        let cached = Cached::in_backend(copies, 10_000_u64);
        let blobs = block_on(cached.around_blobs(remote, &OpenContext::new())).unwrap();
        put(&*blobs, blob(1), &noise(10)).unwrap();
        read(&*blobs, blob(1)).unwrap();
        assert_eq!(script.threads().contains(&std::thread::current().id()), blocking);
    }
}

/// A get that is under way.
type Get<'a> = Pin<Box<dyn Future<Output = Result<Option<Payload>>> + Send + 'a>>;

fn scripted_remote() -> (ScriptedBlobs, Script) {
    let remote = ScriptedBlobs::in_memory(false);
    put(&*remote.inner(), blob(1), &noise(10)).unwrap();
    let script = remote.script.clone();
    (remote, script)
}

#[test]
fn what_is_deleted_goes_from_both_and_a_fetch_under_way_makes_no_copy() {
    let place = Place::new(1 << 30, false);
    put(&*place.blobs, blob(1), &noise(10)).unwrap();
    assert_eq!(block_on(place.blobs.delete(&[blob(1), blob(2)])).unwrap(), [true, false]);
    assert_eq!(taken(place.dir.path()), 0);
    assert_eq!(read(&*place.blobs, blob(1)).unwrap(), None);

    place.elsewhere(blob(3), &noise(10));
    let id = blob(3);
    let mut fetch = std::pin::pin!(place.blobs.get(&id, GetBlob::default()));
    place.script.hold();
    // The look for a copy hops to the pool: polled on until the remote is asked.
    let waker = std::task::Waker::noop();
    while place.script.inside() == 0 {
        assert!(fetch.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        std::thread::yield_now();
    }
    block_on(place.remote.delete(&[blob(3)])).unwrap();
    place.script.heal();
    let copies = place.remote.clone();
    put(&*copies, blob(3), &noise(10)).unwrap();
    block_on(place.blobs.delete(&[blob(3)])).unwrap();
    put(&*copies, blob(3), &noise(10)).unwrap();
    assert!(block_on(fetch).unwrap().is_some(), "who fetched it has it");
    assert!(!file(place.dir.path(), blob(3)).exists(), "the copy of a deleted blob");

    // Deleted or not, what the remote did not say stays no copy.
    put(&*place.blobs, blob(4), &noise(10)).unwrap();
    place.script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    block_on(place.blobs.delete(&[blob(4)])).unwrap_err();
    assert!(!file(place.dir.path(), blob(4)).exists());
}

#[test]
fn a_directory_in_which_a_store_keeps_its_blobs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    put(&local(dir.path()), BlobId::STORE, &noise(32)).unwrap();
    let cached = Cached::in_backend(local(dir.path()), 1000_u64);
    let error = block_on(cached.around_blobs(ScriptedBlobs::in_memory(true), &OpenContext::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignStore);
}

#[test]
fn opened_read_only_it_reads_copies_and_changes_none() {
    let place = Place::new(10_000, true);
    put(&*place.blobs, blob(1), &noise(1000)).unwrap();
    place.elsewhere(blob(2), &noise(1000));
    let before = taken(place.dir.path());
    std::fs::write(file(place.dir.path(), blob(1)), b"damaged").unwrap();
    let cached = Cached::in_backend(local(place.dir.path()), 10_000_u64);
    let context = OpenContext::new().read_only(true);
    let blobs = block_on(cached.around_blobs(place.remote.clone(), &context)).unwrap();
    assert_eq!(blobs.staging(), None);
    for n in [1, 2] {
        assert!(read(&*blobs, blob(n)).unwrap() == Some(noise(1000)));
    }
    assert_eq!(taken(place.dir.path()), before - 1024 + 7);
}
