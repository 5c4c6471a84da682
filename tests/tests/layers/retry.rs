//! What is tried again, what is not, and what is put again.

use crate::naps::Naps;
use crate::{noise, put, read};
use cacheness::core::ManualClock;
use cacheness::handlers::{Spool, Spooled};
use cacheness_storage::layers::Retry;
use cacheness_storage::{
    BlobId, ErrorKind, Fields, OnUnmet, OpenContext, PutBlob, Reclaim, ReclaimOrder, Staged, block_on,
};
use cacheness_testkit::records::blob;
use cacheness_tests::scripted::{Failure, ScriptedBlobs, ScriptedMetadata};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn staged(size: usize) -> (Staged, PathBuf) {
    let mut spool = Spool::new(0, None);
    spool.write_all(&noise(size)).unwrap();
    let Spooled::File(file) = spool.finish().unwrap() else { panic!("a file was wanted") };
    let path = file.path().to_owned();
    (Staged::File(file), path)
}

#[test]
fn a_passing_failure_is_tried_again_after_growing_pauses() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::short());
    let script = blobs.script.clone();
    let retry = Retry::new().jitter(false);
    let blobs = retry.around_blobs(blobs, &naps.context());
    let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Unavailable];
    script.fail_next(kinds.map(Failure::before));
    assert!(block_on(blobs.head(&blob(1))).unwrap().is_none());
    assert_eq!(script.calls(), ["blob head"; 4]);
    assert_eq!(naps.wanted(), [500, 1000, 2000].map(Duration::from_millis));
    let stats = retry.stats();
    assert_eq!((stats.attempts, stats.retries, stats.recovered, stats.gave_up), (4, 3, 1, 0));
}

#[test]
fn it_gives_up_when_it_has_tried_as_often_as_allowed() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::short());
    let script = blobs.script.clone();
    let retry = Retry::new().max(2);
    let blobs = retry.around_blobs(blobs, &naps.context());
    script.fail(ErrorKind::Unavailable);
    assert_eq!(block_on(blobs.list(None, 1)).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(script.calls(), ["blob list"; 3]);
    let stats = retry.stats();
    assert_eq!((stats.attempts, stats.retries, stats.recovered, stats.gave_up), (3, 2, 0, 1));
    for (pause, bound) in naps.wanted().into_iter().zip([500, 1000]) {
        assert!(pause <= Duration::from_millis(bound), "{pause:?}");
    }
    let never = Retry::new().max(0).around_blobs(ScriptedBlobs::in_memory(false), &naps.context());
    assert!(block_on(never.head(&blob(1))).unwrap().is_none());
}

#[test]
fn what_no_repetition_helps_is_not_tried_again() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::short());
    let script = blobs.script.clone();
    let blobs = Retry::new().around_blobs(blobs, &naps.context());
    let failures = [
        Failure::before(ErrorKind::Storage),
        Failure::before(ErrorKind::Permission),
        Failure::before(ErrorKind::Closed),
        Failure::before(ErrorKind::Unavailable).retryable(false),
        // Refused by a circuit breaker below: it wants to be left alone.
        Failure::before(ErrorKind::CircuitOpen),
    ];
    for failure in failures {
        script.fail_next([failure]);
        block_on(blobs.head(&blob(1))).unwrap_err();
        assert_eq!(script.calls(), ["blob head"], "{failure:?}");
    }
    assert!(naps.wanted().is_empty());
}

#[test]
fn a_commit_that_may_have_happened_is_not_repeated() {
    let (index, naps) = (ScriptedMetadata::in_memory(false), Naps::short());
    let script = index.script.clone();
    let index = Retry::new().around_metadata(index, &naps.context());
    let commit = || block_on(index.commit(Vec::new(), OnUnmet::Skip));
    // As the contract asks: an answer that was lost is not retryable. And one that says it is, wrongly.
    let ambiguous = [Failure::after(ErrorKind::Unavailable).retryable(false), Failure::after(ErrorKind::Timeout)];
    for failure in ambiguous {
        script.fail_next([failure]);
        commit().unwrap_err();
        assert_eq!(script.calls(), ["commit"], "{failure:?}");
    }
    let filter = cacheness_storage::Filter::All;
    script.fail_next([Failure::after(ErrorKind::Timeout)]);
    block_on(index.reclaim(&Reclaim::all(filter, ReclaimOrder::Key))).unwrap_err();
    assert_eq!(script.calls(), ["reclaim"]);
    // What certainly did not happen is.
    script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    commit().unwrap();
    assert_eq!(script.calls(), ["commit"; 2]);
    script.fail_next([Failure::before(ErrorKind::Timeout)]);
    block_on(index.get(&["key".into()], Fields::ALL)).unwrap();
    assert_eq!(script.calls(), ["get"; 2]);
}

#[test]
fn a_payload_is_put_again_from_memory_and_from_a_file() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::short());
    let script = blobs.script.clone();
    let blobs = Retry::new().around_blobs(blobs, &naps.context());
    let bytes = noise(3_000_000);
    script.fail_next([Failure::before(ErrorKind::Unavailable); 2]);
    put(&*blobs, blob(1), &bytes).unwrap();
    let (file, path) = staged(3_000_000);
    script.fail_next([Failure::before(ErrorKind::Unavailable); 3]);
    block_on(blobs.put(&blob(2), file, PutBlob::default())).unwrap();
    assert_eq!(script.calls(), ["blob put"; 7]);
    for id in [blob(1), blob(2)] {
        assert!(read(&*blobs, id).unwrap() == Some(bytes.clone()), "other bytes were put");
    }
    assert!(!path.exists(), "the staged file was left behind");
}

#[test]
fn a_put_whose_answer_was_lost_is_a_success() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::short());
    let script = blobs.script.clone();
    let blobs = Retry::new().around_blobs(blobs, &naps.context());
    script.fail_next([Failure::after(ErrorKind::Unavailable)]);
    let info = block_on(blobs.put(&blob(1), staged(1000).0, PutBlob::default())).unwrap();
    assert_eq!((info.id, info.size), (blob(1), 1000));
    assert_eq!(script.calls(), ["blob put", "blob put", "blob head"]);
}

#[test]
fn a_put_of_a_name_that_somebody_else_took_is_none() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::short());
    let (script, inner) = (blobs.script.clone(), blobs.inner());
    let blobs = Retry::new().around_blobs(blobs, &naps.context());
    put(&*inner, blob(1), &noise(10)).unwrap();
    put(&*inner, BlobId::STORE, &noise(10)).unwrap();
    // At once; after a failure, with another size; and a marker, whose name is everybody's.
    for (id, size, failures) in [(blob(1), 10, 0), (blob(1), 11, 1), (BlobId::STORE, 10, 1)] {
        script.fail_next(vec![Failure::before(ErrorKind::Unavailable); failures]);
        assert_eq!(put(&*blobs, id, &noise(size)).unwrap_err().kind(), ErrorKind::AlreadyExists, "{id} {size}");
    }
    let mut other = PutBlob::default();
    let digest = |bytes: &[u8]| cacheness_storage::Digest::of(cacheness_storage::DigestAlgorithm::Xxh3, bytes);
    other.digest = Some(digest(b"one"));
    block_on(inner.put(&blob(2), Staged::Bytes(noise(10)), other.clone())).unwrap();
    other.digest = Some(digest(b"another"));
    script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    let refused = block_on(blobs.put(&blob(2), Staged::Bytes(noise(10)), other)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn over_a_blocking_backend_it_waits_in_place() {
    let index = ScriptedMetadata::in_memory(true);
    let script = index.script.clone();
    let (naps, clock) = (Naps::endless(), ManualClock::starting_at(cacheness_testkit::records::NOW));
    let context: OpenContext = naps.context().clock(Arc::new(clock));
    let index = Retry::new().initial(Duration::from_micros(1)).around_metadata(index, &context);
    assert!(index.info().blocking);
    script.fail_next([Failure::before(ErrorKind::Unavailable); 3]);
    let ready =
        std::pin::pin!(index.stats()).as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(ready.is_ready(), "a blocking backend is ready on the first poll");
    assert_eq!(script.calls(), ["stats"; 4]);
    assert!(naps.wanted().is_empty());
}
