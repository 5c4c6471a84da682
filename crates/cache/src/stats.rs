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
/// `Display` prints a report for people; what seldom happens has a line only when it did.
///
/// ```
/// use cacheness_cache::{Bare, sync::Cache};
///
/// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").no_memory().open()?;
/// cache.put("first", "Ada Lovelace")?;
/// for key in ["first", "first", "first", "second"] {
///     cache.get::<String>(key)?;
/// }
/// assert_eq!(cache.stats()?.to_string(), "\
/// memory: + memory:
///   entries                    1  12 B on average
///   stored                  12 B
///   blobs                      0
///   hits                       3  75.0 % of 4 gets
///   misses                     1  1 absent
///   puts                       1
///   evictions                  0");
/// # Ok::<(), cacheness_cache::Error>(())
/// ```
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
        let percent = 100.0 * self.hit_rate();
        let reasons = REASONS.into_iter().map(|(reason, name)| (self.misses_because(reason), name));
        f.write_str(&self.backend)?;
        line(f, "entries", &self.entries, &format!("{} on average", Size(self.average_size())))?;
        line(f, "stored", &Size(self.bytes), "")?;
        line(f, "blobs", &self.blobs, "")?;
        line(f, "hits", &self.hits, &format!("{percent:.1} % of {} gets", self.hits + self.misses()))?;
        line(f, "misses", &self.misses(), &listed(reasons))?;
        line(f, "puts", &self.puts, "")?;
        line(f, "evictions", &self.evictions, "")?;
        if let Some(memory) = &self.memory {
            let more = format!("{}, {} hits, {} evictions", Size(memory.bytes), memory.hits, memory.evictions);
            line(f, "copies in memory", &memory.entries, &more)?;
        }
        let errors = self.backend_errors.iter().map(|(name, count)| (*count, *name));
        let rare = [
            ("backend errors", self.backend_errors.values().sum(), listed(errors)),
            ("deletes owed", self.owed, String::new()),
            ("degraded", self.degraded, String::new()),
        ];
        for (name, count, more) in rare.into_iter().filter(|(_, count, _)| *count > 0) {
            line(f, name, &count, &more)?;
        }
        Ok(())
    }
}

/// A line of the report: what is counted, the number, and what there is to say of it.
fn line(f: &mut fmt::Formatter<'_>, name: &str, number: &impl ToString, more: &str) -> fmt::Result {
    write!(f, "\n  {name:<18}{:>10}", number.to_string())?;
    if more.is_empty() { Ok(()) } else { write!(f, "  {more}") }
}

/// `2 absent, 1 expired`: those of which there are any.
fn listed<'a>(counts: impl Iterator<Item = (u64, &'a str)>) -> String {
    let counts = counts.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}"));
    counts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_happened_in_aligned_lines() {
        let mut stats = Stats {
            backend: "sqlite:cache/index.db + fs:cache/blobs".into(),
            entries: 1204,
            bytes: 14_330_279,
            blobs: 87,
            hits: 30_930,
            misses: [9000, 1200, 0, 0, 0, 0, 110],
            puts: 10_310,
            evictions: 96,
            degraded: 1,
            backend_errors: BTreeMap::from([("deliver", 0), ("get", 12), ("put", 3)]),
            owed: 2,
            handlers: BTreeMap::from([("object".to_owned(), HandlerStats { hits: 30_930, puts: 10_310 })]),
            memory: Some(MemoryStats {
                entries: 400,
                bytes: 1_572_864,
                hits: 21_000,
                evictions: 7,
                ..Default::default()
            }),
        };
        let full = "\
sqlite:cache/index.db + fs:cache/blobs
  entries                 1204  11.6 KiB on average
  stored              13.7 MiB
  blobs                     87
  hits                   30930  75.0 % of 41240 gets
  misses                 10310  9000 absent, 1200 expired, 110 invalidated
  puts                   10310
  evictions                 96
  copies in memory         400  1.5 MiB, 21000 hits, 7 evictions
  backend errors            15  12 get, 3 put
  deletes owed               2
  degraded                   1";
        assert_eq!(stats.to_string(), full);

        stats.memory = None;
        (stats.degraded, stats.owed) = (0, 0);
        stats.backend_errors.clear();
        assert_eq!(stats.to_string(), full.split("\n  copies").next().unwrap(), "what did not happen has no line");
    }

    #[test]
    fn the_report_of_a_cache_that_nobody_used_divides_nothing_by_zero() {
        let stats = crate::counters::Counters::default().stats("memory:".into(), Default::default(), 0, None);
        assert!(stats.to_string().contains("0 B on average"), "{stats}");
        assert!(stats.to_string().contains(" 0.0 % of 0 gets"), "{stats}");
    }
}
