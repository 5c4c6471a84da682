//! Giving space back: candidates are found as of one moment, then removed in one short transaction.

use crate::changes::Changes;
use crate::failure::{Result, unknown};
use crate::page::readable;
use crate::records::Records;
use cacheness_storage::{
    Condition, EntryKey, Fields, Filter, Outcome, Reclaim, ReclaimOrder, Reclaimed, Record, Timestamp, Version,
};
use std::collections::BTreeSet;

/// The most records that one reclaim removes.
const MOST: usize = 10_000;

/// What to give back.
pub(crate) struct Plan<'p> {
    filter: &'p Filter,
    order: ReclaimOrder,
    limit: usize,
    until_bytes: Option<u64>,
}

/// Records that may go, in their order, and whether there were more.
#[derive(Default)]
pub(crate) struct Candidates {
    records: BTreeSet<(Rank, EntryKey, Version)>,
    more: bool,
}

/// What comes before a record's key in an order.
type Rank = (bool, Option<Timestamp>);

impl<'p> Plan<'p> {
    pub(crate) fn of(plan: &'p Reclaim) -> Result<Self> {
        let Reclaim::Entries { filter, order, limit, until_bytes } = plan else {
            return Err(unknown("the reclaim").into());
        };
        filter.check()?;
        Ok(Self { filter, order: *order, limit: (*limit).min(MOST), until_bytes: *until_bytes })
    }

    /// Finds what may go. However many records there are, it keeps no more than may go.
    pub(crate) fn find(&self, records: &Records, now: Timestamp) -> Result<Candidates> {
        let mut found = Candidates::default();
        for row in records.rows.range(..EntryKey::system("").as_str())? {
            let (key, row) = row?;
            let record = records.read(&EntryKey::new(key.value()), &row.value(), Fields::HEAD);
            let Some(record) = readable(record)?.filter(|record| self.filter.matches(record, now)) else { continue };
            found.records.insert((self.rank(&record)?, record.key, record.version));
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
            if self.is_reached(changes) {
                break;
            }
            if let Outcome::Applied { condemned, .. } = changes.remove(key, &Condition::Version(*version))? {
                reclaimed.condemned.extend(condemned);
                reclaimed.keys.push(key.clone());
            }
        }
        reclaimed.more &= !self.is_reached(changes);
        Ok(reclaimed)
    }

    fn is_reached(&self, changes: &Changes<'_>) -> bool {
        self.until_bytes.is_some_and(|bytes| changes.totals().bytes <= bytes.into())
    }

    fn rank(&self, record: &Record) -> Result<Rank> {
        Ok(match self.order {
            ReclaimOrder::Key => (false, None),
            ReclaimOrder::Expiry => (record.expires_at.is_none(), record.expires_at),
            ReclaimOrder::Created => (false, Some(record.created_at)),
            _ => return Err(unknown("the order of a reclaim").into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RedbConfig;
    use crate::database::Store;
    use cacheness_storage::{Change, ErrorKind, OpenContext};
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
        let everything =
            Reclaim::Entries { filter: Filter::All, order: ReclaimOrder::Created, limit: 9, until_bytes: None };
        let plan = Plan::of(&everything).unwrap();
        let found = store.read("find", |snapshot| plan.find(&Records::of(snapshot)?, NOW)).unwrap();
        put("changed", 3);
        let reclaimed = change(&|changes| plan.remove(&found, changes));
        assert_eq!(reclaimed.keys, ["same".into()]);
    }
}
