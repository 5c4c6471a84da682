//! Storing.

use super::super::bundled::{future, sync};
use super::super::{PutOptions, key};
use crate::engine::{Aliased, Async, Blocking, Face, NewEntry, Source, Target, Written};
use crate::{Annotations, Condition, EntryKey, Filter, Patch};
use cacheness_core::{Error, ErrorKind, Result, faces};
use cacheness_handlers::{Put, Value};
use std::any::Any;
use std::io::Read;
use std::sync::Arc;

fn entry(key: EntryKey, annotations: Annotations, condition: Condition) -> NewEntry {
    NewEntry { annotations, ..NewEntry::new(key, condition) }
}

fn target(key: EntryKey) -> Target {
    Target { key, key_digest: None, namespace: None, parameters: None, epoch: None, condition: Condition::Absent }
}

/// Whether there was something to copy.
fn aliased(aliased: Aliased, to: &EntryKey) -> Result<bool> {
    match aliased {
        Aliased::Committed => Ok(true),
        Aliased::Absent => Ok(false),
        Aliased::Unmet => Err(Error::new(ErrorKind::Conflict, "there is a value under the other key")
            .key(to)
            .advice("delete it first")),
    }
}

faces! {
    sync [B] sync::BlobStore<B> as Blocking;
    future [B] future::BlobStore<B> as Async;

    /// Stores a value in the place of the one under `key`.
    ///
    /// # Errors
    ///
    /// [`Serialization`](crate::ErrorKind::Serialization) for a value that would not come back as it is,
    /// [`InvalidKey`](crate::ErrorKind::InvalidKey), [`TooLarge`](crate::ErrorKind::TooLarge),
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn put[K: AsRef<str>, V: Put + ?Sized](&self, at: K, value: &V) -> () {
        prepare(core, face) { Ok((key(at)?, face.source(&core.engine, value)?)) }
        run(core, (key, source)) {
            core.engine.put(source, entry(key, Annotations::default(), Condition::Always)).await.map(drop)
        }
    }

    /// Stores a value with metadata, tags and a description.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn put_with[K: AsRef<str>, V: Put + ?Sized](&self, at: K, value: &V, options: PutOptions) -> () {
        prepare(core, face) { Ok((key(at)?, face.source(&core.engine, value)?, options.into_annotations()?)) }
        run(core, (key, source, annotations)) {
            core.engine.put(source, entry(key, annotations, Condition::Always)).await.map(drop)
        }
    }

    /// Stores a value under a key that is made for it, and returns the key: 32 random hexadecimal digits; in a store
    /// that is content-addressable 64 that the type and the bytes of the value make, so that the same value has the same
    /// key and is stored once.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn put_new[V: Put + ?Sized](&self, value: &V) -> String {
        prepare(core, face) {
            Ok((core.engine.mint_version()?.to_string(), face.source(&core.engine, value)?))
        }
        run(core, (name, source)) {
            if core.engine.is_content_addressable() {
                return core.engine.put_content(source).await.map(|key| key.to_string());
            }
            match core.engine.put(source, entry(key(&name)?, Annotations::default(), Condition::Absent)).await? {
                Written::Committed => Ok(name),
                Written::Unmet => Err(Error::new(ErrorKind::Conflict, "a new key is in use already").key(name)),
            }
        }
    }

    /// Stores a shared value; on the async face it is encoded off the caller's thread and never held twice.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn put_shared[K: AsRef<str>, T: Value](&self, at: K, value: Arc<T>) -> () {
        prepare(core, _face) { Ok((key(at)?, Source::shared(core.engine.handlers(), value)?)) }
        run(core, (key, source)) {
            core.engine.put(source, entry(key, Annotations::default(), Condition::Always)).await.map(drop)
        }
    }

    /// Stores the bytes that a reader gives, of any number, in constant memory. They come back as a `Vec<u8>`, or by
    /// `get_reader`.
    ///
    /// ```
    /// # use cacheness_storage::{OpenContext, memory::{MemoryBlobs, MemoryMetadata}, sync::BlobStore};
    /// # let context = OpenContext::new();
    /// # let (index, blobs) = (MemoryMetadata::new(&context), MemoryBlobs::new(&context));
    /// # let store = BlobStore::builder().metadata_backend(index).blob_backend(blobs).open()?;
    /// store.put_reader("numbers", std::io::Cursor::new("1 2 3"))?;
    /// let mut text = String::new();
    /// if let Some(mut reader) = store.get_reader("numbers")? {
    ///     std::io::Read::read_to_string(&mut reader, &mut text)?;
    /// }
    /// assert_eq!(text, "1 2 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `put`; [`Storage`](crate::ErrorKind::Storage) when the reader fails: nothing is stored then.
    pub fn put_reader[K: AsRef<str>](&self, at: K, reader: impl Read + Send + 'static) -> () {
        prepare(_core, _face) { Ok((key(at)?, Source::reader(reader)?)) }
        run(core, (key, source)) {
            core.engine.put(source, entry(key, Annotations::default(), Condition::Always)).await.map(drop)
        }
    }

    /// Stores a value only where one is stored already, with new annotations; says whether it did.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn update[K: AsRef<str>, V: Put + ?Sized](&self, at: K, value: &V) -> bool {
        prepare(core, face) { Ok((key(at)?, face.source(&core.engine, value)?)) }
        run(core, (key, source)) {
            let entry = entry(key, Annotations::default(), Condition::Present(Filter::All));
            Ok(core.engine.put(source, entry).await? != Written::Unmet)
        }
    }

    /// Sets metadata, tags and description of a stored value in the place of the old ones; says whether there is one.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn update_metadata[](&self, at: impl AsRef<str>, options: PutOptions) -> bool {
        prepare(_core, _face) { Ok((key(at)?, options.into_annotations()?)) }
        run(core, (key, annotations)) {
            let mut patch = Patch::new(core.engine.mint_version()?, core.engine.clock().now());
            patch.annotations = Some(annotations);
            core.engine.patch(&key, patch, Condition::Always).await
        }
    }

    /// Stores a value of a type that only a registered handler can store, such as an array.
    ///
    /// # Errors
    ///
    /// As `put`; [`NoHandler`](crate::ErrorKind::NoHandler) when none is registered for the type.
    pub fn put_typed[K: AsRef<str>, T: Any + Send + Sync](&self, at: K, value: &T) -> () {
        prepare(core, face) { Ok((key(at)?, face.typed(&core.engine, value)?)) }
        run(core, (key, source)) {
            core.engine.put(source, entry(key, Annotations::default(), Condition::Always)).await.map(drop)
        }
    }

    /// Stores a value only where there is none; says whether it did. Of many who do so at once, one does.
    ///
    /// # Errors
    ///
    /// As `put`.
    pub fn put_if_absent[K: AsRef<str>, V: Put + ?Sized](&self, at: K, value: &V) -> bool {
        prepare(core, face) { Ok((key(at)?, face.source(&core.engine, value)?)) }
        run(core, (key, source)) {
            let entry = entry(key, Annotations::default(), Condition::Absent);
            Ok(core.engine.put(source, entry).await? != Written::Unmet)
        }
    }

    /// Stores values in one commit, all or none. Of equal keys the last one stays.
    ///
    /// # Errors
    ///
    /// As `put`; nothing is stored then.
    pub fn put_many[K: AsRef<str>, V: Put](&self, entries: &[(K, V)]) -> () {
        prepare(core, face) {
            let prepared = entries.iter().map(|(at, value)| {
                let entry = entry(key(at)?, Annotations::default(), Condition::Always);
                Ok((face.source(&core.engine, value)?, entry))
            });
            prepared.collect::<cacheness_core::Result<Vec<_>>>()
        }
        run(core, prepared) { core.engine.put_many(prepared).await.map(drop) }
    }

    /// Copies a value with its annotations to a key without one; says whether there was a value to copy. The bytes are
    /// shared, not copied.
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::ErrorKind::Conflict) when there is a value under the other key; otherwise as `delete`.
    pub fn copy[](&self, from: impl AsRef<str>, to: impl AsRef<str>) -> bool {
        prepare(_core, _face) { Ok((key(from)?, target(key(to)?))) }
        run(core, (from, to)) {
            let name = to.key.clone();
            aliased(core.engine.copy(&from, to, |_| true).await?, &name)
        }
    }

    /// Gives a value another key, at once; says whether there was one.
    ///
    /// # Errors
    ///
    /// As `copy`; nothing is changed then.
    pub fn rename[](&self, from: impl AsRef<str>, to: impl AsRef<str>) -> bool {
        prepare(_core, _face) { Ok((key(from)?, target(key(to)?))) }
        run(core, (from, to)) {
            let name = to.key.clone();
            aliased(core.engine.rename(&from, to, |_| true).await?, &name)
        }
    }
}
