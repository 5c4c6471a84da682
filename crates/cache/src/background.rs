//! Work that nobody waits for until the cache is closed: only what was asked for, and none of it after the close.

use crate::core::{Core, Shared};
use cacheness_core::runtime::BoxFuture;
use futures_channel::oneshot::{self, Receiver, Sender};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

/// The work that waits or is under way.
#[derive(Default)]
pub(crate) struct Background(Mutex<State>);

#[derive(Default)]
struct State {
    is_closed: bool,
    works: Vec<Work>,
    /// Dropped, they end what would go on for ever.
    stops: Vec<Sender<()>>,
}

/// Work, and how to learn of its end.
struct Work {
    /// Taken by whoever begins it.
    future: Arc<Mutex<Option<BoxFuture<'static, ()>>>>,
    end: Receiver<()>,
}

impl Background {
    /// Notes work; what it returns begins it. `None` after the close.
    fn note(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let mut state = lock(&self.0);
        if state.is_closed {
            return None;
        }
        state.works.retain_mut(|work| matches!(work.end.try_recv(), Ok(None)));
        let (ended, end) = oneshot::channel::<()>();
        let work: BoxFuture<'static, ()> = Box::pin(async move {
            work.await;
            drop(ended);
        });
        let future = Arc::new(Mutex::new(Some(work)));
        state.works.push(Work { future: future.clone(), end });
        Some(async move {
            let work = lock(&future).take();
            if let Some(work) = work {
                work.await;
            }
        })
    }

    /// Ends when the cache is closed, for what would go on for ever.
    pub(crate) fn stop(&self) -> Receiver<()> {
        let (stop, stopped) = oneshot::channel();
        let mut state = lock(&self.0);
        state.stops.retain(|stop| !stop.is_canceled());
        if !state.is_closed {
            state.stops.push(stop);
        }
        stopped
    }

    /// Stops what would go on for ever, and waits for everything else.
    pub(crate) async fn join(&self) {
        {
            let mut state = lock(&self.0);
            state.is_closed = true;
            state.stops.clear();
        }
        self.settle().await;
    }

    /// Waits for everything that was begun. What has not begun is done here: the threads that would begin it may all be
    /// waiting as this one is.
    pub(crate) async fn settle(&self) {
        let works = std::mem::take(&mut lock(&self.0).works);
        for Work { future, end } in works {
            let waiting = lock(&future).take();
            match waiting {
                Some(work) => work.await,
                // Ended work has dropped its sender.
                None => _ = end.await,
            }
        }
    }
}

impl Core {
    /// Does work in the background, which a close waits for; says whether it will.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        match self.background.note(work) {
            Some(work) => {
                self.driver().start(Box::pin(work));
                true
            }
            None => false,
        }
    }

    /// Cleans up again and again, until the cache is closed or no handle of it is left.
    pub(crate) fn clean_up_every(&self, interval: Duration) {
        let mut stopped = self.background.stop();
        let (shared, runtime) = (Arc::downgrade(&self.shared), self.driver().runtime().clone());
        runtime.clone().spawn(Box::pin(async move {
            while !stopped_before(runtime.sleep(interval), &mut stopped).await && clean_up(&shared).await {}
        }));
    }
}

/// Whether the stop came before the sleep was over.
pub(crate) async fn stopped_before(sleep: BoxFuture<'static, ()>, stopped: &mut Receiver<()>) -> bool {
    let mut sleep = pin!(sleep);
    poll_fn(|context| {
        if pin!(&mut *stopped).poll(context).is_ready() {
            return Poll::Ready(true);
        }
        sleep.as_mut().poll(context).map(|()| false)
    })
    .await
}

/// Cleans up where the backends work; says whether there still is a cache.
async fn clean_up(shared: &Weak<Shared>) -> bool {
    let Some(shared) = shared.upgrade() else { return false };
    let (done, is_done) = oneshot::channel::<()>();
    let core = Core { shared, namespace: None };
    let cleaning = Core { shared: core.shared.clone(), namespace: None };
    let has_begun = core.in_background(async move {
        if cleaning.cleanup_expired().await.is_err() {
            cleaning.counters.degraded();
        }
        drop((cleaning, done));
    });
    drop(core);
    _ = is_done.await;
    has_begun
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Background {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Background({} works)", lock(&self.0).works.len())
    }
}
