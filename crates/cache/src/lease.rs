//! Leases: of all processes that share an index, one computes a key.
//!
//! A lease is a system record beside the entry of its key. Whoever holds it renews it while he computes, and the commit
//! that stores what he computed removes it: if it is his no more, nothing is stored. So whoever changes the key meanwhile,
//! in whatever process, takes the lease away in the commit of the change. A lease that nobody renews ends by itself.

use crate::Key;
use crate::core::{Core, Shared};
use cacheness_core::hex::Hex;
use cacheness_core::{Error, ErrorKind, Op, Result, Rng, rng};
use cacheness_storage::{
    Change, Coherence, Condition, EntryKey, Field, Filter, Locality, MetadataBackend, Operand, Patch, Version,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a lease lasts that is not renewed, unless told otherwise.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// The name of the system record that is a new one after each clear.
const CLEARED: &str = "cleared";

/// The leases of one opened cache.
#[derive(Debug)]
pub(crate) struct Leases {
    /// How long they last; `None` for no leases at all.
    time: Option<Duration>,
    /// Whether other processes may be using the index.
    is_shared: bool,
    /// What the holders of this cache's leases begin with.
    owner: String,
    next: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By number.
    leases: HashMap<u64, Key>,
    is_renewing: bool,
}

/// Who may compute.
pub(crate) enum Turn {
    /// The caller, with a lease where one is needed and could be had.
    Mine(Option<Lease>),
    /// Somebody in another process.
    Anothers,
}

/// The right to compute a key. Dropped, it is released in the background.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    key: Key,
    number: u64,
    /// The version of the record of clears when it was taken.
    cleared: Option<Version>,
    is_over: bool,
}

impl Leases {
    pub(crate) fn new(time: Option<Duration>, index: &dyn MetadataBackend, chance: &dyn Rng) -> Result<Self> {
        let is_shared = index.info().locality != Locality::Process && index.coherence() != Coherence::Exclusive;
        let owner = Hex(&rng::random::<16>(chance)?).to_string();
        Ok(Self { time, is_shared, owner, next: AtomicU64::new(0), held: Mutex::default() })
    }

    /// The changes that take the lease of a key from whoever has it.
    pub(crate) fn broken(&self, key: Key) -> Vec<Change> {
        let remove = || Change::Remove { key: EntryKey::system(&name_of(key)), condition: Condition::Always };
        self.is_shared.then(remove).into_iter().collect()
    }

    fn holder(&self, number: u64) -> String {
        format!("{} {number}", self.owner)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a lease that was taken; says whether somebody has to begin to renew.
    fn note(&self, number: u64, key: Key) -> bool {
        let mut held = self.held();
        held.leases.insert(number, key);
        !std::mem::replace(&mut held.is_renewing, true)
    }

    /// The keys of the leases to renew. Without any the renewing ends.
    fn to_renew(&self) -> Vec<Key> {
        let mut held = self.held();
        held.is_renewing = !held.leases.is_empty();
        held.leases.values().copied().collect()
    }
}

/// Refuses a lease that nobody could hold.
pub(crate) fn check_lease(lease: Duration) -> Result<Duration> {
    if lease.is_zero() {
        return Err(Error::new(ErrorKind::Config, "a lease of zero would end at once")
            .advice("leave it out for 10 s, or say no_lease"));
    }
    Ok(lease)
}

fn name_of(key: Key) -> String {
    ["lease/", key.entry_key().as_str()].concat()
}

impl Core {
    /// Takes the lease of a key. Best effort: where leases cannot be had, everybody computes. With `looks_first` nothing
    /// is written while somebody else has it.
    pub(crate) async fn take_lease(&self, key: Key, looks_first: bool) -> Turn {
        let leases = &self.leases;
        let Some(time) = leases.time.filter(|_| leases.is_shared && !self.read_only) else { return Turn::Mine(None) };
        match Lease::take(&self.shared, key, time, looks_first).await {
            Ok(None) => Turn::Anothers,
            taken => Turn::Mine(taken.ok().flatten()),
        }
    }

    /// Takes all leases from whoever has them.
    pub(crate) async fn break_all_leases(&self) -> Result<()> {
        if !self.leases.is_shared {
            return Ok(());
        }
        self.engine.put_system(CLEARED, Vec::new(), None, Condition::Always).await.map(drop)
    }
}

impl Lease {
    async fn take(shared: &Arc<Shared>, key: Key, time: Duration, looks_first: bool) -> Result<Option<Self>> {
        let (engine, leases, name) = (&shared.engine, &shared.leases, name_of(key));
        let now = engine.clock().now();
        let [held, cleared] = match looks_first {
            true => engine.systems([&name, CLEARED]).await?,
            false => [None, engine.system(CLEARED).await?],
        };
        if held.is_some_and(|lease| lease.expires_at > Some(now)) {
            return Ok(None);
        }
        let cleared = cleared.map(|record| record.version);
        let number = leases.next.fetch_add(1, Ordering::Relaxed);
        // There before the record is: whatever becomes of this call, the record does not stay.
        let mut lease = Self { shared: shared.clone(), key, number, cleared, is_over: false };
        let free = Condition::AbsentUnless(Filter::gt(Field::ExpiresAt, Operand::Now(0)));
        if !engine.hold_system(&name, &leases.holder(number), now.after(time), free).await? {
            lease.is_over = true;
            return Ok(None);
        }
        if leases.note(number, key) {
            renew_from_now_on(shared, time);
        }
        Ok(Some(lease))
    }

    /// The changes that must be met by the commit of what was computed. They release the lease.
    pub(crate) fn guard(&self) -> Vec<Change> {
        let cleared = EntryKey::system(CLEARED);
        let uncleared = match self.cleared {
            // Nothing is there to be removed.
            None => Change::Remove { key: cleared, condition: Condition::Absent },
            // The same version once more: nothing that anybody reads is changed.
            Some(version) => {
                let patch = Box::new(Patch::new(version, self.shared.engine.clock().now()));
                Change::Patch { key: cleared, patch, condition: Condition::Version(version) }
            }
        };
        let name = EntryKey::system(&name_of(self.key));
        vec![uncleared, Change::Remove { key: name, condition: self.is_mine() }]
    }

    /// Ends a lease that the commit of what was computed released.
    pub(crate) fn end(mut self) {
        self.is_over = true;
        self.forget();
    }

    /// Gives the lease back. After an error it ends by itself.
    pub(crate) async fn release(mut self) -> Result<()> {
        self.is_over = true;
        self.forget();
        self.shared.engine.remove_system(&name_of(self.key), self.is_mine()).await.map(drop)
    }

    fn is_mine(&self) -> Condition {
        Condition::Present(Filter::eq(Field::Description, self.shared.leases.holder(self.number)))
    }

    fn forget(&self) {
        self.shared.leases.held().leases.remove(&self.number);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.forget();
        let (shared, name, condition) = (self.shared.clone(), name_of(self.key), self.is_mine());
        let driver = self.shared.engine.driver().clone();
        driver.start(Box::pin(async move { drop(shared.engine.remove_system(&name, condition).await) }));
    }
}

/// Renews what is held, all at once and three times in the life of a lease, until nothing is.
fn renew_from_now_on(shared: &Arc<Shared>, time: Duration) {
    let driver = shared.engine.driver().clone();
    let (runtime, shared) = (driver.runtime().clone(), Arc::downgrade(shared));
    let pause = (time / 3).max(Duration::from_millis(1));
    let renewing = async move {
        loop {
            driver.runtime().sleep(pause).await;
            let Some(shared) = shared.upgrade() else { return };
            let keys = shared.leases.to_renew();
            if keys.is_empty() {
                return;
            }
            // Best effort: the next time comes before they end.
            drop(Op::new(&driver, async move { renew(&shared, keys, time).await }).await);
        }
    };
    runtime.spawn(Box::pin(renewing));
}

async fn renew(shared: &Shared, keys: Vec<Key>, time: Duration) -> Result<()> {
    let now = shared.engine.clock().now();
    let mut patches = Vec::with_capacity(keys.len());
    for key in keys {
        let mut patch = Patch::new(shared.engine.mint_version()?, now);
        patch.expires_at = Some(Some(now.after(time)));
        patches.push((EntryKey::system(&name_of(key)), patch));
    }
    let ours = Condition::Present(Filter::prefix(Field::Description, &shared.leases.owner));
    shared.engine.patch_many(patches, &ours).await.map(drop)
}
