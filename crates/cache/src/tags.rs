//! Invalidating everything with a tag by one small commit, however much that is.
//!
//! One system record counts invalidations and says at which count each tag was invalidated last. An entry with tags
//! keeps the count at which it was put; it is dead as soon as one of its tags was invalidated at a higher count. Clocks
//! play no part. Who puts reads the count before, so an invalidation meanwhile wins.

use crate::core::Core;
use crate::key::Namespace;
use cacheness_core::{Error, ErrorKind, Result, Timestamp};
use cacheness_storage::engine::{Engine, SystemRecord};
use cacheness_storage::{Coherence, Condition, EntryKey, Field, Filter, GenerationReader, Operand, Record, Stamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The name of the system record.
const NAME: &str = "tags";

/// How often an invalidation that meets another one begins anew.
const ATTEMPTS: usize = 100;

/// How long a tag is remembered after nothing has it any more, for puts that were under way meanwhile.
const MEMORY: i64 = 3_600_000_000;

/// Which tags were invalidated, and at which count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Epochs {
    /// How many times tags were invalidated.
    pub(crate) epoch: u64,
    /// By namespace and tag; the empty namespace stands for all.
    tags: BTreeMap<String, BTreeMap<String, Invalidated>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Invalidated {
    epoch: u64,
    /// In microseconds since 1970.
    at: i64,
}

impl Epochs {
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Whether a record has a tag that was invalidated since it was put.
    pub(crate) fn is_dead(&self, record: &Record) -> bool {
        let terms = &record.content.terms;
        let Some(epoch) = terms.epoch else { return false };
        let scopes = [Some(""), terms.namespace.as_deref()].into_iter().flatten();
        let mut tags = scopes.filter_map(|scope| self.tags.get(scope));
        tags.any(|tags| {
            let is_dead = |tag: &String| tags.get(tag).is_some_and(|invalidated| invalidated.epoch > epoch);
            record.annotations.tags.iter().any(is_dead)
        })
    }

    /// Means the records for which [`is_dead`](Self::is_dead) says so; `None` when there can be none.
    pub(crate) fn dead(&self) -> Option<Filter> {
        let of_tag = |scope: &str, tag: &str, epoch: u64| {
            let epoch = Operand::Int(i64::try_from(epoch).unwrap_or(i64::MAX));
            let dead = Filter::eq(Field::Tag, tag) & Filter::lt(Field::Epoch, epoch);
            if scope.is_empty() { dead } else { dead & Filter::eq(Field::Namespace, scope) }
        };
        let of_scope = |(scope, tags): (&String, &BTreeMap<String, Invalidated>)| {
            let scope = scope.clone();
            tags.iter().map(move |(tag, invalidated)| of_tag(&scope, tag, invalidated.epoch)).collect::<Vec<_>>()
        };
        let dead: Vec<_> = self.tags.iter().flat_map(of_scope).collect();
        if dead.is_empty() { None } else { Some(Filter::exists(Field::Epoch) & Filter::Or(dead)) }
    }

    fn invalidate(&mut self, scope: &str, tag: &str, now: Timestamp) {
        self.epoch += 1;
        let invalidated = Invalidated { epoch: self.epoch, at: now.as_micros() };
        self.tags.entry(scope.to_owned()).or_default().insert(tag.to_owned(), invalidated);
    }

    /// Forgets the tags that were invalidated long before `now`; says whether there were any.
    fn forget(&mut self, now: Timestamp) -> bool {
        let before = now.offset(-MEMORY).as_micros();
        let count = |tags: &BTreeMap<String, BTreeMap<String, Invalidated>>| tags.values().map(BTreeMap::len).sum();
        let all: usize = count(&self.tags);
        self.tags.values_mut().for_each(|tags| tags.retain(|_, invalidated| invalidated.at > before));
        self.tags.retain(|_, tags| !tags.is_empty());
        count(&self.tags) < all
    }

    fn read(record: Option<&SystemRecord>) -> Result<Self> {
        let Some(record) = record else { return Ok(Self::default()) };
        serde_json::from_slice(&record.bytes).map_err(|source| {
            Error::new(ErrorKind::Corrupt, "the list of invalidated tags cannot be read")
                .source(source)
                .advice("clear the cache: nobody can tell which entries with tags are still good")
        })
    }
}

/// The list of invalidated tags, as this process read it last.
#[derive(Debug)]
pub(crate) struct Tags {
    /// How the list is proven to be the current one; `None` when only reading it tells.
    proof: Option<Proof>,
    read: RwLock<Read>,
}

#[derive(Debug, Default)]
struct Read {
    list: Option<(Option<Stamp>, Arc<Epochs>)>,
    /// How many times this process changed the list: what it read before one of its changes is not kept after that.
    changes: u64,
}

#[derive(Debug)]
enum Proof {
    Exclusive,
    Stamps(GenerationReader),
}

impl Tags {
    pub(crate) fn new(coherence: &Coherence) -> Self {
        let proof = match coherence {
            Coherence::Exclusive => Some(Proof::Exclusive),
            Coherence::Generations(reader) => Some(Proof::Stamps(reader.clone())),
            _ => None,
        };
        Self { proof, read: RwLock::default() }
    }

    /// The current list.
    pub(crate) async fn current(&self, engine: &Engine) -> Result<Arc<Epochs>> {
        let changes = match self.known() {
            Ok(epochs) => return Ok(epochs),
            Err(changes) => changes,
        };
        let stamp = match &self.proof {
            Some(Proof::Stamps(reader)) => reader.stamp(EntryKey::system(NAME).as_str().as_bytes()),
            _ => None,
        };
        let epochs = Arc::new(Self::read(engine).await?);
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if read.changes == changes {
            read.list = Some((stamp, Arc::clone(&epochs)));
        }
        Ok(epochs)
    }

    /// The list as the index has it.
    pub(crate) async fn read(engine: &Engine) -> Result<Epochs> {
        Epochs::read(engine.system(NAME).await?.as_ref())
    }

    /// The list that was read, if it is the current one; otherwise how many times this process changed it so far.
    pub(crate) fn known(&self) -> Result<Arc<Epochs>, u64> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        let (Some(proof), Some((stamp, epochs))) = (&self.proof, &read.list) else { return Err(read.changes) };
        let is_current = match (proof, stamp) {
            (Proof::Exclusive, _) => true,
            (Proof::Stamps(reader), Some(stamp)) => reader.is_fresh(*stamp),
            (Proof::Stamps(_), None) => false,
        };
        if is_current { Ok(Arc::clone(epochs)) } else { Err(read.changes) }
    }

    fn forget(&self) {
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        read.list = None;
        read.changes += 1;
    }
}

impl Core {
    /// Invalidates every entry that has the tag, in this namespace.
    pub(crate) async fn invalidate_tag(&self, tag: &str) -> Result<()> {
        let scope = self.namespace.as_ref().map_or("", Namespace::name).to_owned();
        self.flights.overtake_all().await;
        let now = self.now();
        self.change_epochs(|epochs| {
            epochs.invalidate(&scope, tag, now);
            true
        })
        .await
    }

    /// Forgets tags that nothing has any more.
    pub(crate) async fn forget_tags(&self) -> Result<()> {
        let now = self.now();
        self.change_epochs(|epochs| epochs.forget(now)).await
    }

    /// Makes a list that cannot be read a new one that counts from where no list ever came to.
    pub(crate) async fn mend_tags(&self) -> Result<()> {
        let record = self.engine.system(NAME).await?;
        let Some(damaged) = record.filter(|record| Epochs::read(Some(record)).is_err()) else { return Ok(()) };
        let epoch = u64::try_from(self.now().as_micros()).unwrap_or_default();
        let new = Epochs { epoch, ..Epochs::default() };
        self.write_epochs(&new, Condition::Version(damaged.version)).await.map(drop)
    }

    async fn write_epochs(&self, epochs: &Epochs, condition: Condition) -> Result<bool> {
        let text = serde_json::to_vec(epochs).map_err(|source| {
            Error::new(ErrorKind::Internal, "the list of invalidated tags cannot be written").source(source)
        })?;
        let written = self.engine.put_system(NAME, text, None, condition).await;
        self.tags.forget();
        Ok(written?.is_some())
    }

    async fn change_epochs(&self, change: impl Fn(&mut Epochs) -> bool) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let record = self.engine.system(NAME).await?;
            let mut epochs = Epochs::read(record.as_ref())?;
            if !change(&mut epochs) {
                return Ok(());
            }
            let condition = record.map_or(Condition::Absent, |record| Condition::Version(record.version));
            if self.write_epochs(&epochs, condition).await? {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others invalidate tags all the time").retryable(true))
    }
}
