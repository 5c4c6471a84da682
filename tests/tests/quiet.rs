//! What can only be seen while nothing else runs: a test of its own binary has the machine to itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

use cacheness::future;
use cacheness_tests::noise;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How late a tick of a 1 ms ticker may come while a put runs that takes many times as long.
const LATE: Duration = Duration::from_millis(20);

/// A put that blocked the executor would be late in every attempt; a busy machine is so in some.
const ATTEMPTS: usize = 5;

#[tokio::test(flavor = "current_thread")]
async fn a_large_shared_put_delays_no_tick() {
    let value = Arc::new(noise(200 << 20));
    let mut worst = Vec::new();
    for _ in 0..ATTEMPTS {
        worst.push(worst_tick(value.clone()).await);
        if worst.last().is_some_and(|worst| *worst <= LATE) {
            return;
        }
    }
    panic!("ticks came late: {worst:?}");
}

/// How late the latest tick came while the value was put.
async fn worst_tick(value: Arc<Vec<u8>>) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let cache = future::Cache::open(dir.path().join("cache")).await.unwrap();
    let mut put = cache.put_shared("large", value);
    let start = Instant::now();
    let (mut ticks, mut worst) = (0, Duration::ZERO);
    loop {
        let asked = Instant::now();
        tokio::select! {
            biased;
            done = &mut put => {
                done.unwrap();
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(1)) => {
                ticks += 1;
                worst = worst.max(asked.elapsed());
            }
        }
    }
    assert!(ticks > 10, "the put took {:?}, too short to see anything", start.elapsed());
    assert_eq!(cache.metadata("large").await.unwrap().unwrap().raw_size(), 200 << 20);
    worst.saturating_sub(Duration::from_millis(1))
}
