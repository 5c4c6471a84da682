//! Remote backends on tokio: the adapter from the injected runtime.

use cacheness_core::runtime::{BoxFuture, Job, block_on};
use cacheness_core::{Error, ErrorKind, Result, Runtime, ThreadPool};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};

/// Runs tasks on tokio and blocking work on the bounded pool of the process.
#[derive(Debug, Clone)]
pub struct TokioRuntime {
    handle: Handle,
    pool: ThreadPool,
}

impl TokioRuntime {
    /// A runtime of cacheness' own, started by the first cache that needs one and kept until the process ends. It does
    /// not depend on the executor that polls, so caches outlive any runtime of the program's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when its threads cannot be started.
    pub fn global() -> Result<Arc<Self>> {
        // Built at most once: a second runtime could not be dropped inside async code.
        static GLOBAL: OnceLock<io::Result<tokio::runtime::Runtime>> = OnceLock::new();
        let start = || Builder::new_multi_thread().worker_threads(2).thread_name("cacheness-io").enable_all().build();
        match GLOBAL.get_or_init(start) {
            Ok(owned) => Ok(Arc::new(Self::of(owned.handle().clone()))),
            Err(error) => Err(Error::new(ErrorKind::Unavailable, format!("tokio cannot start: {error}"))),
        }
    }

    /// The runtime of a handle. It must outlive every cache on it.
    pub fn of(handle: Handle) -> Self {
        Self { handle, pool: ThreadPool::global() }
    }
}

impl Runtime for TokioRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(self.handle.spawn(task));
    }

    fn spawn_blocking(&self, job: Job) {
        self.pool.spawn_blocking(job);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.pool.sleep(duration)
    }

    fn block_on(&self, task: Pin<&mut (dyn Future<Output = ()> + '_)>) {
        let _entered = self.handle.enter();
        block_on(task);
    }

    fn drives_io(&self) -> bool {
        true
    }

    fn in_async_context(&self) -> bool {
        Handle::try_current().is_ok()
    }
}
