//! What both faces of a cache share, and storing.

use crate::Key;
use crate::background::Background;
use crate::compute::Flights;
use crate::counters::{Counters, Totals};
use crate::degraded::{GivenState, OnBackendError, Operation, Sickness};
use crate::health::Checks;
use crate::key::{Encoding, Namespace, Prepared, prepare};
use crate::lease::Leases;
use crate::limits::Limits;
use crate::liveness::Judge;
use crate::memory::MemoryLayer;
use crate::options::{PutOptions, StoreParameters, check_ttl};
use crate::owed::{Owed, What};
use crate::tags::Tags;
use crate::uses::Uses;
use cacheness_core::{Driver, Error, ErrorKind, Result, Rng, Timestamp};
use cacheness_storage::engine::{Engine, NewEntry, Source, Written};
use cacheness_storage::{Annotations, Change, Changing, Condition, OnUnmet, Terms};
use serde::Serialize;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a get does with an entry that cannot be returned: damaged, of another type or schema, too new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnInvalid {
    /// It is a miss, counted by its reason. Damaged entries are dropped.
    #[default]
    Miss,
    /// It is an error, and nothing is dropped.
    Error,
}

/// A cache in one of its namespaces.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) namespace: Option<Namespace>,
}

/// What all namespaces of an opened cache share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) default_ttl: Option<Duration>,
    pub(crate) on_invalid: OnInvalid,
    pub(crate) on_backend_error: OnBackendError,
    pub(crate) sickness: Sickness,
    pub(crate) owed: Owed,
    pub(crate) checks: Checks,
    pub(crate) read_only: bool,
    pub(crate) counters: Counters,
    /// As they were read last.
    pub(crate) totals: Mutex<Totals>,
    pub(crate) flights: Flights,
    pub(crate) leases: Leases,
    pub(crate) chance: Arc<dyn Rng>,
    pub(crate) memory: Option<MemoryLayer>,
    pub(crate) tags: Tags,
    pub(crate) uses: Arc<Uses>,
    pub(crate) limits: Limits,
    pub(crate) background: Background,
    pub(crate) parameters: StoreParameters,
}

impl Deref for Core {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// What a put needs besides the value, checked at the call.
pub(crate) struct PreparedPut {
    parameters: Encoding,
    times: Times,
    annotations: Annotations,
}

impl PreparedPut {
    /// Whether files have to be read for the key, which is not for a reactor.
    pub(crate) fn names_files(&self) -> bool {
        self.parameters.names_files()
    }
}

/// What a key must be like for a put.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// Without a live entry.
    Absent,
    /// With a live entry.
    Live,
}

/// A put whose key is known.
pub(crate) struct Put {
    pub(crate) key: Key,
    pub(crate) times: Times,
    terms: Terms,
    annotations: Annotations,
    /// What must be met by the same commit; without it the put takes the key's lease from whoever has it.
    pub(crate) guard: Option<Vec<Change>>,
    /// How many times tags had been invalidated when the value was made; when it is stored, unless set.
    pub(crate) epoch: Option<u64>,
}

/// How long a value lives, counted from when it is stored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) ttl: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    /// How long after its expiry the value may still be served stale.
    pub(crate) stale: Option<Duration>,
}

impl Core {
    pub(crate) fn driver(&self) -> &Driver {
        self.engine.driver()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    /// Refuses after the close, and learns the time of a shared index where what is known of it may be wrong.
    pub(crate) async fn check_time(&self) -> Result<()> {
        // What is in memory is closed, too.
        self.engine.check_open()?;
        if self.engine.doubts_time() {
            let asked = self.engine.stats().await;
            // What was known is as good as before, unless the clock was set meanwhile.
            if self.engine.doubts_time() {
                asked?;
            }
        }
        Ok(())
    }

    /// What is live at this moment.
    pub(crate) async fn judge(&self) -> Result<Judge> {
        self.check_time().await?;
        let epochs = self.tags.current(&self.engine).await?;
        Ok(Judge { now: self.now(), epochs })
    }

    /// The key of some parameters in this namespace, or what it takes to make it.
    pub(crate) fn wanted(&self, parameters: impl Serialize) -> Result<Prepared> {
        prepare(self.namespace.as_ref(), parameters)
    }

    pub(crate) fn all_wanted<K: Serialize>(&self, all: impl IntoIterator<Item = K>) -> Result<Vec<Prepared>> {
        all.into_iter().map(|parameters| self.wanted(parameters)).collect()
    }

    pub(crate) fn prepare_put(&self, parameters: impl Serialize, options: PutOptions) -> Result<PreparedPut> {
        let ttl = options.ttl.map(check_ttl).transpose()?.or(self.default_ttl);
        let idle = options.idle_ttl.map(check_ttl).transpose()?;
        let times = Times { ttl, idle, stale: None };
        Ok(PreparedPut {
            parameters: Encoding::of(parameters)?,
            times,
            annotations: options.stored.into_annotations()?,
        })
    }

    /// The namespace that a key is recorded in: none, when it was made elsewhere.
    pub(crate) fn namespace_of(&self, key: Key) -> Option<Box<str>> {
        let own = self.namespace.as_ref().filter(|namespace| namespace.may_own(key))?;
        Some(own.name().into())
    }

    /// Makes the key of a put; reads the files that it is made of.
    pub(crate) fn ready(&self, prepared: PreparedPut) -> Result<Put> {
        let PreparedPut { parameters, times, annotations } = prepared;
        let parameters = parameters.resolve()?;
        let key = parameters.key(self.namespace.as_ref());
        let terms = Terms {
            namespace: self.namespace_of(key),
            parameters: self.parameters.text_of(&parameters)?,
            ..Terms::default()
        };
        Ok(Put { key, times, terms, annotations, guard: None, epoch: None })
    }

    pub(crate) async fn put(&self, put: PreparedPut, source: Source<'_>) -> Result<Key> {
        self.put_given(put, source, &GivenState::default()).await
    }

    /// As [`put`](Self::put), of what a reader of the caller's gives: its errors are his.
    pub(crate) async fn put_given(&self, put: PreparedPut, source: Source<'_>, given: &GivenState) -> Result<Key> {
        let put = self.ready(put)?;
        let key = put.key;
        self.flights.overtake(&key).await;
        let written = self.write(put, source, Condition::Always).await;
        if given.has_failed() {
            return written.map(|_| key);
        }
        match self.unless_sick(Operation::Put, written)? {
            Some(true) => Ok(key),
            Some(false) => Err(Error::new(ErrorKind::Internal, "an unconditional put was refused").key(key)),
            None => {
                self.owe(What::Keys(vec![key]));
                Ok(key)
            }
        }
    }

    /// Stores a value where the key is as asked for; says whether it did.
    pub(crate) async fn put_when(&self, put: PreparedPut, source: Source<'_>, when: When) -> Result<bool> {
        let put = self.ready(put)?;
        let key = put.key;
        self.flights.overtake(&key).await;
        let written = async {
            let live = self.judge().await?.live();
            let condition = match when {
                When::Absent => Condition::AbsentUnless(live),
                When::Live => Condition::Present(live),
            };
            self.write(put, source, condition).await
        };
        let written = self.unless_sick(Operation::Put, written.await)?;
        if let (None, When::Live) = (written, when) {
            self.owe(What::Keys(vec![key]));
        }
        Ok(written.unwrap_or_default())
    }

    /// Stores a value where the key meets the condition, whoever is computing the key.
    pub(crate) async fn write(&self, put: Put, source: Source<'_>, condition: Condition) -> Result<bool> {
        let key = put.key;
        self.settle().await?;
        let entry = self.entry(put, condition).await?;
        self.ride_along();
        let type_tag = source.type_tag().to_owned();
        let changing = self.changing([key]);
        let written = self.engine.put(source, entry).await;
        drop(changing);
        if written? == Written::Unmet {
            return Ok(false);
        }
        self.counters.put(&type_tag);
        self.stored(&[key]).await;
        Ok(true)
    }

    /// The record of a put that begins now.
    pub(crate) async fn entry(&self, put: Put, condition: Condition) -> Result<NewEntry> {
        self.check_time().await?;
        let Put { key, times, mut terms, annotations, guard, epoch } = put;
        if !annotations.tags.is_empty() {
            terms.epoch = match epoch {
                Some(epoch) => Some(epoch),
                None => Some(self.tags.current(&self.engine).await?.epoch),
            };
        }
        let now = self.now();
        let until = times.ttl.map(|ttl| now.after(ttl));
        let idle = times.idle.map(|idle| now.after(idle));
        terms.idle = times.idle.map(micros);
        terms.until = until.filter(|_| idle.is_some());
        let expires_at = until.into_iter().chain(idle).min();
        let (with, on_unmet) = match guard {
            Some(guard) => (guard, OnUnmet::Abort),
            None => (self.leases.broken(key), OnUnmet::Skip),
        };
        Ok(NewEntry {
            key: key.entry_key(),
            key_digest: key.full_digest(),
            terms,
            expires_at,
            drop_at: expires_at.zip(times.stale).map(|(expires_at, stale)| expires_at.after(stale)),
            annotations,
            condition,
            with,
            on_unmet,
        })
    }

    /// Takes the copies in memory of keys out, and keeps others from coming in until the result is dropped, after the
    /// commit that changes the keys.
    pub(crate) fn changing(&self, keys: impl IntoIterator<Item = Key>) -> Option<Changing> {
        self.memory.as_ref().map(|memory| memory.change(keys))
    }
}

/// In microseconds, as far as they can be counted.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The keys; reads the files that they are made of.
pub(crate) fn resolved(keys: Vec<Prepared>) -> Result<Vec<Key>> {
    keys.into_iter().map(Prepared::resolve).collect()
}
