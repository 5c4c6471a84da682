//! Which entries were used and when: noted here, or beside their copies in memory, and told to the index in batches. A get
//! never writes.

use crate::Key;
use crate::hashed::{BuildKnown, Hashed, Seed};
use cacheness_core::{Result, Rng, Timestamp};
use cacheness_storage::{EntryKey, Usage};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const SHARDS: usize = 16;

/// How many entries' uses are noted at most. What is used beyond that is not noted until the others were told.
const MOST: usize = 64 << 10;

/// How many noted entries make a batch worth telling.
pub(crate) const BATCH: usize = 1000;

/// How long uses stay untold, when anything is used at all.
const INTERVAL: Duration = Duration::from_secs(60);

type Shard = HashMap<Hashed, Usage, BuildKnown>;

/// Uses that the index does not know yet.
#[derive(Debug)]
pub(crate) struct Uses {
    shards: [Mutex<Shard>; SHARDS],
    seed: Seed,
    noted: AtomicUsize,
    /// When uses were told last, in microseconds since 1970.
    told_at: AtomicI64,
}

impl Uses {
    pub(crate) fn new(now: Timestamp, rng: &dyn Rng) -> Result<Self> {
        Ok(Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            seed: Seed::new(rng)?,
            noted: AtomicUsize::new(0),
            told_at: AtomicI64::new(now.as_micros()),
        })
    }

    /// Notes a use.
    pub(crate) fn note(&self, key: Key, now: Timestamp) {
        let key = self.seed.hashed(key);
        let mut shard = lock(self.shard(&key));
        if let Some(usage) = shard.get_mut(&key) {
            return usage.note(now, 1);
        }
        if self.admit() {
            shard.insert(key, Usage { accessed_at: Some(now), hits: 1 });
        }
    }

    /// Whether the uses of one more entry may be noted, be it here or by the memory layer with its copy: it counts as
    /// noted then.
    pub(crate) fn admit(&self) -> bool {
        let has_room = self.noted.load(Ordering::Relaxed) < MOST;
        if has_room {
            self.noted.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Takes over what was noted with a copy.
    pub(crate) fn take_over(&self, key: Key, usage: Usage) {
        let key = self.seed.hashed(key);
        let mut shard = lock(self.shard(&key));
        match shard.get_mut(&key) {
            Some(noted) => {
                noted.note(usage.accessed_at.unwrap_or(Timestamp::MIN), usage.hits);
                self.dismiss(1);
            }
            None => _ = shard.insert(key, usage),
        }
    }

    /// The uses of so many entries are not noted any more.
    pub(crate) fn dismiss(&self, entries: usize) {
        self.noted.fetch_sub(entries, Ordering::Relaxed);
    }

    /// Forgets the uses of an entry that is removed; returns them.
    pub(crate) fn forget(&self, key: Key) -> Option<Usage> {
        let key = self.seed.hashed(key);
        let forgotten = lock(self.shard(&key)).remove(&key);
        self.dismiss(usize::from(forgotten.is_some()));
        forgotten
    }

    /// Notes the uses of an entry that has another key now.
    pub(crate) fn rename(&self, from: Key, to: Key) {
        if let Some(usage) = self.forget(from).filter(|_| self.admit()) {
            self.take_over(to, usage);
        }
    }

    /// Whether it is time to tell the index, provided that there is something to tell.
    #[inline]
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let noted = self.noted.load(Ordering::Relaxed);
        let told_at = Timestamp::from_micros(self.told_at.load(Ordering::Relaxed));
        // A clock that was set back is no reason to wait for ever.
        noted >= MOST / 2 || now < told_at || now.since(told_at) >= INTERVAL
    }

    /// How many entries have untold uses.
    pub(crate) fn noted(&self) -> usize {
        self.noted.load(Ordering::Relaxed)
    }

    /// Takes what is noted out, to tell it at the time `now`.
    pub(crate) fn take(&self, now: Timestamp) -> Vec<(EntryKey, Usage)> {
        self.told_at.store(now.as_micros(), Ordering::Relaxed);
        let mut taken = Vec::new();
        for shard in &self.shards {
            let noted = std::mem::take(&mut *lock(shard));
            self.dismiss(noted.len());
            taken.extend(noted.into_iter().map(|(key, usage)| (key.key().entry_key(), usage)));
        }
        taken
    }

    fn shard(&self, key: &Hashed) -> &Mutex<Shard> {
        // The map takes the lowest bits.
        &self.shards[(key.hash >> 32) as usize % SHARDS]
    }
}

fn lock(mutex: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
