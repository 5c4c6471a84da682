//! Computing what is not there.

use crate::compute::Face;
use crate::{ComputeOptions, future, sync};
use cacheness_core::runtime::{BoxFuture, block_on};
use cacheness_core::{Error, Op, Result};
use cacheness_handlers::Value;
use serde::Serialize;
use std::convert::{Infallible, identity};
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

impl<B> sync::Cache<B> {
    /// The value under the key of some parameters; when there is no live one of this type, what `compute` returns, which
    /// is stored with the default TTL.
    ///
    /// However many threads and tasks ask for a key at once, through whatever handle of this opened cache, one of them
    /// computes, on its own thread; the others wait and read what it stored. Nobody else waits: no lock is held. Of
    /// processes that share an index one computes, too: see [`lease`](crate::CacheBuilder::lease).
    ///
    /// - When the one who computes panics or is cancelled, one of those who wait computes in its place. The panic goes to
    ///   its own caller.
    /// - A value that cannot be stored is returned all the same. Those who waited for it compute for themselves then.
    /// - What was put or invalidated meanwhile stays put or invalidated: the value is returned, and not stored. Who
    ///   asks for the key after it was invalidated computes anew.
    ///
    /// A call that waits parks its thread. In async code, where whoever computes may need that thread, use the other face.
    /// A computation may ask for other keys. Computations that ask for each other's keys, from two threads, two openings of
    /// the cache or two processes, wait for each other for ever.
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
    /// As `get`; nothing is computed then. [`Conflict`](crate::ErrorKind::Conflict) when the computation of a key asks for the
    /// same key, which would wait for itself for ever.
    pub fn get_or_put<T: Value>(&self, key: impl Serialize, compute: impl FnOnce() -> T) -> Result<T> {
        self.blocking("get_or_put", key, ComputeOptions::new(), || Ok(compute())).map(unfailing)
    }

    /// As [`get_or_put`](Self::get_or_put), with what the [options](ComputeOptions) say of the value: how long it lives, and
    /// when it is computed anew while others still get the old one.
    ///
    /// # Errors
    ///
    /// As `get_or_put`; [`Config`](crate::ErrorKind::Config) for a TTL of zero and metadata that is no JSON object.
    pub fn get_or_put_with<T: Value>(
        &self,
        key: impl Serialize,
        options: ComputeOptions<T>,
        compute: impl FnOnce() -> T,
    ) -> Result<T> {
        self.blocking("get_or_put_with", key, options, || Ok(compute())).map(unfailing)
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
        self.blocking("try_get_or_put", key, ComputeOptions::new(), compute)
    }

    /// As [`get_or_put_with`](Self::get_or_put_with), for computations that fail: a value that is still there may stand in
    /// for the error.
    ///
    /// # Errors
    ///
    /// As `get_or_put_with`, outside; what `compute` returns, inside.
    pub fn try_get_or_put_with<T: Value, E>(
        &self,
        key: impl Serialize,
        options: ComputeOptions<T>,
        compute: impl FnOnce() -> Result<T, E>,
    ) -> Result<Result<T, E>> {
        self.blocking("try_get_or_put_with", key, options, compute)
    }

    fn blocking<T: Value, E>(
        &self,
        operation: &'static str,
        key: impl Serialize,
        options: ComputeOptions<T>,
        compute: impl FnOnce() -> Result<T, E>,
    ) -> Result<Result<T, E>> {
        let load = || {
            let call = self.core().call(self.core().prepare_call(key, options)?)?;
            block_on(Face::Blocking.get_or_put(self.core(), call, || ready(compute())))
        };
        load().map_err(|error: Error| error.operation(operation))
    }
}

impl<B> future::Cache<B> {
    /// The value under the key of some parameters; when there is no live one of this type, what the future that `compute`
    /// makes returns, which is stored with the default TTL.
    ///
    /// However many tasks and threads ask for a key at once, through whatever handle of this opened cache, one of them
    /// computes, in its own task; the others wait and read what it stored. No lock is held, and no thread is parked. Of
    /// processes that share an index one computes, too: see [`lease`](crate::CacheBuilder::lease).
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
    /// As `get`; nothing is computed then. [`Conflict`](crate::ErrorKind::Conflict) when the computation of a key asks for the
    /// same key, which would wait for itself for ever.
    pub fn get_or_put<'f, T: Value, F: Future<Output = T> + Send + 'f>(
        &self,
        key: impl Serialize,
        compute: impl FnOnce() -> F + Send + 'f,
    ) -> GetOrPut<'f, T> {
        self.awaited("get_or_put", key, ComputeOptions::new(), || async { Ok(compute().await) }, unfailing)
    }

    /// As [`get_or_put`](Self::get_or_put), with what the [options](ComputeOptions) say of the value: how long it lives, and
    /// when it is computed anew while others still get the old one.
    ///
    /// # Errors
    ///
    /// As `get_or_put`; [`Config`](crate::ErrorKind::Config) for a TTL of zero and metadata that is no JSON object.
    pub fn get_or_put_with<'f, T: Value, F: Future<Output = T> + Send + 'f>(
        &self,
        key: impl Serialize,
        options: ComputeOptions<T>,
        compute: impl FnOnce() -> F + Send + 'f,
    ) -> GetOrPut<'f, T> {
        self.awaited("get_or_put_with", key, options, || async { Ok(compute().await) }, unfailing)
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
        self.awaited("try_get_or_put", key, ComputeOptions::new(), compute, identity)
    }

    /// As [`get_or_put_with`](Self::get_or_put_with), for computations that fail: a value that is still there may stand in
    /// for the error.
    ///
    /// # Errors
    ///
    /// As `get_or_put_with`, outside; what the future returns, inside.
    pub fn try_get_or_put_with<'f, T: Value, E: 'f, F: Future<Output = Result<T, E>> + Send + 'f>(
        &self,
        key: impl Serialize,
        options: ComputeOptions<T>,
        compute: impl FnOnce() -> F + Send + 'f,
    ) -> GetOrPut<'f, Result<T, E>> {
        self.awaited("try_get_or_put_with", key, options, compute, identity)
    }

    fn awaited<'f, T: Value, E: 'f, R: 'f, F: Future<Output = Result<T, E>> + Send + 'f>(
        &self,
        operation: &'static str,
        key: impl Serialize,
        options: ComputeOptions<T>,
        compute: impl FnOnce() -> F + Send + 'f,
        result: fn(Result<T, E>) -> R,
    ) -> GetOrPut<'f, R> {
        let (core, prepared) = (self.core().clone(), self.core().prepare_call(key, options));
        GetOrPut::new(operation, async move {
            let (this, prepared) = (core.clone(), prepared?);
            let call = match prepared.put.names_files() {
                true => Op::new(core.driver(), async move { this.call(prepared) }).await?,
                false => this.call(prepared)?,
            };
            Face::Async.get_or_put(&core, call, compute).await.map(result)
        })
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
