//! How much the store may hold, and giving space back when it holds more.
//!
//! Totals are read from the index, but not after every put: a handle knows what they were and what it added since, and
//! reads them again when that is a sixteenth of the room that was left. So up to sixteen processes stay below the limit
//! together without asking each time, and near the limit every put asks.

use crate::Key;
use crate::core::Core;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::opening::Problems;
use cacheness_storage::{Filter, MetadataStats, Reclaim, ReclaimOrder};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which entries make room for others on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum EvictionPolicy {
    /// The least recently used first: what was read or put longest ago.
    #[default]
    Lru,
    /// The least frequently used first; among equals, the least recently used.
    Lfu,
    /// What was put first, however often it is used.
    Fifo,
    /// Any, each with about the same chance.
    Random,
}

impl EvictionPolicy {
    fn order(self) -> ReclaimOrder {
        match self {
            Self::Lru => ReclaimOrder::Used,
            Self::Lfu => ReclaimOrder::Hits,
            Self::Fifo => ReclaimOrder::Created,
            Self::Random => ReclaimOrder::Random,
        }
    }
}

impl FromStr for EvictionPolicy {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "lru" => Ok(Self::Lru),
            "lfu" => Ok(Self::Lfu),
            "fifo" => Ok(Self::Fifo),
            "random" => Ok(Self::Random),
            _ => Err(Error::new(ErrorKind::Config, format!("{name:?} is no eviction policy"))
                .advice("choose lru, lfu, fifo or random")),
        }
    }
}

/// How many entries one transaction of an eviction removes.
const BATCH: usize = 1000;

/// The part of the room left that may be added before totals are read again.
const PART: u64 = 16;

/// What the limits are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LimitOptions {
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_entries: Option<u64>,
    pub(crate) policy: EvictionPolicy,
    /// The part of a limit that an eviction goes down to, in percent.
    pub(crate) low_water: u8,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self { max_bytes: Some(10_000_000_000), max_entries: None, policy: EvictionPolicy::default(), low_water: 80 }
    }
}

impl LimitOptions {
    /// Refuses limits under which nothing could be stored.
    pub(crate) fn check(&self, problems: &mut Problems) {
        let config = |message: String| Error::new(ErrorKind::Config, message);
        if self.max_bytes == Some(0) {
            let error = config("a max_size of 0 bytes would store nothing".into());
            problems.add(error.advice("leave it out for 10 GB, or say unlimited"));
        }
        if self.max_entries == Some(0) {
            let error = config("a max_entries of 0 would store nothing".into());
            problems.add(error.advice("leave it out for any number"));
        }
        if !(1..=100).contains(&self.low_water) {
            let error = config(format!("a low_water of {} % is none", self.low_water));
            problems.add(error.advice("say 1 to 100, such as 80"));
        }
    }
}

/// The limits, and what is known of the totals.
#[derive(Debug)]
pub(crate) struct Limits {
    options: LimitOptions,
    /// What may still be added before the totals are read.
    allowance: Mutex<Allowance>,
}

#[derive(Debug, Default)]
struct Allowance {
    bytes: u64,
    entries: u64,
    is_near: bool,
}

impl Limits {
    pub(crate) fn new(options: LimitOptions) -> Self {
        Self { options, allowance: Mutex::default() }
    }

    /// Takes what was added from the allowance; says whether the totals have to be read.
    fn is_spent(&self, bytes: u64, entries: u64) -> bool {
        let Allowance { bytes: left, entries: left_entries, .. } = &mut *self.allowance();
        let is_spent = *left < bytes || *left_entries < entries;
        *left = left.saturating_sub(bytes);
        *left_entries = left_entries.saturating_sub(entries);
        is_spent
    }

    /// Says what totals leave to add, and whether they are above a limit.
    fn learn(&self, totals: &MetadataStats) -> bool {
        let room = |limit: Option<u64>, total: u64| limit.map_or(u64::MAX, |limit| limit.saturating_sub(total) / PART);
        let above = |limit: Option<u64>, total: u64| limit.is_some_and(|limit| total > limit);
        let (low_bytes, low_entries) = self.low_water();
        *self.allowance() = Allowance {
            bytes: room(self.options.max_bytes, totals.bytes),
            entries: room(self.options.max_entries, totals.entries),
            is_near: above(low_bytes, totals.bytes) || above(low_entries, totals.entries),
        };
        above(self.options.max_bytes, totals.bytes) || above(self.options.max_entries, totals.entries)
    }

    /// Whether an eviction may be near, so that the index should know what is used.
    pub(crate) fn is_near(&self) -> bool {
        self.allowance().is_near
    }

    /// What an eviction goes down to, in bytes and entries.
    fn low_water(&self) -> (Option<u64>, Option<u64>) {
        let LimitOptions { max_bytes, max_entries, low_water, .. } = self.options;
        let low = |limit: u64| u64::try_from(u128::from(limit) * u128::from(low_water) / 100).unwrap_or(limit);
        (max_bytes.map(low), max_entries.map(low))
    }

    fn plan(&self, filter: Filter, order: ReclaimOrder) -> Reclaim {
        let (until_bytes, until_entries) = self.low_water();
        Reclaim::Entries { filter, order, limit: BATCH, until_bytes, until_entries }
    }

    fn allowance(&self) -> MutexGuard<'_, Allowance> {
        self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Makes room if what was just stored was too much. What is stored is stored: when no room can be made now, the next
    /// put tries again.
    pub(crate) async fn stored(&self, bytes: u64, entries: u64) {
        if self.limits.is_spent(bytes, entries) && self.make_room().await.is_err() {
            self.counters.degraded();
        }
    }

    async fn make_room(&self) -> Result<()> {
        if !self.limits.learn(&self.engine.stats().await?) {
            return Ok(());
        }
        self.tell_uses().await?;
        // What is dead anyway goes first.
        let dead = self.judge().await?.dead();
        self.reclaim(&self.limits.plan(dead, ReclaimOrder::Expiry)).await?;
        let plan = self.limits.plan(Filter::All, self.limits.options.policy.order());
        let mut evicted = Vec::new();
        let count = self.reclaim_with(&plan, |keys| evicted.extend_from_slice(keys)).await;
        self.counters.evicted(evicted.len() as u64);
        self.note_evicted(&evicted).await;
        count?;
        self.limits.learn(&self.engine.stats().await?);
        Ok(())
    }
}

/// The keys in entries' names, for the memory layer.
pub(crate) fn keys_in(names: &[cacheness_storage::EntryKey]) -> impl Iterator<Item = Key> + '_ {
    names.iter().filter_map(|name| Key::parse(name.as_str()).ok())
}
