//! `get_or_put` and `try_get_or_put`: one computation a key, whatever becomes of the one who computes.

use crate::support::{Place, noise};
use cacheness::core::runtime::{BoxFuture, Job, block_on};
use cacheness::core::{Runtime, ThreadPool};
use cacheness::sync::Cache;
use cacheness::{ErrorKind, MissReason, PutOptions, future, key};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::Cell;
use std::collections::HashSet;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What waits for ever where a guard is gone fails after this.
const LONG: Duration = Duration::from_secs(60);

/// Runs on a thread of its own what might wait for ever.
fn within<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, done) = channel();
    thread::spawn(move || sender.send(run()));
    done.recv_timeout(LONG).unwrap()
}

/// A value that nobody can clone.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Once(String);

/// A number whose encoding stops once until it is let go.
#[derive(Debug)]
struct Gated(u32, Option<Gate>);

type Gate = Mutex<Option<(Sender<()>, Receiver<()>)>>;

impl Gated {
    fn new(number: u32) -> (Self, Receiver<()>, Sender<()>) {
        let (arrive, reached) = channel();
        let (go, wait) = channel();
        (Self(number, Some(Mutex::new(Some((arrive, wait))))), reached, go)
    }
}

impl Serialize for Gated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some((arrive, wait)) = self.1.as_ref().and_then(|gate| gate.lock().unwrap().take()) {
            arrive.send(()).unwrap();
            wait.recv_timeout(LONG).unwrap();
        }
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Gated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(|number| Self(number, None))
    }
}

/// Does at once, on the thread that polls, what others do on a pool.
#[derive(Debug)]
struct AtOnce;

impl Runtime for AtOnce {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        ThreadPool::global().spawn(task);
    }
    fn spawn_blocking(&self, job: Job) {
        job();
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        ThreadPool::global().sleep(duration)
    }
    fn block_on(&self, task: Pin<&mut (dyn Future<Output = ()> + '_)>) {
        block_on(task);
    }
    fn drives_io(&self) -> bool {
        false
    }
    fn in_async_context(&self) -> bool {
        false
    }
}

/// Polls a call of a cache `AtOnce`: what it waits for after that is the one who computes.
fn wait_for_the_leader<R>(call: &mut (impl Future<Output = R> + Unpin)) {
    assert!(pin!(call).poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// A thread that computes, and what tells it its result.
type Leader<E> = (JoinHandle<Result<u32, E>>, Sender<Result<u32, E>>);

/// A thread that computes a key and is held until it is told its result.
fn held_leader<E: Send + 'static>(cache: &Cache) -> Leader<E> {
    let (started, is_started) = channel();
    let (go, wait) = channel();
    let cache = cache.clone();
    let leader = thread::spawn(move || {
        let compute = || {
            started.send(()).unwrap();
            wait.recv_timeout(LONG).unwrap()
        };
        cache.try_get_or_put("key", compute).unwrap()
    });
    is_started.recv_timeout(LONG).unwrap();
    (leader, go)
}

#[test]
fn a_value_is_computed_once_and_read_from_then_on() {
    let place = Place::new();
    let cache = place.open();
    assert_eq!(cache.get_or_put(key! { a: 1 }, || 7_u64).unwrap(), 7);
    assert_eq!(cache.get_or_put(key! { a: 1 }, || -> u64 { panic!("computed twice") }).unwrap(), 7);
    assert_eq!(place.open().get(key! { a: 1 }).unwrap(), Some(7_u64));
    let awaited = future::Cache::from(cache);
    assert_eq!(block_on(awaited.get_or_put(key! { b: 1 }, async || 8_u64)).unwrap(), 8);
    assert_eq!(block_on(awaited.get_or_put(key! { b: 1 }, async || 9_u64)).unwrap(), 8);
    let stats = block_on(awaited.stats()).unwrap();
    assert_eq!((stats.hits, stats.misses(), stats.puts), (2, 2, 2), "each call counts once");
}

#[test]
fn a_thousand_tasks_and_sixty_four_threads_compute_a_cold_key_once() {
    const TASKS: usize = 1000;
    const THREADS: usize = 64;
    for size in [100, 50_000] {
        let value = move || Once("once upon a time ".repeat(size / 10));
        let place = Place::new();
        let blocking = place.open();
        let awaited = future::Cache::from(blocking.clone());
        let (arrived, computed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (cache, arrived, computed) = (blocking.clone(), arrived.clone(), computed.clone());
                thread::spawn(move || {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    cache.get_or_put("cold", || {
                        computed.fetch_add(1, Ordering::SeqCst);
                        while arrived.load(Ordering::SeqCst) < TASKS + THREADS {
                            thread::yield_now();
                        }
                        value()
                    })
                })
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (cache, arrived, computed) = (awaited.clone(), arrived.clone(), computed.clone());
                runtime.spawn(async move {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    let compute = async || {
                        computed.fetch_add(1, Ordering::SeqCst);
                        while arrived.load(Ordering::SeqCst) < TASKS + THREADS {
                            tokio::task::yield_now().await;
                        }
                        value()
                    };
                    cache.get_or_put("cold", compute).await
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap().unwrap(), value());
        }
        for task in tasks {
            assert_eq!(runtime.block_on(task).unwrap().unwrap(), value());
        }
        assert_eq!(computed.load(Ordering::SeqCst), 1);
        assert_eq!(blocking.stats().unwrap().puts, 1);
    }
}

#[test]
fn when_the_one_who_computes_panics_another_computes() {
    let place = Place::new();
    let cache = place.open();
    let (started, is_started) = channel();
    let (go, wait) = channel();
    let leader = thread::spawn({
        let cache = cache.clone();
        move || {
            cache.get_or_put("key", || -> u32 {
                started.send(()).unwrap();
                wait.recv().unwrap();
                panic!("expected by this test")
            })
        }
    });
    is_started.recv_timeout(LONG).unwrap();
    let all_in = Arc::new(Barrier::new(9));
    let followers: Vec<_> = (1..=8)
        .map(|number| {
            let (cache, all_in) = (cache.clone(), all_in.clone());
            thread::spawn(move || {
                all_in.wait();
                within(move || cache.get_or_put("key", || number))
            })
        })
        .collect();
    all_in.wait();
    go.send(()).unwrap();
    assert!(leader.join().is_err(), "the panic is its own caller's");
    let answers: HashSet<u32> = followers.into_iter().map(|follower| follower.join().unwrap().unwrap()).collect();
    assert_eq!(answers.len(), 1, "one of them computed for all: {answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_one_who_computes_is_cancelled_or_panics_another_computes() {
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    for panics in [false, true] {
        let key = ("key", panics);
        let (started, is_started) = tokio::sync::oneshot::channel();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let leader = tokio::spawn(cache.get_or_put(key, move || async move {
            started.send(()).unwrap();
            let _ = wait.await;
            assert!(!panics, "expected by this test");
            pending::<u32>().await
        }));
        is_started.await.unwrap();
        let followers: Vec<_> =
            (1..=8_u32).map(|each| tokio::spawn(cache.get_or_put(key, async move || each))).collect();
        tokio::task::yield_now().await;
        match panics {
            false => leader.abort(),
            true => go.send(()).unwrap(),
        }
        assert_eq!(leader.await.unwrap_err().is_panic(), panics);
        let mut answers = HashSet::new();
        for follower in followers {
            answers.insert(tokio::time::timeout(LONG, follower).await.unwrap().unwrap().unwrap());
        }
        assert_eq!(answers.len(), 1, "one of them computed for all: {answers:?}");
    }
}

#[test]
fn what_is_invalidated_while_it_is_computed_is_returned_and_not_stored() {
    let place = Place::new();
    let cache = place.open();
    let ways: [(&str, &dyn Fn()); 3] = [
        ("invalidate", &|| assert!(!cache.invalidate("key").unwrap())),
        ("invalidate_many", &|| assert_eq!(cache.invalidate_many(["other", "key"]).unwrap(), 0)),
        ("clear", &|| assert_eq!(cache.clear().unwrap(), 0)),
    ];
    for (way, invalidate) in ways {
        let load = || {
            invalidate();
            1_u32
        };
        assert_eq!(cache.get_or_put("key", load).unwrap(), 1, "{way}");
        assert!(!cache.exists("key").unwrap(), "{way}");
    }
    let awaited = future::Cache::from(cache.clone());
    let load = async || {
        assert!(!awaited.invalidate("key").await.unwrap());
        1_u32
    };
    assert_eq!(block_on(awaited.get_or_put("key", load)).unwrap(), 1);
    assert!(!cache.exists("key").unwrap());
}

#[test]
fn who_asks_after_an_invalidation_neither_waits_nor_gets_the_old_value() {
    let place = Place::new();
    let cache = place.open();
    let answer = cache.get_or_put("key", || {
        cache.invalidate("key").unwrap();
        let cache = cache.clone();
        assert_eq!(within(move || cache.get_or_put("key", || 2_u32)).unwrap(), 2);
        1_u32
    });
    assert_eq!(answer.unwrap(), 1);
    assert_eq!(cache.get("key").unwrap(), Some(2_u32));
}

#[test]
fn who_waited_for_what_was_invalidated_starts_afresh() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).runtime(Arc::new(AtOnce)).open().unwrap();
    let awaited = future::Cache::from(cache.clone());
    let (leader, go) = held_leader::<()>(&cache);
    let mut calls: Vec<_> = (2..10_u32).map(|number| awaited.get_or_put("key", async move || number)).collect();
    calls.iter_mut().for_each(wait_for_the_leader);
    cache.invalidate("key").unwrap();
    for call in calls {
        assert_eq!(within(move || block_on(call)).unwrap(), 2, "the first of them computed, beside the old leader");
    }
    go.send(Ok(1)).unwrap();
    assert_eq!(leader.join().unwrap(), Ok(1));
    assert_eq!(cache.get("key").unwrap(), Some(2_u32));
}

#[test]
fn an_invalidation_waits_for_a_value_that_is_being_stored_and_removes_it() {
    let place = Place::new();
    let cache = place.open();
    for clears in [false, true] {
        let (value, is_storing, go) = Gated::new(1);
        let leader = thread::spawn({
            let cache = cache.clone();
            move || cache.get_or_put("key", move || value)
        });
        is_storing.recv_timeout(LONG).unwrap();
        let (done, is_done) = channel();
        thread::spawn({
            let cache = cache.clone();
            move || {
                let removed = if clears { cache.clear() } else { cache.invalidate("key").map(u64::from) };
                done.send(removed).unwrap();
            }
        });
        // A moment, in which it would be done if it did not wait.
        assert_eq!(is_done.recv_timeout(Duration::from_millis(200)).unwrap_err(), RecvTimeoutError::Timeout);
        go.send(()).unwrap();
        assert_eq!(is_done.recv_timeout(LONG).unwrap().unwrap(), 1);
        assert_eq!(leader.join().unwrap().unwrap().0, 1);
        assert!(!cache.exists("key").unwrap());
    }
}

#[test]
fn on_a_pool_of_one_thread_invalidating_and_computing_go_on() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).runtime(Arc::new(ThreadPool::new(1))).open().unwrap();
    let cache = future::Cache::from(cache);
    within(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        for round in 0..50 {
            let compute = async move || {
                tokio::task::yield_now().await;
                round
            };
            let loads: Vec<_> = (0..4).map(|_| runtime.spawn(cache.get_or_put("key", compute))).collect();
            let invalidations: Vec<_> = (0..4).map(|_| runtime.spawn(cache.invalidate("key"))).collect();
            for load in loads {
                assert!(runtime.block_on(load).unwrap().unwrap() <= round);
            }
            for invalidation in invalidations {
                runtime.block_on(invalidation).unwrap().unwrap();
            }
        }
    });
}

#[test]
fn what_is_put_while_it_is_computed_stays() {
    let place = Place::new();
    let cache = place.open();
    // With leases its call would wait for the one who waits for it.
    let elsewhere = Cache::builder().dir(place.path()).clock(place.clock.clone()).no_lease().open().unwrap();
    let ways: [(&str, &dyn Fn()); 6] = [
        ("put", &|| assert!(cache.put("key", &5_u32).is_ok())),
        ("put_many", &|| drop(cache.put_many(&[("key", 5_u32)]).unwrap())),
        ("put_if_absent", &|| assert!(cache.put_if_absent("key", &5_u32).unwrap())),
        ("get_or_put", &|| {
            let elsewhere = elsewhere.clone();
            assert_eq!(within(move || elsewhere.get_or_put("key", || 5_u32)).unwrap(), 5);
        }),
        ("rename", &|| {
            cache.put("other", &5_u32).unwrap();
            assert!(cache.rename("other", "key").unwrap());
        }),
        ("through another handle", &|| assert!(elsewhere.put("key", &5_u32).is_ok())),
    ];
    let expired = || {
        let options = PutOptions::new().ttl(Duration::from_secs(1));
        cache.put_with("key", &3_u32, options).unwrap();
        place.clock.advance(Duration::from_secs(1));
    };
    let other_type = || assert!(cache.put("key", "text").is_ok());
    let befores: [(&str, &dyn Fn()); 3] = [("absent", &|| {}), ("expired", &expired), ("other type", &other_type)];
    for (before, prepare) in befores {
        for (way, put) in ways {
            let loses = before == "other type" && matches!(way, "put_if_absent" | "rename");
            if loses {
                continue;
            }
            cache.clear().unwrap();
            prepare();
            let load = || {
                put();
                1_u32
            };
            assert_eq!(cache.get_or_put("key", load).unwrap(), 1, "{way} over {before}");
            assert_eq!(cache.get("key").unwrap(), Some(5_u32), "{way} over {before}");
        }
    }
}

#[test]
fn who_waited_while_somebody_put_gets_what_was_put() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).runtime(Arc::new(AtOnce)).open().unwrap();
    let awaited = future::Cache::from(cache.clone());
    let (leader, go) = held_leader::<()>(&cache);
    let mut calls: Vec<_> = (2..10_u32).map(|number| awaited.get_or_put("key", async move || number)).collect();
    calls.iter_mut().for_each(wait_for_the_leader);
    cache.put("key", &5_u32).unwrap();
    for call in calls {
        assert_eq!(within(move || block_on(call)).unwrap(), 5);
    }
    go.send(Ok(1)).unwrap();
    assert_eq!(leader.join().unwrap(), Ok(1));
}

#[test]
fn what_was_put_while_it_is_computed_wins_even_when_it_is_gone_already() {
    let place = Place::new();
    let cache = place.open();
    let load = || {
        cache.put_with("key", &5_u32, PutOptions::new().ttl(Duration::from_secs(1))).unwrap();
        place.clock.advance(Duration::from_secs(1));
        1_u32
    };
    assert_eq!(cache.get_or_put("key", load).unwrap(), 1);
    assert_eq!(cache.get::<u32>("key").unwrap(), None);
}

#[test]
fn an_expired_entry_and_one_of_another_type_are_replaced() {
    let place = Place::new();
    let ttl = Duration::from_secs(10);
    let cache = Cache::builder().dir(place.path()).clock(place.clock.clone()).default_ttl(ttl).open().unwrap();
    assert_eq!(cache.get_or_put("key", || 1_u32).unwrap(), 1);
    place.clock.advance(ttl);
    assert_eq!(cache.get_or_put("key", || 2_u32).unwrap(), 2);
    assert_eq!(cache.ttl("key").unwrap().unwrap().left(), Some(ttl));
    assert_eq!(cache.get_or_put("key", || String::from("text")).unwrap(), "text");
    assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("text"));
    let stats = cache.stats().unwrap();
    assert_eq!(stats.misses_because(MissReason::Expired), 1);
    assert_eq!(stats.misses(), 3);
}

#[test]
fn an_error_goes_to_its_caller_and_the_next_computes() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).runtime(Arc::new(AtOnce)).open().unwrap();
    let awaited = future::Cache::from(cache.clone());
    let (leader, go) = held_leader(&cache);
    let mut failing = awaited.try_get_or_put("key", async || Err::<u32, _>("none either"));
    let mut lucky = awaited.try_get_or_put("key", async || Ok::<u32, &str>(2));
    let mut late = awaited.try_get_or_put("key", async || Ok::<u32, &str>(3));
    [&mut failing, &mut lucky, &mut late].into_iter().for_each(wait_for_the_leader);
    go.send(Err("no luck")).unwrap();
    assert_eq!(leader.join().unwrap(), Err("no luck"));
    assert_eq!(within(move || block_on(failing)).unwrap(), Err("none either"));
    assert_eq!(within(move || block_on(lucky)).unwrap(), Ok(2));
    assert_eq!(within(move || block_on(late)).unwrap(), Ok(2));
}

/// A value that cannot be encoded.
#[derive(Debug, PartialEq, Deserialize)]
struct Stubborn(u32);

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("says this test"))
    }
}

#[test]
fn a_value_that_cannot_be_stored_is_returned() {
    let place = Place::new();
    place.open().put("there", &1_u32).unwrap();
    let small = Cache::builder().dir(place.path()).max_value_size(1000).open().unwrap();
    assert_eq!(small.get_or_put("large", || noise(2000)).unwrap(), noise(2000));
    assert_eq!(small.get_or_put("stubborn", || Stubborn(1)).unwrap(), Stubborn(1));
    assert_eq!(small.try_get_or_put("stubborn", || Ok::<_, ()>(Stubborn(1))).unwrap(), Ok(Stubborn(1)));
    assert_eq!(small.stats().unwrap().entries, 1);
    let awaited = future::Cache::from(small);
    assert_eq!(block_on(awaited.get_or_put("large", async || noise(2000))).unwrap(), noise(2000));
    assert_eq!(block_on(awaited.get_or_put("stubborn", async || Stubborn(1))).unwrap(), Stubborn(1));

    let read_only = Cache::builder().dir(place.path()).read_only(true).open().unwrap();
    assert_eq!(read_only.get_or_put("there", || 2_u32).unwrap(), 1);
    assert_eq!(read_only.get_or_put("new", || 2_u32).unwrap(), 2);
    assert!(!read_only.exists("new").unwrap());
}

#[test]
fn all_who_waited_for_a_value_that_cannot_be_stored_compute_at_once() {
    let place = Place::new();
    place.open();
    let cache = Cache::builder().dir(place.path()).read_only(true).runtime(Arc::new(AtOnce)).open().unwrap();
    let awaited = future::Cache::from(cache.clone());
    let (leader, go) = held_leader::<()>(&cache);
    let all_compute = Arc::new(tokio::sync::Barrier::new(8));
    let mut calls = Vec::new();
    for number in 1..=8_u32 {
        let all_compute = all_compute.clone();
        calls.push(awaited.get_or_put("key", move || async move {
            all_compute.wait().await;
            number
        }));
    }
    calls.iter_mut().for_each(wait_for_the_leader);
    go.send(Ok(0)).unwrap();
    assert_eq!(leader.join().unwrap(), Ok(0));
    within(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let calls: Vec<_> = calls.into_iter().map(|call| runtime.spawn(call)).collect();
        for (call, number) in calls.into_iter().zip(1..) {
            assert_eq!(runtime.block_on(call).unwrap().unwrap(), number, "each has his own");
        }
    });
}

#[test]
fn who_is_dropped_with_the_lead_in_hand_passes_it_on() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).runtime(Arc::new(AtOnce)).open().unwrap();
    let awaited = future::Cache::from(cache.clone());
    let (leader, go) = held_leader(&cache);
    let mut calls: Vec<_> = (1..=3_u32).map(|number| awaited.get_or_put("key", async move || number)).collect();
    calls.iter_mut().for_each(wait_for_the_leader);
    go.send(Err("no luck")).unwrap();
    assert_eq!(leader.join().unwrap(), Err("no luck"));
    drop(calls.remove(0));
    for call in calls {
        assert_eq!(within(move || block_on(call)).unwrap(), 2);
    }
}

#[test]
fn other_keys_do_not_wait() {
    let place = Place::new();
    let cache = place.open();
    let answer = cache.get_or_put("slow", || {
        let cache = cache.clone();
        within(move || cache.get_or_put("fast", || 1_u32)).unwrap() + 1
    });
    assert_eq!(answer.unwrap(), 2);
}

#[test]
fn a_hit_waits_for_nobody() {
    let place = Place::new();
    let cache = place.open();
    let elsewhere = place.open();
    let answer = cache.get_or_put("key", || {
        elsewhere.put("key", &7_u32).unwrap();
        let cache = cache.clone();
        within(move || cache.get_or_put("key", || -> u32 { panic!("it is there") })).unwrap() + 1
    });
    assert_eq!(answer.unwrap(), 8);
}

#[test]
fn a_computation_may_ask_for_other_keys_and_not_for_its_own() {
    let place = Place::new();
    let cache = place.open();
    let (answer, error) = within({
        let cache = cache.clone();
        move || {
            let refused = Cell::new(None);
            let answer = cache.get_or_put("outer", || {
                let inner = cache.get_or_put("inner", || {
                    refused.set(cache.get_or_put("outer", || 1_u32).err());
                    2_u32
                });
                inner.unwrap() + 1
            });
            (answer, refused.take().unwrap())
        }
    });
    assert_eq!(answer.unwrap(), 3);
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().starts_with("get_or_put \""), "{error}");
    assert_eq!((cache.get("outer").unwrap(), cache.get("inner").unwrap()), (Some(3_u32), Some(2_u32)));
}

#[test]
fn a_future_that_awaits_its_own_key_is_refused() {
    let place = Place::new();
    let awaited = future::Cache::from(place.open());
    let kinds = within(move || {
        let compute = async || {
            let inner = awaited.get_or_put("key", async || 1_u32).await.unwrap_err().kind();
            let blocking = Cache::from(awaited.clone());
            (
                inner == ErrorKind::Conflict,
                blocking.get_or_put("key", || 1_u32).unwrap_err().kind() == ErrorKind::Conflict,
            )
        };
        block_on(awaited.get_or_put("key", compute))
    });
    assert_eq!(kinds.unwrap(), (true, true));
}

#[test]
fn a_call_that_is_dropped_while_its_value_is_being_stored_stores_it() {
    let place = Place::new();
    let cache = place.open();
    let awaited = future::Cache::from(cache.clone());
    let (value, is_storing, go) = Gated::new(4);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let call = tokio::spawn(awaited.get_or_put("key", async move || value));
        while is_storing.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    });
    go.send(()).unwrap();
    let answer = within(move || cache.get_or_put("key", || Gated(5, None)));
    assert_eq!(answer.unwrap().0, 4, "who asks meanwhile waits for it");
}

#[test]
fn a_call_that_is_never_polled_computes_nothing_and_borrows_what_it_likes() {
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    let count = AtomicUsize::new(0);
    let compute = async || count.fetch_add(1, Ordering::SeqCst);
    let key = String::from("key");
    drop(cache.get_or_put(key.as_str(), compute));
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let call = cache.get_or_put(key.as_str(), compute);
    drop(key);
    assert_eq!(block_on(call).unwrap(), 0);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn errors_name_the_call_and_nothing_is_computed() {
    let place = Place::new();
    let cache = place.open();
    let error = cache.get_or_put(key! { a: 1, "a": 2 }, || -> u32 { panic!("no key") }).unwrap_err();
    assert!(error.to_string().starts_with("get_or_put: "), "{error}");
    cache.close().unwrap();
    let error = cache.try_get_or_put(1, || -> Result<u32, ()> { panic!("closed") }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().starts_with("try_get_or_put"), "{error}");
    let awaited = future::Cache::from(cache);
    let error = block_on(awaited.get_or_put(1, async || -> u32 { panic!("closed") })).unwrap_err();
    assert!(error.to_string().starts_with("get_or_put"), "{error}");
}
