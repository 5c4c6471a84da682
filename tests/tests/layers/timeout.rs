//! What ends the wait, what goes on, and what may be tried again.

use crate::naps::Naps;
use crate::{noise, put};
use cacheness_storage::layers::{Retry, Timeout};
use cacheness_storage::{ErrorKind, Fields, Filter, GetBlob, OnUnmet, Reclaim, ReclaimOrder, block_on};
use cacheness_testkit::records::blob;
use cacheness_tests::scripted::{ScriptedBlobs, ScriptedMetadata};
use std::time::Duration;

#[test]
fn a_call_that_takes_too_long_is_dropped() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::short());
    let script = blobs.script.clone();
    let timeout = Timeout::new();
    let blobs = timeout.around_blobs(blobs, &naps.context());
    script.hold();
    let error = block_on(blobs.head(&blob(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_retryable());
    assert_eq!(error.to_string(), "look up a blob on scripted(memory:): it took longer than 30s");
    assert_eq!(script.inside(), 0, "the call goes on");
    let error = put(&*blobs, blob(1), &noise(10)).unwrap_err();
    assert!(error.is_retryable(), "the upload was dropped");
    let stats = timeout.stats();
    assert_eq!((stats.calls, stats.timed_out), (2, 2));
}

#[test]
fn a_call_that_is_in_time_is_not_disturbed() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::endless());
    let timeout = Timeout::new();
    let blobs = timeout.around_blobs(blobs, &naps.context());
    put(&*blobs, blob(1), &noise(10)).unwrap();
    assert_eq!(crate::read(&*blobs, blob(1)).unwrap(), Some(noise(10)));
    assert_eq!(timeout.stats().timed_out, 0);
}

#[test]
fn a_change_of_the_index_that_timed_out_is_not_tried_again() {
    let (index, naps) = (ScriptedMetadata::in_memory(false), Naps::short());
    let script = index.script.clone();
    let (timeout, retry) = (Timeout::new(), Retry::new());
    let index = retry.around_metadata(timeout.around_metadata(index, &naps.context()), &naps.context());
    script.hold();
    let error = block_on(index.commit(Vec::new(), OnUnmet::Skip)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, false));
    assert!(error.to_string().contains("may have happened"), "{error}");
    assert_eq!(script.calls(), ["commit"]);
    let error = block_on(index.reclaim(&Reclaim::all(Filter::All, ReclaimOrder::Key))).unwrap_err();
    assert!(!error.is_retryable());
    assert_eq!(script.calls(), ["reclaim"]);
    block_on(index.get(&["key".into()], Fields::ALL)).unwrap_err();
    assert_eq!(script.calls(), ["get"; 4]);
}

#[test]
fn transfers_may_take_as_long_as_their_bytes_need() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(false), Naps::endless());
    let script = blobs.script.clone();
    let timeout = Timeout::after(Duration::from_secs(2)).transfers(Duration::from_secs(10), 1_000_000);
    let blobs = timeout.around_blobs(blobs, &naps.context());
    put(&*blobs, blob(1), &noise(3_000_000)).unwrap();
    assert_eq!(naps.wanted(), [Duration::from_secs(13)]);
    block_on(blobs.get(&blob(1), GetBlob::first(500_000))).unwrap();
    assert_eq!(naps.wanted(), [Duration::from_millis(10_500)]);
    script.calls();
    // Of a whole blob the size is asked for.
    block_on(blobs.get(&blob(1), GetBlob::default())).unwrap();
    assert_eq!(script.calls(), ["blob head", "blob get"]);
    assert_eq!(naps.wanted(), [Duration::from_secs(2), Duration::from_secs(13)]);
    assert!(block_on(blobs.get(&blob(2), GetBlob::default())).unwrap().is_none());
}

#[test]
fn over_a_blocking_backend_the_call_goes_on_and_its_answer_is_dropped() {
    let (blobs, naps) = (ScriptedBlobs::in_memory(true), Naps::endless());
    let (script, inner) = (blobs.script.clone(), blobs.inner());
    let timeout = Timeout::after(Duration::from_millis(1)).transfers(Duration::from_millis(1), u64::MAX);
    let blobs = timeout.around_blobs(blobs, &naps.context());
    assert!(blobs.info().blocking);
    script.hold();
    let error = put(&*blobs, blob(1), &noise(10)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, false), "a put that goes on");
    script.wait_inside(1);
    let id = blob(1);
    let ready =
        std::pin::pin!(blobs.head(&id)).as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(ready.is_ready(), "a blocking backend is ready on the first poll");
    script.heal();
    while script.inside() > 0 {
        std::thread::yield_now();
    }
    assert!(block_on(inner.head(&blob(1))).unwrap().is_some(), "it was stored late");
}
