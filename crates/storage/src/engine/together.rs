//! Two stores at work in one task, and several futures at once.

use super::Engine;
use crate::layers::hop;
use cacheness_core::face::Placement;
use cacheness_core::{Driver, Result};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::task::Poll;

/// Runs futures at the same time; their outputs in their order.
pub(super) async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> = futures.into_iter().map(|future| Running::Pending(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for one in &mut running {
            if let Running::Pending(future) = one {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *one = Running::Done(output),
                    Poll::Pending => is_done = false,
                }
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let output = |one| if let Running::Done(output) = one { Some(output) } else { None };
    running.into_iter().filter_map(output).collect()
}

enum Running<F: Future> {
    Pending(Pin<Box<F>>),
    Done(F::Output),
}

impl Engine {
    /// Does work on this engine and another one, where both can be driven: on the other's runtime when only that one is
    /// remote.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the work returns.
    pub async fn beside<F, R>(
        &self,
        other: &Engine,
        work: impl FnOnce(Engine, Engine) -> F + Send + 'static,
    ) -> Result<R>
    where
        F: Future<Output = Result<R>> + Send + 'static,
        R: Send + 'static,
    {
        self.check_open()?;
        other.check_open()?;
        let is_drawn_over =
            (self.driver.placement(), other.driver.placement()) == (Placement::Local, Placement::Remote);
        let driver = if is_drawn_over { &other.driver } else { &self.driver };
        let task = work(self.on(driver), other.on(driver));
        if !is_drawn_over {
            return task.await;
        }
        driver.run_elsewhere(task).await
    }

    /// The same store, driven by another driver.
    fn on(&self, driver: &Driver) -> Self {
        let (mut metadata, mut blobs) = (self.metadata.clone(), self.blobs.clone());
        if driver.placement() == Placement::Remote && self.driver.placement() == Placement::Local {
            (metadata, blobs) = (hop::metadata(metadata, driver.runtime()), hop::blobs(blobs, driver.runtime()));
        }
        Self {
            metadata,
            blobs,
            handlers: self.handlers.clone(),
            driver: driver.clone(),
            clock: self.clock.clone(),
            time: self.time.clone(),
            rng: self.rng.clone(),
            options: self.options.clone(),
            store: self.store,
            closed: AtomicBool::new(false),
            deleted: Mutex::default(),
            uses: Mutex::default(),
        }
    }
}
