//! The async face beside the blocking one.

use super::memory::warm;
use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::Fixtures;
use crate::floors::hop::Hop;
use crate::numbers::spread;
use crate::race::{Pace, Race};
use crate::report::{Limit, Report};
use crate::sample::Sample;
use crate::timing::each;
use crate::value::Value;
use cacheness::core::runtime::block_on;
use cacheness::{MemoryConfig, future};
use std::pin::pin;
use std::task::{Context, Waker};

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "async_get",
        what: "a struct of 1 KiB on disk; the floor is a blocking get on another thread, there and back",
        bars: &[Bar::OfFloor(1.0)],
        run: on_disk,
    },
    Workload {
        name: "async_get_memory",
        what: "a shared struct of 1 KiB in memory, beside the blocking get of the same",
        bars: &[],
        run: in_memory,
    },
];

fn on_disk(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let cache = &fixtures.disk()?.ours;
    let asynchronous = future::Cache::from(cache.clone());
    let get = |cache: &cacheness::sync::Cache, call| {
        Ok(cache.get::<Sample>(("user", spread(call, Sample::ENTRIES)))?.ok_or("a miss")?)
    };
    let there = cache.clone();
    let hop = Hop::to(move |call| get(&there, call));
    let nothing = Hop::to(Ok);
    Race::new(Pace::MICROS)
        .ours(each(|call| {
            Ok(block_on(asynchronous.get::<Sample>(("user", spread(call, Sample::ENTRIES))))?.ok_or("a miss")?)
        }))
        .floor("blocking, by a hop", each(|call| hop.call(call)))
        .subject("blocking", each(|call| get(cache, call)))
        .subject("a hop", each(|call| nothing.call(call)))
        .run(workload, report)
}

fn in_memory(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let cache = warm(fixtures.path(workload.name), MemoryConfig::new(), 10_000)?;
    let asynchronous = future::Cache::from(cache.clone());
    let number = |call| ("user", call % 10_000);
    let mut ready = 0_u64;
    Race::new(Pace::NANOS)
        .ours(each(|call| {
            let mut get = pin!(asynchronous.get_shared::<Sample>(number(call)));
            // A get that needs a thread is not ready at its first poll.
            let poll = get.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            ready += u64::from(poll.is_ready());
            match poll {
                std::task::Poll::Ready(value) => Ok(value?.ok_or("a miss")?),
                std::task::Poll::Pending => Ok(block_on(get)?.ok_or("a miss")?),
            }
        }))
        .floor("blocking", each(|call| Ok(cache.get_shared::<Sample>(number(call))?.ok_or("a miss")?)))
        .run(workload, report)?;
    let calls = (Pace::NANOS.rounds + 1) * Pace::NANOS.calls;
    report.figure(workload, "ready without a hop", ready as f64 / calls as f64, "of 1", Some(Limit::AtLeast(1.0)));
    Ok(())
}
