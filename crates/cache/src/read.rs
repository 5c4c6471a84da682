//! Reading: from memory where a copy is proven fresh, otherwise from the store, and what becomes of what cannot be returned.

use crate::core::{Core, OnInvalid};
use crate::degraded::{Operation, is_sick};
use crate::liveness::Judge;
use crate::memory::{MemoryCopy, MemoryLayer, MemoryLookup, Ticket};
use crate::sight::Seen;
use crate::stats::MissReason;
use crate::{GetOptions, Key, Ttl};
use cacheness_core::{Error, ErrorKind, Result, Timestamp};
use cacheness_handlers::{ErasedHandler, HandlerRef};
use cacheness_storage::engine::{Found, Lookup, Stored};
use cacheness_storage::{Condition, Fields, Location, Patch, Record, ValueReader, Version};
use std::any::Any;
use std::sync::Arc;

/// How a type is read that no handler is registered for.
pub(crate) type Fallback = Option<&'static dyn ErasedHandler>;

impl Core {
    /// The value of a key with its record, or `None`, counted by its reason.
    pub(crate) async fn get<T: Any + Send + Sync>(
        &self,
        key: Key,
        fields: Fields,
        fallback: Fallback,
    ) -> Result<Option<(T, Record)>> {
        self.get_fresh(key, fields, fallback, GetOptions::new()).await
    }

    /// The value of a key with its record, if it is as fresh as asked for, or `None`, counted by its reason.
    pub(crate) async fn get_fresh<T: Any + Send + Sync>(
        &self,
        key: Key,
        fields: Fields,
        fallback: Fallback,
        options: GetOptions,
    ) -> Result<Option<(T, Record)>> {
        if !self.may_read(Operation::Get, key).await {
            return Ok(None);
        }
        let read = self.read(key, fields, fallback, options).await;
        self.nothing_if_sick(Operation::Get, read)
    }

    /// As [`get_fresh`](Self::get_fresh); errors of sick backends are errors.
    pub(crate) async fn read<T: Any + Send + Sync>(
        &self,
        key: Key,
        fields: Fields,
        fallback: Fallback,
        options: GetOptions,
    ) -> Result<Option<(T, Record)>> {
        let wanted = Wanted { key, fields, options };
        if let Some(copy) = self.remembered(&wanted).await?
            && let Some(bytes) = copy.stored()
        {
            let record = copy.record().clone();
            let found = Found { record, stored: Stored::from(bytes.clone()) };
            return self.decode(key, found, fallback).await;
        }
        let Some((found, ticket)) = self.load(&wanted).await? else { return Ok(None) };
        let Found { record, stored } = found;
        let (stored, bytes) = self.borrow_bytes(&record, stored, ticket.is_some())?;
        let decoded = self.decode(key, Found { record, stored }, fallback).await?;
        if let (Some((_, record)), Some(ticket), Some(bytes)) = (&decoded, ticket, bytes) {
            self.remember(ticket, self.copy_of(Record { location: Location::Inline(bytes), ..record.clone() }));
        }
        Ok(decoded)
    }

    /// The value of a key, read by this handler, registered or not.
    pub(crate) async fn get_as<T: Any + Send + Sync>(&self, key: Key, handler: HandlerRef) -> Result<Option<T>> {
        if !self.may_read(Operation::Get, key).await {
            return Ok(None);
        }
        let read = self.read_as(key, handler).await;
        self.nothing_if_sick(Operation::Get, read)
    }

    async fn read_as<T: Any + Send + Sync>(&self, key: Key, handler: HandlerRef) -> Result<Option<T>> {
        let (judge, lookup) = self.find(key, Fields::VALUE, |judge, record| judge.check(key, record)).await?;
        let Some(Found { record, stored }) = self.found(key, lookup).await? else { return Ok(None) };
        let decoded = self.engine.decode_as(&record, stored, handler).await;
        self.hit_or_invalid(key, &record, decoded, judge.now).await
    }

    /// The value of a key, shared with the memory layer.
    pub(crate) async fn get_shared<T: Any + Send + Sync>(
        &self,
        key: Key,
        fallback: Fallback,
    ) -> Result<Option<Arc<T>>> {
        if !self.may_read(Operation::Get, key).await {
            return Ok(None);
        }
        let read = self.read_shared(key, fallback).await;
        self.nothing_if_sick(Operation::Get, read)
    }

    async fn read_shared<T: Any + Send + Sync>(&self, key: Key, fallback: Fallback) -> Result<Option<Arc<T>>> {
        let wanted = Wanted { key, fields: Fields::VALUE, options: GetOptions::new() };
        if let Some(copy) = self.remembered(&wanted).await? {
            if let Some(value) = copy.value::<T>() {
                self.hit(key, copy.record(), self.now()).await;
                return Ok(Some(value));
            }
            if let Some(bytes) = copy.stored() {
                let found = Found { record: copy.record().clone(), stored: Stored::from(bytes.clone()) };
                let Some((value, record)) = self.decode::<T>(key, found, fallback).await? else { return Ok(None) };
                let value = Arc::new(value);
                if let Some(memory) = &self.memory {
                    let with_value = MemoryCopy::clone(&copy).with_value(value.clone(), record.content.raw_size);
                    memory.replace(key, &copy, with_value);
                }
                return Ok(Some(value));
            }
        }
        let Some((found, ticket)) = self.load(&wanted).await? else { return Ok(None) };
        let Some((value, mut record)) = self.decode::<T>(key, found, fallback).await? else { return Ok(None) };
        let value = Arc::new(value);
        if let Some(ticket) = ticket {
            if let Location::Inline(_) = record.location {
                record.location = Location::Omitted;
            }
            let size = record.content.raw_size;
            self.remember(ticket, self.copy_of(record).with_value(value.clone(), size));
        }
        Ok(Some(value))
    }

    /// The copy in memory of a key, if it is what the index would answer now, and live.
    async fn remembered(&self, wanted: &Wanted) -> Result<Option<Arc<MemoryCopy>>> {
        self.check_time().await?;
        let Some(memory) = self.memory_for(wanted.fields) else { return Ok(None) };
        let now = self.now();
        let (copy, judge) = match memory.get(wanted.key, now) {
            MemoryLookup::Absent => return Ok(None),
            MemoryLookup::Fresh(copy) => {
                let has_tags = copy.record().content.terms.epoch.is_some();
                let epochs = if has_tags { self.tags.current(&self.engine).await? } else { Arc::default() };
                (copy, Judge { now, epochs })
            }
            MemoryLookup::Unproven(copy) => {
                let seen = self.see(&[wanted.key.entry_key()], Fields::LEAST).await?;
                let is_same = |record: &Record| record.version == copy.record().version;
                let is_fresh = match seen.records {
                    Ok(records) => records.iter().flatten().any(is_same),
                    // It can be proven once the index answers again.
                    Err(error) if is_sick(&error) => return Err(error),
                    Err(_) => false,
                };
                if !is_fresh {
                    memory.outdated(wanted.key, &copy);
                    return Ok(None);
                }
                memory.confirm(wanted.key, &copy);
                (copy, seen.judge)
            }
        };
        // Why a copy is no hit is counted when it is read.
        let is_good = wanted.accepts(&judge, &copy);
        if !is_good {
            memory.outdated(wanted.key, &copy);
        }
        Ok(is_good.then_some(copy))
    }

    /// What is found in the store, and what it takes to keep a copy of it.
    async fn load(&self, wanted: &Wanted) -> Result<Option<(Found, Option<Ticket>)>> {
        let memory = self.memory_for(wanted.fields);
        let ticket = memory.and_then(|memory| memory.begin_load(wanted.key, self.now()));
        let (_, lookup) = self.find(wanted.key, wanted.fields, |judge, record| wanted.check(judge, record)).await?;
        Ok(self.found(wanted.key, lookup).await?.map(|found| (found, ticket)))
    }

    /// The memory layer, where it can answer: it does not know all that is known about an entry.
    fn memory_for(&self, fields: Fields) -> Option<&MemoryLayer> {
        self.memory.as_ref().filter(|_| fields == Fields::VALUE)
    }

    /// Reads what is to be kept in memory; what is too large stays where it is.
    fn borrow_bytes(
        &self,
        record: &Record,
        stored: Stored,
        is_kept: bool,
    ) -> Result<(Stored, Option<cacheness_storage::Bytes>)> {
        let largest = self.memory.as_ref().map_or(0, MemoryLayer::largest);
        if !is_kept || record.content.stored_size > largest {
            return Ok((stored, None));
        }
        let bytes = stored.into_bytes()?;
        Ok((Stored::from(bytes.clone()), Some(bytes)))
    }

    fn copy_of(&self, record: Record) -> MemoryCopy {
        let counters = self.counters.of_handler(&record.content.type_tag);
        MemoryCopy::new(record, counters)
    }

    fn remember(&self, ticket: Ticket, copy: MemoryCopy) {
        if let Some(memory) = &self.memory {
            memory.insert(ticket, copy);
        }
    }

    pub(crate) async fn decode<T: Any + Send + Sync>(
        &self,
        key: Key,
        found: Found,
        fallback: Fallback,
    ) -> Result<Option<(T, Record)>> {
        let Found { record, stored } = found;
        let decoded = self.engine.decode(&record, stored, fallback).await;
        let value = self.hit_or_invalid(key, &record, decoded, self.now()).await?;
        Ok(value.map(|value| (value, record)))
    }

    /// What was decoded, counted as a hit, or what becomes of what cannot be returned.
    async fn hit_or_invalid<T>(
        &self,
        key: Key,
        record: &Record,
        decoded: Result<T>,
        now: Timestamp,
    ) -> Result<Option<T>> {
        match decoded {
            Ok(value) => {
                self.hit(key, record, now).await;
                Ok(Some(value))
            }
            Err(error) => self.invalid(key, record.version, error).await,
        }
    }

    /// A reader of the bytes or the text of a key, or `None`, counted by its reason.
    pub(crate) async fn reader(&self, key: Key) -> Result<Option<ValueReader>> {
        if !self.may_read(Operation::Get, key).await {
            return Ok(None);
        }
        let read = self.read_reader(key).await;
        self.nothing_if_sick(Operation::Get, read)
    }

    async fn read_reader(&self, key: Key) -> Result<Option<ValueReader>> {
        let (judge, lookup) = self.find(key, Fields::VALUE, |judge, record| judge.check(key, record)).await?;
        let Some(found) = self.found(key, lookup).await? else { return Ok(None) };
        let record = Record { location: Location::Omitted, ..found.record.clone() };
        let reader = self.engine.reader(found).await;
        self.hit_or_invalid(key, &record, reader, judge.now).await
    }

    pub(crate) fn note_use(&self, key: Key, now: Timestamp) {
        if !self.read_only {
            self.uses.note(key, now);
        }
    }

    /// Counts a hit, notes the use, and moves the expiry of what lives while it is used.
    pub(crate) async fn hit(&self, key: Key, record: &Record, now: Timestamp) {
        self.counters.hit(&record.content.type_tag, key.spread());
        if self.read_only {
            return;
        }
        self.note_use(key, now);
        if self.uses.is_due(now) {
            self.tell_in_background();
        }
        if let Some((expires_at, slid)) = slid(record, now) {
            // Best effort: the value is there, and the next use tries again.
            drop(self.slide(key, record, (expires_at, slid), now).await);
        }
    }

    /// Moves the expiry of an entry.
    async fn slide(
        &self,
        key: Key,
        record: &Record,
        (expires_at, slid): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<()> {
        let mut patch = Patch::new(self.engine.mint_version()?, now);
        patch.expires_at = Some(Some(slid));
        // What may be served stale may be so for as long as before.
        patch.drop_at = record.drop_at.map(|drop_at| Some(slid.after(drop_at.since(expires_at))));
        let _changing = self.changing([key]);
        self.engine.patch(&key.entry_key(), patch, Condition::Version(record.version)).await.map(drop)
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
        if !self.may_read(Operation::Metadata, key).await {
            return Ok(None);
        }
        let read = self.read_record(key, fields).await;
        self.nothing_if_sick(Operation::Metadata, read)
    }

    async fn read_record(&self, key: Key, fields: Fields) -> Result<Option<Record>> {
        let Seen { judge, records, .. } = self.see(&[key.entry_key()], fields).await?;
        match records {
            Ok(mut records) => Ok(records.pop().flatten().filter(|record| judge.check(key, record).is_ok())),
            Err(error) => self.unreadable(error).map(|_| None),
        }
    }

    /// When a live entry expires.
    pub(crate) async fn ttl(&self, key: Key) -> Result<Option<Ttl>> {
        Ok(self.record(key, Fields::LEAST).await?.map(|record| Ttl::of(&record, self.now())))
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
            let _changing = self.changing([key]);
            // Best effort: a get that found damage is a miss, also while the index cannot be written.
            drop(self.engine.drop_judged(&key.entry_key(), judged).await);
        }
        Ok(self.miss(reason))
    }
}

/// What a get asks for.
pub(crate) struct Wanted {
    pub(crate) key: Key,
    pub(crate) fields: Fields,
    pub(crate) options: GetOptions,
}

impl Wanted {
    fn check(&self, judge: &Judge, record: &Record) -> Result<(), MissReason> {
        judge.check(self.key, record)?;
        self.options.judge(record, judge.now)
    }

    /// Whether a copy may be served, as far as it can be told: of one without its tags not whether it is invalidated.
    pub(crate) fn accepts(&self, judge: &Judge, copy: &MemoryCopy) -> bool {
        let record = copy.record();
        let lacks_tags = record.content.terms.epoch.is_some() && record.annotations.tags.is_empty();
        (!lacks_tags || judge.epochs.is_empty()) && self.check(judge, record).is_ok()
    }
}

/// When an entry with an idle TTL expires, and when it would if it is used now. `None` while more than half of the idle
/// time is left: so a use writes rarely.
#[inline]
pub(crate) fn slid(record: &Record, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let terms = &record.content.terms;
    let (idle, expires_at) = terms.idle.zip(record.expires_at)?;
    let idle = i64::try_from(idle).unwrap_or(i64::MAX);
    // An end that a touch went beyond counts no more.
    let end = terms.until.filter(|end| *end >= expires_at).unwrap_or(Timestamp::MAX);
    let slid = now.offset(idle).min(end);
    (slid > expires_at && expires_at <= now.offset(idle / 2)).then_some((expires_at, slid))
}
