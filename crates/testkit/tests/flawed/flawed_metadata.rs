//! An index in memory that many openings share, with one flaw at most.

use crate::distort::{self, like};
use crate::flaw::Flaw::{self, *};
use crate::place::{Place, Yield};
use cacheness_core::{Clock, SystemClock, Timestamp};
use cacheness_storage::memory::MemoryMetadata;
use cacheness_storage::{
    BackendInfo, BlobId, BlobQuery, BlobRecord, Change, Coherence, Condition, Cursor, EntryKey, Error, ErrorKind,
    Fields, Filter, Generations, Locality, MetadataBackend, MetadataStats, OnUnmet, Outcome, Page, Patch, Query,
    Reclaim, ReclaimOrder, Reclaimed, Record, Result, Usage, async_trait,
};
use cacheness_testkit::MetadataSubject;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) fn subject(flaw: Flaw) -> MetadataSubject {
    let place = Place::new();
    MetadataSubject::new(move |context| {
        let read_only = context.read_only;
        let inner = match read_only && flaw != ReadOnlyMakesStores {
            true => place.find(),
            false => Some(place.open(flaw == ForgetsOnReopen, || MemoryMetadata::new(&context))),
        };
        async move {
            let inner = inner.ok_or_else(|| Error::new(ErrorKind::Config, "there is no store"))?;
            let generations = Generations::in_process();
            Ok(Flawed { inner, flaw, read_only, closed: AtomicBool::new(false), generations, usages: Mutex::default() })
        }
    })
}

pub(crate) struct Flawed {
    inner: Arc<MemoryMetadata>,
    flaw: Flaw,
    read_only: bool,
    closed: AtomicBool,
    generations: Generations,
    /// What was told of keys, whatever became of their records.
    usages: Mutex<BTreeMap<EntryKey, Usage>>,
}

impl Flawed {
    async fn enter(&self) -> Result<()> {
        Yield::default().await;
        if self.closed.load(Ordering::SeqCst) && self.flaw != StaysOpen {
            return Err(Error::new(ErrorKind::Closed, "closed"));
        }
        Ok(())
    }

    async fn enter_to_change(&self) -> Result<()> {
        self.enter().await?;
        if self.read_only && self.flaw != ReadOnlyWrites {
            return Err(Error::new(ErrorKind::ReadOnly, "read-only"));
        }
        Ok(())
    }

    async fn find(&self, key: &EntryKey) -> Result<Option<Record>> {
        Ok(self.inner.get(std::slice::from_ref(key), Fields::ALL).await?.remove(0))
    }

    async fn forget(&self, blobs: &[BlobId]) -> Result<()> {
        let forget = blobs.iter().map(|blob| Change::Forget { blob: *blob }).collect();
        self.inner.commit(forget, OnUnmet::Skip).await.map(drop)
    }

    fn filter(&self, filter: &Filter) -> Filter {
        distort::filter(self.flaw, filter)
    }

    fn condition(&self, condition: Condition) -> Condition {
        match condition {
            _ if self.flaw == IgnoresConditions => Condition::Always,
            Condition::Version(_) if self.flaw == IgnoresVersions => Condition::Present(Filter::All),
            Condition::Present(filter) => Condition::Present(self.filter(&filter)),
            Condition::AbsentUnless(filter) => Condition::AbsentUnless(self.filter(&filter)),
            other => other,
        }
    }

    async fn record(&self, mut record: Record) -> Result<Record> {
        distort::record(self.flaw, &mut record);
        match self.flaw {
            MergesPuts if record.annotations.tags.is_empty() => {
                if let Some(old) = self.find(&record.key).await? {
                    record.annotations = old.annotations;
                }
            }
            RemovesFirst => self.remove(&record.key).await?,
            UsageOutlivesRecords if self.find(&record.key).await?.is_none() => {
                record.usage = self.usages.lock().unwrap().get(&record.key).copied().unwrap_or_default();
            }
            _ => {}
        }
        Ok(record)
    }

    async fn change(&self, change: Change) -> Result<Change> {
        Ok(match change {
            Change::Put { record, condition } => {
                Change::Put { record: Box::new(self.record(*record).await?), condition: self.condition(condition) }
            }
            Change::Patch { key, mut patch, condition } => {
                if self.flaw == PatchesCannotClear {
                    patch.expires_at = patch.expires_at.filter(Option::is_some);
                }
                Change::Patch { key, patch, condition: self.condition(condition) }
            }
            Change::Remove { key, condition } if self.flaw == KeepsRemoved => {
                Change::Remove { key: EntryKey::new(format!("{key} removed")), condition: self.condition(condition) }
            }
            Change::Remove { key, condition } => Change::Remove { key, condition: self.condition(condition) },
            Change::Use { key, at, hits } => self.used(key, at, hits).await?,
            other => other,
        })
    }

    /// What is done when a record is used.
    async fn used(&self, key: EntryKey, at: Timestamp, hits: u64) -> Result<Change> {
        let right = Change::Use { key: key.clone(), at, hits };
        let Some(mut record) = self.find(&key).await? else { return Ok(right) };
        let mut patch = Patch::new(record.version, record.updated_at);
        Ok(match self.flaw {
            ForgetsUses => Change::Patch { key, patch: Box::new(patch), condition: Condition::Always },
            LastUseWins => {
                record.usage = Usage { accessed_at: None, hits: record.usage.hits };
                self.remove(&key).await?;
                let put = Change::Put { record: Box::new(record), condition: Condition::Always };
                self.inner.commit(vec![put], OnUnmet::Abort).await?;
                right
            }
            TouchesWhatIsUsed => {
                patch.updated_at = patch.updated_at.offset(1);
                let touch = Change::Patch { key, patch: Box::new(patch), condition: Condition::Always };
                self.inner.commit(vec![touch], OnUnmet::Abort).await?;
                right
            }
            UsageOutlivesRecords => {
                self.usages.lock().unwrap().entry(key).or_default().note(at, hits);
                right
            }
            UsesStay => {
                self.inner.commit(vec![right.clone()], OnUnmet::Abort).await?;
                right
            }
            _ => right,
        })
    }

    async fn remove(&self, key: &EntryKey) -> Result<()> {
        let remove = Change::Remove { key: key.clone(), condition: Condition::Always };
        self.inner.commit(vec![remove], OnUnmet::Abort).await.map(drop)
    }

    /// What the store says instead of the outcome.
    async fn outcome(&self, change: &Change, outcome: Outcome) -> Result<Outcome> {
        let yes = Outcome::Applied { previous: None, condemned: Vec::new() };
        Ok(match (outcome, change, self.flaw) {
            (Outcome::Applied { condemned, .. }, _, ForgetsPrevious) => Outcome::Applied { previous: None, condemned },
            (Outcome::Applied { previous, condemned }, _, ForgetsToCondemn) => {
                self.forget(&condemned).await?;
                Outcome::Applied { previous, condemned: Vec::new() }
            }
            (Outcome::Unmet { .. }, Change::Condemn { .. }, CondemnsAnything) => yes,
            (Outcome::Unmet { .. }, Change::Forget { .. }, ForgetsAnything) => yes,
            (Outcome::Unmet { .. }, Change::Patch { .. }, PatchesAbsent) => yes,
            (Outcome::Unmet { .. }, Change::Use { .. }, UsesMeetAnything) => yes,
            (outcome, ..) => outcome,
        })
    }
}

#[async_trait]
impl MetadataBackend for Flawed {
    fn info(&self) -> BackendInfo {
        let mut info = self.inner.info();
        info.locality = Locality::Host;
        info.capabilities.read_only = true;
        info.blocking = self.flaw == ClaimsToBlock;
        if self.flaw == RenamesItself && self.closed.load(Ordering::SeqCst) {
            info.name = "closed".into();
        }
        info
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        self.enter().await?;
        let mut keys = keys.to_vec();
        match self.flaw {
            FoldsCase => keys.iter_mut().for_each(|key| *key = EntryKey::new(key.as_str().to_lowercase())),
            SortsAnswers => keys.sort(),
            _ => {}
        }
        let fields = if self.flaw == IgnoresFields { Fields::ALL } else { fields };
        let mut records = self.inner.get(&keys, fields).await?;
        let shown = match self.flaw {
            LimitsReads => 10_000,
            ReadOnlySeesNothing if self.read_only => 0,
            _ => usize::MAX,
        };
        records.iter_mut().skip(shown).for_each(|record| *record = None);
        if self.flaw == ShowsUsage {
            for record in records.iter_mut().flatten() {
                record.usage = self.find(&record.key).await?.map(|whole| whole.usage).unwrap_or_default();
            }
        }
        Ok(records)
    }

    async fn commit(&self, mut changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        self.enter_to_change().await?;
        let refused = match self.flaw {
            RefusesEmptyCommits => changes.is_empty(),
            LimitsCommits => changes.len() > 999,
            _ => false,
        };
        if refused {
            return Err(Error::new(ErrorKind::Metadata, "refused"));
        }
        let on_unmet = match self.flaw {
            AlwaysAborts => OnUnmet::Abort,
            NeverAborts => OnUnmet::Skip,
            _ => on_unmet,
        };
        for change in &mut changes {
            *change = self.change(change.clone()).await?;
        }
        if self.flaw == ReversesChanges {
            changes.reverse();
        }
        if self.flaw == RequiresNothing && matches!(changes[..], [Change::Require { .. }, ..]) {
            changes.remove(0);
            let mut outcomes = self.inner.commit(changes, on_unmet).await?;
            outcomes.insert(0, Outcome::Applied { previous: None, condemned: Vec::new() });
            return Ok(outcomes);
        }
        if self.flaw == MarksEverything {
            drop(self.generations.change_all());
        }
        let mut outcomes = self.inner.commit(changes.clone(), on_unmet).await?;
        for (outcome, change) in outcomes.iter_mut().zip(&changes) {
            *outcome = self.outcome(change, outcome.clone()).await?;
        }
        if self.flaw == ReversesChanges {
            outcomes.reverse();
        }
        Ok(outcomes)
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        self.enter().await?;
        let mut asked = query.clone();
        asked.filter = self.filter(&query.filter);
        match self.flaw {
            IgnoresFields => asked.fields = Fields::ALL,
            LikePrefix => asked.prefix = String::new(),
            StopsAtShortPages => asked.filter = Filter::All,
            LimitsFilters if matches!(&query.filter, Filter::In(_, values) if values.len() > 32_766) => {
                return Err(Error::new(ErrorKind::Metadata, "too many variables"));
            }
            ZeroIsNone if query.limit == 0 => return Ok(Page::default()),
            CursorMustExist => {
                if let Some(cursor) = &after
                    && self.find(cursor.key()).await?.is_none()
                {
                    return Ok(Page::default());
                }
            }
            _ => {}
        }
        let mut page = self.inner.page(&asked, after).await?;
        match self.flaw {
            ForgetsCursor => page.next = None,
            EmptyPageLeadsOn if page.records.is_empty() => page.next = Some(Cursor::after(EntryKey::new("more"))),
            LikePrefix => page.records.retain(|record| like(&query.prefix, record.key.as_str())),
            ShowsSystemRecords if page.next.is_none() => {
                page.records.extend(self.find(&EntryKey::system("lease")).await?)
            }
            StopsAtShortPages => {
                page.records.retain(|record| query.filter.matches(record, Timestamp::from_micros(0)));
                page.next = page.next.filter(|_| page.records.len() == query.limit);
            }
            _ => {}
        }
        Ok(page)
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        self.enter().await?;
        let mut query = query.clone();
        if let (BlobQuery::Condemned { limit, .. }, IgnoresReclaimLimit) = (&mut query, self.flaw) {
            *limit = usize::MAX;
        }
        let mut blobs = self.inner.blobs(&query).await?;
        match (&query, self.flaw) {
            (BlobQuery::Named(_), TellsOnlyCounts) => blobs.iter_mut().for_each(|blob| blob.digest = None),
            (BlobQuery::Content(digest), FindsCondemned) if blobs.is_empty() => {
                let until = Timestamp::from_micros(i64::MAX);
                blobs = self.inner.blobs(&BlobQuery::Condemned { until, after: None, limit: 100 }).await?;
                blobs.retain(|blob| blob.digest == Some(*digest));
            }
            _ => {}
        }
        Ok(blobs)
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        self.enter_to_change().await?;
        let mut plan = plan.clone();
        let Reclaim::Entries { filter, order, limit, until_bytes, until_entries } = &mut plan else { unreachable!() };
        *filter = self.filter(filter);
        match self.flaw {
            CountsSystemRecords => *until_entries = until_entries.map(|entries| entries.saturating_sub(1)),
            EitherBoundEnds => {
                let totals = self.inner.stats().await?;
                if until_bytes.is_some_and(|bytes| totals.bytes <= bytes)
                    || until_entries.is_some_and(|entries| totals.entries <= entries)
                {
                    return Ok(Reclaimed::default());
                }
            }
            IgnoresReclaimFilter => *filter = Filter::All,
            IgnoresReclaimLimit => *limit = usize::MAX,
            IgnoresReclaimOrder => *order = ReclaimOrder::Key,
            IgnoresReclaimTarget => (*until_bytes, *until_entries) = (None, None),
            SkipsEmptyRecords => *filter = filter.clone() & Filter::gt(cacheness_storage::Field::Size, 0),
            UsedIsCreated if matches!(order, ReclaimOrder::Used | ReclaimOrder::Hits) => *order = ReclaimOrder::Created,
            _ => {}
        }
        let order = *order;
        let mut reclaimed = self.inner.reclaim(&plan).await?;
        match self.flaw {
            ForgetsToCondemn => {
                self.forget(&reclaimed.condemned).await?;
                reclaimed.condemned.clear();
            }
            KnowsAlwaysMore => reclaimed.more = true,
            RandomKnowsNoMore if order == ReclaimOrder::Random => reclaimed.more = false,
            ReclaimsSystemRecords => self.remove(&EntryKey::system("identity")).await?,
            _ => {}
        }
        Ok(reclaimed)
    }

    async fn stats(&self) -> Result<MetadataStats> {
        self.enter().await?;
        let mut stats = self.inner.stats().await?;
        match self.flaw {
            OwnClock => stats.now = SystemClock.now(),
            FloatTotals => stats.bytes = stats.bytes as f64 as u64,
            CountsSystemRecords => stats.entries += u64::from(self.find(&EntryKey::system("lease")).await?.is_some()),
            CountsEveryReference => {
                let records = self.inner.page(&Query::new(), None).await?.records;
                stats.bytes = records.iter().map(|record| record.content.stored_size).sum();
            }
            _ => {}
        }
        Ok(stats)
    }

    fn committed(&self) -> Option<MetadataStats> {
        self.inner.committed()
    }

    fn coherence(&self) -> Coherence {
        match self.flaw {
            MarksEverything | MarksNothing => Coherence::Generations(self.generations.reader().clone()),
            _ => Coherence::Probe,
        }
    }

    async fn close(&self) -> Result<()> {
        Yield::default().await;
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl fmt::Display for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory:{}", if self.flaw == TwoLines { "\n" } else { "" })
    }
}

impl fmt::Debug for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flawed({:?})", self.flaw)
    }
}
