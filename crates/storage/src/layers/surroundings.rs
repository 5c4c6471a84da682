//! Where a layer waits and computes: in place over backends that block, otherwise on the runtime.

use crate::OpenContext;
use cacheness_core::Result;
use cacheness_core::face::off_executor;
use cacheness_core::runtime::{Runtime, block_on};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) runtime: Arc<dyn Runtime>,
    /// Whether the layer blocks, as what is below it does: its futures are ready on their first poll then.
    pub(super) blocking: bool,
}

impl Surroundings {
    pub(super) fn new(context: &OpenContext, blocking: bool) -> Self {
        Self { runtime: context.runtime.clone(), blocking }
    }

    /// Waits so long.
    pub(super) async fn pause(&self, duration: Duration) {
        match self.blocking {
            true => std::thread::sleep(duration),
            false => self.runtime.sleep(duration).await,
        }
    }

    /// Waits for another caller.
    pub(super) async fn wait<F: Future>(&self, future: F) -> F::Output {
        match self.blocking {
            true => block_on(future),
            false => future.await,
        }
    }

    /// Does work that blocks or takes long.
    pub(super) async fn compute<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R> + Send + 'static,
    ) -> Result<R> {
        match self.blocking {
            true => work(),
            false => off_executor(&*self.runtime, work).await,
        }
    }
}
