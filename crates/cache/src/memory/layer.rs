//! The layer itself: looking up, taking in, taking out.

use super::config::MemoryConfig;
use super::copy::MemoryCopy;
use super::hashed::{Hashed, Seed};
use super::lock;
use super::order::Order;
use super::proof::{Evidence, Proof, Ticket, Verdict};
use super::shard::{Kept, Shard, Used};
use super::stats::MemoryStats;
use crate::Key;
use cacheness_core::policy::Eviction;
use cacheness_core::{Result, Rng, Timestamp};
use cacheness_storage::{Changing, Coherence, Generations};
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const SHARDS: usize = 32;

/// The part of the limit that one copy may take.
const LARGEST_PART: u64 = 4;

/// Copies of values in memory, of a limited weight, found by key. All of it is for any number of threads at once.
///
/// Which copies are served is decided by the [`Coherence`] of the index, or by an explicit staleness; whether they are
/// expired is for the caller to say, who gets the record with them.
///
/// A load begins with [`begin_load`](Self::begin_load), *before* the record is read, and ends with
/// [`insert`](Self::insert). Where the index proves nothing by itself ([`Coherence::Exclusive`], or a staleness), whoever
/// commits a change holds the result of [`change`](Self::change) meanwhile.
pub(crate) struct MemoryLayer {
    proof: Proof,
    /// Of keys that were changed, or got a copy: what a load has to be newer than.
    own: Generations,
    seed: Seed,
    shards: [Mutex<Shard>; SHARDS],
    /// Locked before shards, never after.
    order: Mutex<Order>,
    largest: u64,
    refused: AtomicU64,
}

/// What a lookup found.
#[derive(Debug)]
pub(crate) enum MemoryLookup {
    /// A copy that is what the index would answer now, or recent enough.
    Fresh(Arc<MemoryCopy>),
    /// A copy that is good if the index still has its version: say so by [`MemoryLayer::confirm`] or
    /// [`MemoryLayer::outdated`].
    Unproven(Arc<MemoryCopy>),
    /// Nothing.
    Absent,
}

impl MemoryLayer {
    /// An empty layer over an index of this coherence.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for a staleness of zero, and as [`Rng::fill`].
    pub(crate) fn new(config: &MemoryConfig, coherence: Coherence, rng: &dyn Rng) -> Result<Self> {
        config.check()?;
        Ok(Self {
            proof: Proof::new(coherence, config.staleness),
            own: Generations::in_process(),
            seed: Seed::new(rng)?,
            shards: std::array::from_fn(|_| Mutex::default()),
            order: Mutex::new(Order::new(Eviction::new(config.policy, config.limit, rng)?)),
            largest: config.limit / LARGEST_PART,
            refused: AtomicU64::new(0),
        })
    }

    /// The copy of a key. It is counted as a hit or a miss, unless it is unproven.
    pub(crate) fn get(&self, key: Key, now: Timestamp) -> MemoryLookup {
        let hashed = self.seed.hashed(key);
        let mut shard = lock(self.shard(&hashed));
        let Some(Kept { copy, evidence, slot }) = shard.copies.get(&hashed) else {
            shard.misses += 1;
            return MemoryLookup::Absent;
        };
        let (copy, slot) = (Arc::clone(copy), *slot);
        match self.proof.judge(*evidence, now) {
            Verdict::Fresh => {
                let used = shard.hit(slot);
                drop(shard);
                self.pass_on(used);
                MemoryLookup::Fresh(copy)
            }
            Verdict::Unproven => MemoryLookup::Unproven(copy),
            Verdict::Stale => {
                drop(shard);
                self.outdated(key, &copy);
                MemoryLookup::Absent
            }
        }
    }

    /// Counts the copy that was found as a hit: it was proven fresh.
    pub(crate) fn confirm(&self, key: Key, copy: &Arc<MemoryCopy>) {
        let hashed = self.seed.hashed(key);
        let mut shard = lock(self.shard(&hashed));
        let Some(slot) = shard.copies.get(&hashed).filter(|kept| Arc::ptr_eq(&kept.copy, copy)).map(|kept| kept.slot)
        else {
            shard.hits += 1;
            return;
        };
        let used = shard.hit(slot);
        drop(shard);
        self.pass_on(used);
    }

    /// Counts the copy that was found as a miss, and takes it out, unless another one took its place.
    pub(crate) fn outdated(&self, key: Key, copy: &Arc<MemoryCopy>) {
        let hashed = self.seed.hashed(key);
        let mut order = lock(&self.order);
        let mut shard = lock(self.shard(&hashed));
        shard.misses += 1;
        if let Some(kept) = shard.take_if(&hashed, copy) {
            order.remove(kept.slot);
        }
    }

    /// Begins a load, *before* the record is read from the index; `None` while the key is being changed, when what is read
    /// cannot be kept.
    pub(crate) fn begin_load(&self, key: Key, now: Timestamp) -> Option<Ticket> {
        let hashed = self.seed.hashed(key);
        let began = self.own.stamp(&hashed.hash.to_le_bytes())?;
        let evidence = self.proof.evidence(&hashed, now)?;
        Some(Ticket { hashed, began, evidence })
    }

    /// Keeps what a load has read; says whether it did. A copy that came too late is refused: after a change of the key,
    /// or after another copy of it.
    pub(crate) fn insert(&self, ticket: Ticket, copy: MemoryCopy) -> bool {
        let Ticket { hashed, began, evidence } = ticket;
        if copy.weight() > self.largest || !self.proof.is_current(evidence) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let copy = Arc::new(copy);
        let mut gone = Vec::new();
        let mut order = lock(&self.order);
        // Under the lock: a change is marked first and takes out what is in after that.
        let is_kept = self.own.is_fresh(began) && {
            drop(self.own.change([hashed.hash.to_le_bytes().as_slice()]));
            let old = lock(self.shard(&hashed)).copies.remove(&hashed);
            self.put(&mut order, hashed, old, (&copy, evidence), &mut gone)
        };
        drop(order);
        self.refused.fetch_add(u64::from(!is_kept), Ordering::Relaxed);
        is_kept
    }

    /// Puts another copy of the same version in the place of the one that was found, such as one with the decoded value;
    /// says whether it did. It is refused when that is not there any more.
    pub(crate) fn replace(&self, key: Key, seen: &Arc<MemoryCopy>, copy: MemoryCopy) -> bool {
        let hashed = self.seed.hashed(key);
        if copy.weight() > self.largest {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let copy = Arc::new(copy);
        let mut gone = Vec::new();
        let mut order = lock(&self.order);
        let old = lock(self.shard(&hashed)).take_if(&hashed, seen);
        let is_kept = old.is_some_and(|old| {
            let evidence = old.evidence;
            self.put(&mut order, hashed, Some(old), (&copy, evidence), &mut gone)
        });
        drop(order);
        self.refused.fetch_add(u64::from(!is_kept), Ordering::Relaxed);
        is_kept
    }

    /// Takes out the copies of some keys, and keeps out what loads read that are under way or begin before the result is
    /// dropped. Hold it from before a commit until after it.
    pub(crate) fn change(&self, keys: impl IntoIterator<Item = Key>) -> Changing {
        let hashed: Vec<_> = keys.into_iter().map(|key| self.seed.hashed(key)).collect();
        let names: Vec<_> = hashed.iter().map(|hashed| hashed.hash.to_le_bytes()).collect();
        let changing = self.own.change(names.iter().map(<[u8; 8]>::as_slice));
        let mut gone = Vec::new();
        let mut order = lock(&self.order);
        for hashed in &hashed {
            if let Some(kept) = lock(self.shard(hashed)).copies.remove(hashed) {
                order.remove(kept.slot);
                gone.push(kept);
            }
        }
        drop(order);
        changing
    }

    /// As [`change`](Self::change), for every key.
    pub(crate) fn change_all(&self) -> Changing {
        let changing = self.own.change_all();
        let mut gone = Vec::new();
        let mut order = lock(&self.order);
        for shard in &self.shards {
            let copies = std::mem::take(&mut lock(shard).copies);
            copies.values().for_each(|kept| order.remove(kept.slot));
            gone.push(copies);
        }
        drop(order);
        changing
    }

    /// The weight of the largest copy that is taken in.
    pub(crate) fn largest(&self) -> u64 {
        self.largest
    }

    /// Whether copies are fresh unless this layer is told otherwise.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.proof.is_always()
    }

    /// What is in it, and what was counted.
    pub(crate) fn stats(&self) -> MemoryStats {
        let order = lock(&self.order);
        let (entries, bytes, evictions) = (order.entries(), order.bytes(), order.evictions());
        let refused = self.refused.load(Ordering::Relaxed);
        let mut stats = MemoryStats { entries, bytes, evictions, refused, ..MemoryStats::default() };
        for shard in &self.shards {
            let shard = lock(shard);
            stats.hits += shard.hits;
            stats.misses += shard.misses;
        }
        stats
    }

    fn shard(&self, hashed: &Hashed) -> &Mutex<Shard> {
        &self.shards[(hashed.hash >> 48) as usize % SHARDS]
    }

    /// Hands uses to the order, unless it is taken: then they count for nothing.
    fn pass_on(&self, used: Option<Used>) {
        if let (Some(used), Ok(mut order)) = (used, self.order.try_lock()) {
            order.apply(&used);
        }
    }

    /// Puts a copy in the place of an old one that was taken out of its shard. Who had to go, the caller drops when the
    /// locks are free: dropping a value is code of others.
    fn put(
        &self,
        order: &mut Order,
        hashed: Hashed,
        old: Option<Kept>,
        (copy, evidence): (&Arc<MemoryCopy>, Evidence),
        gone: &mut Vec<Kept>,
    ) -> bool {
        if let Some(old) = old {
            order.remove(old.slot);
            gone.push(old);
        }
        if order.is_full_for(copy.weight()) {
            self.shards.iter().for_each(|shard| {
                let used = lock(shard).take_used();
                order.apply(&used);
            });
        }
        let evict = |victim: &Hashed| gone.extend(lock(self.shard(victim)).copies.remove(victim));
        let Some(slot) = order.insert(hashed, copy.weight(), evict) else { return false };
        let kept = Kept { copy: Arc::clone(copy), evidence, slot };
        lock(self.shard(&hashed)).copies.insert(hashed, kept);
        true
    }
}

impl fmt::Debug for MemoryLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLayer").field("proof", &self.proof).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
