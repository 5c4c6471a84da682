//! The one connection that writes, and the transaction of a group of commits.

use crate::changes::Changes;
use crate::failure::{again, closed, failure, is_busy};
use crate::group::{Batch, Follower, Group, Outcomes};
use crate::transaction::Transaction;
use cacheness_storage::{Clock, Error, Result};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many changes one transaction takes in before the next batch has to wait for another one.
const MAX_CHANGES: usize = 1000;

pub(crate) struct Writer {
    /// `None` after `close`.
    connection: Mutex<Option<Connection>>,
    group: Group,
    clock: Arc<dyn Clock>,
    busy_timeout: Duration,
}

impl Writer {
    pub(crate) fn new(connection: Connection, clock: Arc<dyn Clock>, busy_timeout: Duration) -> Self {
        Self { connection: Mutex::new(Some(connection)), group: Group::default(), clock, busy_timeout }
    }

    /// Works with the connection, alone in this process.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(connection.as_ref().ok_or_else(closed)?)
    }

    /// Works in a transaction, if no other process keeps the write lock for longer than `patience`; then `None`.
    pub(crate) fn try_transaction<R>(
        &self,
        patience: Duration,
        work: impl FnOnce(&mut Changes<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        self.with(|connection| {
            connection.busy_timeout(patience.min(self.busy_timeout)).map_err(failure)?;
            let begun = Transaction::begin(connection);
            connection.busy_timeout(self.busy_timeout).map_err(failure)?;
            let transaction = match begun {
                Err(error) if is_busy(&error) => return Ok(None),
                begun => begun.map_err(failure)?,
            };
            let mut changes = Changes::new(connection, self.clock.now());
            let result = work(&mut changes)?;
            changes.totals.add_to(connection).map_err(failure)?;
            transaction.commit().map_err(uncertain)?;
            Ok(Some(result))
        })
    }

    /// Commits a batch, together with those of other threads that wait.
    pub(crate) fn commit(&self, batch: Batch) -> Outcomes {
        self.group.commit(batch, |batch| self.with(|connection| self.lead(connection, batch)))
    }

    /// Releases the connection, after moving the log into the database as far as readers allow.
    pub(crate) fn close(&self) {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(connection) = connection {
            // Best effort: a log that stays is read by whoever opens the index next.
            drop(connection.pragma_query(None, "wal_checkpoint(TRUNCATE)", |_| Ok(())));
        }
    }

    fn lead(&self, connection: &Connection, batch: &Batch) -> Outcomes {
        let transaction = Transaction::begin(connection).map_err(|error| {
            let error = failure(error);
            // Those who wait, wait for the same lock.
            while let Some(follower) = self.group.next() {
                follower.answer(Err(again(&error)));
            }
            error
        })?;
        let mut changes = Changes::new(connection, self.clock.now());
        let outcomes = changes.apply_all(batch)?;
        if batch.is_aborted(&outcomes) {
            return Ok(outcomes);
        }
        let mut joined = Vec::new();
        let committed = self
            .gather(&transaction, &mut changes, batch.changes.len(), &mut joined)
            .and_then(|()| changes.totals.add_to(connection).map_err(failure))
            .and_then(|()| transaction.commit().map_err(uncertain));
        for (follower, outcomes) in joined {
            follower.answer(match &committed {
                Ok(()) => outcomes,
                Err(error) => outcomes.and_then(|_| Err(again(error))),
            });
        }
        committed.map(|()| outcomes)
    }

    /// Applies the batches of those who wait, each as a part of its own.
    fn gather(
        &self,
        transaction: &Transaction<'_>,
        changes: &mut Changes<'_>,
        mut size: usize,
        joined: &mut Vec<(Follower, Outcomes)>,
    ) -> Result<()> {
        while size < MAX_CHANGES
            && let Some(follower) = self.group.next()
        {
            let batch = follower.batch();
            size += batch.changes.len().max(1);
            changes.now = self.clock.now();
            let before = changes.totals;
            let keep = |outcomes: &Outcomes| outcomes.as_ref().is_ok_and(|outcomes| !batch.is_aborted(outcomes));
            match transaction.part(|| changes.apply_all(batch), keep) {
                Ok(outcomes) => {
                    if !keep(&outcomes) {
                        changes.totals = before;
                    }
                    joined.push((follower, outcomes));
                }
                Err(error) => {
                    let error = failure(error);
                    follower.answer(Err(again(&error)));
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// An error of a `COMMIT`: it may have happened, so nobody may try again.
fn uncertain(error: rusqlite::Error) -> Error {
    failure(error).retryable(false)
}
