//! How much the store may hold, and giving space back when it holds more.
//!
//! Every put reads the totals that the index keeps: what other processes added meanwhile, nothing else tells. An eviction
//! takes what is dead first, then what the policy names, and what was just put only when that was too much by itself.

use crate::Key;
use crate::core::Core;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::opening::Problems;
use cacheness_storage::{Field, Filter, MetadataStats, Reclaim, ReclaimOrder};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// How many entries an eviction looks for at once: looking takes as long as the index is large.
const BATCH: usize = 10_000;

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

/// The limits, and whether the store is near one.
#[derive(Debug)]
pub(crate) struct Limits {
    options: LimitOptions,
    is_near: AtomicBool,
}

impl Limits {
    pub(crate) fn new(options: LimitOptions) -> Self {
        Self { options, is_near: AtomicBool::new(true) }
    }

    /// Whether totals are above a limit. Notes whether they are near one.
    fn are_exceeded_by(&self, totals: &MetadataStats) -> bool {
        let is_above = |(bytes, entries): (Option<u64>, Option<u64>)| {
            bytes.is_some_and(|limit| totals.bytes > limit) || entries.is_some_and(|limit| totals.entries > limit)
        };
        self.is_near.store(is_above(self.low_water()), Ordering::Relaxed);
        is_above((self.options.max_bytes, self.options.max_entries))
    }

    /// Whether an eviction may be near, so that the index should know what is used.
    pub(crate) fn is_near(&self) -> bool {
        self.are_some() && self.is_near.load(Ordering::Relaxed)
    }

    fn are_some(&self) -> bool {
        self.options.max_bytes.is_some() || self.options.max_entries.is_some()
    }

    /// What an eviction goes down to, in bytes and entries.
    fn low_water(&self) -> (Option<u64>, Option<u64>) {
        let LimitOptions { max_bytes, max_entries, low_water, .. } = self.options;
        let low = |limit: u64| u64::try_from(u128::from(limit) * u128::from(low_water) / 100).unwrap_or(limit);
        (max_bytes.map(low), max_entries.map(low))
    }

    /// About how many entries are above the low-water mark.
    fn surplus(&self, totals: &MetadataStats) -> u64 {
        let (low_bytes, low_entries) = self.low_water();
        let above = |low: Option<u64>, total: u64| low.map_or(0, |low| total.saturating_sub(low));
        let bytes = u128::from(above(low_bytes, totals.bytes)) * u128::from(totals.entries);
        let of_bytes = bytes.div_ceil(u128::from(totals.bytes.max(1)));
        above(low_entries, totals.entries).max(u64::try_from(of_bytes).unwrap_or(u64::MAX))
    }

    fn plan(&self, filter: Filter, order: ReclaimOrder, limit: usize) -> Reclaim {
        let (until_bytes, until_entries) = self.low_water();
        Reclaim::Entries { filter, order, limit, until_bytes, until_entries }
    }
}

impl Core {
    /// Makes room if what was just stored under these keys was too much. What is stored is stored: when no room can be made
    /// now, the next put tries again.
    pub(crate) async fn stored(&self, keys: &[Key]) {
        if self.limits.are_some() && self.make_room(keys).await.is_err() {
            self.counters.degraded();
        }
    }

    async fn make_room(&self, stored: &[Key]) -> Result<()> {
        if !self.is_too_full().await? {
            return Ok(());
        }
        self.tell_uses().await?;
        let dead = self.judge().await?.dead();
        self.reclaim(&self.limits.plan(dead, ReclaimOrder::Expiry, BATCH)).await?;
        if let [key] = stored {
            self.evict(!Filter::eq(Field::Key, key.entry_key().as_str())).await?;
        }
        if self.is_too_full().await? {
            self.evict(Filter::All).await?;
            self.is_too_full().await?;
        }
        Ok(())
    }

    async fn is_too_full(&self) -> Result<bool> {
        // What was just committed is in the totals that its commit left.
        let totals = match self.engine.metadata().committed() {
            Some(totals) => totals,
            None => self.engine.stats().await?,
        };
        Ok(self.limits.are_exceeded_by(&totals))
    }

    /// Removes what the policy names first among what the filter means, down to the low-water mark.
    async fn evict(&self, filter: Filter) -> Result<()> {
        // No more at once than have to go: what waits for its turn in a transaction may be used by others meanwhile.
        let surplus = self.limits.surplus(&self.engine.stats().await?);
        let batch = usize::try_from(surplus).unwrap_or(BATCH).clamp(1, BATCH);
        let plan = self.limits.plan(filter, self.limits.options.policy.order(), batch);
        let mut evicted = Vec::new();
        let count = self.reclaim_with(&plan, |keys| evicted.extend_from_slice(keys)).await;
        self.counters.evicted(evicted.len() as u64);
        self.note_evicted(&evicted).await;
        count.map(drop)
    }
}

/// The keys in entries' names, for the memory layer.
pub(crate) fn keys_in(names: &[cacheness_storage::EntryKey]) -> impl Iterator<Item = Key> + '_ {
    names.iter().filter_map(|name| Key::parse(name.as_str()).ok())
}
