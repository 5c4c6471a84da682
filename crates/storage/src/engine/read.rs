//! The read protocol: record, bytes, verification, value.

use super::failpoint::Point;
use super::payload::{self, Stored};
use super::source::no_handler;
use super::{Engine, EngineOptions};
use crate::{Body, Content, EntryKey, Fields, GetBlob, Location, Record};
use cacheness_core::face::Placement;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{ErasedHandler, HandlerRef};
use std::any::{Any, TypeId, type_name};
use std::time::{Duration, Instant};

/// How long a read follows a key that is overwritten again and again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Values of more bytes, stored or raw, are decoded off the executor.
const DECODE_INLINE: u64 = 64 << 10;

/// What looking a key up came to.
#[derive(Debug)]
pub enum Lookup<J> {
    /// The record, and its bytes at hand.
    Found(Found),
    /// There is no record.
    Absent,
    /// The judge refused the record.
    Refused(J),
    /// The record's blob is gone, although nothing replaced the record: the store is damaged.
    Lost(Record, Error),
}

/// A record whose bytes are at hand.
#[derive(Debug)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// Its bytes, not verified yet.
    pub stored: Stored,
}

impl Engine {
    /// The record of a key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], and what the index returns.
    pub async fn record(&self, key: &EntryKey, fields: Fields) -> Result<Option<Record>> {
        self.check_open()?;
        Ok(self.metadata.get(std::slice::from_ref(key), fields).await?.pop().flatten())
    }

    /// The records of keys, in their order, after one round trip.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn records(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.check_open()?;
        self.metadata.get(keys, fields).await
    }

    /// Opens the value of a key. `judge` sees the record before its bytes are opened, and again whenever another
    /// version took its place meanwhile.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Timeout`] for a key that is overwritten faster than it can be read; what the
    /// backends return.
    pub async fn find<J>(
        &self,
        key: &EntryKey,
        fields: Fields,
        judge: impl Fn(&Record) -> Result<(), J>,
    ) -> Result<Lookup<J>> {
        let record = self.record(key, fields).await?;
        self.open_value(record, key, fields, judge).await
    }

    /// Opens the value of a record that was just read; otherwise as [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub async fn open_value<J>(
        &self,
        record: Option<Record>,
        key: &EntryKey,
        fields: Fields,
        judge: impl Fn(&Record) -> Result<(), J>,
    ) -> Result<Lookup<J>> {
        let Some(mut record) = record else { return Ok(Lookup::Absent) };
        let mut start = None;
        loop {
            if let Err(verdict) = judge(&record) {
                return Ok(Lookup::Refused(verdict));
            }
            self.reach(Point::RecordRead)?;
            if let Some(stored) = self.stored(&record, false).await? {
                return Ok(Lookup::Found(Found { record, stored }));
            }
            // The blob is gone: deleted because the record changed meanwhile, or lost.
            let Some(again) = self.record(key, fields).await? else { return Ok(Lookup::Absent) };
            if again.version == record.version {
                let message = format!("the blob of version {} is missing from {}", record.version, self.blobs);
                return Ok(Lookup::Lost(record, Error::new(ErrorKind::Corrupt, message).key(key)));
            }
            if start.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                let message = "the value was overwritten faster than it could be read";
                return Err(Error::new(ErrorKind::Timeout, message).key(key));
            }
            record = again;
        }
    }

    /// The stored bytes of a record; `None` when their blob is gone.
    pub(super) async fn stored(&self, record: &Record, bypass_copies: bool) -> Result<Option<Stored>> {
        let id = match &record.location {
            Location::Inline(bytes) => return Ok(Some(Stored(Body::Bytes(bytes.clone())))),
            Location::Blob(id) => *id,
            Location::Omitted => return Err(Error::new(ErrorKind::Internal, "the payload was not asked for")),
        };
        let options = GetBlob { bypass_copies, ..GetBlob::first(record.content.stored_size) };
        let payload = self.blobs.get(&id, options).await?;
        Ok(payload.map(|payload| Stored(payload.body)))
    }

    /// Verifies and decodes what was found as a `T`, by the registered handler that wrote it or by `fallback`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TypeMismatch`] when another kind of value is stored, [`ErrorKind::SchemaMismatch`],
    /// [`ErrorKind::TooLarge`] for what only a reader can have stored,
    /// [`ErrorKind::Corrupt`], [`ErrorKind::FormatTooNew`], and [`ErrorKind::NoHandler`] when `T` has no handler at all.
    pub async fn decode<T: Any + Send + Sync>(
        &self,
        record: &Record,
        stored: Stored,
        fallback: Option<&'static dyn ErasedHandler>,
    ) -> Result<T> {
        let handler = self.reader_of::<T>(record, fallback)?;
        self.decode_by(record, stored, handler).await
    }

    /// As [`decode`](Self::decode), by this handler, registered or not.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn decode_as<T: Any + Send + Sync>(
        &self,
        record: &Record,
        stored: Stored,
        handler: HandlerRef,
    ) -> Result<T> {
        if handler.type_tag() != record.content.type_tag {
            return Err(other_type::<T>(record));
        }
        self.decode_by(record, stored, handler).await
    }

    async fn decode_by<T: Any + Send + Sync>(&self, record: &Record, stored: Stored, handler: HandlerRef) -> Result<T> {
        self.check_size(record)?;
        let value = if self.driver.placement() == Placement::Remote && is_large(&record.content) {
            let content = record.content.clone();
            self.driver.compute(move || payload::decode(&handler, &content, stored)).await
        } else {
            payload::decode(&handler, &record.content, stored)
        }
        .map_err(|error| error.key(&record.key))?;
        value.downcast::<T>().map(|value| *value).map_err(|_| {
            Error::new(ErrorKind::Internal, format!("a handler for {} decoded another type", type_name::<T>()))
        })
    }

    /// Refuses a value that no put without a reader can have stored: what the index claims is not worth the memory.
    fn check_size(&self, record: &Record) -> Result<()> {
        payload::check_sizes(&record.content).map_err(|error| error.key(&record.key))?;
        let limit = self.options.max_value_size.max(EngineOptions::default().max_value_size);
        let size = record.content.raw_size;
        if size > limit {
            let message = format!("the value has {size} bytes, and at most {limit} are read into memory");
            return Err(Error::new(ErrorKind::TooLarge, message)
                .key(&record.key)
                .advice("read it with get_reader, or raise max_value_size"));
        }
        Ok(())
    }

    fn reader_of<T: Any>(&self, record: &Record, fallback: Option<&'static dyn ErasedHandler>) -> Result<HandlerRef> {
        let tag = &*record.content.type_tag;
        if let Some(handler) = self.handlers.for_tag(TypeId::of::<T>(), tag) {
            return Ok(handler);
        }
        match fallback {
            Some(handler) if handler.type_tag() == tag => Ok(HandlerRef::Static(handler)),
            None if !self.handlers.has(TypeId::of::<T>()) => Err(no_handler::<T>(&self.handlers)),
            _ => Err(other_type::<T>(record)),
        }
    }
}

fn other_type<T>(record: &Record) -> Error {
    let Content { type_tag, type_name: stored, .. } = &record.content;
    let message = format!("{type_tag:?} of {stored} is stored, not {}", type_name::<T>());
    Error::new(ErrorKind::TypeMismatch, message)
        .key(&record.key)
        .advice("read it as the type that was put, or invalidate it")
}

fn is_large(content: &Content) -> bool {
    content.stored_size.max(content.raw_size) > DECODE_INLINE
}
