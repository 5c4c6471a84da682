//! Giving space back: candidates are found without any lock, and removed in a transaction if they are still the same.

use crate::changes::Changes;
use crate::failure::failure;
use crate::filter::{Prefilter, needed_by};
use crate::rows::{self, select};
use cacheness_storage::{EntryKey, Filter, Reclaim, ReclaimOrder, Reclaimed, Result, Timestamp, Version};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// How many records one transaction removes at most, whatever its caller asks for.
const MAX_RECORDS: usize = 10_000;

/// Records that may go, in the order in which they should.
pub(crate) struct Candidates {
    found: Vec<(i64, Version)>,
    /// Whether there are more than the limit.
    more: bool,
}

impl Candidates {
    /// Finds the first `limit` candidates.
    pub(crate) fn find(
        connection: &Connection,
        filter: &Filter,
        order: ReclaimOrder,
        limit: usize,
        now: Timestamp,
    ) -> Result<Self> {
        let limit = limit.min(MAX_RECORDS);
        let snapshot = connection.unchecked_transaction().map_err(failure)?;
        let prefilter = Prefilter::of(filter, now);
        let mut candidates = Self { found: Vec::new(), more: false };
        for (rows, order) in passes(order) {
            // Where SQL alone decides, it sorts no more rows than are needed.
            let most = if prefilter.exact { limit + 1 - candidates.found.len() } else { usize::MAX };
            let sql = select_candidates(rows, &prefilter, order);
            let first = Value::Text(EntryKey::SYSTEM.to_string());
            let last = Value::Integer(i64::try_from(most).unwrap_or(i64::MAX));
            let values = [first].into_iter().chain(prefilter.values.iter().cloned()).chain([last]);
            let mut statement = snapshot.prepare(&sql).map_err(failure)?;
            let mut found = statement.query(params_from_iter(values)).map_err(failure)?;
            while let Some(row) = found.next().map_err(failure)? {
                let id = row.get(0).map_err(failure)?;
                if *filter != Filter::All && !is_meant(&snapshot, id, filter, now)? {
                    continue;
                }
                if candidates.found.len() == limit {
                    return Ok(Self { more: true, ..candidates });
                }
                candidates.found.push((id, rows::version(row, 1)?));
            }
        }
        Ok(candidates)
    }

    /// Removes candidates until the plan has enough. Those that changed meanwhile stay.
    pub(crate) fn remove(&self, changes: &mut Changes<'_>, plan: &Reclaim) -> Result<Reclaimed> {
        let before = changes.committed()?;
        let count = |before: i64, changed: i64| u64::try_from(before + changed).unwrap_or(0);
        let enough = |changes: &Changes<'_>| {
            let totals = &changes.totals;
            plan.is_enough(count(before.bytes, totals.bytes), count(before.entries, totals.entries))
        };
        let mut reclaimed = Reclaimed::default();
        for (id, version) in &self.found {
            if enough(changes) {
                break;
            }
            if let Some(key) = changes.delete_version(*id, version, &mut reclaimed.condemned)? {
                reclaimed.keys.push(key);
            }
        }
        reclaimed.more = self.more && !enough(changes);
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
            ("INDEXED BY records_by_expiry WHERE expires_at IS NOT NULL", "ORDER BY expires_at, id"),
            ("NOT INDEXED WHERE expires_at IS NULL", "ORDER BY id"),
        ],
        ReclaimOrder::Created => &[("NOT INDEXED WHERE 1", "ORDER BY created_at, id")],
        _ => &[("INDEXED BY records_by_key WHERE 1", "ORDER BY key")],
    }
}

fn is_meant(connection: &Connection, id: i64, filter: &Filter, now: Timestamp) -> Result<bool> {
    let needed = needed_by(filter);
    let select = select!(needed, "key, ", " FROM records WHERE id = ?1");
    let mut statement = connection.prepare_cached(select).map_err(failure)?;
    let mut found = statement.query([id]).map_err(failure)?;
    let Some(row) = found.next().map_err(failure)? else { return Ok(false) };
    let key = rows::key(row, 0)?;
    // What cannot be read is not known to be meant.
    Ok(rows::readable(rows::record(row, 1, key, needed))?.is_some_and(|record| filter.matches(&record, now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Batch;
    use crate::{SqliteConfig, open};
    use cacheness_storage::{Change, Condition, Field, OnUnmet, Record};
    use cacheness_testkit::records::{NOW, inline, version};

    fn plan(order: ReclaimOrder, filter: &Filter) -> Vec<String> {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let prefilter = Prefilter::of(filter, Timestamp::from_micros(7));
        let explain = |(rows, order): &(&str, &str)| {
            let sql = format!("EXPLAIN QUERY PLAN {}", select_candidates(rows, &prefilter, order));
            let mut statement = connection.prepare(&sql).unwrap();
            let bound = vec![1; statement.parameter_count()];
            let steps = statement.query_map(params_from_iter(bound), |row| row.get::<_, String>(3)).unwrap();
            steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
        };
        passes(order).iter().map(explain).collect()
    }

    #[test]
    fn expired_records_are_found_by_their_index_alone() {
        let expired = Filter::le(Field::ExpiresAt, 7i64);
        let plans = plan(ReclaimOrder::Expiry, &expired);
        assert_eq!(plans[0], "SEARCH records USING INDEX records_by_expiry (expires_at>? AND expires_at<?)");
    }

    #[test]
    fn only_the_order_of_creation_is_sorted() {
        for filter in [Filter::All, Filter::lt(Field::ExpiresAt, 7i64), Filter::eq(Field::Tag, "x")] {
            for order in [ReclaimOrder::Key, ReclaimOrder::Expiry] {
                for plan in plan(order, &filter) {
                    assert!(!plan.contains("TEMP B-TREE"), "{order:?}: {plan}");
                }
            }
        }
    }

    #[test]
    fn what_changed_since_it_was_found_stays() {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let mut changes = Changes::new(&connection, NOW);
        let mut put = |key: &str, n| {
            let record = Box::new(Record { version: version(n), ..inline(key, vec![0; 10]) });
            let changes_of_one = vec![Change::Put { record, condition: Condition::Always }];
            changes.apply_all(&Batch { changes: changes_of_one, on_unmet: OnUnmet::Skip }).unwrap();
        };
        for (key, n) in [("changed", 1), ("same", 2)] {
            put(key, n);
        }
        let found = Candidates::find(&connection, &Filter::All, ReclaimOrder::Key, 10, NOW).unwrap();
        put("changed", 3);
        put("new", 4);
        let plan = Reclaim::Entries {
            filter: Filter::All,
            order: ReclaimOrder::Key,
            limit: 10,
            until_bytes: None,
            until_entries: None,
        };
        let reclaimed = found.remove(&mut changes, &plan).unwrap();
        assert_eq!(reclaimed.keys, ["same".into()]);
        assert_eq!((changes.totals.entries, changes.totals.bytes), (2, 20));
    }
}
