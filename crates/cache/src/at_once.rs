//! Hits that wait for nothing: what every read tries first, on the thread that asks, before it becomes a task.
//!
//! Only clocks, counters and short locks are touched. Whatever takes more (a list of tags to be read, a proof to be
//! fetched, uses to be told, an expiry to be moved, much to be decoded) is left alone and left to the read that follows,
//! which finds everything as it was.

use crate::core::Core;
use crate::key::Prepared;
use crate::liveness::{Judge, is_live_without_tags};
use crate::memory::{MemoryCopy, MemoryLayer};
use crate::read::{Fallback, Wanted, slid};
use crate::{GetOptions, Key, observe};
use cacheness_core::{Result, Timestamp};
use cacheness_storage::engine::Stored;
use cacheness_storage::{Content, Fields, Record};
use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Values of more bytes, stored or raw, are not decoded where others may wait for the thread. It is what rides in the index
/// at most, and takes some ten microseconds.
const DECODE_AT_ONCE: u64 = 16 << 10;

/// Whether a value is decoded on the thread that asks.
pub(crate) fn is_little(content: &Content) -> bool {
    content.raw_size.max(content.stored_size) <= DECODE_AT_ONCE
}

impl Core {
    /// The value of a key, shared with the memory layer, if it is there decoded.
    pub(crate) fn get_shared_at_once<T: Any + Send + Sync>(&self, key: &Prepared) -> Option<Result<Option<Arc<T>>>> {
        let (key, memory, now) = self.asks_at_once(key)?;
        let (value, counters) = memory.serve(key, now, |copy| {
            let value = copy.value::<T>().filter(|_| self.is_good_at_once(*key, copy, GetOptions::new(), now))?;
            copy.counters().count_hit(key.spread());
            // Who is told of the hit runs code of his own, and not under a lock.
            Some((value, observe::IS_ON.then(|| copy.counters().clone())))
        })?;
        counters.iter().for_each(|counters| observe::hit(counters.type_tag()));
        Some(Ok(Some(value)))
    }

    /// The value of a key, if it is there in a few bytes.
    pub(crate) fn get_at_once<T: Any + Send + Sync>(
        &self,
        key: &Prepared,
        fallback: Fallback,
        options: GetOptions,
    ) -> Option<Result<Option<T>>> {
        let value = self.decode_at_once(key, fallback, options, |_, _| ())?;
        Some(Ok(Some(value.0)))
    }

    /// As [`get_at_once`](Self::get_at_once), with what is to be known of its record.
    pub(crate) fn decode_at_once<T: Any + Send + Sync, R>(
        &self,
        key: &Prepared,
        fallback: Fallback,
        options: GetOptions,
        known: impl FnOnce(&T, &Record) -> R,
    ) -> Option<(T, R)> {
        let (key, memory, now) = self.asks_at_once(key)?;
        let copy = memory.peek(key, now)?;
        let bytes = copy.stored()?;
        if !is_little(&copy.record().content) || !self.is_good_at_once(*key, &copy, options, now) {
            return None;
        }
        let value = at_once(self.engine.decode::<T>(copy.record(), Stored::from(bytes.clone()), fallback))?.ok()?;
        // It was there when it was looked up, and was served, whether or not it is there still.
        let is_same = |other: &Arc<MemoryCopy>| Arc::ptr_eq(other, &copy).then_some(());
        if memory.serve(key, now, is_same).is_none() {
            memory.confirm(*key, &copy);
            self.note_use(*key, now);
        }
        copy.counters().count_hit(key.spread());
        observe::hit(copy.counters().type_tag());
        let known = known(&value, copy.record());
        Some((value, known))
    }

    /// What it takes to look into the memory layer now; `None` where there is more to be done than that.
    #[inline]
    fn asks_at_once<'k>(&self, key: &'k Prepared) -> Option<(&'k Key, &MemoryLayer, Timestamp)> {
        let (Prepared::Ready(key), Some(memory)) = (key, &self.memory) else { return None };
        // What is in memory is closed, too.
        self.engine.check_open().ok()?;
        if self.engine.doubts_time() || self.owed.are_some() {
            return None;
        }
        let now = self.now();
        let has_to_tell = !self.read_only && self.uses.is_due(now);
        (!has_to_tell).then_some((key, memory, now))
    }

    /// Whether a copy may be served as it is.
    #[inline]
    fn is_good_at_once(&self, key: Key, copy: &MemoryCopy, options: GetOptions, now: Timestamp) -> bool {
        let record = copy.record();
        let is_live = match record.content.terms.epoch {
            None => is_live_without_tags(key, record, now) && options.judge(record, now).is_ok(),
            Some(_) => self.tags.known().is_ok_and(|epochs| {
                let judge = Judge { now, epochs };
                Wanted { key, fields: Fields::VALUE, options }.accepts(&judge, copy)
            }),
        };
        is_live && (self.read_only || slid(record, now).is_none())
    }
}

/// What a future comes to without any waiting.
pub(crate) fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
