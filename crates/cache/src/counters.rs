//! Counting what happens to a cache, from all threads at once.

use crate::degraded::{OPERATIONS, Operation};
use crate::memory::MemoryStats;
use crate::observe;
use crate::stats::{HandlerStats, MissReason, REASONS, Stats};
use cacheness_core::ErrorKind;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How many threads can count hits without disturbing each other, at most.
const STRIPES: usize = 16;

/// Counted since the cache was opened, or since it was told to begin anew, by all its handles.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    misses: [AtomicU64; REASONS.len()],
    evictions: AtomicU64,
    degraded: AtomicU64,
    backend_errors: [AtomicU64; OPERATIONS.len()],
    /// Few, and seldom new.
    handlers: RwLock<Vec<Arc<OfHandler>>>,
}

/// What the index holds, as far as anybody knows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) blobs: u64,
}

/// What was done by the handler of a type tag.
#[derive(Debug, Default)]
pub(crate) struct OfHandler {
    type_tag: Box<str>,
    hits: [Stripe; STRIPES],
    puts: AtomicU64,
}

/// A part of a counter, in a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe(AtomicU64);

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl OfHandler {
    pub(crate) fn type_tag(&self) -> &str {
        &self.type_tag
    }

    /// Counts a hit of an entry, without telling the outside. Threads that count hits of entries with other hashes do not
    /// disturb each other.
    #[inline]
    pub(crate) fn count_hit(&self, hash: u64) {
        if let Some(Stripe(hits)) = self.hits.get(hash as usize % STRIPES) {
            add(hits, 1);
        }
    }

    fn stats(&self) -> HandlerStats {
        HandlerStats { hits: self.hits.iter().map(|Stripe(hits)| read(hits)).sum(), puts: read(&self.puts) }
    }
}

impl Counters {
    /// Counts a hit of an entry with some hash.
    pub(crate) fn hit(&self, type_tag: &str, hash: u64) {
        self.of_handler(type_tag).count_hit(hash);
        observe::hit(type_tag);
    }

    pub(crate) fn miss(&self, reason: MissReason) {
        if let Some(counter) = self.misses.get(reason as usize) {
            add(counter, 1);
        }
        if let Some((_, name)) = REASONS.get(reason as usize) {
            observe::miss(name);
        }
    }

    pub(crate) fn put(&self, type_tag: &str) {
        add(&self.of_handler(type_tag).puts, 1);
        observe::put(type_tag);
    }

    pub(crate) fn evicted(&self, count: u64) {
        if count > 0 {
            add(&self.evictions, count);
            observe::evicted(count);
        }
    }

    pub(crate) fn backend_error(&self, operation: Operation, kind: ErrorKind) {
        if let Some(counter) = self.backend_errors.get(operation as usize) {
            add(counter, 1);
        }
        observe::backend_error(operation.name(), kind);
    }

    pub(crate) fn degraded(&self) {
        add(&self.degraded, 1);
        observe::degraded();
    }

    /// Begins anew. Who holds counters of a handler goes on with them.
    pub(crate) fn reset(&self) {
        let Self { misses, evictions, degraded, backend_errors, handlers } = self;
        let handlers = handlers.read().unwrap_or_else(PoisonError::into_inner);
        let of_handlers = handlers.iter().flat_map(|of| of.hits.iter().map(|Stripe(hits)| hits).chain([&of.puts]));
        let all = misses.iter().chain(backend_errors).chain([evictions, degraded]).chain(of_handlers);
        all.for_each(|counter| counter.store(0, Ordering::Relaxed));
    }

    /// The counters of the handler of a type tag.
    pub(crate) fn of_handler(&self, type_tag: &str) -> Arc<OfHandler> {
        let find = |handlers: &[Arc<OfHandler>]| handlers.iter().find(|of| *of.type_tag == *type_tag).cloned();
        let found = find(&self.handlers.read().unwrap_or_else(PoisonError::into_inner));
        found.unwrap_or_else(|| {
            let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
            find(&handlers).unwrap_or_else(|| {
                let new = Arc::new(OfHandler { type_tag: type_tag.into(), ..OfHandler::default() });
                handlers.push(new.clone());
                new
            })
        })
    }

    pub(crate) fn stats(&self, backend: String, totals: Totals, owed: u64, memory: Option<MemoryStats>) -> Stats {
        let errors = OPERATIONS.iter().zip(&self.backend_errors);
        let errors = errors.map(|((_, name), count)| (*name, read(count))).filter(|(_, count)| *count > 0);
        let handlers = self.handlers.read().unwrap_or_else(PoisonError::into_inner);
        let handlers = handlers.iter().map(|of| (of.type_tag.to_string(), of.stats()));
        let handlers: BTreeMap<_, _> = handlers.filter(|(_, stats)| *stats != HandlerStats::default()).collect();
        Stats {
            backend,
            entries: totals.entries,
            bytes: totals.bytes,
            blobs: totals.blobs,
            hits: handlers.values().map(|stats| stats.hits).sum(),
            misses: self.misses.each_ref().map(read),
            puts: handlers.values().map(|stats| stats.puts).sum(),
            evictions: read(&self.evictions),
            degraded: read(&self.degraded),
            backend_errors: errors.collect(),
            owed,
            handlers,
            memory,
        }
    }
}
