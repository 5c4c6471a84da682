//! A runtime whose sleepers wake at once or never.

use cacheness::core::runtime::BoxFuture;
use cacheness_storage::{OpenContext, Runtime};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A runtime whose sleepers wake at once, or never, and which remembers for how long they wanted to sleep.
#[derive(Debug, Default)]
pub(crate) struct Naps {
    wakes: AtomicBool,
    wanted: Mutex<Vec<Duration>>,
}

impl Naps {
    /// Sleepers wake at once.
    pub(crate) fn short() -> Arc<Self> {
        Arc::new(Self { wakes: AtomicBool::new(true), ..Self::default() })
    }

    /// Sleepers never wake.
    pub(crate) fn endless() -> Arc<Self> {
        Arc::default()
    }

    /// How long sleepers wanted to sleep since this was asked last.
    pub(crate) fn wanted(&self) -> Vec<Duration> {
        std::mem::take(&mut self.wanted.lock().unwrap())
    }

    pub(crate) fn context(self: &Arc<Self>) -> OpenContext {
        OpenContext::new().runtime(self.clone())
    }
}

impl Runtime for Naps {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        std::thread::spawn(move || cacheness_storage::block_on(task));
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(job);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.wanted.lock().unwrap().push(duration);
        match self.wakes.load(Ordering::SeqCst) {
            true => Box::pin(std::future::ready(())),
            false => Box::pin(std::future::pending()),
        }
    }

    fn block_on(&self, task: Pin<&mut (dyn Future<Output = ()> + '_)>) {
        cacheness_storage::block_on(task);
    }

    fn drives_io(&self) -> bool {
        true
    }

    fn in_async_context(&self) -> bool {
        false
    }
}
