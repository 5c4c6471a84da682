//! The injected runtime: where work runs, without choosing an executor for the user.

mod pool;
mod timer;

pub use pool::ThreadPool;

use std::fmt::Debug;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A piece of blocking work.
pub type Job = Box<dyn FnOnce() + Send + 'static>;

/// Runs tasks and blocking work, and sleeps.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// Runs a task to its end, whoever waits for it.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Runs blocking work on a bounded pool of threads made for it.
    fn spawn_blocking(&self, job: Job);

    /// Completes after `duration`, never earlier.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs `task` on this thread, parked while it waits, with the runtime's reactor at hand.
    fn block_on(&self, task: Pin<&mut (dyn Future<Output = ()> + '_)>);

    /// Whether tasks can do network I/O through tokio.
    fn drives_io(&self) -> bool;

    /// Whether this thread belongs to an async executor and must not be parked.
    fn in_async_context(&self) -> bool;
}

/// Runs `future` on this thread: polls once, and parks the thread only when that was not enough.
///
/// ```
/// assert_eq!(cacheness_core::runtime::block_on(async { 7 }), 7);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return output;
    }
    let parker = Arc::new(Parker { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(parker.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !parker.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_wake_from_another_thread_ends_the_park() {
        let (sender, receiver) = futures_channel::oneshot::channel();
        let waker = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            sender.send(3).unwrap();
        });
        assert_eq!(block_on(receiver), Ok(3));
        waker.join().unwrap();
    }

    #[test]
    fn a_nested_block_on_steals_no_wake_from_the_outer_one() {
        let (sender, receiver) = futures_channel::oneshot::channel();
        let mut sender = Some(sender);
        let outer = async move {
            if let Some(sender) = sender.take() {
                thread::spawn(move || sender.send(1).unwrap());
            }
            block_on(ThreadPool::global().sleep(Duration::from_millis(5)));
            receiver.await
        };
        assert_eq!(block_on(outer), Ok(1));
    }

    #[test]
    fn a_sleep_is_never_shorter_than_asked() {
        let start = Instant::now();
        block_on(ThreadPool::global().sleep(Duration::from_millis(20)));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }
}
