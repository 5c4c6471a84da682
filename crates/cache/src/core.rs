//! What both faces of a cache share: liveness, verdicts, counting.

use crate::compute::Flights;
use crate::liveness::{judge, live};
use crate::options::check_ttl;
use crate::stats::{Counters, MissReason, Stats};
use crate::{GetOptions, Key, PutOptions, Ttl};
use cacheness_core::{Driver, Error, ErrorKind, Result, Timestamp};
use cacheness_handlers::ErasedHandler;
use cacheness_storage::engine::{Engine, Found, Lookup, NewEntry, Source, Written};
use cacheness_storage::{Annotations, Condition, EntryPage, Fields, Query, Record, Terms, ValueReader, Version};
use std::any::Any;
use std::time::Duration;

/// What a get does with an entry that cannot be returned: damaged, of another type or schema, too new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnInvalid {
    /// It is a miss, counted by its reason. Damaged entries are dropped.
    #[default]
    Miss,
    /// It is an error, and nothing is dropped.
    Error,
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) default_ttl: Option<Duration>,
    pub(crate) on_invalid: OnInvalid,
    pub(crate) counters: Counters,
    pub(crate) flights: Flights,
}

/// What a put needs besides the value, checked at the call.
pub(crate) struct Put {
    pub(crate) key: Key,
    ttl: Option<Duration>,
    annotations: Annotations,
}

impl Core {
    pub(crate) fn driver(&self) -> &Driver {
        self.engine.driver()
    }

    pub(crate) fn prepare_put(&self, key: Key, options: PutOptions) -> Result<Put> {
        let ttl = options.ttl.map(check_ttl).transpose()?.or(self.default_ttl);
        Ok(Put { key, ttl, annotations: options.stored.into_annotations()? })
    }

    pub(crate) async fn put(&self, put: Put, source: Source<'_>) -> Result<Key> {
        let key = put.key;
        match self.put_if(put, source, Condition::Always).await? {
            true => Ok(key),
            false => Err(Error::new(ErrorKind::Internal, "an unconditional put was refused").key(key)),
        }
    }

    /// Stores a value where the key meets the condition; says whether it did.
    pub(crate) async fn put_if(&self, put: Put, source: Source<'_>, condition: Condition) -> Result<bool> {
        self.flights.overtake(&put.key).await;
        self.write(put, source, condition).await
    }

    /// Stores a value where the key meets the condition, whoever is computing the key.
    pub(crate) async fn write(&self, put: Put, source: Source<'_>, condition: Condition) -> Result<bool> {
        let written = self.engine.put(source, self.entry(put, condition)).await?;
        let is_stored = matches!(written, Written::Committed(_));
        if is_stored {
            self.counters.put();
        }
        Ok(is_stored)
    }

    pub(crate) fn entry(&self, put: Put, condition: Condition) -> NewEntry {
        NewEntry {
            key: put.key.entry_key(),
            key_digest: put.key.full_digest(),
            terms: Terms::default(),
            expires_at: self.expiry(put.ttl),
            drop_at: None,
            annotations: put.annotations,
            condition,
        }
    }

    /// When a value put now with this TTL expires.
    pub(crate) fn expiry(&self, ttl: Option<Duration>) -> Option<Timestamp> {
        ttl.map(|ttl| self.now().after(ttl))
    }

    /// The value of a key with its record, or `None`, counted by its reason.
    pub(crate) async fn get<T: Any + Send + Sync>(
        &self,
        key: Key,
        fields: Fields,
        fallback: Option<&'static dyn ErasedHandler>,
    ) -> Result<Option<(T, Record)>> {
        self.get_fresh(key, fields, fallback, GetOptions::new()).await
    }

    /// The value of a key with its record, if it is as fresh as asked for, or `None`, counted by its reason.
    pub(crate) async fn get_fresh<T: Any + Send + Sync>(
        &self,
        key: Key,
        fields: Fields,
        fallback: Option<&'static dyn ErasedHandler>,
        options: GetOptions,
    ) -> Result<Option<(T, Record)>> {
        let now = self.now();
        let judge = |record: &Record| judge(key, record, now).and_then(|()| options.judge(record, now));
        let lookup = self.engine.find(&key.entry_key(), fields, judge).await;
        let Some(found) = self.found(key, lookup).await? else { return Ok(None) };
        self.decode(key, found, fallback).await
    }

    pub(crate) async fn decode<T: Any + Send + Sync>(
        &self,
        key: Key,
        found: Found,
        fallback: Option<&'static dyn ErasedHandler>,
    ) -> Result<Option<(T, Record)>> {
        let Found { record, stored } = found;
        match self.engine.decode(&record, stored, fallback).await {
            Ok(value) => {
                self.counters.hit();
                Ok(Some((value, record)))
            }
            Err(error) => self.invalid(key, record.version, error).await,
        }
    }

    /// A reader of the bytes or the text of a key, or `None`, counted by its reason.
    pub(crate) async fn reader(&self, key: Key) -> Result<Option<ValueReader>> {
        let now = self.now();
        let lookup = self.engine.find(&key.entry_key(), Fields::VALUE, |record| judge(key, record, now)).await;
        let Some(found) = self.found(key, lookup).await? else { return Ok(None) };
        let judged = found.record.version;
        match self.engine.reader(found).await {
            Ok(reader) => {
                self.counters.hit();
                Ok(Some(reader))
            }
            Err(error) => self.invalid(key, judged, error).await,
        }
    }

    /// What a lookup found, or `None`, counted by its reason.
    pub(crate) async fn found(&self, key: Key, lookup: Result<Lookup<MissReason>>) -> Result<Option<Found>> {
        match lookup.or_else(|error| self.unreadable(error).map(Lookup::Refused))? {
            Lookup::Found(found) => Ok(Some(found)),
            Lookup::Absent => Ok(self.miss(MissReason::Absent)),
            Lookup::Refused(reason) => Ok(self.miss(reason)),
            Lookup::Lost(record, error) => self.invalid(key, record.version, error).await,
        }
    }

    /// The record of a key, if it is there and live.
    pub(crate) async fn record(&self, key: Key, fields: Fields) -> Result<Option<Record>> {
        let now = self.now();
        match self.engine.record(&key.entry_key(), fields).await {
            Ok(record) => Ok(record.filter(|record| judge(key, record, now).is_ok())),
            Err(error) => self.unreadable(error).map(|_| None),
        }
    }

    /// When a live entry expires.
    pub(crate) async fn ttl(&self, key: Key) -> Result<Option<Ttl>> {
        Ok(self.record(key, Fields::LEAST).await?.map(|record| Ttl::of(&record, self.now())))
    }

    pub(crate) async fn invalidate(&self, key: Key) -> Result<bool> {
        self.flights.overtake(&key).await;
        match self.engine.remove(&key.entry_key(), Condition::Present(live())).await {
            // A record that cannot be read cannot be judged, and is removed all the same.
            Err(error) if is_unreadable(&error) => self.engine.remove(&key.entry_key(), Condition::Always).await,
            removed => removed,
        }
    }

    pub(crate) async fn entries(&self, query: Query) -> Result<EntryPage> {
        Ok(self.engine.page(&query.filter(live())).await?.into())
    }

    pub(crate) async fn stats(&self) -> Result<Stats> {
        let backend = format!("{} + {}", self.engine.metadata(), self.engine.blobs());
        Ok(self.counters.stats(backend, self.engine.stats().await?))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    fn miss<T>(&self, reason: MissReason) -> Option<T> {
        self.counters.miss(reason);
        None
    }

    /// A record that cannot be read is a miss where entries that cannot be returned are.
    fn unreadable(&self, error: Error) -> Result<MissReason> {
        match (self.on_invalid, error.kind()) {
            (OnInvalid::Miss, ErrorKind::FormatTooNew) => Ok(MissReason::TooNew),
            (OnInvalid::Miss, ErrorKind::Corrupt) => Ok(MissReason::Corrupt),
            _ => Err(error),
        }
    }

    /// A value that was found and cannot be returned.
    async fn invalid<T>(&self, key: Key, judged: Version, error: Error) -> Result<Option<T>> {
        let reason = match error.kind() {
            ErrorKind::TypeMismatch => MissReason::OtherType,
            ErrorKind::SchemaMismatch => MissReason::OtherSchema,
            ErrorKind::FormatTooNew => MissReason::TooNew,
            ErrorKind::Corrupt => MissReason::Corrupt,
            _ => return Err(error),
        };
        if self.on_invalid == OnInvalid::Error {
            return Err(error);
        }
        if reason == MissReason::Corrupt {
            // Best effort: a get that found damage is a miss, also while the index cannot be written.
            drop(self.engine.drop_judged(&key.entry_key(), judged).await);
        }
        Ok(self.miss(reason))
    }
}

fn is_unreadable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew)
}
