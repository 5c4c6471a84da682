//! What a cache tells of what it counted.

use crate::memory::MemoryStats;
use cacheness_core::size::Size;
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

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
    /// A tag of the entry was invalidated since it was put.
    Invalidated,
}

pub(crate) const REASONS: [(MissReason, &str); 7] = [
    (MissReason::Absent, "absent"),
    (MissReason::Expired, "expired"),
    (MissReason::OtherType, "other type"),
    (MissReason::OtherSchema, "other schema"),
    (MissReason::Corrupt, "corrupt"),
    (MissReason::TooNew, "too new"),
    (MissReason::Invalidated, "invalidated"),
];

/// What is in a cache, and what its handles did with it since it was opened.
///
/// `Display` prints a short report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The index and the blobs, as users name them.
    pub backend: String,
    /// Entries of the whole store, those that expired and were not cleaned up yet too.
    pub entries: u64,
    /// Stored bytes, in the index and in blobs.
    pub bytes: u64,
    /// Blobs.
    pub blobs: u64,
    /// Gets that returned a value.
    pub hits: u64,
    pub(crate) misses: [u64; REASONS.len()],
    /// Values stored.
    pub puts: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// What went wrong without an error to anybody: no room could be made, or a computed value could not be stored.
    pub degraded: u64,
    /// Operations that a sick backend kept from what they were for, by operation; they count neither as hits nor as
    /// misses. `deliver` are tries to carry out deletes that had not reached the index.
    pub backend_errors: BTreeMap<&'static str, u64>,
    /// Deletes that did not reach the index yet, with [`OnBackendError::Miss`](crate::OnBackendError::Miss).
    pub owed: u64,
    /// Hits and puts by the type tag of the handler.
    pub handlers: BTreeMap<String, HandlerStats>,
    /// The memory layer, if there is one.
    pub memory: Option<MemoryStats>,
}

/// When the entries of a cache were put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// The one that was put first.
    pub oldest: SystemTime,
    /// The one that was put last.
    pub newest: SystemTime,
}

/// What was done by one handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HandlerStats {
    /// Gets that returned a value of it.
    pub hits: u64,
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
        write!(f, ", hit rate {:.1} %, {} puts", 100.0 * self.hit_rate(), self.puts)?;
        let errors = self.backend_errors.values().sum();
        let rare = [
            (self.evictions, "evictions"),
            (self.degraded, "degraded"),
            (errors, "backend errors"),
            (self.owed, "deletes owed"),
        ];
        for (count, name) in rare {
            if count > 0 {
                write!(f, ", {count} {name}")?;
            }
        }
        if let Some(memory) = &self.memory {
            write!(f, "\n  in memory: {} copies, {}, {} hits", memory.entries, Size(memory.bytes), memory.hits)?;
        }
        Ok(())
    }
}
