//! Removing, listing, and telling the index what is used.

use crate::Key;
use crate::core::Core;
use crate::counters::Totals;
use crate::degraded::Operation;
use crate::limits::keys_in;
use crate::liveness::Judge;
use crate::owed::What;
use crate::stats::{Ages, Stats};
use crate::tags::Tags;
use crate::uses::BATCH;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::{
    Change, Condition, Entry, EntryKey, EntryPage, Field, Fields, Filter, MetadataStats, Outcome, Query, Reclaim,
    ReclaimOrder, Usage,
};
use std::sync::PoisonError;

impl Core {
    /// Removes an entry that is served to somebody, stale or not, and takes the key from whoever computes it.
    pub(crate) async fn invalidate(&self, key: Key) -> Result<bool> {
        let removed = self.remove_key(key).await;
        Ok(self.unless_owed(removed, || What::Keys(vec![key]))?.unwrap_or_default())
    }

    async fn remove_key(&self, key: Key) -> Result<bool> {
        self.engine.check_open()?;
        self.flights.overtake(&key).await;
        self.settle().await?;
        let _changing = self.changing([key]);
        self.uses.forget(key);
        let (name, broken) = (key.entry_key(), self.leases.broken(key));
        match self.remove_served(vec![name.clone()], broken.clone()).await {
            // A record that cannot be read cannot be judged, and is removed all the same.
            Err(error) if is_unreadable(&error) => self.engine.remove_with(&name, Condition::Always, broken).await,
            removed => Ok(removed? > 0),
        }
    }

    /// Removes the entries that are served to somebody, stale or not, and makes other changes in the same commit; says how
    /// many entries there were.
    pub(crate) async fn remove_served(&self, names: Vec<EntryKey>, with: Vec<Change>) -> Result<u64> {
        if let Ok(epochs) = self.tags.known() {
            let served = Condition::Present(Judge { now: self.now(), epochs }.served());
            return self.remove_at_once(names, &served, with).await.map(|(count, ..)| count);
        }
        // Of an entry without tags nobody needs the list of tags. Of others the same commit tells whether it is what was
        // read last.
        let untagged = Condition::Present(Judge::served_without_tags());
        let with = with.into_iter().chain([Tags::probe()]).collect();
        let (count, left, last) = self.remove_at_once(names, &untagged, with).await?;
        if left.is_empty() {
            return Ok(count);
        }
        let probed = last.as_ref().and_then(|outcome| self.tags.of_version(Tags::probed(outcome)));
        let judge = match probed {
            Some(epochs) => Judge { now: self.now(), epochs },
            None => self.judge().await?,
        };
        Ok(count + self.engine.remove_many(left, &Condition::Present(judge.served())).await?)
    }

    /// Removes the entries that meet the condition, with other changes; says how many did, which others are there, and what
    /// became of the last change.
    async fn remove_at_once(
        &self,
        names: Vec<EntryKey>,
        condition: &Condition,
        with: Vec<Change>,
    ) -> Result<(u64, Vec<EntryKey>, Option<Outcome>)> {
        let remove = |key: &EntryKey| Change::Remove { key: key.clone(), condition: condition.clone() };
        let mut outcomes = self.engine.change(names.iter().map(remove).chain(with).collect()).await?;
        let (mut count, mut left) = (0, Vec::new());
        for (outcome, name) in outcomes.iter().zip(names) {
            match outcome {
                Outcome::Applied { previous: Some(_), .. } => count += 1,
                Outcome::Unmet { current: Some(_) } => left.push(name),
                _ => {}
            }
        }
        Ok((count, left, outcomes.pop()))
    }

    /// Removes the entries that a filter means and that are served to somebody, stale or not.
    pub(crate) async fn invalidate_where(&self, filter: Filter) -> Result<u64> {
        filter.check()?;
        let removed = async {
            self.settle().await?;
            let served = self.judge().await?.served();
            self.reclaim(&Reclaim::all(self.own(filter.clone()) & served, ReclaimOrder::Key)).await
        };
        let removed = removed.await;
        Ok(self.unless_owed(removed, || What::Matching(filter))?.unwrap_or_default())
    }

    /// Removes what nobody can be served any more, and forgets the tags that only such entries had.
    pub(crate) async fn cleanup_expired(&self) -> Result<u64> {
        let cleaned = async {
            let dead = self.judge().await?.dead();
            let count = self.reclaim(&Reclaim::all(dead, ReclaimOrder::Expiry)).await?;
            self.forget_tags().await?;
            Ok(count)
        };
        Ok(self.unless_sick(Operation::Cleanup, cleaned.await)?.unwrap_or_default())
    }

    pub(crate) async fn clear(&self) -> Result<u64> {
        let cleared = async {
            self.engine.check_open()?;
            self.flights.overtake_all().await;
            self.settle().await?;
            if self.namespace.is_none() {
                self.mend_tags().await?;
            }
            self.break_all_leases().await?;
            self.reclaim(&Reclaim::all(self.own(Filter::All), ReclaimOrder::Key)).await
        };
        let cleared = cleared.await;
        Ok(self.unless_owed(cleared, || What::All)?.unwrap_or_default())
    }

    pub(crate) async fn entries(&self, query: Query) -> Result<EntryPage> {
        self.settle().await?;
        let live = self.judge().await?.live();
        let mut query = query.filter(self.own(live));
        if let Some(namespace) = self.namespace.as_ref().filter(|_| query.prefix.is_empty()) {
            query = query.prefix(namespace.prefix());
        }
        Ok(self.engine.page(&query).await?.into())
    }

    /// What a filter means in this namespace. Its entries begin with its digits; one that says that it belongs to another
    /// namespace does so by chance. One that was put by its key through the whole cache does not say.
    pub(crate) fn own(&self, filter: Filter) -> Filter {
        let Some(namespace) = &self.namespace else { return filter };
        let is_named = Filter::eq(Field::Namespace, namespace.name()) | !Filter::exists(Field::Namespace);
        Filter::prefix(Field::Key, namespace.prefix()) & is_named & filter
    }

    /// Removes what a plan means, from memory too.
    pub(crate) async fn reclaim(&self, plan: &Reclaim) -> Result<u64> {
        self.reclaim_with(plan, |_| {}).await
    }

    /// As [`reclaim`](Self::reclaim); `removed` learns the keys.
    pub(crate) async fn reclaim_with(&self, plan: &Reclaim, mut removed: impl FnMut(&[EntryKey])) -> Result<u64> {
        // Which keys it will be, nobody knows before.
        let all = self.memory.as_ref().filter(|memory| memory.is_exclusive()).map(|memory| memory.change_all());
        let forget = |keys: &[EntryKey]| {
            drop(self.changing(keys_in(keys)));
            keys_in(keys).for_each(|key| _ = self.uses.forget(key));
            removed(keys);
        };
        let count = self.engine.reclaim(plan, forget).await;
        drop(all);
        count
    }

    /// When the oldest and the newest live entry were put, page by page.
    pub(crate) async fn ages(&self) -> Result<Option<Ages>> {
        let mut ages: Option<Ages> = None;
        let mut query = Query::new().fields(Fields::LEAST);
        loop {
            let page = self.entries(query.clone()).await?;
            for entry in &page.entries {
                let at = entry.created_at();
                let Ages { oldest, newest } = ages.unwrap_or(Ages { oldest: at, newest: at });
                ages = Some(Ages { oldest: oldest.min(at), newest: newest.max(at) });
            }
            let Some(next) = page.next else { return Ok(ages) };
            query = query.after(next);
        }
    }

    /// Removes the live entries that a predicate means, each at the version that it saw.
    pub(crate) async fn invalidate_if(&self, mut is_meant: impl FnMut(&Entry) -> bool) -> Result<u64> {
        let (mut count, mut query) = (0, Query::new());
        loop {
            let page = self.entries(query.clone()).await?;
            for entry in page.entries.iter().filter(|entry| is_meant(entry)) {
                let name = EntryKey::new(entry.key());
                let _changing = self.changing(keys_in(std::slice::from_ref(&name)));
                count += u64::from(self.engine.remove(&name, Condition::Version(entry.version())).await?);
            }
            let Some(next) = page.next else { return Ok(count) };
            query = query.after(next);
        }
    }

    pub(crate) async fn stats(&self) -> Result<Stats> {
        let backend = format!("{} + {}", self.engine.metadata(), self.engine.blobs());
        let memory = self.memory.as_ref().map(|memory| memory.stats());
        let read = self.engine.stats().await;
        let totals = match self.unless_sick(Operation::Stats, read)? {
            Some(MetadataStats { entries, bytes, blobs, .. }) => {
                let totals = Totals { entries, bytes, blobs };
                *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = totals;
                totals
            }
            None => *self.totals.lock().unwrap_or_else(PoisonError::into_inner),
        };
        Ok(self.counters.stats(backend, totals, self.owed.len(), memory))
    }

    /// Has the next commit tell what is used, where an eviction may be near; elsewhere, when enough is noted.
    pub(crate) fn ride_along(&self) {
        let noted = self.uses.noted();
        if noted >= BATCH || noted > 0 && self.limits.is_near() {
            self.engine.tell_later(self.take_uses());
        }
    }

    /// Tells the index what was used, and waits for what is being told.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.background.settle().await;
        self.deliver().await?;
        self.tell_uses().await
    }

    /// Tells the index what was used.
    pub(crate) async fn tell_uses(&self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        if self.uses.noted() > 0 {
            for batch in self.take_uses().chunks(BATCH) {
                self.engine.tell(batch.iter().cloned()).await?;
            }
        }
        // What waits for a commit to ride along with is told, too.
        self.engine.tell([]).await
    }

    /// Takes what is noted of uses out, to tell it now.
    fn take_uses(&self) -> Vec<(EntryKey, Usage)> {
        let mut taken = self.uses.take(self.now());
        taken.extend(self.memory.iter().flat_map(|memory| memory.take_untold()));
        taken
    }

    /// Tells the index what was used, later and elsewhere.
    pub(crate) fn tell_in_background(&self) {
        let (shared, uses) = (self.shared.clone(), self.take_uses());
        // Uses that get lost cost an eviction some of its judgement.
        _ = self.in_background(async move {
            for batch in uses.chunks(BATCH) {
                drop(shared.engine.tell(batch.iter().cloned()).await);
            }
        });
    }

    /// Ends what goes on in the background, tells the index what was used, and closes it.
    pub(crate) async fn close(&self) -> Result<()> {
        self.background.join().await;
        let delivered = match self.engine.check_open() {
            Ok(()) => self.deliver().await.map_err(|_| self.owed.error()),
            Err(_) => Ok(()),
        };
        let told = self.tell_uses().await;
        let closed = self.engine.close().await;
        match delivered.and(told) {
            // A second close is no error.
            Err(error) if error.kind() != ErrorKind::Closed => closed.and(Err(error)),
            _ => closed,
        }
    }
}

/// Whether an error says that a record is damaged, or of a later version.
pub(crate) fn is_unreadable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew)
}
