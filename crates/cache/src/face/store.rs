//! Storing.

use crate::core::{When, resolved};
use crate::degraded::GivenState;
use crate::key::Encoding;
use crate::options::check_ttl;
use crate::{CopyOptions, Key, PutOptions, future, sync};
use cacheness_core::faces;
use cacheness_handlers::{Handler, HandlerRef, Put, Value};
use cacheness_storage::engine::{Async, Blocking, Face, Source};
use serde::Serialize;
use std::any::Any;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

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
            Ok((core.prepare_put(key, PutOptions::new())?, face.source(&core.engine, value)?))
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
            Ok((core.prepare_put(key, options)?, face.source(&core.engine, value)?))
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
            let put = core.prepare_put(key, PutOptions::new())?;
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
            Ok((core.prepare_put(key, PutOptions::new())?, face.typed(&core.engine, value)?))
        }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// Stores a value by this handler, registered or not. `get_as` reads it, with the same handler.
    ///
    /// ```
    /// use cacheness_cache::{Bare, sync::Cache};
    /// use cacheness_handlers::TextHandler;
    ///
    /// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open()?;
    /// cache.put_as(&TextHandler, "note", &"a few words".to_owned())?;
    /// assert_eq!(cache.get_as(&TextHandler, "note")?.as_deref(), Some("a few words"));
    /// # Ok::<(), cacheness_cache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn put_as[K: Serialize, H: Handler + Clone](&self, handler: &H, key: K, value: &H::Value) -> Key {
        prepare(core, face) {
            let handler = HandlerRef::Shared(Arc::new(handler.clone()));
            Ok((core.prepare_put(key, PutOptions::new())?, face.by(&core.engine, handler, value)?))
        }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// As [`put_shared`](Self::put_shared), with a TTL, metadata, tags or a description of its own.
    ///
    /// # Errors
    ///
    /// As `put_with`.
    pub fn put_shared_with[K: Serialize, T: Value](&self, key: K, value: Arc<T>, options: PutOptions) -> Key {
        prepare(core, _face) { Ok((core.prepare_put(key, options)?, Source::shared(core.engine.handlers(), value)?)) }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// As [`put_typed`](Self::put_typed), with a TTL, metadata, tags or a description of its own.
    ///
    /// # Errors
    ///
    /// As `put_typed` and `put_with`.
    pub fn put_typed_with[K: Serialize, T: Any + Send + Sync](&self, key: K, value: &T, options: PutOptions) -> Key {
        prepare(core, face) { Ok((core.prepare_put(key, options)?, face.typed(&core.engine, value)?)) }
        run(core, (put, source)) { core.put(put, source).await }
    }

    /// As [`put_reader`](Self::put_reader), with a TTL, metadata, tags or a description of its own.
    ///
    /// # Errors
    ///
    /// As `put_reader` and `put_with`.
    pub fn put_reader_with[K: Serialize](&self, key: K, reader: impl Read + Send + 'static, options: PutOptions) -> Key {
        prepare(core, _face) {
            let given = GivenState::default();
            Ok((core.prepare_put(key, options)?, Source::reader(given.watch(reader))?, given))
        }
        run(core, (put, source, given)) { core.put_given(put, source, &given).await }
    }

    /// Stores the bytes that a reader gives, of any number, in constant memory. They come back as a `Vec<u8>`, or by
    /// `get_reader`.
    ///
    /// # Errors
    ///
    /// As `put`; [`Storage`](crate::ErrorKind::Storage) when the reader fails: nothing is stored then.
    pub fn put_reader[K: Serialize](&self, key: K, reader: impl Read + Send + 'static) -> Key {
        prepare(core, _face) {
            let given = GivenState::default();
            Ok((core.prepare_put(key, PutOptions::new())?, Source::reader(given.watch(reader))?, given))
        }
        run(core, (put, source, given)) { core.put_given(put, source, &given).await }
    }

    /// Stores a value only where there is no live entry; says whether it did. Of many who do so at once, one does.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn put_if_absent[K: Serialize, V: Put + ?Sized](&self, key: K, value: &V) -> bool {
        prepare(core, face) {
            Ok((core.prepare_put(key, PutOptions::new())?, face.source(&core.engine, value)?))
        }
        run(core, (put, source)) { core.put_when(put, source, When::Absent).await }
    }

    /// Replaces the value of a live entry; says whether there was one. Metadata, tags and description are new ones, and
    /// the TTL begins again, as for `put`.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn update[K: Serialize, V: Put + ?Sized](&self, key: K, value: &V) -> bool {
        prepare(core, face) {
            Ok((core.prepare_put(key, PutOptions::new())?, face.source(&core.engine, value)?))
        }
        run(core, (put, source)) { core.put_when(put, source, When::Live).await }
    }

    /// As [`put_if_absent`](Self::put_if_absent), with a TTL, metadata, tags or a description of its own.
    ///
    /// # Errors
    ///
    /// As `put_with`.
    pub fn put_if_absent_with[K: Serialize, V: Put + ?Sized](&self, key: K, value: &V, options: PutOptions) -> bool {
        prepare(core, face) { Ok((core.prepare_put(key, options)?, face.source(&core.engine, value)?)) }
        run(core, (put, source)) { core.put_when(put, source, When::Absent).await }
    }

    /// As [`update`](Self::update), with a TTL, metadata, tags or a description of its own.
    ///
    /// # Errors
    ///
    /// As `put_with`.
    pub fn update_with[K: Serialize, V: Put + ?Sized](&self, key: K, value: &V, options: PutOptions) -> bool {
        prepare(core, face) { Ok((core.prepare_put(key, options)?, face.source(&core.engine, value)?)) }
        run(core, (put, source)) { core.put_when(put, source, When::Live).await }
    }

    /// Replaces the values of those keys that have a live entry, each as `update` does; returns how many they were.
    ///
    /// # Errors
    ///
    /// As `put`; what was replaced before the error stays replaced.
    pub fn update_many[K: Serialize, V: Put](&self, entries: &[(K, V)]) -> u64 {
        prepare(core, face) {
            let mut prepared = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                prepared.push((core.prepare_put(key, PutOptions::new())?, face.source(&core.engine, value)?));
            }
            Ok(prepared)
        }
        run(core, prepared) {
            let mut count = 0;
            for (put, source) in prepared {
                count += u64::from(core.put_when(put, source, When::Live).await?);
            }
            Ok(count)
        }
    }

    /// Stores values in one commit, all or none; returns their keys, in order. Of equal keys the last one stays.
    ///
    /// # Errors
    ///
    /// As `put`; nothing is stored then.
    pub fn put_many[K: Serialize, V: Put](&self, entries: &[(K, V)]) -> Vec<Key> {
        prepare(core, face) {
            let mut prepared = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let put = core.prepare_put(key, PutOptions::new())?;
                prepared.push((put, face.source(&core.engine, value)?));
            }
            Ok(prepared)
        }
        run(core, prepared) { core.put_many(prepared).await }
    }

    /// Changes when a live entry expires: in `ttl` from now, with `None` as the cache's default says. Says whether there was
    /// one.
    ///
    /// For an entry with an idle time it is a use, too: it expires when the idle time ends, if that is earlier, and later uses
    /// go on moving that, up to the end that its put gave it, unless a touch went beyond.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for a TTL of zero; [`InvalidKey`](crate::ErrorKind::InvalidKey),
    /// [`Closed`](crate::ErrorKind::Closed), [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the index returns.
    pub fn touch[](&self, key: impl Serialize, ttl: Option<Duration>) -> bool {
        prepare(core, _face) { Ok((core.wanted(key)?, ttl.map(check_ttl).transpose()?)) }
        run(core, (key, ttl)) { Ok(core.touch(vec![key.resolve()?], ttl).await? > 0) }
    }

    /// Changes when live entries expire, as `touch` does, in one commit; returns how many there were.
    ///
    /// # Errors
    ///
    /// As `touch`; nothing is changed then.
    pub fn touch_many[K: Serialize](&self, keys: impl IntoIterator<Item = K>, ttl: Option<Duration>) -> u64 {
        prepare(core, _face) { Ok((core.all_wanted(keys)?, ttl.map(check_ttl).transpose()?)) }
        run(core, (keys, ttl)) { core.touch(resolved(keys)?, ttl).await }
    }

    /// Copies a live entry, with its expiry and annotations, to a key without one; says whether there was an entry to copy. The
    /// bytes are shared, not copied.
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::ErrorKind::Conflict) when there is a live entry under the other key; otherwise as `touch`.
    pub fn copy[](&self, from: impl Serialize, to: impl Serialize) -> bool {
        prepare(core, _face) { Ok((core.wanted(from)?, Encoding::of(to)?)) }
        run(core, (from, to)) { core.alias(from, to, CopyOptions::new(), false).await }
    }

    /// Gives a live entry another key, at once; says whether there was one.
    ///
    /// # Errors
    ///
    /// As `copy`; nothing is changed then.
    pub fn rename[](&self, from: impl Serialize, to: impl Serialize) -> bool {
        prepare(core, _face) { Ok((core.wanted(from)?, Encoding::of(to)?)) }
        run(core, (from, to)) { core.alias(from, to, CopyOptions::new(), true).await }
    }

    /// As [`copy`](Self::copy), and in the place of a live entry if that is allowed.
    ///
    /// # Errors
    ///
    /// As `copy`.
    pub fn copy_with[](&self, from: impl Serialize, to: impl Serialize, options: CopyOptions) -> bool {
        prepare(core, _face) { Ok((core.wanted(from)?, Encoding::of(to)?, options)) }
        run(core, (from, to, options)) { core.alias(from, to, options, false).await }
    }

    /// As [`rename`](Self::rename), and in the place of a live entry if that is allowed.
    ///
    /// # Errors
    ///
    /// As `copy`; nothing is changed then.
    pub fn rename_with[](&self, from: impl Serialize, to: impl Serialize, options: CopyOptions) -> bool {
        prepare(core, _face) { Ok((core.wanted(from)?, Encoding::of(to)?, options)) }
        run(core, (from, to, options)) { core.alias(from, to, options, true).await }
    }
}
