//! Asking how the backends are: the answer comes in time, whatever they do.

use cacheness::core::runtime::block_on;
use cacheness::core::{ManualClock, Timestamp};
use cacheness::storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness::storage::{Coherence, Locality, OpenContext};
use cacheness::{ErrorKind, TokioRuntime, future, sync::Cache};
use cacheness_tests::NOW;
use cacheness_tests::remote::Remote;
use cacheness_tests::scripted::{Script, ScriptedBlobs, ScriptedMetadata};
use cacheness_tests::sick::{Kind, Sick};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a machine that is busy, where an answer is expected.
const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn backends_that_answer_are_up() {
    for kind in Kind::ALL {
        let sick = Sick::new(kind);
        let cache = sick.open();
        sick.script.counts();
        let health = cache.health_within(LONG).unwrap();
        assert!(health.is_up() && health.metadata.is_up() && health.blobs.is_up(), "{health}");
        assert_eq!(sick.script.counts(), "blob head 1, stats 1");
        assert!(health.to_string().starts_with("up: scripted("), "{health}");
        assert!(!health.to_string().contains('\n'));
        let awaited = block_on(future::Cache::from(cache.clone()).health_within(LONG)).unwrap();
        assert_eq!((awaited.is_up(), awaited.metadata.backend), (true, health.metadata.backend));
        assert_eq!(health.clock_skew, (kind == Kind::Shared).then_some(Duration::ZERO));
        cache.close().unwrap();
        assert_eq!(cache.health().unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[test]
fn a_backend_that_fails_is_down_with_its_error() {
    let sick = Sick::new(Kind::Shared);
    let cache = sick.open();
    cache.put("key", &1).unwrap();
    sick.script.fail_only(ErrorKind::CircuitOpen, &["stats", "commit"]);
    cache.invalidate("key").unwrap();
    let health = cache.health_within(LONG).unwrap();
    assert!(!health.is_up() && health.blobs.is_up());
    assert_eq!(health.metadata.kind, Some(ErrorKind::CircuitOpen));
    assert_eq!(health.owed, 1);
    let line = health.to_string();
    assert!(
        line.starts_with("down: ") && line.contains("stats fails as told") && line.contains("1 deletes owed"),
        "{line}"
    );
    sick.heal();
    cache.flush().unwrap();
    assert!(cache.health_within(LONG).unwrap().is_up());
    assert_eq!(cache.health_within(LONG).unwrap().owed, 0);
}

#[test]
fn while_backends_hang_the_answer_comes_in_time() {
    for blocking in [true, false] {
        let script = Script::default();
        let context = OpenContext::new();
        let index = ScriptedMetadata::over(Arc::new(MemoryMetadata::new(&context)), &script).blocking(blocking);
        let blobs = ScriptedBlobs::over(Arc::new(MemoryBlobs::new(&context)), &script).blocking(blocking);
        let cache: Cache = Cache::builder().metadata_backend(index).blob_backend(blobs).open().unwrap();
        script.counts();
        script.hold();
        // Everybody hangs: more callers than the pool has threads.
        let awaited = future::Cache::from(cache.clone());
        let waiting: Vec<_> = (0..64)
            .map(|number| {
                let mut get = awaited.get::<i32>(number);
                let waker = std::task::Waker::noop();
                let _ = std::pin::Pin::new(&mut get).poll(&mut std::task::Context::from_waker(waker));
                get
            })
            .collect();
        for _ in 0..5 {
            let began = Instant::now();
            let health = cache.health_within(SHORT).unwrap();
            assert!(!health.is_up());
            assert_eq!((health.metadata.kind, health.blobs.kind), (Some(ErrorKind::Timeout), Some(ErrorKind::Timeout)));
            assert!(health.to_string().contains("no answer within 20ms"), "{health}");
            assert!(!block_on(awaited.health_within(SHORT)).unwrap().is_up());
            assert!(began.elapsed() < LONG);
        }
        // However often it was asked, a backend that hangs was asked once.
        let calls = script.counts();
        for asked in calls.split(", ").filter(|call| call.starts_with("stats") || call.starts_with("blob head")) {
            assert!(asked.ends_with(" 1"), "{calls}");
        }
        assert!(blocking || calls.contains("stats"), "{calls}");
        script.heal();
        let deadline = Instant::now() + LONG;
        while blocking && !cache.health_within(LONG).unwrap().is_up() && Instant::now() < deadline {
            thread::yield_now();
        }
        assert!(!blocking || cache.health_within(LONG).unwrap().is_up());
        drop(waiting);
    }
}

#[test]
fn clocks_that_differ_are_told() {
    let clock = ManualClock::starting_at(Timestamp::from_micros(NOW));
    let context = OpenContext::new().clock(Arc::new(clock.clone()));
    let script = Script::default();
    let index = ScriptedMetadata::over(Arc::new(MemoryMetadata::new(&context)), &script)
        .seen_by(Locality::Shared)
        .coherence(Coherence::Probe);
    let blobs = ScriptedBlobs::over(Arc::new(MemoryBlobs::new(&context)), &script).seen_by(Locality::Shared);
    clock.advance(Duration::from_mins(10));
    let builder = Cache::builder().metadata_backend(index).blob_backend(blobs);
    let cache = builder.clock(ManualClock::starting_at(Timestamp::from_micros(NOW))).open().unwrap();
    let health = cache.health_within(LONG).unwrap();
    assert_eq!(health.clock_skew, Some(Duration::from_mins(10)));
    assert!(health.is_up() && health.to_string().ends_with("clocks 600.0 s apart"), "{health}");
}

#[test]
fn a_server_that_is_gone_is_down() {
    let remote = Remote::start(env!("CARGO_BIN_EXE_remote-backend"), Duration::ZERO);
    let builder = Cache::builder().metadata_backend(remote.metadata()).blob_backend(remote.blobs());
    let cache = builder.runtime(TokioRuntime::global().unwrap()).open().unwrap();
    assert!(cache.health_within(LONG).unwrap().is_up());
    drop(remote);
    let health = cache.health_within(LONG).unwrap();
    assert_eq!((health.metadata.kind, health.blobs.kind), (Some(ErrorKind::Unavailable), Some(ErrorKind::Unavailable)));
}

#[tokio::test]
async fn a_remote_cache_tells_async_code_by_the_async_face() {
    let remote = Remote::start(env!("CARGO_BIN_EXE_remote-backend"), Duration::ZERO);
    let builder = future::Cache::builder().metadata_backend(remote.metadata()).blob_backend(remote.blobs());
    let cache = builder.open().await.unwrap();
    assert!(cache.health_within(LONG).await.unwrap().is_up());
    let blocking = cacheness::sync::Cache::from(cache);
    assert_eq!(blocking.health().unwrap_err().kind(), ErrorKind::AsyncContext);
}
