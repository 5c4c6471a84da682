//! The layer itself: looking up, taking in, taking out.

use super::config::MemoryConfig;
use super::copy::MemoryCopy;
use super::lock;
use super::order::Order;
use super::proof::{Evidence, Proof, Ticket, Verdict};
use super::shard::{Gone, Kept, Shard, Used};
use super::stats::MemoryStats;
use crate::Key;
use crate::hashed::{Hashed, Seed};
use crate::uses::Uses;
use cacheness_core::policy::Eviction;
use cacheness_core::{Result, Rng, Timestamp};
use cacheness_storage::{Changing, Coherence, EntryKey, Generations, Usage};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

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
    /// Where the uses of copies go that are taken out; without it nobody wants to know of any.
    uses: Option<Arc<Uses>>,
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
    pub(crate) fn new(
        config: &MemoryConfig,
        coherence: Coherence,
        rng: &dyn Rng,
        uses: Option<Arc<Uses>>,
    ) -> Result<Self> {
        config.check()?;
        Ok(Self {
            proof: Proof::new(coherence, config.staleness),
            own: Generations::in_process(),
            seed: Seed::new(rng)?,
            shards: std::array::from_fn(|_| Mutex::default()),
            order: Mutex::new(Order::new(Eviction::new(config.policy, config.limit, rng)?)),
            largest: config.limit / LARGEST_PART,
            refused: AtomicU64::new(0),
            uses,
        })
    }

    /// What `take` makes of the copy of a key, if that is proven fresh without asking anybody: a hit then, and a use. Of
    /// anything else nothing is counted. `take` runs under a lock.
    pub(crate) fn serve<V>(
        &self,
        key: &Key,
        now: Timestamp,
        take: impl FnOnce(&Arc<MemoryCopy>) -> Option<V>,
    ) -> Option<V> {
        let hashed = self.seed.hashed(*key);
        let mut shard = lock(self.shard(&hashed));
        let value = shard.serve(&hashed, now, self.uses.as_deref(), |kept| {
            let is_fresh = self.proof.judge(kept.evidence, now) == Verdict::Fresh;
            if is_fresh { take(&kept.copy) } else { None }
        })?;
        self.pass_on(shard);
        Some(value)
    }

    /// The copy of a key, if it is proven fresh without asking anybody. Nothing is counted.
    pub(crate) fn peek(&self, key: &Key, now: Timestamp) -> Option<Arc<MemoryCopy>> {
        let hashed = self.seed.hashed(*key);
        let shard = lock(self.shard(&hashed));
        let kept = shard.get(&hashed)?;
        (self.proof.judge(kept.evidence, now) == Verdict::Fresh).then(|| Arc::clone(&kept.copy))
    }

    /// The uses of copies that the index does not know yet; they count as told from now on.
    pub(crate) fn take_untold(&self) -> Vec<(EntryKey, Usage)> {
        let Some(uses) = &self.uses else { return Vec::new() };
        let untold: Vec<_> = self.shards.iter().flat_map(|shard| lock(shard).take_untold()).collect();
        uses.dismiss(untold.len());
        untold.into_iter().map(|(hashed, usage)| (hashed.key().entry_key(), usage)).collect()
    }

    /// The copy of a key. It is counted as a hit or a miss, unless it is unproven.
    pub(crate) fn get(&self, key: Key, now: Timestamp) -> MemoryLookup {
        let hashed = self.seed.hashed(key);
        let mut shard = lock(self.shard(&hashed));
        let Some(Kept { copy, evidence, slot, .. }) = shard.get(&hashed) else {
            shard.misses += 1;
            return MemoryLookup::Absent;
        };
        let (copy, slot, evidence) = (Arc::clone(copy), *slot, *evidence);
        match self.proof.judge(evidence, now) {
            Verdict::Fresh => {
                shard.hit(slot);
                self.pass_on(shard);
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
        let Some(slot) = shard.get(&hashed).filter(|kept| Arc::ptr_eq(&kept.copy, copy)).map(|kept| kept.slot) else {
            shard.hits += 1;
            return;
        };
        shard.hit(slot);
        self.pass_on(shard);
    }

    /// Counts the copy that was found as a miss, and takes it out, unless another one took its place.
    pub(crate) fn outdated(&self, key: Key, copy: &Arc<MemoryCopy>) {
        let hashed = self.seed.hashed(key);
        let mut order = lock(&self.order);
        let mut shard = lock(self.shard(&hashed));
        shard.misses += 1;
        let gone = shard.take_if(&hashed, copy);
        drop(shard);
        gone.iter().for_each(|gone| order.remove(gone.kept.slot));
        drop(order);
        self.dismiss(gone);
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
            let old = lock(self.shard(&hashed)).remove(&hashed);
            self.put(&mut order, hashed, old, (&copy, evidence), &mut gone)
        };
        drop(order);
        self.dismiss(gone);
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
            let evidence = old.kept.evidence;
            self.put(&mut order, hashed, Some(old), (&copy, evidence), &mut gone)
        });
        drop(order);
        self.dismiss(gone);
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
            if let Some(taken) = lock(self.shard(hashed)).remove(hashed) {
                order.remove(taken.kept.slot);
                gone.push(taken);
            }
        }
        drop(order);
        self.dismiss(gone);
        changing
    }

    /// As [`change`](Self::change), for every key.
    pub(crate) fn change_all(&self) -> Changing {
        let changing = self.own.change_all();
        let mut gone = Vec::new();
        let mut order = lock(&self.order);
        for shard in &self.shards {
            gone.append(&mut lock(shard).take_all());
        }
        gone.iter().for_each(|gone| order.remove(gone.kept.slot));
        drop(order);
        self.dismiss(gone);
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

    /// Hands much that was used to the order, unless that is taken: then it counts for nothing.
    #[inline]
    fn pass_on(&self, mut shard: MutexGuard<'_, Shard>) {
        if let Some(used) = shard.much_used() {
            drop(shard);
            self.apply(&used);
        }
    }

    #[inline(never)]
    fn apply(&self, used: &Used) {
        if let Ok(mut order) = self.order.try_lock() {
            order.apply(used);
        }
    }

    /// Drops copies that were taken out, and hands on what is to be told of them. Not to be called under the locks.
    fn dismiss(&self, gone: impl IntoIterator<Item = Gone>) {
        for Gone { hashed, kept } in gone {
            if let Some(uses) = self.uses.as_ref().filter(|_| kept.untold.hits > 0) {
                uses.take_over(hashed.key(), kept.untold);
            }
        }
    }

    /// Puts a copy in the place of an old one that was taken out of its shard. Who had to go, the caller drops when the
    /// locks are free: dropping a value is code of others.
    fn put(
        &self,
        order: &mut Order,
        hashed: Hashed,
        old: Option<Gone>,
        (copy, evidence): (&Arc<MemoryCopy>, Evidence),
        gone: &mut Vec<Gone>,
    ) -> bool {
        if let Some(old) = old {
            order.remove(old.kept.slot);
            gone.push(old);
        }
        if order.is_full_for(copy.weight()) {
            self.shards.iter().for_each(|shard| {
                let used = lock(shard).take_used();
                order.apply(&used);
            });
        }
        let evict = |victim: &Hashed| gone.extend(lock(self.shard(victim)).remove(victim));
        let Some(slot) = order.insert(hashed, copy.weight(), evict) else { return false };
        lock(self.shard(&hashed)).insert(hashed, Kept::new(Arc::clone(copy), evidence, slot));
        true
    }
}

impl fmt::Debug for MemoryLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLayer").field("proof", &self.proof).field("stats", &self.stats()).finish_non_exhaustive()
    }
}
