//! `get_or_put`: one computation a key, however many callers miss it at once, in however many processes.

mod landed;
mod look;
mod options;

pub use options::ComputeOptions;

use crate::at_once::at_once;
use crate::core::{Core, Put};
use crate::degraded::Operation;
use crate::key::Prepared;
use crate::lease::{self, Lease};
use crate::{GetOptions, Key};
use cacheness_core::flight::{self, Lead, Turn};
use cacheness_core::{Error, ErrorKind, Op, Result};
use cacheness_handlers::Value;
use cacheness_storage::engine::Source;
use cacheness_storage::{Record, Version};
use landed::Landed;
use look::{Before, Look, Sought};
use options::Call;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// How long whoever waits for another process pauses, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The computations of a cache that are under way.
pub(crate) type Flights = flight::Flights<Key, Landing>;

/// What becomes of a computed value.
#[derive(Debug, Clone)]
pub(crate) enum Landing {
    /// It can be read, or what somebody else put meanwhile. With what was read for all who waited, where that is little.
    Readable(Option<Arc<Landed>>),
    /// It could not be stored.
    Unstored,
}

/// How a face waits for the cache's own work.
#[derive(Clone, Copy)]
pub(crate) enum Face {
    Blocking,
    Async,
}

/// The one who computes, in this process and among all.
struct Leader {
    lead: Lead<Key, Landing>,
    lease: Option<Lease>,
}

/// A value that is there and is computed anew.
struct Present<T> {
    value: T,
    /// The version of a live one; `None` for a stale one.
    live: Option<Version>,
}

impl Face {
    fn run<R: Send + 'static>(self, core: &Arc<Core>, work: impl Future<Output = Result<R>> + Send + 'static) -> Op<R> {
        match self {
            Self::Blocking => Op::ready(core.driver().run(work)),
            Self::Async => Op::new(core.driver(), work),
        }
    }

    async fn get<T: Value>(self, core: &Arc<Core>, key: Key) -> Result<Sought<(T, Record)>> {
        let this = core.clone();
        self.run(core, async move { this.seek_value(key).await }).await
    }

    /// The value in memory, where that takes no waiting.
    fn get_at_once<T: Value, R>(
        self,
        core: &Core,
        key: Key,
        known: impl FnOnce(&T, &Record) -> R,
    ) -> Option<Result<(T, R)>> {
        let attempt = || core.decode_at_once(&Prepared::Ready(key), T::fallback(), GetOptions::new(), known).map(Ok);
        match self {
            Self::Blocking => core.driver().attempt(attempt),
            Self::Async => self.guarded(attempt),
        }
    }

    /// Decoding on the caller's thread: in async code a panic is left to the task that follows, which makes an error of it.
    fn guarded<R>(self, decode: impl FnOnce() -> Option<R>) -> Option<R> {
        match self {
            Self::Blocking => decode(),
            Self::Async => catch_unwind(AssertUnwindSafe(decode)).unwrap_or_default(),
        }
    }

    async fn look<T: Value>(self, core: &Arc<Core>, key: Key) -> Result<Sought<Look<T>>> {
        let this = core.clone();
        self.run(core, async move {
            let look = this.look(key).await;
            Ok(this.unless_sick(Operation::Get, look)?.map_or(Sought::Sick, Sought::Found))
        })
        .await
    }

    async fn stale<T: Value>(self, core: &Arc<Core>, key: Key, window: Duration) -> Result<Option<T>> {
        if window.is_zero() {
            return Ok(None);
        }
        let this = core.clone();
        let stale = async move {
            let stale = this.stale(key, window).await;
            Ok(this.unless_sick(Operation::Get, stale)?.flatten())
        };
        self.run(core, stale).await
    }

    async fn take_lease(self, core: &Arc<Core>, key: Key, looks_first: bool) -> Result<lease::Turn> {
        let this = core.clone();
        self.run(core, async move { Ok(this.take_lease(key, looks_first).await) }).await
    }

    async fn release(self, core: &Arc<Core>, lease: Option<Lease>) {
        if let Some(lease) = lease {
            drop(self.run(core, lease.release()).await);
        }
    }

    /// As [`release`](Self::release), in the background where nothing may block.
    fn give_up(self, core: &Arc<Core>, lease: Option<Lease>) {
        match self {
            Self::Blocking => drop(core.driver().run(release(lease))),
            Self::Async => drop(lease),
        }
    }

    /// Lets time pass, on no thread of the pool.
    async fn pause(self, core: &Arc<Core>, pause: Duration) -> Result<()> {
        let sleep = core.driver().runtime().sleep(pause);
        let asleep = async move {
            sleep.await;
            Ok(())
        };
        match self {
            Self::Blocking => core.driver().run(asleep),
            Self::Async => asleep.await,
        }
    }

    /// The value of a key, or what `compute` makes of it.
    pub(crate) async fn get_or_put<T: Value, E, F: Future<Output = Result<T, E>>>(
        self,
        core: &Arc<Core>,
        call: Call<T>,
        compute: impl FnOnce() -> F,
    ) -> Result<Result<T, E>> {
        let key = call.put.key;
        let to_refresh =
            |value: &T, record: &Record| core.is_to_refresh(&call.rules, value, record).then_some(record.version);
        let found = match self.get_at_once(core, key, to_refresh).transpose()? {
            None => match self.get(core, key).await? {
                Sought::Found((value, record)) => {
                    let live = to_refresh(&value, &record);
                    Some((value, live))
                }
                Sought::Absent => None,
                // Nobody could be told of the value, nor of who computes it.
                Sought::Sick => return Ok(compute().await),
            },
            found => found,
        };
        match found {
            Some((value, None)) => return Ok(Ok(value)),
            Some((value, live)) => return self.refresh(core, call, Present { value, live }, compute).await,
            None => {}
        }
        match self.stale(core, key, call.rules.stale_while_revalidate).await? {
            Some(value) => self.refresh(core, call, Present { value, live: None }, compute).await,
            None => self.load(core, call, compute).await,
        }
    }

    /// Computes anew what is there, unless somebody else does.
    async fn refresh<T: Value, E, F: Future<Output = Result<T, E>>>(
        self,
        core: &Arc<Core>,
        call: Call<T>,
        present: Present<T>,
        compute: impl FnOnce() -> F,
    ) -> Result<Result<T, E>> {
        let key = call.put.key;
        let Some(Ok(Turn::Lead(lead))) = at_once(core.flights.join(key)) else { return Ok(Ok(present.value)) };
        let lease::Turn::Mine(lease) = self.take_lease(core, key, true).await? else { return Ok(Ok(present.value)) };
        self.lead(core, call, Leader { lead, lease }, Some(present), compute).await
    }

    /// Computes what is not there, or waits for somebody else who does.
    async fn load<T: Value, E, F: Future<Output = Result<T, E>>>(
        self,
        core: &Arc<Core>,
        call: Call<T>,
        compute: impl FnOnce() -> F,
    ) -> Result<Result<T, E>> {
        let key = call.put.key;
        let lead = loop {
            let landing = match core.flights.join(key).await.map_err(|error| error.key(key))? {
                Turn::Lead(lead) => break lead,
                Turn::Landed(landing) => landing,
            };
            if let Landing::Readable(Some(landed)) = &landing
                && let Some(value) = self.guarded(|| core.decode_landed(key, landed))
            {
                return Ok(Ok(value));
            }
            let Sought::Found(look) = self.look(core, key).await? else { return Ok(compute().await) };
            match (look.value, landing) {
                (Some((value, _)), _) => return Ok(Ok(value)),
                (None, Landing::Readable(_)) => {}
                // Nobody's value would be stored: waiting for another one gains nothing.
                (None, Landing::Unstored) => return Ok(compute().await),
            }
        };
        let (mut pause, mut looks_first) = (FIRST_PAUSE, false);
        let lease = loop {
            if let lease::Turn::Mine(lease) = self.take_lease(core, key, looks_first).await? {
                break lease;
            }
            self.pause(core, pause).await?;
            (pause, looks_first) = ((2 * pause).min(LONGEST_PAUSE), true);
            let Sought::Found(look) = self.look(core, key).await? else {
                lead.land(Landing::Unstored);
                return Ok(compute().await);
            };
            if let Some((value, _)) = look.value {
                lead.land(Landing::Readable(None));
                return Ok(Ok(value));
            }
        };
        self.lead(core, call, Leader { lead, lease }, None, compute).await
    }

    /// Computes, unless somebody else did just now.
    async fn lead<T: Value, E, F: Future<Output = Result<T, E>>>(
        self,
        core: &Arc<Core>,
        call: Call<T>,
        leader: Leader,
        present: Option<Present<T>>,
        compute: impl FnOnce() -> F,
    ) -> Result<Result<T, E>> {
        let (Call { mut put, rules }, Leader { lead, lease }) = (call, leader);
        let key = put.key;
        let Sought::Found(Look { value, before }) = self.look(core, key).await? else {
            drop(lease);
            lead.land(Landing::Unstored);
            return match present {
                Some(Present { value, live: Some(_) }) => Ok(Ok(value)),
                _ => Ok(compute().await),
            };
        };
        let live = present.as_ref().and_then(|present| present.live);
        if let Some((value, version)) = value
            && live != Some(version)
        {
            self.release(core, lease).await;
            lead.land(Landing::Readable(None));
            return Ok(Ok(value));
        }
        // Looked for now: an error that must not change its thread cannot wait for anything.
        let instead = match present {
            Some(Present { value, live: Some(_) }) => Some(value),
            _ => self.stale(core, key, rules.stale_if_error).await?,
        };
        let value = match lead.drive(compute).await {
            Ok(value) => value,
            Err(error) => {
                // Before the lead goes to the next, who needs the lease.
                self.give_up(core, lease);
                return Ok(instead.ok_or(error));
            }
        };
        put.times = rules.times(&value, put.times);
        let value = Arc::new(value);
        let (this, shared) = (core.clone(), value.clone());
        let store = async move { this.store_computed(Leader { lead, lease }, put, shared, before).await };
        // The caller has his value whether or not the cache keeps it.
        drop(self.run(core, store).await);
        let still_shared = || Error::new(ErrorKind::Internal, "a handler kept the value that it stored").key(key);
        Arc::into_inner(value).map(Ok).ok_or_else(still_shared)
    }
}

impl Core {
    /// Stores what a leader computed, unless the key was overtaken or changed meanwhile, and tells his followers.
    async fn store_computed<T: Value>(&self, leader: Leader, put: Put, value: Arc<T>, before: Before) -> Result<()> {
        let Leader { lead, lease } = leader;
        if !lead.begin_commit() {
            return release(lease).await;
        }
        let key = put.key;
        let stored = self.write_computed(put, value, before, lease.as_ref()).await;
        let stored = self.unless_sick(Operation::Put, stored).and_then(|stored| stored.ok_or_else(unstored));
        match stored {
            Ok(true) => drop(lease.map(Lease::end)),
            Ok(false) | Err(_) => drop(release(lease).await),
        }
        let arrival = lead.arrive();
        let landing = match &stored {
            Ok(_) if arrival.is_awaited() => Landing::Readable(self.landed(key).await),
            Ok(_) => Landing::Readable(None),
            Err(_) => Landing::Unstored,
        };
        arrival.tell(landing);
        stored.map(drop)
    }

    async fn write_computed<T: Value>(
        &self,
        mut put: Put,
        value: Arc<T>,
        before: Before,
        lease: Option<&Lease>,
    ) -> Result<bool> {
        put.guard = lease.map(Lease::guard);
        put.epoch = Some(before.epoch);
        self.write(put, Source::shared(self.engine.handlers(), value)?, before.unchanged).await
    }

    /// Keeps whoever is computing one of these keys from storing what he computes.
    pub(crate) async fn overtake(&self, keys: &[Key]) {
        for key in keys {
            self.flights.overtake(key).await;
        }
    }
}

fn unstored() -> Error {
    Error::new(ErrorKind::Unavailable, "a computed value was not stored")
}

async fn release(lease: Option<Lease>) -> Result<()> {
    match lease {
        Some(lease) => lease.release().await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
