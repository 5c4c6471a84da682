//! A small bounded pool of threads: the runtime of every store whose backends block.

use super::{BoxFuture, Job, Runtime, block_on, timer::Sleep};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

/// A bounded pool of threads that start on demand and leave after ten idle seconds.
///
/// Clones share the threads. It needs no executor and drives no network I/O.
#[derive(Clone)]
pub struct ThreadPool(Arc<Shared>);

struct Shared {
    limit: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl ThreadPool {
    /// A pool of at most `limit` threads; zero counts as one.
    pub fn new(limit: usize) -> Self {
        let shared = Shared { limit: limit.max(1), state: Mutex::default(), work: Condvar::new() };
        Self(Arc::new(shared))
    }

    /// The pool that everything in this process shares unless told otherwise: four threads a core, at least eight.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<ThreadPool> = OnceLock::new();
        let cores = || thread::available_parallelism().map_or(2, usize::from);
        GLOBAL.get_or_init(|| Self::new((4 * cores()).max(8))).clone()
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThreadPool({})", self.0.limit)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(self: &Arc<Self>, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads == self.limit {
            self.work.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        let shared = self.clone();
        let thread = thread::Builder::new().name("cacheness-worker".into());
        if thread.spawn(move || shared.work()).is_err() {
            self.without_new_thread();
        }
    }

    /// The system refused a thread: the jobs wait for another one, or run here as long as there is none.
    fn without_new_thread(&self) {
        let mut state = self.lock();
        state.threads -= 1;
        while state.threads == 0
            && let Some(job) = state.jobs.pop_front()
        {
            drop(state);
            run(job);
            state = self.lock();
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                run(job);
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let (guard, wait) = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if wait.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

/// Runs a job; a panic has been printed by the hook, and ends the job, not the thread.
fn run(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

impl Runtime for ThreadPool {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let task = Arc::new(Task { future: Mutex::new(Some(task)), pool: self.clone() });
        task.wake();
    }

    fn spawn_blocking(&self, job: Job) {
        self.0.submit(job);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep::new(duration))
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

/// A future that is polled on the pool whenever it was woken.
struct Task {
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    pool: ThreadPool,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let pool = self.pool.clone();
        pool.0.submit(Box::new(move || {
            let waker = Waker::from(self.clone());
            let mut slot = self.future.lock().unwrap_or_else(PoisonError::into_inner);
            // Taken out, so that a panic drops the future and whoever waits for it is told.
            if let Some(mut future) = slot.take()
                && future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
            {
                *slot = Some(future);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_panicking_job_costs_no_thread() {
        let pool = ThreadPool::new(1);
        pool.spawn_blocking(Box::new(|| panic!("expected by this test")));
        let (sender, receiver) = mpsc::channel();
        pool.spawn_blocking(Box::new(move || sender.send(()).unwrap()));
        receiver.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn no_more_threads_run_than_allowed() {
        let pool = ThreadPool::new(3);
        let (sender, receiver) = mpsc::channel();
        for _ in 0..100 {
            let sender = sender.clone();
            pool.spawn_blocking(Box::new(move || sender.send(thread::current().id()).unwrap()));
        }
        drop(sender);
        let threads: std::collections::HashSet<_> = receiver.iter().collect();
        assert!((1..=3).contains(&threads.len()), "{threads:?}");
    }

    #[test]
    fn a_spawned_task_is_polled_again_when_woken() {
        let pool = ThreadPool::new(2);
        let (sender, receiver) = mpsc::channel();
        let sleep = pool.sleep(Duration::from_millis(5));
        pool.spawn(Box::pin(async move {
            sleep.await;
            sender.send(()).unwrap();
        }));
        receiver.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
