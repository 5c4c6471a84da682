//! Giving space back: candidates are found as of one moment, then removed in one short transaction.

use crate::changes::Changes;
use crate::failure::{Result, unknown};
use crate::page::readable;
use crate::records::Records;
use cacheness_storage::{
    Condition, EntryKey, Fields, Filter, Outcome, Reclaim, ReclaimOrder, Reclaimed, Timestamp, Version,
};
use std::collections::BTreeSet;

/// The most records that one reclaim removes.
const MOST: usize = 10_000;

/// What to give back.
pub(crate) struct Plan<'p> {
    whole: &'p Reclaim,
    filter: &'p Filter,
    order: ReclaimOrder,
    limit: usize,
}

/// Records that may go, in their order, and whether there were more.
#[derive(Default)]
pub(crate) struct Candidates {
    records: BTreeSet<(Rank, EntryKey, Version)>,
    more: bool,
}

/// What comes before a record's key in an order.
type Rank = (u64, Option<Timestamp>, Option<Version>);

impl<'p> Plan<'p> {
    pub(crate) fn of(whole: &'p Reclaim) -> Result<Self> {
        let Reclaim::Entries { filter, order, limit, .. } = whole else {
            return Err(unknown("the reclaim").into());
        };
        filter.check()?;
        Ok(Self { whole, filter, order: *order, limit: (*limit).min(MOST) })
    }

    /// Finds what may go. However many records there are, it keeps no more than may go.
    pub(crate) fn find(&self, records: &Records, now: Timestamp) -> Result<Candidates> {
        let mut found = Candidates::default();
        for row in records.rows.range(..EntryKey::system("").as_str())? {
            let (key, row) = row?;
            let record = records.read(&EntryKey::new(key.value()), &row.value(), Fields::HEAD);
            let Some(record) = readable(record)?.filter(|record| self.filter.matches(record, now)) else { continue };
            found.records.insert((self.order.rank(&record), record.key, record.version));
            if found.records.len() > self.limit {
                found.records.pop_last();
                found.more = true;
                if self.order == ReclaimOrder::Key {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Removes what is still as it was found.
    pub(crate) fn remove(&self, candidates: &Candidates, changes: &mut Changes<'_>) -> Result<Reclaimed> {
        let mut reclaimed = Reclaimed { more: candidates.more, ..Reclaimed::default() };
        for (_, key, version) in &candidates.records {
            if changes.is_enough(self.whole) {
                break;
            }
            if let Outcome::Applied { condemned, .. } = changes.remove(key, &Condition::Version(*version))? {
                reclaimed.condemned.extend(condemned);
                reclaimed.keys.push(key.clone());
            }
        }
        reclaimed.more &= !changes.is_enough(self.whole);
        Ok(reclaimed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RedbConfig;
    use crate::database::Store;
    use cacheness_storage::{Change, ErrorKind, OpenContext, Record};
    use cacheness_testkit::records::{NOW, sample, version};

    #[test]
    fn what_changed_since_it_was_found_stays() {
        let home = tempfile::tempdir().unwrap();
        let (context, config) = (OpenContext::new(), RedbConfig::default());
        let store = Store::open(&home.path().join("store.redb"), &context, &config, ErrorKind::Metadata).unwrap();
        let change = |work: &dyn Fn(&mut Changes<'_>) -> Result<Reclaimed>| {
            let changed = store.write("change", |transaction| {
                let mut changes = Changes::begin(transaction, NOW)?;
                let result = work(&mut changes)?;
                changes.finish()?;
                Ok((result, true))
            });
            changed.unwrap()
        };
        let put = |key: &str, n| {
            let record = Box::new(Record { version: version(n), ..sample(key) });
            let put = Change::Put { record, condition: Condition::Always };
            change(&|changes| changes.apply(&put).map(|_| Reclaimed::default()));
        };
        put("changed", 1);
        put("same", 2);
        let everything = Reclaim::Entries {
            filter: Filter::All,
            order: ReclaimOrder::Created,
            limit: 9,
            until_bytes: None,
            until_entries: None,
        };
        let plan = Plan::of(&everything).unwrap();
        let found = store.read("find", |snapshot| plan.find(&Records::of(snapshot)?, NOW)).unwrap();
        put("changed", 3);
        let reclaimed = change(&|changes| plan.remove(&found, changes));
        assert_eq!(reclaimed.keys, ["same".into()]);
    }
}
