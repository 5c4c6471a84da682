//! The verbs of a cache, declared once for both faces.

use crate::{Key, PutOptions, Stats, future, sync};
use cacheness_core::faces;
use cacheness_handlers::{Put, Value};
use cacheness_storage::engine::{Async, Blocking, Face, Source};
use cacheness_storage::{Entry, EntryPage, Fields, Filter, Query, Swept, ValueReader, Verified};
use serde::Serialize;
use std::any::Any;
use std::io::Read;
use std::sync::Arc;

faces! {
    sync [B] sync::Cache<B> as Blocking;
    future [B] future::Cache<B> as Async;

    /// Stores a value under the key of some parameters, in the place of what was there; returns the key.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`](crate::ErrorKind::InvalidKey), [`Serialization`](crate::ErrorKind::Serialization) for a value
    /// that would not come back as it is, [`TooLarge`](crate::ErrorKind::TooLarge),
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return:
    /// [`OutOfSpace`](crate::ErrorKind::OutOfSpace), [`Permission`](crate::ErrorKind::Permission),
    /// [`Unavailable`](crate::ErrorKind::Unavailable), [`Storage`](crate::ErrorKind::Storage),
    /// [`Metadata`](crate::ErrorKind::Metadata). The old value is intact then.
    pub fn put[K: Serialize, V: Put + ?Sized](&self, key: K, value: &V) -> Key {
        prepare(core, face) {
            Ok((core.prepare_put(Key::of(key)?, PutOptions::new())?, face.source(&core.engine, value)?))
        }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// Stores a value with a TTL, metadata, tags or a description of its own.
    ///
    /// # Errors
    ///
    /// As `put`; [`Config`](crate::ErrorKind::Config) for a TTL of zero and metadata that is no JSON object.
    pub fn put_with[K: Serialize, V: Put + ?Sized](&self, key: K, value: &V, options: PutOptions) -> Key {
        prepare(core, face) {
            Ok((core.prepare_put(Key::of(key)?, options)?, face.source(&core.engine, value)?))
        }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// Stores a shared value. The async face encodes it off the caller's thread and never holds it twice.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn put_shared[K: Serialize, T: Value](&self, key: K, value: Arc<T>) -> Key {
        prepare(core, _face) {
            let put = core.prepare_put(Key::of(key)?, PutOptions::new())?;
            Ok((put, Source::shared(core.engine.handlers(), value)?))
        }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// Stores a value of a type that only a registered handler can store, such as an array.
    ///
    /// # Errors
    ///
    /// As `put`; [`NoHandler`](crate::ErrorKind::NoHandler) when none is registered for the type.
    pub fn put_typed[K: Serialize, T: Any + Send + Sync](&self, key: K, value: &T) -> Key {
        prepare(core, face) {
            Ok((core.prepare_put(Key::of(key)?, PutOptions::new())?, face.typed(&core.engine, value)?))
        }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// Stores the bytes that a reader gives, of any number, in constant memory. They come back as a `Vec<u8>`, or by
    /// `get_reader`.
    ///
    /// # Errors
    ///
    /// As `put`; [`Storage`](crate::ErrorKind::Storage) when the reader fails: nothing is stored then.
    pub fn put_reader[K: Serialize](&self, key: K, reader: impl Read + Send + 'static) -> Key {
        prepare(core, _face) {
            Ok((core.prepare_put(Key::of(key)?, PutOptions::new())?, Source::reader(reader)?))
        }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// The value under the key of some parameters; `None`, counted by its reason, when there is no live one of this
    /// type.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`](crate::ErrorKind::InvalidKey), [`Closed`](crate::ErrorKind::Closed), and what the backends
    /// return. Damaged entries and other types are misses, unless the cache was opened with
    /// [`OnInvalid::Error`](crate::OnInvalid::Error).
    pub fn get[T: Value](&self, key: impl Serialize) -> Option<T> {
        prepare(_core, _face) { Key::of(key) }
        run(core, key) { Ok(core.get(key, Fields::VALUE, T::fallback()).await?.map(|(value, _)| value)) }
    }

    /// The value with everything known about it.
    ///
    /// # Errors
    ///
    /// As `get`.
    pub fn get_with_metadata[T: Value](&self, key: impl Serialize) -> Option<(T, Entry)> {
        prepare(_core, _face) { Key::of(key) }
        run(core, key) {
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
        prepare(_core, _face) { Key::of(key) }
        run(core, key) { Ok(core.get(key, Fields::VALUE, None).await?.map(|(value, _)| value)) }
    }

    /// A reader of a live entry's bytes or text, in constant memory. All bytes pass their digest before the reader is given
    /// out, and stay readable when the entry is replaced or removed.
    ///
    /// # Errors
    ///
    /// As `get`. Values that are neither bytes nor text are of another type.
    pub fn get_reader[](&self, key: impl Serialize) -> Option<ValueReader> {
        prepare(_core, _face) { Key::of(key) }
        run(core, key) { core.reader(key).await }
    }

    /// Everything known about a live entry, without reading its value.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`](crate::ErrorKind::InvalidKey), [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn metadata[](&self, key: impl Serialize) -> Option<Entry> {
        prepare(_core, _face) { Key::of(key) }
        run(core, key) { Ok(core.record(key, Fields::HEAD).await?.map(Entry::from)) }
    }

    /// Whether there is a live entry, of whatever type.
    ///
    /// # Errors
    ///
    /// As `metadata`.
    pub fn exists[](&self, key: impl Serialize) -> bool {
        prepare(_core, _face) { Key::of(key) }
        run(core, key) { Ok(core.record(key, Fields::LEAST).await?.is_some()) }
    }

    /// Removes an entry; says whether there was a live one.
    ///
    /// # Errors
    ///
    /// As `metadata`.
    pub fn invalidate[](&self, key: impl Serialize) -> bool {
        prepare(_core, _face) { Key::of(key) }
        run(core, key) { core.invalidate(key).await }
    }

    /// The next live entries of a query, in the order of their keys. Nothing is locked between two pages.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`](crate::ErrorKind::InvalidQuery), [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn entries[](&self, query: &Query) -> EntryPage {
        prepare(_core, _face) { Ok(query.clone()) }
        run(core, query) { core.entries(query).await }
    }

    /// What is in the cache, and what this handle and its clones did with it.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn stats[](&self) -> Stats {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.stats().await }
    }

    /// Removes what crashes and interrupted puts left: blobs that no entry names, and files of killed processes, each
    /// after its grace. Any number of processes may sweep at once, beside any other work.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return; what was done before stays done.
    pub fn sweep[](&self) -> Swept {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.sweep().await }
    }

    /// Reads every entry, expired ones too, and compares it with its digest. It changes nothing; damage is no error but
    /// a finding.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn verify[](&self) -> Verified {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.verify().await }
    }

    /// Removes every entry; returns how many.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn clear[](&self) -> u64 {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.remove_where(&Filter::All).await }
    }

    /// Closes the cache for every clone; later calls fail. A second close is no error.
    ///
    /// # Errors
    ///
    /// What the backends return.
    pub fn close[](&self) -> () {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.close().await }
    }
}
