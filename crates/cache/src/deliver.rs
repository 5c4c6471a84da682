//! Carrying out the deletes that did not reach the index when they were asked for.
//!
//! Each removes what was put before it was asked for, by the time of the index, and a little more than that: two machines
//! agree about the time only so far. What this process puts later is put after the delivery.

use crate::Key;
use crate::background::stopped_before;
use crate::core::{Core, Shared};
use crate::degraded::Operation;
use crate::manage::is_unreadable;
use crate::owed::{Batch, Debt, What};
use cacheness_core::flight::Turn;
use cacheness_core::{Result, Timestamp};
use cacheness_storage::{Change, Condition, Field, Filter, Operand, Reclaim, ReclaimOrder};
use futures_channel::oneshot;
use std::sync::{Arc, Weak};

/// How far the clocks of machines that agree about the time may be apart, in microseconds.
const MARGIN: i64 = 1_000_000;

/// Means what was put until some time. What claims to be put in the future was put by a clock that is wrong.
fn put_until(at: Timestamp) -> Filter {
    let by_then = Filter::le(Field::CreatedAt, Operand::Time(at.offset(MARGIN)));
    by_then | Filter::gt(Field::CreatedAt, Operand::Now(MARGIN))
}

impl Core {
    /// Delivers what is owed before something is changed; an error as long as anything is.
    pub(crate) async fn settle(&self) -> Result<()> {
        if self.owed.are_some() { self.deliver_if_due().await } else { Ok(()) }
    }

    /// Delivers what is owed, unless that failed just now.
    pub(crate) async fn deliver_if_due(&self) -> Result<()> {
        if self.owed.is_due(self.now()) { self.deliver().await } else { Err(self.owed.error()) }
    }

    /// Delivers what is owed. At the same time one does, and the others wait for him.
    pub(crate) async fn deliver(&self) -> Result<()> {
        while self.owed.are_some() {
            match self.owed.deliveries.join(()).await? {
                Turn::Landed(true) => {}
                Turn::Landed(false) => return Err(self.owed.error()),
                Turn::Lead(lead) => {
                    let delivered = self.deliver_all().await;
                    lead.land(delivered.is_ok());
                    delivered?;
                }
            }
        }
        Ok(())
    }

    async fn deliver_all(&self) -> Result<()> {
        while let Some(batch) = self.owed.batch() {
            let delivered = match &batch {
                Batch::Keys(keys) => self.deliver_keys(keys).await,
                Batch::Other(_, debt) => self.deliver_other(debt).await,
            };
            if let Err(error) = delivered {
                self.counters.backend_error(Operation::Deliver, error.kind());
                self.owed.failed(&error, self.now());
                return Err(error);
            }
            self.owed.delivered(&batch);
        }
        Ok(())
    }

    async fn deliver_keys(&self, keys: &[(Key, Timestamp)]) -> Result<()> {
        let changes = |condition: &dyn Fn(Timestamp) -> Condition| -> Vec<Change> {
            let remove =
                |(key, at): &(Key, Timestamp)| Change::Remove { key: key.entry_key(), condition: condition(*at) };
            keys.iter().map(remove).chain(keys.iter().flat_map(|(key, _)| self.leases.broken(*key))).collect()
        };
        self.check_time().await?;
        let _changing = self.changing(keys.iter().map(|(key, _)| *key));
        let old = |at| Condition::Present(put_until(at));
        match self.engine.change(changes(&old)).await {
            // Of what cannot be read nobody can tell when it was put.
            Err(error) if is_unreadable(&error) => self.engine.change(changes(&|_| Condition::Always)).await.map(drop),
            delivered => delivered.map(drop),
        }
    }

    async fn deliver_other(&self, debt: &Debt) -> Result<()> {
        let within = Self { shared: self.shared.clone(), namespace: debt.scope.clone() };
        let meant = match &debt.what {
            What::Tag(tag) => return within.invalidate_tag_now(tag).await,
            What::Keys(keys) => {
                let keys: Vec<_> = keys.iter().map(|key| (*key, debt.at)).collect();
                return self.deliver_keys(&keys).await;
            }
            What::Matching(filter) => filter.clone(),
            What::All => {
                if debt.scope.is_none() {
                    self.mend_tags().await?;
                }
                self.break_all_leases().await?;
                Filter::All
            }
        };
        self.check_time().await?;
        let plan = Reclaim::all(within.own(meant) & put_until(debt.at), ReclaimOrder::Key);
        self.reclaim(&plan).await.map(drop)
    }

    /// Delivers what is owed in the background, again and again, until nothing is.
    pub(crate) fn deliver_in_background(&self) {
        let mut stopped = self.background.stop();
        let (shared, runtime) = (Arc::downgrade(&self.shared), self.driver().runtime().clone());
        runtime.clone().spawn(Box::pin(async move {
            while let Some(pause) = shared.upgrade().and_then(|shared| shared.owed.pause()) {
                if stopped_before(runtime.sleep(pause), &mut stopped).await || !deliver(&shared).await {
                    return;
                }
            }
        }));
    }
}

/// Delivers where the backends work; says whether there still is a cache.
async fn deliver(shared: &Weak<Shared>) -> bool {
    let Some(shared) = shared.upgrade() else { return false };
    let (done, is_done) = oneshot::channel::<()>();
    let core = Core { shared: shared.clone(), namespace: None };
    let has_begun = Core { shared, namespace: None }.in_background(async move {
        // What it came to is remembered with what is owed.
        drop(core.deliver().await);
        drop((core, done));
    });
    _ = is_done.await;
    has_begun
}
