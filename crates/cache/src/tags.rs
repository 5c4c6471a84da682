//! Invalidating everything with a tag by one small commit, however much that is.
//!
//! One system record counts invalidations and says at which count each tag was invalidated last. An entry with tags
//! keeps the count at which it was put; it is dead as soon as one of its tags was invalidated at a higher count. Clocks
//! play no part. Who puts reads the count before, so an invalidation meanwhile wins.

use crate::core::Core;
use crate::key::Namespace;
use crate::owed::What;
use cacheness_core::{Error, ErrorKind, Result, Timestamp};
use cacheness_storage::engine::{Engine, SystemRecord};
use cacheness_storage::{
    Change, Coherence, Condition, EntryKey, Feed, Field, Fields, Filter, GenerationReader, Operand, Outcome, Record,
    Stamp, Version,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

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

    /// What to read so that a record can be judged, besides `fields`.
    pub(crate) fn fields(&self, fields: Fields) -> Fields {
        Fields { annotations: fields.annotations || !self.is_empty(), ..fields }
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
    proof: Proof,
    read: RwLock<Read>,
}

#[derive(Debug, Default)]
struct Read {
    list: Option<List>,
    /// How many times this process changed the list: what it read before one of its changes is not kept after that.
    changes: u64,
}

#[derive(Debug, Clone, Default)]
struct List {
    stamp: Option<Stamp>,
    /// Of its record; `None` when there was none.
    version: Option<Version>,
    epochs: Arc<Epochs>,
}

/// How the list is proven to be the current one without reading it.
#[derive(Debug)]
enum Proof {
    Exclusive,
    Stamps(GenerationReader),
    /// While messages of changes arrive.
    Feed(Feed),
    /// Only its version tells, for which somebody has to ask.
    Version,
}

/// What was known before the list is read anew.
#[derive(Debug)]
pub(crate) struct Reading {
    changes: u64,
    stamp: Option<Stamp>,
    last: Option<List>,
}

impl Reading {
    /// What has to be read so that a record can be judged, besides `fields`, unless the list has changed.
    pub(crate) fn fields(&self, fields: Fields) -> Fields {
        self.last.as_ref().map_or(fields, |last| last.epochs.fields(fields))
    }
}

impl Tags {
    pub(crate) fn new(coherence: &Coherence) -> Self {
        let proof = match coherence {
            Coherence::Exclusive => Proof::Exclusive,
            Coherence::Generations(reader) => Proof::Stamps(reader.clone()),
            Coherence::Feed(feed) => Proof::Feed(feed.clone()),
            _ => Proof::Version,
        };
        Self { proof, read: RwLock::default() }
    }

    /// The key of the record that the list is in.
    pub(crate) fn key() -> EntryKey {
        EntryKey::system(NAME)
    }

    /// The current list.
    pub(crate) async fn current(&self, engine: &Engine) -> Result<Arc<Epochs>> {
        match self.known() {
            Ok(epochs) => Ok(epochs),
            Err(changes) => {
                let reading = self.begin(changes);
                self.finish(reading, engine.system(NAME).await?.as_ref())
            }
        }
    }

    /// The list as the index has it.
    pub(crate) async fn of(engine: &Engine) -> Result<Epochs> {
        Epochs::read(engine.system(NAME).await?.as_ref())
    }

    /// The list that was read, if it is the current one; otherwise how many times this process changed it so far.
    pub(crate) fn known(&self) -> Result<Arc<Epochs>, u64> {
        let read = self.last_read();
        let Some(List { stamp, epochs, .. }) = &read.list else { return Err(read.changes) };
        let is_current = match (&self.proof, stamp) {
            (Proof::Exclusive, _) => true,
            (Proof::Stamps(reader), Some(stamp)) => reader.is_fresh(*stamp),
            (Proof::Feed(feed), Some(stamp)) => feed.is_fresh(*stamp),
            (Proof::Stamps(_) | Proof::Feed(_), None) | (Proof::Version, _) => false,
        };
        if is_current { Ok(Arc::clone(epochs)) } else { Err(read.changes) }
    }

    /// To be called before the record of the list is read.
    pub(crate) fn begin(&self, changes: u64) -> Reading {
        let stamp = match &self.proof {
            Proof::Stamps(reader) => reader.stamp(Self::key().as_str().as_bytes()),
            Proof::Feed(feed) => feed.stamp(Self::key().as_str().as_bytes()),
            Proof::Exclusive | Proof::Version => None,
        };
        Reading { changes, stamp, last: self.last_read().list.clone() }
    }

    /// The list in a record that was read. It is kept, unless this process changed it meanwhile.
    pub(crate) fn finish(&self, reading: Reading, record: Option<&SystemRecord>) -> Result<Arc<Epochs>> {
        let Reading { changes, stamp, last } = reading;
        let version = record.map(|record| record.version);
        let epochs = match last.filter(|last| last.version == version) {
            Some(same) => same.epochs,
            None => Arc::new(Epochs::read(record)?),
        };
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if read.changes == changes {
            read.list = Some(List { stamp, version, epochs: Arc::clone(&epochs) });
        }
        Ok(epochs)
    }

    /// The list that was read last, if its record has this version still.
    pub(crate) fn of_version(&self, version: Option<Version>) -> Option<Arc<Epochs>> {
        let read = self.last_read();
        read.list.as_ref().filter(|list| list.version == version).map(|list| Arc::clone(&list.epochs))
    }

    /// Whether what was read last is the list in a record whose bytes were left out.
    pub(crate) fn is_same(&self, reading: &Reading, version: Option<Version>) -> bool {
        reading.last.as_ref().is_some_and(|last| last.version == version)
    }

    /// A change that changes nothing, and whose outcome says which version the list has.
    pub(crate) fn probe() -> Change {
        Change::Remove { key: Self::key(), condition: Condition::Absent }
    }

    /// The version that a [probe](Self::probe) found.
    pub(crate) fn probed(outcome: &Outcome) -> Option<Version> {
        if let Outcome::Unmet { current } = outcome { *current } else { None }
    }

    /// The list as it was read last, however long ago.
    fn last(&self) -> Option<(Option<Version>, Epochs)> {
        self.last_read().list.as_ref().map(|list| (list.version, Epochs::clone(&list.epochs)))
    }

    /// Forgets what was read before this process changed the list. What it wrote is known where versions prove it.
    fn forget(&self, wrote: Option<(Version, &Epochs)>) {
        let is_proven_by_version = matches!(self.proof, Proof::Feed(_) | Proof::Version);
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        let list = |(version, epochs): (_, &Epochs)| List {
            stamp: None,
            version: Some(version),
            epochs: epochs.clone().into(),
        };
        read.list = wrote.filter(|_| is_proven_by_version).map(list);
        read.changes += 1;
    }

    fn last_read(&self) -> RwLockReadGuard<'_, Read> {
        self.read.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Invalidates every entry that has the tag, in this namespace.
    pub(crate) async fn invalidate_tag(&self, tag: &str) -> Result<()> {
        let invalidated = async {
            self.engine.check_open()?;
            self.flights.overtake_all().await;
            self.settle().await?;
            self.invalidate_tag_now(tag).await
        };
        let invalidated = invalidated.await;
        self.unless_owed(invalidated, || What::Tag(tag.to_owned())).map(drop)
    }

    /// As [`invalidate_tag`](Self::invalidate_tag), where the index is not sick.
    pub(crate) async fn invalidate_tag_now(&self, tag: &str) -> Result<()> {
        let scope = self.namespace.as_ref().map_or("", Namespace::name).to_owned();
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
        self.tags.forget(written.as_ref().ok().copied().flatten().map(|version| (version, epochs)));
        Ok(written?.is_some())
    }

    /// Changes the list. With what was read last it begins where that is still the list: the commit says so.
    async fn change_epochs(&self, change: impl Fn(&mut Epochs) -> bool) -> Result<()> {
        let mut last = self.tags.last();
        for _ in 0..ATTEMPTS {
            let (version, mut epochs) = match last.take() {
                Some(last) => last,
                None => {
                    let record = self.engine.system(NAME).await?;
                    (record.as_ref().map(|record| record.version), Epochs::read(record.as_ref())?)
                }
            };
            if !change(&mut epochs) {
                return Ok(());
            }
            let condition = version.map_or(Condition::Absent, Condition::Version);
            if self.write_epochs(&epochs, condition).await? {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others invalidate tags all the time").retryable(true))
    }
}
