//! Giving space back: candidates are found without any lock, and removed in a transaction if they are still the same.

use crate::changes::Changes;
use crate::failure::failure;
use crate::filter::{Prefilter, expiry, needed_by};
use crate::rows::{self, select};
use cacheness_core::Rng;
use cacheness_storage::{EntryKey, Filter, Reclaim, ReclaimOrder, Reclaimed, Result, Timestamp, Version};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::collections::HashSet;

/// How many records are found at most, whatever the caller asks for.
const MAX_RECORDS: usize = 10_000;

/// How many candidates one transaction looks at: others write in between.
const PART: usize = 1000;

/// Records that may go, in the order in which they should.
pub(crate) struct Candidates {
    found: Vec<(i64, Version)>,
    /// Rows of records that the table `usage` has in the wrong place.
    stale: Vec<i64>,
    /// Whether there are more than the limit.
    pub(crate) more: bool,
}

/// The way through a snapshot of the records to the first `limit` candidates.
pub(crate) struct Search<'c> {
    pub(crate) snapshot: &'c Connection,
    pub(crate) prefilter: Prefilter,
    pub(crate) limit: usize,
    /// Rows of records that the table `usage` has in the wrong place.
    pub(crate) stale: Vec<i64>,
    filter: &'c Filter,
    now: Timestamp,
    found: Vec<(i64, Version)>,
    more: bool,
}

impl Search<'_> {
    /// Whether the filter means the record in a row. What the prefilter has let through, it may still refuse.
    pub(crate) fn is_meant(&self, id: i64) -> Result<bool> {
        if *self.filter == Filter::All {
            return Ok(true);
        }
        let needed = needed_by(self.filter);
        let select = select!(needed, "key, ", " WHERE id = ?1");
        let mut statement = self.snapshot.prepare_cached(select).map_err(failure)?;
        let mut found = statement.query([id]).map_err(failure)?;
        let Some(row) = found.next().map_err(failure)? else { return Ok(false) };
        let key = rows::key(row, 0)?;
        // What cannot be read is not known to be meant.
        let record = rows::readable(rows::record(row, 1, key, needed))?;
        Ok(record.is_some_and(|record| self.filter.matches(&record, self.now)))
    }

    /// Takes the next candidate; says whether it was wanted, so that another one may be.
    pub(crate) fn add(&mut self, id: i64, version: Version) -> bool {
        self.more = self.found.len() == self.limit;
        if !self.more {
            self.found.push((id, version));
        }
        !self.more
    }

    /// Finds candidates in an order that SQL knows, but those that were found before.
    fn scan(&mut self, passes: &[(&str, &str)]) -> Result<()> {
        let before: HashSet<_> = self.found.iter().map(|(id, _)| *id).collect();
        for (rows, order) in passes {
            // Where SQL alone decides, it sorts no more rows than are needed.
            let wanted = self.limit + 1 + before.len() - self.found.len();
            let most = if self.prefilter.exact { i64::try_from(wanted).unwrap_or(i64::MAX) } else { i64::MAX };
            let sql = select_candidates(rows, &self.prefilter, order);
            let first = Value::Text(EntryKey::SYSTEM.to_string());
            let values = [first].into_iter().chain(self.prefilter.values.iter().cloned()).chain([Value::Integer(most)]);
            let mut statement = self.snapshot.prepare(&sql).map_err(failure)?;
            let mut found = statement.query(params_from_iter(values)).map_err(failure)?;
            while let Some(row) = found.next().map_err(failure)? {
                let id = row.get(0).map_err(failure)?;
                if !before.contains(&id) && self.is_meant(id)? && !self.add(id, rows::version(row, 1)?) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Candidates {
    /// Finds the first `limit` candidates.
    pub(crate) fn find(
        connection: &Connection,
        filter: &Filter,
        order: ReclaimOrder,
        limit: usize,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<Self> {
        let limit = limit.min(MAX_RECORDS);
        let snapshot = &connection.unchecked_transaction().map_err(failure)?;
        let prefilter = Prefilter::of(filter, now);
        let (found, stale, more) = (Vec::new(), Vec::new(), false);
        let mut search = Search { snapshot, prefilter, limit, stale, filter, now, found, more };
        match order {
            // None of those that never expire is meant.
            ReclaimOrder::Expiry if expiry(filter, now).is_some() => {
                search.scan(passes(order).get(..1).unwrap_or_default())?
            }
            ReclaimOrder::Used => search.ranked(false)?,
            ReclaimOrder::Hits => search.ranked(true)?,
            ReclaimOrder::Random => {
                search.pick(rng)?;
                if !search.more {
                    search.scan(passes(order))?;
                }
            }
            _ => search.scan(passes(order))?,
        }
        let Search { found, stale, more, .. } = search;
        Ok(Self { found, stale, more })
    }

    /// The candidates of each transaction.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let stale = [self.stale.as_slice()].into_iter().chain(std::iter::repeat(&[][..]));
        self.found.chunks(PART).zip(stale).map(|(found, stale)| Part { found, stale })
    }
}

/// Candidates that one transaction removes.
pub(crate) struct Part<'c> {
    found: &'c [(i64, Version)],
    stale: &'c [i64],
}

impl Part<'_> {
    /// Removes candidates until the plan has enough; then there is `more` no more. Those that changed meanwhile stay.
    pub(crate) fn remove(&self, changes: &mut Changes<'_>, plan: &Reclaim) -> Result<Reclaimed> {
        let before = changes.committed();
        let count = |before: i64, changed: i64| u64::try_from(before + changed).unwrap_or(0);
        let enough = |changes: &Changes<'_>| {
            let totals = changes.difference().totals;
            plan.is_enough(count(before.bytes, totals.bytes), count(before.entries, totals.entries))
        };
        let mut reclaimed = Reclaimed::default();
        for (id, version) in self.found {
            if enough(changes) {
                break;
            }
            if let Some(key) = changes.delete_version(*id, version, &mut reclaimed.condemned)? {
                reclaimed.keys.push(key);
            }
        }
        changes.refresh_usage(self.stale)?;
        reclaimed.more = !enough(changes);
        Ok(reclaimed)
    }
}

fn select_candidates(rows: &str, prefilter: &Prefilter, order: &str) -> String {
    format!("SELECT id, version FROM records {rows} AND key < ? AND {} {order} LIMIT ?", prefilter.sql)
}

/// The rows of an order, pass by pass: which rows, and how they are sorted.
fn passes(order: ReclaimOrder) -> &'static [(&'static str, &'static str)] {
    match order {
        ReclaimOrder::Expiry => &[
            ("INDEXED BY records_by_expiry WHERE expires_at IS NOT NULL", "ORDER BY expires_at, key"),
            ("INDEXED BY records_by_key WHERE expires_at IS NULL", "ORDER BY key"),
        ],
        ReclaimOrder::Created => &[("NOT INDEXED WHERE 1", "ORDER BY created_at, key")],
        ReclaimOrder::Random => &[("NOT INDEXED WHERE 1", "ORDER BY version, id")],
        _ => &[("INDEXED BY records_by_key WHERE 1", "ORDER BY key")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Batch;
    use crate::{SqliteConfig, open};
    use cacheness_core::SystemRng;
    use cacheness_storage::{Change, Condition, Durability, Field, Fields, OnUnmet, Record};
    use cacheness_testkit::records::{NOW, inline, version};
    use rusqlite::StatementStatus;

    fn plan(order: ReclaimOrder, filter: &Filter) -> Vec<String> {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let prefilter = Prefilter::of(filter, Timestamp::from_micros(7));
        let select = |(rows, order): &(&str, &str)| select_candidates(rows, &prefilter, order);
        passes(order).iter().map(|pass| explain(&connection, &select(pass))).collect()
    }

    fn explain(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let bound = vec![1; statement.parameter_count()];
        let steps = statement.query_map(params_from_iter(bound), |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn expired_records_are_found_by_their_index_alone() {
        let expired = Filter::le(Field::ExpiresAt, 7i64);
        let plans = plan(ReclaimOrder::Expiry, &expired);
        let search = "SEARCH records USING INDEX records_by_expiry (expires_at>? AND expires_at<?)";
        let ties = "USE TEMP B-TREE FOR LAST TERM OF ORDER BY";
        assert_eq!(plans[0], format!("{search}; {ties}"), "only those that expire at the same time are sorted");
    }

    #[test]
    fn the_orders_that_have_an_index_are_not_sorted() {
        for filter in [Filter::All, Filter::lt(Field::ExpiresAt, 7i64), Filter::eq(Field::Tag, "x")] {
            for order in [ReclaimOrder::Key, ReclaimOrder::Expiry] {
                for plan in plan(order, &filter) {
                    let plan = plan.replace("TEMP B-TREE FOR LAST TERM", "");
                    assert!(!plan.contains("TEMP B-TREE"), "{order:?}: {plan}");
                }
            }
        }
    }

    #[test]
    fn the_orders_of_use_read_no_records_but_those_without_a_usage() {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let [usages, rest] = crate::ranked::USAGES.map(|usages| explain(&connection, usages));
        assert_eq!(usages, "SCAN usage");
        assert!(rest.starts_with("SEARCH records USING INTEGER PRIMARY KEY (rowid>?); "), "{rest}");
        assert!(!rest.contains("SCAN") && !rest.contains("TEMP B-TREE"), "{rest}");
    }

    #[test]
    fn a_get_looks_at_the_usage_only_when_it_is_asked_for_and_is_planned_once() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("index.db");
        let connection = open::writer(&path, Durability::Process, &SqliteConfig::default()).unwrap();
        for fields in [Fields::ALL, Fields::HEAD, Fields::VALUE, Fields::LEAST] {
            let select = select!(fields, "", " WHERE key = ?1");
            let plan = explain(&connection, select);
            let mut steps: Vec<_> = plan.split("; ").filter(|step| step.starts_with("SEARCH")).collect();
            assert_eq!(steps.remove(0), "SEARCH records USING INDEX records_by_key (key=?)");
            let lookups = if fields.annotations { 2 } else { 0 };
            assert_eq!(steps, vec!["SEARCH usage USING INTEGER PRIMARY KEY (rowid=?)"; lookups]);
            for n in 0..10 {
                crate::page::records(&connection, &[format!("{n}").into()], fields).unwrap();
            }
            let statement = connection.prepare_cached(select).unwrap();
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{select}");
        }
    }

    #[test]
    fn a_pick_by_chance_is_one_search() {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let plan = explain(&connection, crate::random::PICK);
        assert_eq!(plan, "SEARCH records USING INTEGER PRIMARY KEY (rowid>?)");
    }

    #[test]
    fn what_changed_since_it_was_found_stays() {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let mut changes = Changes::new(&connection, NOW, None).unwrap();
        let mut put = |key: &str, n| {
            let record = Box::new(Record { version: version(n), ..inline(key, vec![0; 10]) });
            let changes_of_one = vec![Change::Put { record, condition: Condition::Always }];
            changes.apply_all(&Batch { changes: changes_of_one, on_unmet: OnUnmet::Skip }).unwrap();
        };
        for (key, n) in [("changed", 1), ("same", 2)] {
            put(key, n);
        }
        let found = Candidates::find(&connection, &Filter::All, ReclaimOrder::Key, 10, NOW, &SystemRng).unwrap();
        put("changed", 3);
        put("new", 4);
        let plan = Reclaim::Entries {
            filter: Filter::All,
            order: ReclaimOrder::Key,
            limit: 10,
            until_bytes: None,
            until_entries: None,
        };
        let part = found.parts().next().unwrap();
        let reclaimed = part.remove(&mut changes, &plan).unwrap();
        assert_eq!(reclaimed.keys, ["same".into()]);
        let totals = changes.difference().totals;
        assert_eq!((totals.entries, totals.bytes), (2, 20));
    }
}
