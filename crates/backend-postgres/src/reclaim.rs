//! Giving space back: one machine at a time, in one transaction that waits for no other one's records.

use crate::backend::Store;
use crate::commit::{self, Ended, Held, Writes};
use crate::failure::corrupt;
use crate::filter::{Prefilter, Value};
use crate::page::end_of_keys;
use crate::pool::Session;
use crate::rows::{self, column};
use crate::statements::from;
use crate::totals;
use cacheness_storage::{
    EntryKey, Error, ErrorKind, Fields, Filter, Reclaim, ReclaimOrder, Reclaimed, Result, Timestamp, Version,
};
use tokio_postgres::types::Type;

/// How many records one call removes at most, whatever it is asked for.
const MAX_RECORDS: usize = 10_000;

/// How many records that the filter may mean are read at once, where it decides here.
const PART: usize = 2000;

/// Removes what a plan means.
pub(crate) async fn reclaim(store: &Store, plan: &Reclaim) -> Result<Reclaimed> {
    let (filter, order, limit) = match plan {
        Reclaim::Entries { filter, order, limit, .. } => (filter, *order, (*limit).min(MAX_RECORDS)),
        _ => return Err(Error::new(ErrorKind::Unsupported, "the PostgreSQL index does not know the plan")),
    };
    filter.check()?;
    let mut session = store.primary.lend().await?;
    session.unsettle();
    session.command("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let scope = store.tables.scope("reclaim");
    let alone = session.ask(&store.statements.try_reclaim, &[&scope]).await?;
    if !alone.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false) {
        session.roll_back();
        return Ok(Reclaimed { busy: true, ..Reclaimed::default() });
    }
    let none: Vec<&[u8]> = Vec::new();
    let begun = session.ask(&store.statements.begin, &[&none]).await?;
    let begun = begun.first().ok_or_else(|| corrupt("the server does not tell its time"))?;
    let (now, announced) = (Timestamp::from_micros(column(begun, 0)?), column(begun, 1)?);
    let candidates = candidates(store, &mut session, filter, order, limit.saturating_add(1), now).await?;
    if candidates.is_empty() {
        session.roll_back();
        return Ok(Reclaimed::default());
    }
    let keys: Vec<&[u8]> = candidates.iter().take(limit).map(|(key, _)| key.as_str().as_bytes()).collect();
    let locked = session.ask(&store.statements.lock_candidates, &[&keys]).await?;
    let blobs = session.ask(&store.statements.lock_blobs, &[&none, &keys]).await?;
    let before = totals::read(&mut session, &store.statements).await?;
    let mut held = Held::new(now, locked, &blobs)?;
    let mut reclaimed = Reclaimed::default();
    let is_enough = |held: &Held| {
        let difference = held.difference();
        let left = |before: u64, changed: i64| before.saturating_add_signed(changed);
        plan.is_enough(left(before.bytes, difference.bytes), left(before.entries, difference.entries))
    };
    for (key, version) in &candidates {
        if is_enough(&held) {
            break;
        }
        if reclaimed.keys.len() == limit {
            reclaimed.more = true;
            break;
        }
        // What changed meanwhile, or is being changed, stays.
        if held.version(key) == Some(*version) {
            reclaimed.condemned.extend(held.reclaim(key));
            reclaimed.keys.push(key.clone());
        }
    }
    let _changing = store.mark(&mut reclaimed.keys.iter());
    let writes = Writes::of(&held)?;
    match commit::finish(store, &mut session, &writes, announced).await? {
        Ended::Well(()) => Ok(reclaimed),
        Ended::Overtaken(_) => Ok(Reclaimed { busy: true, ..Reclaimed::default() }),
    }
}

/// The first records in an order that a filter means, without locking them.
async fn candidates(
    store: &Store,
    session: &mut Session,
    filter: &Filter,
    order: ReclaimOrder,
    most: usize,
    now: Timestamp,
) -> Result<Vec<(EntryKey, Version)>> {
    let prefilter = Prefilter::of(filter, 3);
    let fields = if prefilter.exact { Fields::LEAST } else { Fields::HEAD };
    let columns = if prefilter.exact { "r.key, r.version".to_owned() } else { rows::columns(fields) };
    let by_use = matches!(order, ReclaimOrder::Used | ReclaimOrder::Hits);
    let sql = format!(
        "SELECT {columns} FROM {} WHERE r.key < $1 AND {} ORDER BY {} OFFSET $2 LIMIT $3",
        from(&store.tables, Fields { annotations: by_use || fields.annotations, ..fields }),
        prefilter.sql,
        match order {
            ReclaimOrder::Expiry => "r.expires_at, r.key",
            ReclaimOrder::Created => "r.created_at, r.key",
            ReclaimOrder::Used => "greatest(r.created_at, u.accessed_at), r.key",
            ReclaimOrder::Hits => "coalesce(u.hits, 0), greatest(r.created_at, u.accessed_at), r.key",
            ReclaimOrder::Random => "r.version, r.key",
            _ => "r.key",
        }
    );
    let system = end_of_keys("");
    let part = if prefilter.exact { most } else { PART };
    let part_rows = i64::try_from(part).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for offset in (0_i64..).step_by(part.max(1)) {
        let mut values: Vec<_> =
            vec![(&system as _, Type::BYTEA), (&offset as _, Type::INT8), (&part_rows as _, Type::INT8)];
        values.extend(prefilter.values.iter().map(Value::typed));
        let rows = session.ask_once(&sql, &values).await?;
        for row in &rows {
            let is_meant = prefilter.exact
                || rows::readable(rows::record(row, 0, fields))?.is_some_and(|record| filter.matches(&record, now));
            if is_meant && found.len() < most {
                found.push((rows::key(row, 0)?, rows::version(row, 1)?));
            }
        }
        if rows.len() < part || found.len() == most {
            break;
        }
    }
    Ok(found)
}
