//! One thread that wakes sleepers, started by the first of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Sleepers by deadline and a number that keeps equal deadlines apart.
type Sleepers = BTreeMap<(Instant, u64), Waker>;

#[derive(Default)]
struct Timer {
    sleepers: Mutex<(Sleepers, u64)>,
    changed: Condvar,
}

/// A future that completes at its deadline.
pub(super) struct Sleep {
    deadline: Instant,
    number: Option<u64>,
}

impl Sleep {
    pub(super) fn new(duration: Duration) -> Self {
        let far = Duration::from_secs(30 * 365 * 24 * 3600);
        Self { deadline: Instant::now() + duration.min(far), number: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let Some(timer) = timer() else {
            // No thread can be had: waiting here is the only way left to keep the promise.
            thread::sleep(self.deadline.saturating_duration_since(Instant::now()));
            return Poll::Ready(());
        };
        let mut guard = timer.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let (sleepers, next) = &mut *guard;
        let number = *self.number.get_or_insert_with(|| {
            *next += 1;
            *next
        });
        sleepers.insert((self.deadline, number), context.waker().clone());
        timer.changed.notify_one();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(number), Some(timer)) = (self.number, timer()) {
            let mut guard = timer.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            guard.0.remove(&(self.deadline, number));
        }
    }
}

fn timer() -> Option<&'static Timer> {
    static TIMER: OnceLock<Timer> = OnceLock::new();
    static STARTED: OnceLock<bool> = OnceLock::new();
    let timer = TIMER.get_or_init(Timer::default);
    let start = || thread::Builder::new().name("cacheness-timer".into()).spawn(move || timer.run()).is_ok();
    STARTED.get_or_init(start).then_some(timer)
}

impl Timer {
    fn run(&self) {
        let mut guard = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            let later = guard.0.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut guard.0, later);
            if !due.is_empty() {
                drop(guard);
                due.into_values().for_each(Waker::wake);
                guard = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let next = guard.0.first_key_value().map(|(&(deadline, _), _)| deadline);
            guard = match next {
                Some(deadline) => {
                    let wait = deadline.saturating_duration_since(now);
                    self.changed.wait_timeout(guard, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}
