//! Reading.

use crate::core::resolved;
use crate::{GetOptions, Ttl, future, sync};
use cacheness_core::faces;
use cacheness_handlers::{Handler, HandlerRef, Value};
use cacheness_storage::engine::{Async, Blocking};
use cacheness_storage::{Entry, Fields, ValueReader};
use serde::Serialize;
use std::any::Any;
use std::sync::Arc;

faces! {
    sync [B] sync::Cache<B> as Blocking;
    future [B] future::Cache<B> as Async;

    /// The value under the key of some parameters; `None`, counted by its reason, when there is no live one of this
    /// type.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`](crate::ErrorKind::InvalidKey), [`Closed`](crate::ErrorKind::Closed), and what the backends
    /// return. Damaged entries and other types are misses, unless the cache was opened with
    /// [`OnInvalid::Error`](crate::OnInvalid::Error).
    pub fn get[T: Value](&self, key: impl Serialize) -> Option<T> {
        prepare(core, _face) { core.wanted(key) }
        attempt(core, key) { core.get_at_once(key, T::fallback(), GetOptions::new()) }
        run(core, key) { let key = key.resolve()?; Ok(core.get(key, Fields::VALUE, T::fallback()).await?.map(|(value, _)| value)) }
    }

    /// The value with everything known about it.
    ///
    /// # Errors
    ///
    /// As `get`.
    pub fn get_with_metadata[T: Value](&self, key: impl Serialize) -> Option<(T, Entry)> {
        prepare(core, _face) { core.wanted(key) }
        run(core, key) {
            let key = key.resolve()?;
            let found = core.get(key, Fields::ALL, T::fallback()).await?;
            Ok(found.map(|(value, record)| (value, Entry::from(record))))
        }
    }

    /// The value of a type that only a registered handler can read, such as an array.
    ///
    /// # Errors
    ///
    /// As `get`; [`NoHandler`](crate::ErrorKind::NoHandler) when none is registered for the type.
    pub fn get_typed[T: Any + Send + Sync](&self, key: impl Serialize) -> Option<T> {
        prepare(core, _face) { core.wanted(key) }
        attempt(core, key) { core.get_at_once(key, None, GetOptions::new()) }
        run(core, key) { let key = key.resolve()?; Ok(core.get(key, Fields::VALUE, None).await?.map(|(value, _)| value)) }
    }

    /// The value that a handler stored, registered or not.
    ///
    /// # Errors
    ///
    /// As `get`. What another handler stored is of another type.
    pub fn get_as[H: Handler + Clone](&self, handler: &H, key: impl Serialize) -> Option<H::Value> {
        prepare(core, _face) { Ok((core.wanted(key)?, HandlerRef::Shared(Arc::new(handler.clone())))) }
        run(core, (key, handler)) {
            let key = key.resolve()?;
            core.get_as::<H::Value>(key, handler).await
        }
    }

    /// A reader of a live entry's bytes or text, in constant memory. All bytes pass their digest before the reader is given
    /// out, and stay readable when the entry is replaced or removed.
    ///
    /// # Errors
    ///
    /// As `get`. Values that are neither bytes nor text are of another type.
    pub fn get_reader[](&self, key: impl Serialize) -> Option<ValueReader> {
        prepare(core, _face) { core.wanted(key) }
        run(core, key) { let key = key.resolve()?; core.reader(key).await }
    }

    /// Everything known about a live entry, without reading its value.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`](crate::ErrorKind::InvalidKey), [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn metadata[](&self, key: impl Serialize) -> Option<Entry> {
        prepare(core, _face) { core.wanted(key) }
        run(core, key) { let key = key.resolve()?; Ok(core.record(key, Fields::HEAD).await?.map(Entry::from)) }
    }

    /// Whether there is a live entry, of whatever type.
    ///
    /// # Errors
    ///
    /// As `metadata`.
    pub fn exists[](&self, key: impl Serialize) -> bool {
        prepare(core, _face) { core.wanted(key) }
        run(core, key) { let key = key.resolve()?; Ok(core.record(key, Fields::LEAST).await?.is_some()) }
    }

    /// The value under the key of some parameters, if it is as fresh as asked for.
    ///
    /// # Errors
    ///
    /// As `get`.
    pub fn get_with[T: Value](&self, key: impl Serialize, options: GetOptions) -> Option<T> {
        prepare(core, _face) { core.wanted(key).map(|key| (key, options)) }
        attempt(core, (key, options)) { core.get_at_once(key, T::fallback(), *options) }
        run(core, (key, options)) {
            let key = key.resolve()?;
            let found = core.get_fresh(key, Fields::VALUE, T::fallback(), options).await?;
            Ok(found.map(|(value, _)| value))
        }
    }

    /// The value in an `Arc`, for types that are large or cannot be cloned.
    ///
    /// # Errors
    ///
    /// As `get`.
    pub fn get_shared[T: Value](&self, key: impl Serialize) -> Option<Arc<T>> {
        prepare(core, _face) { core.wanted(key) }
        attempt(core, key) { core.get_shared_at_once(key) }
        run(core, key) { let key = key.resolve()?; core.get_shared(key, T::fallback()).await }
    }

    /// The values of several keys, in their order, after one look into the index.
    ///
    /// # Errors
    ///
    /// As `get`.
    pub fn get_many[T: Value, K: Serialize](&self, keys: impl IntoIterator<Item = K>) -> Vec<Option<T>> {
        prepare(core, _face) { core.all_wanted(keys) }
        run(core, keys) { core.get_many(resolved(keys)?, T::fallback()).await }
    }

    /// When a live entry expires; `None` when there is none.
    ///
    /// # Errors
    ///
    /// As `metadata`.
    pub fn ttl[](&self, key: impl Serialize) -> Option<Ttl> {
        prepare(core, _face) { core.wanted(key) }
        run(core, key) { let key = key.resolve()?; core.ttl(key).await }
    }
}
