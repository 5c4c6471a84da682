//! `get_or_put`: one computation a key, however many callers miss it at once.

use crate::core::{Core, OnInvalid};
use crate::{Key, MissReason, PutOptions};
use cacheness_core::flight::{self, Lead, Turn};
use cacheness_core::{Error, ErrorKind, Op, Result};
use cacheness_handlers::Value;
use cacheness_storage::engine::{Found, Lookup, Source};
use cacheness_storage::{Condition, Fields, Record};
use std::future::Future;
use std::sync::Arc;

/// The computations of a cache that are under way.
pub(crate) type Flights = flight::Flights<Key, Landing>;

/// What becomes of a computed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Landing {
    /// It can be read, or what somebody else put meanwhile.
    Readable,
    /// It could not be stored.
    Unstored,
}

/// What is there right now, looked at without counting.
enum Look<T> {
    Found(T),
    /// What the key must be like later so that nobody put anything since.
    Missing(Condition),
}

/// How a face waits for the cache's own work.
#[derive(Clone, Copy)]
pub(crate) enum Face {
    Blocking,
    Async,
}

impl Face {
    fn run<R: Send + 'static>(self, core: &Arc<Core>, work: impl Future<Output = Result<R>> + Send + 'static) -> Op<R> {
        match self {
            Self::Blocking => Op::ready(core.driver().run(work)),
            Self::Async => Op::new(core.driver(), work),
        }
    }

    async fn get<T: Value>(self, core: &Arc<Core>, key: Key) -> Result<Option<T>> {
        let this = core.clone();
        let found = self.run(core, async move { this.get(key, Fields::VALUE, T::fallback()).await }).await?;
        Ok(found.map(|(value, _)| value))
    }

    async fn look<T: Value>(self, core: &Arc<Core>, key: Key) -> Result<Look<T>> {
        let this = core.clone();
        self.run(core, async move { this.look(key).await }).await
    }

    /// The value of a key, or what `compute` makes of it.
    pub(crate) async fn get_or_put<T: Value, E, F: Future<Output = Result<T, E>>>(
        self,
        core: &Arc<Core>,
        key: Key,
        compute: impl FnOnce() -> F,
    ) -> Result<Result<T, E>> {
        if let Some(value) = self.get(core, key).await? {
            return Ok(Ok(value));
        }
        let lead = loop {
            let landing = match core.flights.join(key).await.map_err(|error| error.key(key))? {
                Turn::Lead(lead) => break lead,
                Turn::Landed(landing) => landing,
            };
            match (self.look(core, key).await?, landing) {
                (Look::Found(value), _) => return Ok(Ok(value)),
                (Look::Missing(_), Landing::Readable) => {}
                // Nobody's value would be stored: waiting for another one gains nothing.
                (Look::Missing(_), Landing::Unstored) => return Ok(compute().await),
            }
        };
        // Somebody may have landed since the first look.
        let condition = match self.look(core, key).await? {
            Look::Found(value) => {
                lead.land(Landing::Readable);
                return Ok(Ok(value));
            }
            Look::Missing(condition) => condition,
        };
        let value = match lead.drive(compute).await {
            Ok(value) => Arc::new(value),
            Err(error) => return Ok(Err(error)),
        };
        let (this, shared) = (core.clone(), value.clone());
        let stored = self.run(core, async move { this.store_computed(lead, key, shared, condition).await }).await;
        // The caller has his value whether or not the cache keeps it.
        drop(stored);
        let still_shared = || Error::new(ErrorKind::Internal, "a handler kept the value that it stored").key(key);
        Arc::into_inner(value).map(Ok).ok_or_else(still_shared)
    }
}

impl Core {
    /// Looks once more, without counting.
    async fn look<T: Value>(&self, key: Key) -> Result<Look<T>> {
        let judge = self.judge().await?;
        let judged = |record: &Record| judge.check(key, record).map_err(|reason| (reason, record.version));
        let (condition, error) = match self.engine.find(&key.entry_key(), judge.fields(Fields::VALUE), judged).await {
            Ok(Lookup::Absent | Lookup::Refused((MissReason::Expired, _))) => {
                return Ok(Look::Missing(Condition::AbsentUnless(judge.live())));
            }
            Ok(Lookup::Refused((_, version))) => return Ok(Look::Missing(Condition::Version(version))),
            Ok(Lookup::Found(Found { record, stored })) => {
                match self.engine.decode(&record, stored, T::fallback()).await {
                    Ok(value) => return Ok(Look::Found(value)),
                    Err(error) => (Condition::Version(record.version), error),
                }
            }
            Ok(Lookup::Lost(record, error)) => (Condition::Version(record.version), error),
            // Nobody can tell the version of a record that cannot be read.
            Err(error) => (Condition::Always, error),
        };
        match error.kind() {
            ErrorKind::TypeMismatch | ErrorKind::SchemaMismatch | ErrorKind::FormatTooNew | ErrorKind::Corrupt
                if self.on_invalid == OnInvalid::Miss =>
            {
                Ok(Look::Missing(condition))
            }
            _ => Err(error),
        }
    }

    /// Stores what a leader computed, unless the key was overtaken or changed meanwhile, and tells his followers.
    async fn store_computed<T: Value>(
        &self,
        lead: Lead<Key, Landing>,
        key: Key,
        value: Arc<T>,
        condition: Condition,
    ) -> Result<()> {
        if !lead.begin_commit() {
            return Ok(());
        }
        let stored = self.write_computed(key, value, condition).await;
        lead.land(if stored.is_ok() { Landing::Readable } else { Landing::Unstored });
        stored
    }

    async fn write_computed<T: Value>(&self, key: Key, value: Arc<T>, condition: Condition) -> Result<()> {
        let put = self.ready(self.prepare_put(key, PutOptions::new())?)?;
        self.write(put, Source::shared(self.engine.handlers(), value)?, condition).await.map(drop)
    }

    /// Keeps whoever is computing one of these keys from storing what he computes.
    pub(crate) async fn overtake(&self, keys: &[Key]) {
        for key in keys {
            self.flights.overtake(key).await;
        }
    }
}

#[cfg(test)]
mod tests;
