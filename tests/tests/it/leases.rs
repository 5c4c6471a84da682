//! Leases: of all processes that share an index one computes a key, and what happens in one of them meanwhile counts in
//! all.

use crate::support::{Place, noise};
use cacheness::core::runtime::block_on;
use cacheness::core::{SystemClock, SystemRng, ThreadPool};
use cacheness::sync::Cache;
use cacheness::{ComputeOptions, ErrorKind, Filter, PutOptions, future};
use cacheness_storage::engine::{Engine, EngineOptions, NewEntry, Parts, Source, Target, Written};
use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness_storage::{Change, Condition, Fields, OnUnmet, OpenContext, Registry};
use cacheness_tests::pairs::Pair;
use cacheness_tests::servers::drop_schema;
use rusqlite::Connection;
use std::future::pending;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// What waits for ever where a guard is gone fails after this.
const LONG: Duration = Duration::from_secs(60);

/// A lease that no test outlives: who waits for its end fails.
const FOREVER: Duration = Duration::from_secs(3600);

/// How long nothing must happen.
const SILENCE: Duration = Duration::from_millis(500);

/// One index of each sort.
const PAIRS: [Pair; 3] = [Pair::Json, Pair::Sqlite, Pair::PostgresS3];

/// Runs on a thread of its own what might wait for ever.
fn within<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, done) = channel();
    thread::spawn(move || sender.send(run()));
    done.recv_timeout(LONG).unwrap()
}

/// Processes with the same cache, and what they say.
struct Workers {
    children: Vec<(Child, ChildStdin)>,
    said: Receiver<(usize, String)>,
    dir: PathBuf,
}

impl Workers {
    fn start(count: usize, dir: &Path, pair: Pair, lease: Duration) -> Self {
        let (say, said) = channel();
        let mut children = Vec::new();
        for number in 0..count {
            let mut command = Command::new(env!("CARGO_BIN_EXE_computing-worker"));
            command.arg(dir).arg(pair.name()).arg(lease.as_millis().to_string());
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (input, output, say) = (child.stdin.take().unwrap(), child.stdout.take().unwrap(), say.clone());
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = say.send((number, line));
                }
            });
            children.push((child, input));
        }
        let workers = Self { children, said, dir: dir.to_owned() };
        (0..count).for_each(|_| assert_eq!(workers.next().1, "open"));
        workers
    }

    fn tell(&mut self, number: usize, order: &str) {
        writeln!(self.children[number].1, "{order}").unwrap();
    }

    fn next(&self) -> (usize, String) {
        self.said.recv_timeout(LONG).unwrap()
    }

    fn expect(&self, number: usize, said: &str) {
        assert_eq!(self.next(), (number, said.to_owned()));
    }

    fn are_silent(&self) {
        assert_eq!(self.said.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
    }

    fn kill(&mut self, number: usize) {
        self.children[number].0.kill().unwrap();
        self.children[number].0.wait().unwrap();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for (child, _) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        drop_schema(&self.dir);
    }
}

/// Another opening of the cache in a place: to the first one it is a process of its own.
fn open(place: &Place) -> Cache {
    Cache::builder().dir(place.path()).clock(place.clock.clone()).lease(FOREVER).open().unwrap()
}

/// The expiries of the leases in an index.
fn leases(place: &Place) -> Vec<i64> {
    let index = Connection::open(place.path().join("index.db")).unwrap();
    let mut select = index.prepare("SELECT expires_at FROM records WHERE key LIKE '%lease/%'").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_several_processes_one_computes_and_all_get_its_value() {
    for pair in PAIRS {
        let dir = tempfile::tempdir().unwrap();
        let mut workers = Workers::start(4, dir.path(), pair, FOREVER);
        (0..4).for_each(|number| workers.tell(number, &format!("compute {number}")));
        let (leader, said) = workers.next();
        assert_eq!(said, "computing");
        workers.are_silent();
        workers.tell(leader, "finish");
        let value = format!("value {leader}");
        (0..4).for_each(|_| assert_eq!(workers.next().1, value, "{pair:?}"));
    }
}

#[test]
fn when_the_process_that_computes_is_killed_another_computes() {
    for pair in PAIRS {
        let dir = tempfile::tempdir().unwrap();
        let mut workers = Workers::start(2, dir.path(), pair, Duration::from_millis(300));
        workers.tell(0, "compute first");
        workers.expect(0, "computing");
        workers.tell(1, "compute second");
        workers.kill(0);
        workers.expect(1, "computing");
        workers.tell(1, "finish");
        workers.expect(1, "value second");
    }
}

#[test]
fn when_the_computation_of_a_process_fails_another_computes_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut workers = Workers::start(2, dir.path(), Pair::Sqlite, FOREVER);
    workers.tell(0, "fail");
    workers.expect(0, "computing");
    workers.tell(1, "compute value");
    workers.are_silent();
    workers.tell(0, "finish");
    let mut said = [workers.next(), workers.next()];
    said.sort();
    assert_eq!(said, [(0, "Err(\"failure\")".to_owned()), (1, "computing".to_owned())]);
    workers.tell(1, "finish");
    workers.expect(1, "value value");
}

#[test]
fn what_another_process_invalidates_is_not_stored() {
    for pair in PAIRS {
        let dir = tempfile::tempdir().unwrap();
        let mut workers = Workers::start(2, dir.path(), pair, FOREVER);
        for (way, nothing) in [("invalidate", "false"), ("clear", "0"), ("clear", "0")] {
            workers.tell(0, "compute old");
            workers.expect(0, "computing");
            workers.tell(1, way);
            workers.expect(1, nothing);
            workers.tell(0, "finish");
            workers.expect(0, "value old");
            workers.tell(1, "exists");
            workers.expect(1, "false");
        }
        workers.tell(0, "compute new");
        workers.expect(0, "computing");
        workers.tell(0, "finish");
        workers.expect(0, "value new");
        workers.tell(1, "exists");
        workers.expect(1, "true");
    }
}

#[test]
fn what_is_changed_elsewhere_while_it_is_computed_stays_as_it_is() {
    let place = Place::new();
    let (cache, elsewhere) = (open(&place), open(&place));
    let ways: [(&str, &dyn Fn()); 6] = [
        ("invalidate", &|| assert!(!elsewhere.invalidate("key").unwrap())),
        ("invalidate_many", &|| assert_eq!(elsewhere.invalidate_many(["other", "key"]).unwrap(), 0)),
        ("clear", &|| assert_eq!(elsewhere.clear().unwrap(), 0)),
        ("clear of a namespace", &|| assert_eq!(elsewhere.namespace("some").unwrap().clear().unwrap(), 0)),
        ("put, then gone", &|| {
            elsewhere.put("key", &0_u8).unwrap();
            assert_eq!(elsewhere.invalidate_where(&Filter::All).unwrap(), 1);
        }),
        ("many, then gone", &|| {
            elsewhere.put_many(&[("key", 0_u8)]).unwrap();
            assert_eq!(elsewhere.invalidate_where(&Filter::All).unwrap(), 1);
        }),
    ];
    for size in [10, 100_000] {
        for (way, change) in ways {
            let load = || {
                change();
                noise(size)
            };
            assert_eq!(cache.get_or_put("key", load).unwrap(), noise(size), "{way}");
            assert!(!cache.exists("key").unwrap(), "{way} of {size} bytes");
            assert!(leases(&place).is_empty(), "{way} of {size} bytes");
        }
        assert_eq!(place.blobs().len(), 0, "what was not committed leaves no blob");
        assert_eq!(cache.get_or_put("key", || noise(size)).unwrap(), noise(size));
        assert!(cache.exists("key").unwrap(), "nothing changed this time");
        assert!(elsewhere.invalidate("key").unwrap());
    }
}

#[test]
fn a_tag_that_is_invalidated_elsewhere_while_its_value_is_computed_counts() {
    let place = Place::new();
    let (cache, elsewhere) = (open(&place), open(&place));
    let options = || ComputeOptions::new().put(PutOptions::new().tags(["tag"]));
    let load = || {
        elsewhere.invalidate_tag("tag").unwrap();
        1_u8
    };
    assert_eq!(cache.get_or_put_with("key", options(), load).unwrap(), 1);
    assert!(!cache.exists("key").unwrap());
    assert_eq!(cache.get_or_put_with("key", options(), || 2_u8).unwrap(), 2);
    assert!(elsewhere.exists("key").unwrap());
}

#[test]
fn however_a_computation_ends_it_gives_its_lease_back() {
    let place = Place::new();
    let (cache, elsewhere) = (open(&place), open(&place));
    let held = || leases(&place).len();
    let panics = || cache.get_or_put("panicked", || -> u8 { panic!("expected by this test") });
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    let awaited = future::Cache::from(cache.clone());
    let mut cancelled = Box::pin(awaited.get_or_put("cancelled", pending::<u8>));
    until("the call takes a lease", || {
        assert!(pin!(&mut cancelled).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        held() > 0
    });
    drop(cancelled);
    assert_eq!(block_on(awaited.try_get_or_put("failed", async || Err::<u8, _>(1))).unwrap(), Err(1));
    assert_eq!(cache.try_get_or_put("failed at once", || Err::<u8, _>(1)).unwrap(), Err(1));
    block_on(awaited.get_or_put("stored", async || 1_u8)).unwrap();
    let keys = ["panicked", "cancelled", "failed", "failed at once"];
    for key in keys {
        let elsewhere = elsewhere.clone();
        assert_eq!(within(move || elsewhere.get_or_put(key, || 2_u8)).unwrap(), 2, "{key}");
    }
    until("no lease stays", || held() == 0);
}

#[test]
fn who_waits_for_another_process_computes_when_nothing_came_of_it() {
    let place = Place::new();
    let small = Cache::builder().dir(place.path()).clock(place.clock.clone()).max_value_size(1000).lease(FOREVER);
    let small = small.open().unwrap();
    let elsewhere = open(&place);
    let (compute, computed) = channel();
    let first = small.get_or_put("key", || {
        let waits = thread::spawn(move || elsewhere.get_or_put("key", || vec![2_u8]));
        compute.send(waits).unwrap();
        noise(2000)
    });
    assert_eq!(first.unwrap(), noise(2000), "it is returned, and too large to be stored");
    let waits = computed.recv().unwrap();
    assert_eq!(within(move || waits.join().unwrap()).unwrap(), [2]);
}

#[test]
fn a_lease_is_renewed_while_its_holder_computes() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).clock(place.clock.clone()).lease(Duration::from_millis(30));
    let cache = cache.open().unwrap();
    let load = || {
        let before = leases(&place);
        assert_eq!(before.len(), 1);
        place.clock.advance(Duration::from_secs(5));
        until("it is renewed", || leases(&place)[0] > before[0] + 4_000_000);
        place.clock.advance(Duration::from_secs(5));
        until("it is renewed again", || leases(&place)[0] > before[0] + 9_000_000);
        1_u8
    };
    assert_eq!(cache.get_or_put("key", load).unwrap(), 1);
    assert!(cache.exists("key").unwrap(), "who renews his lease still has it");
    assert!(leases(&place).is_empty());
}

#[test]
fn who_lost_his_lease_stores_nothing() {
    let place = Place::new();
    let (cache, elsewhere) = (open(&place), open(&place));
    let load = || {
        place.clock.advance(FOREVER);
        let elsewhere = elsewhere.clone();
        let failed = within(move || elsewhere.try_get_or_put("key", || Err::<u8, _>("no luck")));
        assert_eq!(failed.unwrap(), Err("no luck"), "the lease is over");
        1_u8
    };
    assert_eq!(cache.get_or_put("key", load).unwrap(), 1);
    assert!(!cache.exists("key").unwrap());
}

#[test]
fn a_hit_takes_no_lease_and_commits_nothing() {
    let place = Place::new();
    let cache = open(&place);
    cache.put("key", &1_u8).unwrap();
    let index = Connection::open(place.path().join("index.db")).unwrap();
    let version = || index.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    assert_eq!(cache.get_or_put("key", || 2_u8).unwrap(), 1);
    let options = ComputeOptions::new().stale_while_revalidate(LONG).early_refresh(LONG);
    assert_eq!(cache.get_or_put_with("key", options, || 2_u8).unwrap(), 1);
    assert_eq!(version(), before);
    cache.get_or_put("other", || 2_u8).unwrap();
    assert_ne!(version(), before, "this would have been seen");
}

#[test]
fn without_leases_each_computes_for_itself() {
    let place = Place::new();
    let open = || Cache::builder().dir(place.path()).no_lease().open().unwrap();
    let (cache, elsewhere) = (open(), open());
    let load = || {
        let elsewhere = elsewhere.clone();
        assert_eq!(within(move || elsewhere.get_or_put("key", || 5_u8)).unwrap(), 5);
        assert!(leases(&place).is_empty());
        1_u8
    };
    assert_eq!(cache.get_or_put("key", load).unwrap(), 1);
    assert_eq!(cache.get("key").unwrap(), Some(5_u8), "who stored first");
}

#[test]
fn where_no_lease_can_be_had_it_is_computed_all_the_same() {
    let place = Place::new();
    let cache = open(&place);
    let index = Connection::open(place.path().join("index.db")).unwrap();
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON records WHEN new.key LIKE '%lease/%' \
        BEGIN SELECT RAISE(ABORT, 'says this test'); END";
    index.execute_batch(trigger).unwrap();
    assert_eq!(cache.get_or_put("key", || 1_u8).unwrap(), 1);
    assert_eq!(cache.get("key").unwrap(), Some(1_u8));
}

#[test]
fn a_lease_of_no_time_is_refused() {
    let error = Cache::builder().metadata("memory:").blobs("memory:").lease(Duration::ZERO).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("lease"), "{error}");
}

#[test]
fn a_value_and_the_changes_that_go_with_it_are_committed_together_or_not_at_all() {
    let context = OpenContext::new();
    let mut options = EngineOptions::default();
    options.content_addressable = true;
    let parts = Parts {
        metadata: Arc::new(MemoryMetadata::new(&context)),
        blobs: Arc::new(MemoryBlobs::new(&context)),
        handlers: Registry::default().handlers,
        runtime: Arc::new(ThreadPool::global()),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        options,
    };
    let engine = block_on(Engine::open(parts)).unwrap();
    let put = |key: &str, size: usize, goes_with: &str, on_unmet| {
        let with = vec![Change::Remove { key: goes_with.into(), condition: Condition::Present(Filter::All) }];
        let entry = NewEntry { with, on_unmet, ..NewEntry::new(key.into(), Condition::Absent) };
        block_on(engine.put(Source::reader(Cursor::new(noise(size))).unwrap(), entry)).unwrap()
    };
    let target = |key: String| {
        let condition = Condition::Always;
        Target { key: key.into(), key_digest: None, namespace: None, parameters: None, epoch: None, condition }
    };
    let is_there = |key: &str| block_on(engine.record(&key.into(), Fields::LEAST)).unwrap().is_some();
    for size in [10, 50_000, 50_000] {
        put("companion", 10, "nothing", OnUnmet::Skip);
        assert!(is_there("companion"), "each on its own condition");
        assert_eq!(put("key", size, "nothing", OnUnmet::Abort), Written::Unmet, "{size} bytes");
        assert!(!is_there("key"));
        assert_ne!(put("key", size, "companion", OnUnmet::Abort), Written::Unmet, "{size} bytes");
        assert!(is_there("key") && !is_there("companion"));
        block_on(engine.rename(&"key".into(), target(format!("kept {size}")), |_| true)).unwrap();
    }
    assert_eq!(block_on(engine.stats()).unwrap().blobs, 1, "the last round shared one");
}
