//! What a cache counts.

use cacheness_core::size::Size;
use cacheness_storage::MetadataStats;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a get was a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissReason {
    /// Nothing is stored under the key.
    Absent,
    /// The entry expired.
    Expired,
    /// Another type is stored, or other parameters share the 128 bits of the key.
    OtherType,
    /// The type's schema changed.
    OtherSchema,
    /// The bytes were damaged or gone; the entry was dropped.
    Corrupt,
    /// A newer version wrote the entry.
    TooNew,
}

const REASONS: [(MissReason, &str); 6] = [
    (MissReason::Absent, "absent"),
    (MissReason::Expired, "expired"),
    (MissReason::OtherType, "other type"),
    (MissReason::OtherSchema, "other schema"),
    (MissReason::Corrupt, "corrupt"),
    (MissReason::TooNew, "too new"),
];

/// Counted since the cache was opened, by this handle and its clones.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    hits: AtomicU64,
    misses: [AtomicU64; REASONS.len()],
    puts: AtomicU64,
}

impl Counters {
    pub(crate) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn miss(&self, reason: MissReason) {
        if let Some(counter) = self.misses.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn put(&self) {
        self.puts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, backend: String, totals: MetadataStats) -> Stats {
        Stats {
            backend,
            entries: totals.entries,
            bytes: totals.bytes,
            blobs: totals.blobs,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.each_ref().map(|counter| counter.load(Ordering::Relaxed)),
            puts: self.puts.load(Ordering::Relaxed),
        }
    }
}

/// What is in a cache, and what this handle and its clones did with it since it was opened.
///
/// `Display` prints a short report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The index and the blobs, as users name them.
    pub backend: String,
    /// Entries, those that expired and were not cleaned up yet too.
    pub entries: u64,
    /// Stored bytes, in the index and in blobs.
    pub bytes: u64,
    /// Blobs.
    pub blobs: u64,
    /// Gets that returned a value.
    pub hits: u64,
    misses: [u64; REASONS.len()],
    /// Values stored.
    pub puts: u64,
}

impl Stats {
    /// Gets that returned no value.
    pub fn misses(&self) -> u64 {
        self.misses.iter().sum()
    }

    /// Gets that returned no value for this reason.
    pub fn misses_because(&self, reason: MissReason) -> u64 {
        self.misses.get(reason as usize).copied().unwrap_or(0)
    }

    /// Hits by gets, from 0 to 1; 0 before the first get.
    pub fn hit_rate(&self) -> f64 {
        match self.hits + self.misses() {
            0 => 0.0,
            gets => self.hits as f64 / gets as f64,
        }
    }

    /// Stored bytes by entries; 0 for an empty cache.
    pub fn average_size(&self) -> u64 {
        self.bytes.checked_div(self.entries).unwrap_or(0)
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.backend)?;
        writeln!(f, "  {} entries, {}, {} blobs", self.entries, Size(self.bytes), self.blobs)?;
        write!(f, "  {} hits, {} misses", self.hits, self.misses())?;
        let mut separator = " (";
        for (reason, name) in REASONS {
            let count = self.misses_because(reason);
            if count > 0 {
                write!(f, "{separator}{count} {name}")?;
                separator = ", ";
            }
        }
        if separator == ", " {
            f.write_str(")")?;
        }
        write!(f, ", hit rate {:.1} %, {} puts", 100.0 * self.hit_rate(), self.puts)
    }
}
