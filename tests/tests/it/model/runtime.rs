//! Runtimes on which a history has one course, what goes on in the background included: one that does everything at once,
//! and one that waits for servers and can be asked whether anything is still under way. What waits on either for time to
//! pass, to renew a lease, never goes on.

use cacheness::TokioRuntime;
use cacheness::core::runtime::{BoxFuture, Job, Runtime, block_on};
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct InPlace;

impl Runtime for InPlace {
    fn spawn(&self, mut task: BoxFuture<'static, ()>) {
        _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    fn spawn_blocking(&self, job: Job) {
        job();
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(pending())
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

/// Tokio, and how much is under way on it that does not wait for time to pass.
pub(super) struct Awaited {
    tokio: Arc<TokioRuntime>,
    busy: Arc<Busy>,
}

#[derive(Default)]
struct Busy {
    tasks: Mutex<i64>,
    changed: Condvar,
}

impl Busy {
    fn add(&self, tasks: i64) {
        *self.tasks.lock().unwrap() += tasks;
        self.changed.notify_all();
    }
}

impl Awaited {
    pub(super) fn new() -> cacheness::Result<Self> {
        Ok(Self { tokio: TokioRuntime::global()?, busy: Arc::default() })
    }

    /// Waits until nothing is under way.
    pub(super) fn settle(&self) {
        let (tasks, limit) = (self.busy.tasks.lock().unwrap(), Duration::from_secs(60));
        let (tasks, _) = self.busy.changed.wait_timeout_while(tasks, limit, |tasks| *tasks > 0).unwrap();
        assert_eq!(*tasks, 0, "what goes on in the background ends");
    }
}

impl fmt::Debug for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Awaited")
    }
}

/// Counts a task out, also when it is dropped.
struct Ends(Arc<Busy>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

impl Runtime for Awaited {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.busy.add(1);
        let ends = Ends(self.busy.clone());
        self.tokio.spawn(Box::pin(async move {
            task.await;
            drop(ends);
        }));
    }

    fn spawn_blocking(&self, job: Job) {
        self.tokio.spawn_blocking(job);
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        let (busy, mut is_counted) = (self.busy.clone(), false);
        Box::pin(poll_fn(move |_| {
            if !std::mem::replace(&mut is_counted, true) {
                busy.add(-1);
            }
            Poll::Pending
        }))
    }

    fn block_on(&self, task: Pin<&mut (dyn Future<Output = ()> + '_)>) {
        self.tokio.block_on(task);
    }

    fn drives_io(&self) -> bool {
        true
    }

    fn in_async_context(&self) -> bool {
        self.tokio.in_async_context()
    }
}
