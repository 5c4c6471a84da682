//! A runtime that does everything at once, so that a history has one course: what goes on in the background, too. What
//! waits there for time to pass, to renew a lease, never goes on.

use cacheness::core::runtime::{BoxFuture, Job, Runtime, block_on};
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Waker};
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
