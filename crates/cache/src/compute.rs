//! `get_or_put`: one computation a key, however many callers miss it at once.

use crate::core::{Core, OnInvalid};
use crate::liveness::{judge, live};
use crate::{Key, MissReason, PutOptions, future, sync};
use cacheness_core::flight::{self, Lead, Turn};
use cacheness_core::runtime::{BoxFuture, block_on};
use cacheness_core::{Error, ErrorKind, Op, Result};
use cacheness_handlers::Value;
use cacheness_storage::engine::{Found, Lookup, Source};
use cacheness_storage::{Condition, Fields, Filter, Record};
use serde::Serialize;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

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
enum Face {
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
    async fn get_or_put<T: Value, E, F: Future<Output = Result<T, E>>>(
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
        let now = self.now();
        let judged = |record: &Record| judge(key, record, now).map_err(|reason| (reason, record.version));
        let (condition, error) = match self.engine.find(&key.entry_key(), Fields::VALUE, judged).await {
            Ok(Lookup::Absent | Lookup::Refused((MissReason::Expired, _))) => {
                return Ok(Look::Missing(Condition::AbsentUnless(live())));
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
        let put = self.prepare_put(key, PutOptions::new())?;
        self.write(put, Source::shared(self.engine.handlers(), value)?, condition).await.map(drop)
    }

    /// Keeps whoever is computing one of these keys from storing what he computes.
    pub(crate) async fn overtake(&self, keys: &[Key]) {
        for key in keys {
            self.flights.overtake(key).await;
        }
    }

    pub(crate) async fn clear(&self) -> Result<u64> {
        self.flights.overtake_all().await;
        self.engine.remove_where(&Filter::All).await
    }
}

impl<B> sync::Cache<B> {
    /// The value under the key of some parameters; when there is no live one of this type, what `compute` returns, which
    /// is stored with the default TTL.
    ///
    /// However many threads and tasks ask for a key at once, through whatever handle of this opened cache, one of them
    /// computes, on its own thread; the others wait and read what it stored. Nobody else waits: no lock is held.
    ///
    /// - When the one who computes panics or is cancelled, one of those who wait computes in its place. The panic goes to
    ///   its own caller.
    /// - A value that cannot be stored is returned all the same. Those who waited for it compute for themselves then.
    /// - What was put or invalidated meanwhile stays put or invalidated: the value is returned, and not stored. Who
    ///   asks for the key after it was invalidated computes anew.
    ///
    /// A call that waits parks its thread. In async code, where whoever computes may need that thread, use the other face.
    ///
    /// ```
    /// use cacheness_cache::{Bare, key, sync::Cache};
    ///
    /// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open()?;
    /// let square: u64 = cache.get_or_put(key! { number: 12 }, || 12 * 12)?;
    /// assert_eq!(square, 144);
    /// assert_eq!(cache.get(key! { number: 12 })?, Some(144_u64));
    /// # Ok::<(), cacheness_cache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `get`; nothing is computed then. [`Conflict`](ErrorKind::Conflict) when the computation of a key asks for the
    /// same key, which would wait for itself for ever.
    pub fn get_or_put<T: Value>(&self, key: impl Serialize, compute: impl FnOnce() -> T) -> Result<T> {
        let load = || {
            let computed = Face::Blocking.get_or_put(self.core(), Key::of(key)?, || ready(Ok(compute())));
            block_on(computed).map(unfailing)
        };
        load().map_err(|error: Error| error.operation("get_or_put"))
    }

    /// As [`get_or_put`](Self::get_or_put), for computations that fail. Failures are not stored: each goes to its own
    /// caller, and one of those who wait computes next.
    ///
    /// # Errors
    ///
    /// As `get_or_put`, outside; what `compute` returns, inside.
    pub fn try_get_or_put<T: Value, E>(
        &self,
        key: impl Serialize,
        compute: impl FnOnce() -> Result<T, E>,
    ) -> Result<Result<T, E>> {
        let load = || block_on(Face::Blocking.get_or_put(self.core(), Key::of(key)?, || ready(compute())));
        load().map_err(|error: Error| error.operation("try_get_or_put"))
    }
}

impl<B> future::Cache<B> {
    /// The value under the key of some parameters; when there is no live one of this type, what the future that `compute`
    /// makes returns, which is stored with the default TTL.
    ///
    /// However many tasks and threads ask for a key at once, through whatever handle of this opened cache, one of them
    /// computes, in its own task; the others wait and read what it stored. No lock is held, and no thread is parked.
    ///
    /// - When the one who computes panics or is dropped, one of those who wait computes in its place. The panic goes to
    ///   its own caller. Once a value is being stored, it is stored, dropped or not.
    /// - A value that cannot be stored is returned all the same. Those who waited for it compute for themselves then.
    /// - What was put or invalidated meanwhile stays put or invalidated: the value is returned, and not stored. Who
    ///   asks for the key after it was invalidated computes anew.
    ///
    /// Drop a call that is no longer wanted: one that is kept and not polled can hold up the others. A computation that
    /// awaits its own key is an error; one that waits for another task which does waits for ever.
    ///
    /// ```
    /// use cacheness_cache::{Bare, future::Cache, key};
    ///
    /// # cacheness_core::runtime::block_on(async {
    /// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open().await?;
    /// let square: u64 = cache.get_or_put(key! { number: 12 }, async || 12 * 12).await?;
    /// assert_eq!(square, 144);
    /// # Ok::<(), cacheness_cache::Error>(())
    /// # })?;
    /// # Ok::<(), cacheness_cache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `get`; nothing is computed then. [`Conflict`](ErrorKind::Conflict) when the computation of a key asks for the
    /// same key, which would wait for itself for ever.
    pub fn get_or_put<'f, T: Value, F: Future<Output = T> + Send + 'f>(
        &self,
        key: impl Serialize,
        compute: impl FnOnce() -> F + Send + 'f,
    ) -> GetOrPut<'f, T> {
        let (core, key) = (self.core().clone(), Key::of(key));
        GetOrPut::new("get_or_put", async move {
            let compute = || async { Ok(compute().await) };
            Face::Async.get_or_put(&core, key?, compute).await.map(unfailing)
        })
    }

    /// As [`get_or_put`](Self::get_or_put), for computations that fail. Failures are not stored: each goes to its own
    /// caller, and one of those who wait computes next.
    ///
    /// # Errors
    ///
    /// As `get_or_put`, outside; what the future returns, inside.
    pub fn try_get_or_put<'f, T: Value, E: 'f, F: Future<Output = Result<T, E>> + Send + 'f>(
        &self,
        key: impl Serialize,
        compute: impl FnOnce() -> F + Send + 'f,
    ) -> GetOrPut<'f, Result<T, E>> {
        let (core, key) = (self.core().clone(), Key::of(key));
        GetOrPut::new("try_get_or_put", async move { Face::Async.get_or_put(&core, key?, compute).await })
    }
}

fn unfailing<T>(computed: Result<T, Infallible>) -> T {
    computed.unwrap_or_else(|never| match never {})
}

/// The future of [`future::Cache::get_or_put`]. Nothing happens before it is polled; dropped, it stops computing, and
/// somebody who waits computes in its place.
#[must_use = "nothing is computed until it is awaited"]
pub struct GetOrPut<'f, R>(BoxFuture<'f, Result<R>>);

impl<'f, R> GetOrPut<'f, R> {
    fn new(operation: &'static str, load: impl Future<Output = Result<R>> + Send + 'f) -> Self {
        Self(Box::pin(async move { load.await.map_err(|error| error.operation(operation)) }))
    }
}

impl<R> Future for GetOrPut<'_, R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        self.0.as_mut().poll(context)
    }
}

impl<R> fmt::Debug for GetOrPut<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GetOrPut")
    }
}

#[cfg(test)]
mod tests;
