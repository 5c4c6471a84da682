//! Reading: single records, and pages of them in the order of keys.

use crate::expiring;
use crate::failure::failure;
use crate::filter::{Prefilter, expiry, needed_by};
use crate::range::end_of_keys;
use crate::rows::{self, select};
use cacheness_storage::{Cursor, EntryKey, Fields, Filter, Page, Query, Record, Result, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

/// The records of some keys, all as of one moment.
pub(crate) fn records(connection: &Connection, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
    if let [key] = keys {
        return Ok(vec![record(connection, key, fields)?]);
    }
    let snapshot = connection.unchecked_transaction().map_err(failure)?;
    keys.iter().map(|key| record(&snapshot, key, fields)).collect()
}

fn record(connection: &Connection, key: &EntryKey, fields: Fields) -> Result<Option<Record>> {
    let select = select!(fields, "", " WHERE key = ?1");
    let mut statement = connection.prepare_cached(select).map_err(failure)?;
    let mut found = statement.query([key.as_str()]).map_err(failure)?;
    let row = found.next().map_err(failure)?;
    row.map(|row| rows::record(row, 0, key.clone(), fields)).transpose().map_err(|error| error.key(key))
}

/// The next records of a query.
pub(crate) fn page(connection: &Connection, query: &Query, after: Option<&Cursor>, now: Timestamp) -> Result<Page> {
    let limit = query.limit.max(1);
    let from = match after.map(|cursor| cursor.key().as_str()) {
        Some(after) if after >= query.prefix.as_str() => Start { key: after, included: false },
        _ => Start { key: &query.prefix, included: true },
    };
    let end = end_of_keys(&query.prefix);
    if query.filter == Filter::All {
        return unfiltered(connection, query, limit, &from, end);
    }
    if let Some(expiry) = expiry(&query.filter, now)
        && let Some(page) = expiring::page(connection, query, &from, &end, expiry, now)?
    {
        return Ok(page);
    }
    // A page looks at so many records only, whatever the filter means; the next page goes on from there.
    let most = i64::try_from(limit.saturating_mul(4).saturating_add(1000)).unwrap_or(i64::MAX);
    let last = last_of(connection, &from, &end, most)?;
    let prefilter = Prefilter::of(&query.filter, now);
    let (less, bound) = if last.is_some() { ("<=", last.clone()) } else { ("<", Some(end)) };
    let needed = needed_for(query);
    let sql = format!(
        "{} WHERE key {} ? AND key {less} ? AND {} ORDER BY key",
        select!(needed, "key, ", " INDEXED BY records_by_key"),
        from.operator(),
        prefilter.sql,
    );
    let values = [Value::Text(from.key.to_owned()), bound.map_or(Value::Null, Value::Text)].into_iter();
    let mut statement = connection.prepare(&sql).map_err(failure)?;
    let mut found = statement.query(params_from_iter(values.chain(prefilter.values))).map_err(failure)?;
    let mut page = Page::default();
    while let Some(row) = found.next().map_err(failure)? {
        if !take(&mut page, row, query, needed, now)? {
            return Ok(followed(page));
        }
    }
    Ok(Page { next: last.map(EntryKey::new).map(Cursor::after), ..page })
}

/// What is read of the records of a query, so that its filter can be asked.
pub(crate) fn needed_for(query: &Query) -> Fields {
    Fields { annotations: query.fields.annotations || needed_by(&query.filter).annotations, ..query.fields }
}

/// Takes the record in a row, whose key comes first, into a page if the query means it; `false` when it would be one too
/// many.
pub(crate) fn take(page: &mut Page, row: &Row<'_>, query: &Query, needed: Fields, now: Timestamp) -> Result<bool> {
    let key = rows::key(row, 0)?;
    let Some(mut record) = rows::readable(rows::record(row, 1, key.clone(), needed))? else {
        page.unreadable.push(key);
        return Ok(true);
    };
    if !query.filter.matches(&record, now) {
        return Ok(true);
    }
    if page.records.len() == query.limit.max(1) {
        return Ok(false);
    }
    query.fields.project(&mut record);
    page.records.push(record);
    Ok(true)
}

/// Where a page begins.
pub(crate) struct Start<'k> {
    pub(crate) key: &'k str,
    included: bool,
}

impl Start<'_> {
    pub(crate) fn operator(&self) -> &'static str {
        if self.included { ">=" } else { ">" }
    }
}

fn unfiltered(connection: &Connection, query: &Query, limit: usize, from: &Start<'_>, end: String) -> Result<Page> {
    let sql = format!(
        "{} WHERE key {} ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        select!(query.fields, "key, ", ""),
        from.operator(),
    );
    // One more than asked for tells whether there is a next page.
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut statement = connection.prepare_cached(&sql).map_err(failure)?;
    let mut found = statement.query(params![from.key, end, most]).map_err(failure)?;
    let mut page = Page::default();
    while let Some(row) = found.next().map_err(failure)? {
        if page.records.len() + page.unreadable.len() == limit {
            return Ok(followed(page));
        }
        let key = rows::key(row, 0)?;
        match rows::readable(rows::record(row, 1, key.clone(), query.fields))? {
            Some(record) => page.records.push(record),
            None => page.unreadable.push(key),
        }
    }
    Ok(page)
}

/// A full page that others follow.
pub(crate) fn followed(mut page: Page) -> Page {
    let last = page.records.last().map(|record| &record.key).max(page.unreadable.last());
    page.next = last.cloned().map(Cursor::after);
    page
}

/// The key of record number `most` from the start on; `None` when there are fewer. It reads the index of keys only.
fn last_of(connection: &Connection, from: &Start<'_>, end: &str, most: i64) -> Result<Option<String>> {
    let sql =
        format!("SELECT key FROM records WHERE key {} ?1 AND key < ?2 ORDER BY key LIMIT 1 OFFSET ?3", from.operator());
    let mut statement = connection.prepare_cached(&sql).map_err(failure)?;
    statement.query_row(params![from.key, end, most - 1], |row| row.get(0)).optional().map_err(failure)
}
