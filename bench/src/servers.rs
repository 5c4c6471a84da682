//! The servers of remote workloads, as the environment names them, and what takes part on tokio.

use crate::race::{OURS, Race};
use crate::report::Report;
use crate::timing::Stretch;
use crate::workloads::Workload;
use crate::{Failure, Result};
use cacheness::TokioRuntime;
use cacheness::storage::OpenContext;
use std::env;
use std::hint::black_box;
use std::process;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// `postgres://user:password@host:port/database`, of a user who may make schemas.
pub(crate) const POSTGRES: &str = "CACHENESS_TEST_POSTGRES";
/// `http://ACCESS_KEY:SECRET_KEY@host:port`, where buckets may be made.
pub(crate) const S3: &str = "CACHENESS_TEST_S3";

/// The URL that a variable holds; without one the workload is reported as missing.
pub(crate) fn named(variable: &str, workload: &Workload, report: &mut Report) -> Result<Option<String>> {
    match env::var(variable) {
        Ok(url) if !url.is_empty() => Ok(Some(url)),
        _ => {
            let race = Race::new(crate::race::Pace::MICROS);
            race.absent(OURS, &format!("{variable} names no server")).run(workload, report)?;
            Ok(None)
        }
    }
}

/// A name for what a workload makes on a server that others use.
pub(crate) fn name(workload: &Workload) -> String {
    format!("bench-{}-{}", process::id(), workload.name.replace('_', "-"))
}

/// A runtime for one workload: ours and the floor share it.
pub(crate) fn tokio() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// What backends are opened with to run on it.
pub(crate) fn context(runtime: &Runtime) -> OpenContext {
    OpenContext::new().runtime(Arc::new(TokioRuntime::of(runtime.handle().clone())))
}

/// The calls of a stretch, dealt out to so many tasks, each of which makes its own one after the other.
pub(crate) fn tasks<'s, T, F>(
    runtime: &'s Runtime,
    count: u64,
    call: impl Fn(u64, u64) -> F + Clone + Send + 'static,
) -> Stretch<'s>
where
    F: Future<Output = Result<T>> + Send,
{
    Box::new(move |calls| {
        let share = (calls.end - calls.start).div_ceil(count.max(1));
        let start = Instant::now();
        runtime.block_on(async {
            let mut running = JoinSet::new();
            for task in 0..count {
                let (call, first) = (call.clone(), calls.start + task * share);
                let numbers = first..calls.end.min(first + share);
                running.spawn(async move {
                    for number in numbers {
                        black_box(call(task, number).await?);
                    }
                    Ok::<_, Failure>(())
                });
            }
            while let Some(done) = running.join_next().await {
                done??;
            }
            Ok::<_, Failure>(())
        })?;
        Ok(start.elapsed())
    })
}
