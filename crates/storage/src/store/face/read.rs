//! Reading.

use super::super::bundled::{future, sync};
use super::super::key;
use super::EntryPage;
use crate::engine::{Async, Blocking, Engine, Found, Lookup};
use crate::{Entry, EntryKey, Fields, Query, Record, ValueReader};
use cacheness_core::{Result, faces};
use cacheness_handlers::{ErasedHandler, Value};
use std::any::Any;
use std::convert::Infallible;

/// What a lookup found, if it found something.
fn found(lookup: Lookup<Infallible>) -> Result<Option<Found>> {
    match lookup {
        Lookup::Found(found) => Ok(Some(found)),
        Lookup::Absent => Ok(None),
        Lookup::Refused(never) => match never {},
        Lookup::Lost(_, error) => Err(error),
    }
}

async fn get<T: Any + Send + Sync>(
    engine: &Engine,
    key: &EntryKey,
    fields: Fields,
    fallback: Option<&'static dyn ErasedHandler>,
) -> Result<Option<(T, Record)>> {
    let Some(Found { record, stored }) = found(engine.find(key, fields, |_| Ok(())).await?)? else { return Ok(None) };
    let value = engine.decode(&record, stored, fallback).await?;
    Ok(Some((value, record)))
}

faces! {
    sync [B] sync::BlobStore<B> as Blocking;
    future [B] future::BlobStore<B> as Async;

    /// The value under `key`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`TypeMismatch`](crate::ErrorKind::TypeMismatch) and [`SchemaMismatch`](crate::ErrorKind::SchemaMismatch) when
    /// another type is stored, [`Corrupt`](crate::ErrorKind::Corrupt) for damaged bytes,
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn get[T: Value](&self, at: impl AsRef<str>) -> Option<T> {
        prepare(_core, _face) { key(at) }
        run(core, key) { Ok(get(&core.engine, &key, Fields::VALUE, T::fallback()).await?.map(|(value, _)| value)) }
    }

    /// A reader of the bytes or the text under `key`, in constant memory; `None` when there is none. All bytes pass their
    /// digest before the reader is given out, and stay readable when the value is replaced or removed.
    ///
    /// # Errors
    ///
    /// As `get`; [`TypeMismatch`](crate::ErrorKind::TypeMismatch) for a value that is neither bytes nor text.
    pub fn get_reader[](&self, at: impl AsRef<str>) -> Option<ValueReader> {
        prepare(_core, _face) { key(at) }
        run(core, key) {
            let lookup = core.engine.find(&key, Fields::VALUE, |_| Ok(())).await?;
            match found(lookup)? {
                Some(found) => core.engine.reader(found).await.map(Some),
                None => Ok(None),
            }
        }
    }

    /// What is known of the value under `key`, without reading it.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn metadata[](&self, at: impl AsRef<str>) -> Option<Entry> {
        prepare(_core, _face) { key(at) }
        run(core, key) { Ok(core.engine.record(&key, Fields::HEAD).await?.map(Entry::from)) }
    }

    /// Whether there is a value under `key`.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn exists[](&self, at: impl AsRef<str>) -> bool {
        prepare(_core, _face) { key(at) }
        run(core, key) { Ok(core.engine.record(&key, Fields::LEAST).await?.is_some()) }
    }

    /// The next entries of a query, in the order of keys.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`](crate::ErrorKind::InvalidQuery), [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn list[](&self, query: &Query) -> EntryPage {
        prepare(_core, _face) { Ok(query.clone()) }
        run(core, query) { Ok(core.engine.page(&query).await?.into()) }
    }

    /// The value with everything known about it.
    ///
    /// # Errors
    ///
    /// As `get`.
    pub fn get_with_metadata[T: Value](&self, at: impl AsRef<str>) -> Option<(T, Entry)> {
        prepare(_core, _face) { key(at) }
        run(core, key) {
            let found = get(&core.engine, &key, Fields::ALL, T::fallback()).await?;
            Ok(found.map(|(value, record)| (value, Entry::from(record))))
        }
    }

    /// The value of a type that only a registered handler can read, such as an array.
    ///
    /// # Errors
    ///
    /// As `get`; [`NoHandler`](crate::ErrorKind::NoHandler) when none is registered for the type.
    pub fn get_typed[T: Any + Send + Sync](&self, at: impl AsRef<str>) -> Option<T> {
        prepare(_core, _face) { key(at) }
        run(core, key) { Ok(get(&core.engine, &key, Fields::VALUE, None).await?.map(|(value, _)| value)) }
    }

    /// The values of several keys, in their order, after one look into the index.
    ///
    /// # Errors
    ///
    /// As `get`.
    pub fn get_many[T: Value, K: AsRef<str>](&self, keys: impl IntoIterator<Item = K>) -> Vec<Option<T>> {
        prepare(_core, _face) { keys.into_iter().map(key).collect::<cacheness_core::Result<Vec<_>>>() }
        run(core, keys) {
            let mut values = Vec::with_capacity(keys.len());
            for lookup in core.engine.find_many(&keys, Fields::VALUE, |_, _| Ok(())).await? {
                values.push(match found(lookup)? {
                    Some(Found { record, stored }) => {
                        Some(core.engine.decode(&record, stored, T::fallback()).await?)
                    }
                    None => None,
                });
            }
            Ok(values)
        }
    }
}
