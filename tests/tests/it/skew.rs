//! Machines whose clocks differ and that share an index: its clock counts.

use crate::support::noise;
use cacheness::core::{ManualClock, Timestamp};
use cacheness::storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness::storage::{Coherence, Locality, OpenContext};
use cacheness::{CacheBuilder, ComputeOptions, GetOptions, MemoryConfig, PutOptions, TokioRuntime, sync::Cache};
use cacheness_tests::NOW;
use cacheness_tests::remote::Remote;
use cacheness_tests::scripted::{Script, ScriptedBlobs, ScriptedMetadata};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_mins(1);

/// A shared index with a clock of its own.
struct Server {
    clock: ManualClock,
    index: Arc<MemoryMetadata>,
    blobs: Arc<MemoryBlobs>,
    script: Script,
}

impl Server {
    fn new() -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_micros(NOW));
        let context = OpenContext::new().clock(Arc::new(clock.clone()));
        let (index, blobs) = (Arc::new(MemoryMetadata::new(&context)), Arc::new(MemoryBlobs::new(&context)));
        Self { clock, index, blobs, script: Script::default() }
    }

    fn builder(&self) -> CacheBuilder<Cache> {
        let index = ScriptedMetadata::over(self.index.clone(), &self.script)
            .seen_by(Locality::Shared)
            .coherence(Coherence::Probe);
        Cache::builder()
            .metadata_backend(index)
            .blob_backend(ScriptedBlobs::over(self.blobs.clone(), &self.script).seen_by(Locality::Shared))
    }

    /// A machine whose clock is so many minutes ahead.
    fn machine(&self, ahead: i64) -> (Cache, ManualClock) {
        let clock = ManualClock::starting_at(Timestamp::from_micros(NOW).offset(ahead * 60_000_000));
        (self.builder().clock(clock.clone()).open().unwrap(), clock)
    }

    /// Time passes for everybody.
    fn pass(&self, machines: &[&ManualClock], time: Duration) {
        self.clock.advance(time);
        machines.iter().for_each(|clock| clock.advance(time));
    }
}

fn lives(minutes: u32) -> PutOptions {
    PutOptions::new().ttl(minutes * MINUTE)
}

#[test]
fn whoever_has_a_fast_clock_sees_what_is_live_and_cleans_up_nobodys() {
    let server = Server::new();
    let ((right, _), (fast, _)) = (server.machine(0), server.machine(10));
    right.put_with("short", &1, lives(5)).unwrap();
    right.put_with("large", &noise(50_000), lives(5)).unwrap();
    right.put_with("idle", &2, PutOptions::new().idle_ttl(5 * MINUTE)).unwrap();
    for _ in 0..2 {
        assert_eq!(fast.get("short").unwrap(), Some(1));
        assert!(fast.exists("short").unwrap());
        assert!(fast.get::<Vec<u8>>("large").unwrap().is_some());
        assert_eq!(fast.get("idle").unwrap(), Some(2));
        assert_eq!(fast.get_with("short", GetOptions::new().max_age(MINUTE)).unwrap(), Some(1));
        assert_eq!(fast.ttl("short").unwrap().unwrap().left(), Some(5 * MINUTE));
        assert_eq!(fast.cleanup_expired().unwrap(), 0);
        fast.sweep().unwrap();
    }
    assert_eq!(right.get("short").unwrap(), Some(1));
    assert_eq!(right.get("idle").unwrap(), Some(2));
}

#[test]
fn what_a_fast_or_slow_clock_puts_lives_as_long_as_it_says() {
    for ahead in [-10, 10] {
        let server = Server::new();
        let ((right, right_clock), (wrong, wrong_clock)) = (server.machine(0), server.machine(ahead));
        let clocks = [&right_clock, &wrong_clock];
        wrong.put_with("key", &1, lives(5)).unwrap();
        let put_at: SystemTime = Timestamp::from_micros(NOW).into();
        assert_eq!(right.metadata("key").unwrap().unwrap().created_at(), put_at);
        assert_eq!(right.ttl("key").unwrap().unwrap().left(), Some(5 * MINUTE));
        let computed = wrong.get_or_put_with("computed", ComputeOptions::new().put(lives(5)), || 2).unwrap();
        assert_eq!(computed, 2);
        server.pass(&clocks, 5 * MINUTE - Duration::from_micros(1));
        assert_eq!((right.get("key").unwrap(), wrong.get("key").unwrap()), (Some(1), Some(1)), "{ahead}");
        assert_eq!((right.get("computed").unwrap(), wrong.get("computed").unwrap()), (Some(2), Some(2)));
        server.pass(&clocks, Duration::from_micros(1));
        assert_eq!((right.get::<i32>("key").unwrap(), wrong.get::<i32>("key").unwrap()), (None, None), "{ahead}");
        assert!(wrong.put_if_absent("key", &3).unwrap(), "{ahead}");
        assert_eq!(right.cleanup_expired().unwrap(), 1, "the computed one");
    }
}

#[test]
fn a_clock_that_is_set_while_the_cache_is_open_changes_nothing() {
    let server = Server::new();
    let (cache, clock) = server.machine(0);
    cache.put_with("key", &1, lives(5)).unwrap();
    assert_eq!(cache.get("key").unwrap(), Some(1));
    for minutes in [60, -60] {
        clock.set(Timestamp::from_micros(NOW).offset(minutes * 60_000_000));
        assert_eq!(cache.get("key").unwrap(), Some(1), "{minutes}");
        cache.put_with("other", &2, lives(5)).unwrap();
        assert_eq!(cache.ttl("other").unwrap().unwrap().left(), Some(5 * MINUTE), "{minutes}");
    }
}

#[test]
fn copies_in_memory_that_may_be_stale_are_judged_by_the_time_of_the_index() {
    let server = Server::new();
    let clock = ManualClock::starting_at(Timestamp::from_micros(NOW).offset(600_000_000));
    let memory = MemoryConfig::new().staleness(Duration::from_hours(1));
    let cache = server.builder().clock(clock.clone()).memory(memory).open().unwrap();
    cache.put_with("key", &1, lives(5)).unwrap();
    for _ in 0..2 {
        assert_eq!(cache.get("key").unwrap(), Some(1));
    }
    server.pass(&[&clock], 5 * MINUTE);
    assert_eq!(cache.get::<i32>("key").unwrap(), None);
}

#[test]
fn a_machine_with_a_fast_clock_loses_nothing_of_a_server_elsewhere() {
    let remote = Remote::start(env!("CARGO_BIN_EXE_remote-backend"), Duration::from_millis(2));
    let now: Timestamp = SystemTime::now().into();
    let open = |ahead: i64| {
        let clock = ManualClock::starting_at(now.offset(ahead));
        let builder = Cache::builder().metadata_backend(remote.metadata()).blob_backend(remote.blobs());
        builder.clock(clock).runtime(TokioRuntime::global().unwrap()).open().unwrap()
    };
    let (right, fast) = (open(0), open(600_000_000));
    right.put_with("key", &1, lives(5)).unwrap();
    assert_eq!(fast.get("key").unwrap(), Some(1));
    assert_eq!(fast.cleanup_expired().unwrap(), 0);
    assert!(!fast.put_if_absent("key", &2).unwrap());
    fast.put_with("other", &2, lives(5)).unwrap();
    let left = right.ttl("other").unwrap().unwrap().left().unwrap();
    assert!(left <= 5 * MINUTE && left > 4 * MINUTE, "{left:?}");
    assert_eq!(right.get("key").unwrap(), Some(1));
}
