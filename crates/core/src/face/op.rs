//! The future that the async face returns.

use super::Driver;
use super::driver::unfinished;
use crate::runtime::BoxFuture;
use crate::{Error, ErrorKind, Result};
use futures_channel::oneshot;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// An operation of an async handle: a named future that is `Send + 'static`.
///
/// Nothing happens before it is polled. Once polled, it runs to its end even when it is dropped: a put that was
/// polled happens wholly or not at all, perhaps a little later.
#[must_use = "an operation does nothing until it is awaited"]
pub struct Op<R>(State<R>);

enum State<R> {
    Ready(Result<R>),
    Starting(Box<dyn FnOnce() -> Op<R> + Send>),
    Idle(Driver, BoxFuture<'static, Result<R>>),
    Running(oneshot::Receiver<Result<R>>),
    Done,
}

impl<R: Send + 'static> Op<R> {
    /// An operation that `driver` starts at the first poll.
    pub fn new(driver: &Driver, future: impl Future<Output = Result<R>> + Send + 'static) -> Self {
        Self(State::Idle(driver.clone(), Box::pin(future)))
    }

    /// An operation that is made at the first poll, on the thread that polls: with its result, or with what a driver has
    /// to run for it.
    pub fn starting(start: impl FnOnce() -> Self + Send + 'static) -> Self {
        Self(State::Starting(Box::new(start)))
    }

    /// An operation that has its result already.
    pub fn ready(result: Result<R>) -> Self {
        Self(State::Ready(result))
    }
}

impl<R> Unpin for Op<R> {}

impl<R: Send + 'static> Future for Op<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        let mut receiver = match std::mem::replace(&mut self.0, State::Done) {
            State::Ready(result) => return Poll::Ready(result),
            State::Starting(start) => {
                // A panic is an error outside, wherever the work is done.
                self.0 = catch_unwind(AssertUnwindSafe(start)).unwrap_or_else(|_| Self::ready(Err(unfinished()))).0;
                return self.poll(context);
            }
            State::Running(receiver) => receiver,
            State::Idle(driver, future) => {
                let (sender, receiver) = oneshot::channel();
                driver.start(Box::pin(async move { drop(sender.send(future.await)) }));
                receiver
            }
            State::Done => {
                return Poll::Ready(Err(Error::new(ErrorKind::Internal, "the operation was polled after its end")));
            }
        };
        match Pin::new(&mut receiver).poll(context) {
            Poll::Ready(result) => Poll::Ready(result.unwrap_or_else(|_| Err(unfinished()))),
            Poll::Pending => {
                self.0 = State::Running(receiver);
                Poll::Pending
            }
        }
    }
}

impl<R> fmt::Debug for Op<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "Op(ready)",
            State::Starting(_) => "Op(starting)",
            State::Idle(..) => "Op(idle)",
            State::Running(_) => "Op(running)",
            State::Done => "Op(done)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ThreadPool;
    use crate::face::Placement;
    use crate::runtime::block_on;
    use std::sync::Arc;
    use std::time::Duration;

    fn local() -> Driver {
        Driver::new(Arc::new(ThreadPool::new(2)), Placement::Local).unwrap()
    }

    #[test]
    fn an_operation_that_was_never_polled_does_nothing() {
        let (sender, started) = std::sync::mpsc::channel();
        drop(Op::new(&local(), async move {
            sender.send(()).unwrap();
            Ok(())
        }));
        assert!(started.recv().is_err(), "the future was dropped without running");
    }

    #[test]
    fn an_operation_that_was_polled_once_happens_wholly() {
        let driver = local();
        let (sender, finished) = std::sync::mpsc::channel();
        let sleep = driver.runtime().sleep(Duration::from_millis(5));
        let mut op = Op::new(&driver, async move {
            sleep.await;
            sender.send(()).unwrap();
            Ok(())
        });
        assert!(Pin::new(&mut op).poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        drop(op);
        finished.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn what_needs_no_driver_is_ready_at_the_first_poll_and_not_made_before() {
        let (sender, made) = std::sync::mpsc::channel();
        let mut op = Op::starting(move || {
            sender.send(()).unwrap();
            Op::ready(Ok(7))
        });
        assert!(made.try_recv().is_err());
        let polled = Pin::new(&mut op).poll(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(7))));
    }

    #[test]
    fn what_needs_a_driver_goes_on_there() {
        let op = Op::starting(|| Op::new(&local(), async { Ok(std::thread::current().id()) }));
        assert_ne!(block_on(op).unwrap(), std::thread::current().id());
    }

    #[test]
    fn a_panic_at_the_start_of_an_operation_is_an_error_outside() {
        let op = Op::<()>::starting(|| panic!("expected by this test"));
        assert_eq!(block_on(op).unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_panic_inside_an_operation_is_an_error_outside() {
        let op = Op::<()>::new(&local(), async { panic!("expected by this test") });
        assert_eq!(block_on(op).unwrap_err().kind(), ErrorKind::Internal);
    }
}
