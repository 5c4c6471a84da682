//! Many callers of one key that nobody computed yet.

use super::Workload;
use crate::Result;
use crate::fixtures::Fixtures;
use crate::report::{Limit, Report};
use cacheness::core::runtime::block_on;
use cacheness::future::Cache;
use futures::channel::oneshot;
use futures::stream::{FuturesUnordered, StreamExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(super) const ALL: &[Workload] = &[Workload {
    name: "stampede",
    what: "1,000 concurrent async callers of a cold key, in one task; a computation that waits until all have asked",
    bars: &[],
    run,
}];

const CALLERS: u64 = 1000;
const TIMES: u64 = 30;

fn run(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let cache = block_on(Cache::open(fixtures.path(workload.name)))?;
    let mut most = 0_u64;
    let mut served = Vec::new();
    for time in 0..TIMES {
        let (computations, last) = block_on(stampede(&cache, time))?;
        most = most.max(computations);
        served.push(last.as_secs_f64() * 1e3);
    }
    served.sort_by(f64::total_cmp);
    let median = served.get(served.len() / 2).copied().unwrap_or(f64::NAN);
    report.figure(workload, "computations", most as f64, "at most", Some(Limit::AtMost(1.0)));
    report.figure(workload, "from the value to the last caller, median", median, "ms", Some(Limit::AtMost(2.0)));
    report.figure(
        workload,
        "from the value to the last caller, at worst",
        served.last().copied().unwrap_or(f64::NAN),
        "ms",
        None,
    );
    Ok(())
}

/// How often the value was computed, and how long after that the last caller had it.
async fn stampede(cache: &Cache, time: u64) -> Result<(u64, Duration)> {
    let computations = Arc::new(AtomicU64::new(0));
    let computed = Arc::new(Mutex::new(None));
    let (open, gate) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gate)));
    let caller = |_| {
        let (computations, computed, gate) = (computations.clone(), computed.clone(), gate.clone());
        cache.get_or_put(("cold", time), async move || {
            computations.fetch_add(1, Ordering::Relaxed);
            let gate = gate.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(gate) = gate {
                let _ = gate.await;
            }
            *computed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            vec![0.5_f64; 128]
        })
    };
    let mut callers: FuturesUnordered<_> = (0..CALLERS).map(caller).collect();
    // By then every caller has been polled and waits.
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        open.send(())
    });
    let mut served = 0;
    while let Some(value) = callers.next().await {
        served += u64::from(value?.len() == 128);
    }
    let end = Instant::now();
    opener.join().map_err(|_| "the gate broke")?.map_err(|()| "nobody computed")?;
    if served != CALLERS {
        return Err(format!("{served} of {CALLERS} callers were served").into());
    }
    let computed = computed.lock().unwrap_or_else(PoisonError::into_inner).ok_or("nothing was computed")?;
    Ok((computations.load(Ordering::Relaxed), end - computed))
}
