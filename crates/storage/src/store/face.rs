//! The verbs of `BlobStore`, declared once for both faces.

use super::bundled::{future, sync};
use super::{PutOptions, key};
use crate::engine::{Async, Blocking, Face, Found, Lookup, NewEntry, Source, Written};
use crate::{
    Annotations, Condition, Cursor, Entry, EntryKey, Fields, Filter, MetadataStats, Patch, Query, Swept, ValueReader,
    Verified,
};
use cacheness_core::{Error, ErrorKind, faces};
use cacheness_handlers::{Put, Value};
use std::convert::Infallible;
use std::io::Read;
use std::sync::Arc;

fn entry(key: EntryKey, annotations: Annotations, condition: Condition) -> NewEntry {
    NewEntry { annotations, ..NewEntry::new(key, condition) }
}

/// Some entries, and where to go on: pass `next` to [`Query::after`].
#[derive(Debug, Clone)]
pub struct EntryPage {
    /// The entries, fewer than the limit perhaps: only a missing `next` says that there are no more.
    pub entries: Vec<Entry>,
    /// Where to go on.
    pub next: Option<Cursor>,
}

impl From<crate::Page> for EntryPage {
    fn from(page: crate::Page) -> Self {
        Self { entries: page.records.into_iter().map(Entry::from).collect(), next: page.next }
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
                Written::Committed { .. } => Ok(name),
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

    /// The value under `key`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`TypeMismatch`](crate::ErrorKind::TypeMismatch) and [`SchemaMismatch`](crate::ErrorKind::SchemaMismatch) when
    /// another type is stored, [`Corrupt`](crate::ErrorKind::Corrupt) for damaged bytes,
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn get[T: Value](&self, at: impl AsRef<str>) -> Option<T> {
        prepare(_core, _face) { key(at) }
        run(core, key) {
            match core.engine.find(&key, Fields::VALUE, |_| Ok::<_, Infallible>(())).await? {
                Lookup::Found(Found { record, stored }) => {
                    core.engine.decode(&record, stored, T::fallback()).await.map(Some)
                }
                Lookup::Absent => Ok(None),
                Lookup::Refused(never) => match never {},
                Lookup::Lost(_, error) => Err(error),
            }
        }
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
            match core.engine.find(&key, Fields::VALUE, |_| Ok::<_, Infallible>(())).await? {
                Lookup::Found(found) => core.engine.reader(found).await.map(Some),
                Lookup::Absent => Ok(None),
                Lookup::Refused(never) => match never {},
                Lookup::Lost(_, error) => Err(error),
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

    /// Removes the value under `key`; says whether there was one.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn delete[](&self, at: impl AsRef<str>) -> bool {
        prepare(_core, _face) { key(at) }
        run(core, key) { core.engine.remove(&key, Condition::Always).await }
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

    /// Removes every value; returns how many.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn clear[](&self) -> u64 {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.remove_where(&Filter::All).await }
    }

    /// Removes what crashes and interrupted puts left: blobs that no value names, and files of killed processes, each
    /// after its grace. Any number of processes may sweep at once, beside any other work.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return; what was done before stays done.
    pub fn sweep[](&self) -> Swept {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.sweep().await }
    }

    /// Reads every value and compares it with its digest. It changes nothing; damage is no error but a finding.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn verify[](&self) -> Verified {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.verify().await }
    }

    /// Totals.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn stats[](&self) -> MetadataStats {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.stats().await }
    }

    /// Closes the store for every clone; later calls fail. A second close is no error.
    ///
    /// # Errors
    ///
    /// What the backends return.
    pub fn close[](&self) -> () {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.close().await }
    }
}
