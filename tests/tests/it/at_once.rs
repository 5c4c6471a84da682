//! Hits in memory are answered on the thread that asks: nothing is handed to another one, and nothing waits.

use crate::support::{Place, noise};
use cacheness::core::runtime::{BoxFuture, Job, block_on};
use cacheness::core::{Runtime, ThreadPool};
use cacheness::{
    CacheBuilder, ErrorKind, GetOptions, Key, MemoryConfig, MemoryPolicy, MissReason, Op, PutOptions, future,
    sync::Cache,
};
use cacheness_tests::pairs::Pair;
use serde::{Deserialize, Deserializer, Serialize};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A pool that counts what it is given to do.
#[derive(Debug)]
struct Counting {
    pool: ThreadPool,
    tasks: AtomicU64,
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self { pool: ThreadPool::new(4), tasks: AtomicU64::new(0) })
    }

    fn tasks(&self) -> u64 {
        self.tasks.load(Ordering::SeqCst)
    }
}

impl Runtime for Counting {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.tasks.fetch_add(1, Ordering::SeqCst);
        self.pool.spawn(task);
    }

    fn spawn_blocking(&self, job: Job) {
        self.tasks.fetch_add(1, Ordering::SeqCst);
        self.pool.spawn_blocking(job);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.pool.sleep(duration)
    }

    fn block_on(&self, task: Pin<&mut (dyn Future<Output = ()> + '_)>) {
        self.pool.block_on(task);
    }

    fn drives_io(&self) -> bool {
        false
    }

    fn in_async_context(&self) -> bool {
        false
    }
}

fn builder(place: &Place, pair: Pair) -> CacheBuilder<Cache> {
    pair.builder_by(&place.path(), &place.clock)
}

/// A cache and the runtime that its async handle hops to.
fn open(place: &Place, pair: Pair) -> (future::Cache, Arc<Counting>) {
    let runtime = Counting::new();
    (builder(place, pair).runtime(runtime.clone()).open().unwrap().into(), runtime)
}

/// What an operation comes to at its first poll.
fn first_poll<R: Send + 'static>(mut op: Op<R>) -> Poll<cacheness::Result<R>> {
    Pin::new(&mut op).poll(&mut Context::from_waker(Waker::noop()))
}

/// What an operation came to at its first poll.
fn at_once<R: Send + 'static>(op: Op<R>) -> R {
    match first_poll(op) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn an_async_memory_hit_makes_no_hop() {
    for pair in [Pair::Memory, Pair::Sqlite] {
        let place = Place::new();
        let (cache, runtime) = open(&place, pair);
        block_on(async {
            cache.put("shared", &noise(50_000)).await.unwrap();
            let tagged = PutOptions::new().tags(["tag"]).ttl(SECOND * 100).idle_ttl(SECOND * 50);
            cache.put_with("small", &noise(10_000), tagged).await.unwrap();
            cache.get_shared::<Vec<u8>>("shared").await.unwrap().unwrap();
            cache.get::<Vec<u8>>("small").await.unwrap().unwrap();
        });
        let before = runtime.tasks();
        let hits = block_on(cache.stats()).unwrap().hits;
        let stats = runtime.tasks() - before;
        for _ in 0..100 {
            assert!(*at_once(cache.get_shared::<Vec<u8>>("shared")).unwrap() == noise(50_000));
            assert!(at_once(cache.get::<Vec<u8>>("small")).unwrap() == noise(10_000));
            let recent = GetOptions::new().max_age(SECOND);
            assert!(at_once(cache.get_with::<Vec<u8>>("small", recent)).is_some());
            assert!(at_once(cache.get_typed::<Vec<u8>>("small")).is_some());
            let computed = cache.get_or_put("small", async || -> Vec<u8> { panic!("it is there") });
            let mut computed = std::pin::pin!(computed);
            let Poll::Ready(Ok(value)) = computed.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
                panic!("it waits");
            };
            assert!(value == noise(10_000));
        }
        assert_eq!(runtime.tasks(), before + stats, "{pair:?}");
        let after = block_on(cache.stats()).unwrap();
        assert_eq!((after.hits - hits, after.misses()), (500, 0), "{pair:?}");
        assert_eq!(after.memory.unwrap().hits, 500, "{pair:?}");
        block_on(cache.flush()).unwrap();
        assert_eq!(block_on(cache.metadata("small")).unwrap().unwrap().hits(), 401, "{pair:?}");
        assert_eq!(block_on(cache.metadata("shared")).unwrap().unwrap().hits(), 101, "{pair:?}");
    }
}

#[test]
fn what_takes_long_to_decode_is_decoded_elsewhere() {
    let place = Place::new();
    let (cache, runtime) = open(&place, Pair::Sqlite);
    block_on(async {
        cache.put("large", &noise(17_000)).await.unwrap();
        cache.get::<Vec<u8>>("large").await.unwrap().unwrap();
    });
    let before = runtime.tasks();
    // By the end of the poll it may be decoded already, but not here.
    drop(first_poll(cache.get::<Vec<u8>>("large")));
    assert_eq!(runtime.tasks(), before + 1);
}

#[test]
fn nothing_is_served_at_once_that_is_not_good_any_more() {
    for pair in Pair::LOCAL {
        let place = Place::new();
        let (cache, _) = open(&place, pair);
        let blocking = Cache::from(cache.clone());
        let options = || PutOptions::new().tags(["tag"]).ttl(SECOND * 100);
        let again = || {
            blocking.put_with("key", "value", options()).unwrap();
            assert_eq!(blocking.get::<String>("key").unwrap().as_deref(), Some("value"));
            blocking.get_shared::<String>("key").unwrap().unwrap();
        };
        let is_gone = |why: &str| {
            assert!(block_on(cache.get::<String>("key")).unwrap().is_none(), "{pair:?} {why}");
            assert!(block_on(cache.get_shared::<String>("key")).unwrap().is_none(), "{pair:?} {why}");
        };
        again();
        blocking.invalidate_tag("tag").unwrap();
        is_gone("invalidated by its tag");
        again();
        place.clock.advance(SECOND * 100);
        is_gone("expired");
        again();
        place.clock.advance(SECOND * 10);
        let recent = GetOptions::new().max_age(SECOND * 10);
        assert!(block_on(cache.get_with::<String>("key", recent)).unwrap().is_none(), "{pair:?}: too old");
        blocking.invalidate("key").unwrap();
        is_gone("invalidated");
        again();
        let misses = blocking.stats().unwrap().misses_because(MissReason::OtherType);
        assert!(block_on(cache.get::<u64>("key")).unwrap().is_none());
        assert_eq!(blocking.stats().unwrap().misses_because(MissReason::OtherType), misses + 1, "counted once");
        blocking.close().unwrap();
        assert_eq!(block_on(cache.get::<String>("key")).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(block_on(cache.get_shared::<String>("key")).unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[test]
fn what_another_opening_puts_is_seen_at_once() {
    let place = Place::new();
    let (cache, other) = (open(&place, Pair::Sqlite).0, builder(&place, Pair::Sqlite).open().unwrap());
    for number in 0..100_u64 {
        other.put("key", &number).unwrap();
        assert_eq!(block_on(cache.get_shared::<u64>("key")).unwrap().as_deref(), Some(&number));
        assert_eq!(at_once(cache.get_shared::<u64>("key")).as_deref(), Some(&number));
    }
}

#[derive(Debug, Serialize)]
struct Trap;

static IS_ARMED: AtomicBool = AtomicBool::new(false);

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).ok();
        if IS_ARMED.load(Ordering::SeqCst) {
            panic!("expected by this test");
        }
        Ok(Self)
    }
}

#[test]
fn a_panic_while_a_hit_is_decoded_at_once_is_an_error_too() {
    let place = Place::new();
    let (cache, _) = open(&place, Pair::Memory);
    block_on(cache.put("trap", &Trap)).unwrap();
    block_on(cache.get::<Trap>("trap")).unwrap().unwrap();
    IS_ARMED.store(true, Ordering::SeqCst);
    assert_eq!(block_on(cache.get::<Trap>("trap")).unwrap_err().kind(), ErrorKind::Internal);
    let computed = block_on(cache.get_or_put("trap", async || Trap));
    assert_eq!(computed.unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn uses_of_copies_that_left_memory_are_told() {
    let place = Place::new();
    let cache = builder(&place, Pair::Sqlite)
        .memory(MemoryConfig::new().limit(50_000).policy(MemoryPolicy::Lru))
        .open()
        .unwrap();
    let keys: Vec<Key> = (0..40_u64).map(|number| cache.put(number, &noise(3000)).unwrap()).collect();
    for round in 1..=10 {
        for key in &keys {
            assert!(cache.get::<Vec<u8>>(*key).unwrap().is_some());
            assert!(cache.get_shared::<Vec<u8>>(*key).unwrap().is_some());
            assert!(cache.get::<Vec<u8>>(*key).unwrap().is_some());
        }
        if round == 5 {
            cache.flush().unwrap();
        }
    }
    assert!(cache.stats().unwrap().memory.unwrap().evictions > 0, "nothing left");
    cache.flush().unwrap();
    let uses: Vec<u64> = keys.iter().map(|key| cache.metadata(*key).unwrap().unwrap().hits()).collect();
    assert_eq!(uses, vec![30; keys.len()]);
    // What is removed takes its uses with it, those in memory too.
    cache.get::<Vec<u8>>(keys[0]).unwrap().unwrap();
    cache.get::<Vec<u8>>(keys[0]).unwrap().unwrap();
    cache.invalidate(keys[0]).unwrap();
    cache.put(keys[0], &noise(10)).unwrap();
    cache.flush().unwrap();
    assert_eq!(cache.metadata(keys[0]).unwrap().unwrap().hits(), 0);
}

#[test]
fn statistics_begin_anew_for_copies_too() {
    let place = Place::new();
    let cache = builder(&place, Pair::Sqlite).open().unwrap();
    cache.put("key", "value").unwrap();
    (0..5).for_each(|_| assert!(cache.get_shared::<String>("key").unwrap().is_some()));
    let handlers = cache.stats().unwrap().handlers;
    assert_eq!(handlers.values().map(|of| (of.hits, of.puts)).collect::<Vec<_>>(), [(5, 1)]);
    cache.reset_stats();
    assert!(cache.stats().unwrap().handlers.is_empty());
    (0..3).for_each(|_| assert!(cache.get_shared::<String>("key").unwrap().is_some()));
    let stats = cache.stats().unwrap();
    assert_eq!((stats.hits, stats.puts), (3, 0));
    assert_eq!(stats.handlers.values().map(|of| (of.hits, of.puts)).collect::<Vec<_>>(), [(3, 0)]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_thousand_who_wait_for_one_computation_go_to_no_other_thread_for_it() {
    for memory in [true, false] {
        let place = Place::new();
        let runtime = Counting::new();
        let builder = builder(&place, Pair::Sqlite).runtime(runtime.clone());
        let cache = if memory { builder } else { builder.no_memory() }.open().unwrap();
        let cache = future::Cache::from(cache);
        let computations = Arc::new(AtomicU64::new(0));
        let (gate, opened) = tokio::sync::oneshot::channel::<()>();
        let mut leading = Box::pin(cache.get_or_put("key", {
            let computations = computations.clone();
            async move || {
                computations.fetch_add(1, Ordering::SeqCst);
                opened.await.unwrap();
                noise(1000)
            }
        }));
        // Led to the gate.
        while computations.load(Ordering::SeqCst) == 0 {
            tokio::select! {
                biased;
                _ = &mut leading => panic!("the gate is shut"),
                () = tokio::task::yield_now() => {}
            }
        }
        let before = runtime.tasks();
        let waiting: Vec<_> = (0..1000)
            .map(|_| {
                let (cache, computations) = (cache.clone(), computations.clone());
                tokio::spawn(async move {
                    let compute = async || {
                        computations.fetch_add(1, Ordering::SeqCst);
                        noise(1000)
                    };
                    cache.get_or_put("key", compute).await.unwrap()
                })
            })
            .collect();
        // Each looks into the store once before it waits.
        while runtime.tasks() < before + 1000 {
            tokio::task::yield_now().await;
        }
        // They wait when nothing happens any more: the pool is idle, and each of them was polled since.
        while cache_is_looked_at(&runtime).await {}
        let before = runtime.tasks();
        gate.send(()).unwrap();
        assert!(leading.await.unwrap() == noise(1000));
        for value in waiting {
            assert!(value.await.unwrap() == noise(1000));
        }
        assert_eq!(computations.load(Ordering::SeqCst), 1);
        let hops = runtime.tasks() - before;
        assert!(hops < 10, "{hops} hops, with memory: {memory}");
    }
}

/// Whether the pool still had something to do, or the executor.
async fn cache_is_looked_at(runtime: &Counting) -> bool {
    let before = runtime.tasks();
    let idle: Vec<_> = (0..4)
        .map(|_| {
            let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
            runtime.pool.spawn_blocking(Box::new(move || _ = sender.send(())));
            receiver
        })
        .collect();
    for each in idle {
        each.await.unwrap();
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    runtime.tasks() > before
}
