//! Pages of records in the order of keys.

use crate::backend::Store;
use crate::filter::{Prefilter, end_of_prefix};
use crate::pool::Session;
use crate::rows::{self, column};
use crate::statements::{NOW, from};
use cacheness_storage::{Cursor, EntryKey, Fields, Filter, Page, Query, Record, Result, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// How many records a page with a filter looks at, besides four for each one that it may hold.
const PAGE_SCAN: usize = 10_000;

/// How many records are read at least where the filter decides here.
const CANDIDATES: usize = 500;

/// The next records of a query.
pub(crate) async fn page(store: &Store, session: &mut Session, query: &Query, after: Option<&Cursor>) -> Result<Page> {
    let from = match after.map(|cursor| cursor.key().as_str()) {
        // The first bytes behind a key are its own and a zero.
        Some(after) if after >= query.prefix.as_str() => [after.as_bytes(), &[0]].concat(),
        _ => query.prefix.as_bytes().to_vec(),
    };
    let end = end_of_keys(&query.prefix);
    match query.filter {
        Filter::All => unfiltered(store, session, query, &from, &end).await,
        _ => filtered(store, session, query, &from, &end).await,
    }
}

/// The first bytes after all user keys that start with `prefix`.
pub(crate) fn end_of_keys(prefix: &str) -> Vec<u8> {
    let system = EntryKey::SYSTEM.to_string().into_bytes();
    end_of_prefix(prefix).map_or(system.clone(), |end| end.min(system))
}

async fn unfiltered(store: &Store, session: &mut Session, query: &Query, from: &[u8], end: &[u8]) -> Result<Page> {
    let limit = query.limit.max(1);
    // One more than asked for tells whether there is a next page.
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let rows = session.ask(store.statements.page(query.fields), &[&from, &end, &most]).await?;
    let mut page = Page::default();
    for row in rows.iter().take(limit) {
        add(&mut page, row, 0, query.fields, |_| true)?;
    }
    page.next = if rows.len() > limit { place_of(rows.get(limit - 1), 0)? } else { None };
    Ok(page)
}

async fn filtered(store: &Store, session: &mut Session, query: &Query, from: &[u8], end: &[u8]) -> Result<Page> {
    let limit = query.limit.max(1);
    let prefilter = Prefilter::of(&query.filter, 4);
    let fields = Fields { annotations: query.fields.annotations || !prefilter.exact, ..query.fields };
    let most = if prefilter.exact { limit.saturating_add(1) } else { limit.saturating_add(1).max(CANDIDATES) };
    let scan = limit.saturating_mul(4).saturating_add(PAGE_SCAN);
    let [last, most_rows] = [scan - 1, most].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT {NOW}, b.last, t.* FROM (SELECT (SELECT key FROM {records} WHERE key >= $1 AND key < $2 ORDER BY key \
        OFFSET $3 LIMIT 1) AS last) b LEFT JOIN LATERAL (SELECT {columns} FROM {tables} WHERE r.key >= $1 \
        AND r.key < coalesce(b.last || '\\x00'::bytea, $2) AND {filter} ORDER BY r.key LIMIT $4) t ON true ORDER BY t.key",
        records = store.tables.records,
        columns = rows::columns(fields),
        tables = self::from(&store.tables, fields),
        filter = prefilter.sql,
    );
    let mut values: Vec<_> = vec![
        (&from as _, Type::BYTEA),
        (&end as _, Type::BYTEA),
        (&last as _, Type::INT8),
        (&most_rows as _, Type::INT8),
    ];
    values.extend(prefilter.values.iter().map(crate::filter::Value::typed));
    let rows = session.ask_once(&sql, &values).await?;
    let mut page = Page::default();
    let Some(first) = rows.first() else { return Ok(page) };
    let now = Timestamp::from_micros(column(first, 0)?);
    if column::<Option<&[u8]>>(first, START)?.is_some() {
        let mut before = None;
        for row in &rows {
            if page.records.len() + page.unreadable.len() == limit {
                page.next = place_of(before, START)?;
                break;
            }
            add(&mut page, row, START, fields, |record| prefilter.exact || query.filter.matches(record, now))?;
            before = Some(row);
        }
        page.records.iter_mut().for_each(|record| query.fields.project(record));
    }
    if page.next.is_some() {
        return Ok(page);
    }
    // What is behind the last row that the server gave, or behind the last one that it looked at.
    page.next = if rows.len() == most { place_of(rows.last(), START)? } else { place_of(Some(first), START - 1)? };
    Ok(page)
}

/// How many columns stand before those of a record where there is a filter.
const START: usize = 2;

/// Adds the record in a row to a page if it is meant.
fn add(page: &mut Page, row: &Row, start: usize, fields: Fields, is_meant: impl FnOnce(&Record) -> bool) -> Result<()> {
    match rows::readable(rows::record(row, start, fields))? {
        Some(record) if is_meant(&record) => page.records.push(record),
        Some(_) => {}
        None => page.unreadable.push(rows::key(row, start)?),
    }
    Ok(())
}

/// The place behind the key in a column, if there is one.
fn place_of(row: Option<&Row>, at: usize) -> Result<Option<Cursor>> {
    let Some(row) = row else { return Ok(None) };
    match column::<Option<&[u8]>>(row, at)? {
        Some(_) => rows::key(row, at).map(|key| Some(Cursor::after(key))),
        None => Ok(None),
    }
}
