//! Where the work of a store's backends happens, and what drives it there.

use crate::runtime::{BoxFuture, Runtime, block_on};
use crate::{Error, ErrorKind, Result};
use futures_channel::oneshot;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// Where the work of a store's backends happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Every backend does its work when polled: a call needs no reactor, a future needs one hop to a thread that may block.
    Local,
    /// No backend blocks: futures run on the runtime's executor, and only large computations hop.
    Remote,
}

/// Drives the futures of one store: in place for the blocking face, in one hop or as a task for the async one.
#[derive(Debug, Clone)]
pub struct Driver {
    runtime: Arc<dyn Runtime>,
    placement: Placement,
    /// Nobody knows yet whether the backends block.
    is_opening: bool,
}

impl Driver {
    /// A driver on `runtime` for backends that do their work at `placement`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when a backend needs network I/O and the runtime drives none.
    pub fn new(runtime: Arc<dyn Runtime>, placement: Placement) -> Result<Self> {
        if placement == Placement::Remote && !runtime.drives_io() {
            return Err(Error::new(ErrorKind::Config, "a remote backend needs a runtime that drives network I/O")
                .advice("enable the feature `tokio`, or pass a runtime to the builder"));
        }
        Ok(Self { runtime, placement, is_opening: false })
    }

    /// A driver for opening backends, before anyone knows whether they block.
    pub fn opening(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, placement: Placement::Local, is_opening: true }
    }

    /// Where the work happens.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// The runtime, for sleeping and background work.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// Runs `future` on the calling thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AsyncContext`] when a backend is remote and the thread belongs to an async executor; otherwise
    /// what the future returns.
    pub fn run<R>(&self, future: impl Future<Output = Result<R>>) -> Result<R> {
        if self.is_opening {
            return self.run_opening(future);
        }
        if self.placement == Placement::Local {
            return block_on(future);
        }
        self.admit()?;
        self.wait(future)
    }

    /// What an attempt came to that waits for nothing. It is not made where [`run`](Self::run) would be refused: whether
    /// that is so must not depend on luck.
    #[inline]
    pub fn attempt<R>(&self, attempt: impl FnOnce() -> Option<Result<R>>) -> Option<Result<R>> {
        match self.admit() {
            Ok(()) => attempt(),
            Err(error) => Some(Err(error)),
        }
    }

    /// Refuses a caller who would have to wait on a thread that must not be parked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AsyncContext`] when a backend is remote and the thread belongs to an async executor.
    #[inline]
    pub fn admit(&self) -> Result<()> {
        if self.placement == Placement::Remote && self.runtime.in_async_context() {
            return Err(in_async_context());
        }
        Ok(())
    }

    /// Opening is refused only when it has to wait: whether a backend is remote shows then.
    fn run_opening<R>(&self, future: impl Future<Output = Result<R>>) -> Result<R> {
        let mut future = pin!(future);
        // Asked before the runtime lends its own context.
        let may_wait = !self.runtime.in_async_context();
        self.wait(poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Pending if may_wait => Poll::Pending,
            Poll::Pending => Poll::Ready(Err(in_async_context())),
            ready => ready,
        }))
    }

    fn wait<R>(&self, future: impl Future<Output = Result<R>>) -> Result<R> {
        let mut output = None;
        {
            let task = pin!(async { output = Some(future.await) });
            self.runtime.block_on(task);
        }
        output.unwrap_or_else(|| Err(unfinished()))
    }

    /// Runs a computation that may take long: in place where blocking is allowed, on the blocking pool otherwise.
    ///
    /// # Errors
    ///
    /// What `work` returns; [`ErrorKind::Internal`] when it panicked.
    pub async fn compute<R: Send + 'static>(&self, work: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
        if self.placement == Placement::Local {
            return work();
        }
        off_executor(&*self.runtime, work).await
    }

    /// Runs a task where this driver runs its own, for a thread or a task that belongs elsewhere and waits for it.
    ///
    /// # Errors
    ///
    /// What the task returns; [`ErrorKind::Internal`] when it panicked.
    pub async fn run_elsewhere<R: Send + 'static>(
        &self,
        task: impl Future<Output = Result<R>> + Send + 'static,
    ) -> Result<R> {
        let (sender, receiver) = oneshot::channel();
        self.start(Box::pin(async move { drop(sender.send(task.await)) }));
        receiver.await.unwrap_or_else(|_| Err(unfinished()))
    }

    /// Starts a task that nobody waits for: on the executor, or on the pool where backends block.
    pub fn start(&self, task: BoxFuture<'static, ()>) {
        if self.placement == Placement::Remote {
            return self.runtime.spawn(task);
        }
        let runtime = self.runtime.clone();
        self.runtime.spawn_blocking(Box::new(move || {
            let mut task = task;
            runtime.block_on(task.as_mut());
        }));
    }
}

/// Runs work that blocks or takes long on the runtime's bounded pool.
///
/// # Errors
///
/// What `work` returns; [`ErrorKind::Internal`] when it panicked.
pub async fn off_executor<R: Send + 'static>(
    runtime: &dyn Runtime,
    work: impl FnOnce() -> Result<R> + Send + 'static,
) -> Result<R> {
    let (sender, receiver) = oneshot::channel();
    runtime.spawn_blocking(Box::new(move || drop(sender.send(work()))));
    receiver.await.unwrap_or_else(|_| Err(unfinished()))
}

fn in_async_context() -> Error {
    Error::new(ErrorKind::AsyncContext, "a blocking call on a remote store inside an async context")
        .advice("use the handle of the same name in `future`; a tokio context counts, that of spawn_blocking too")
}

pub(super) fn unfinished() -> Error {
    Error::new(ErrorKind::Internal, "the operation panicked; the panic message says where")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ThreadPool;

    #[test]
    fn a_remote_store_without_a_reactor_is_refused_at_open() {
        let refused = Driver::new(Arc::new(ThreadPool::new(1)), Placement::Remote).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
    }
}
