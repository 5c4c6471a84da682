//! Pages of records in the order of keys.

use crate::failure::{Failure, Result};
use crate::records::Records;
use cacheness_storage::{Cursor, EntryKey, ErrorKind, Fields, Filter, Page, Query, Record, Timestamp};
use std::ops::Bound;

/// How many records a page looks at before it leaves the rest to the next one.
const SCAN: usize = 10_000;

/// The next records of a query.
pub(crate) fn page(records: &Records, query: &Query, after: Option<&Cursor>, now: Timestamp) -> Result<Page> {
    let from = match after.map(|cursor| cursor.key().as_str()) {
        Some(key) if key >= query.prefix.as_str() => Bound::Excluded(key),
        _ => Bound::Included(query.prefix.as_str()),
    };
    // A filter may look at annotations that nobody asked for; it never looks at payloads.
    let annotations = query.fields.annotations || query.filter != Filter::All;
    let fields = Fields { annotations, ..query.fields };
    let mut page = Page::default();
    let mut last = None;
    for (seen, row) in records.rows.range::<&str>((from, Bound::Unbounded))?.enumerate() {
        let (key, row) = row?;
        let key = EntryKey::new(key.value());
        if !key.as_str().starts_with(&query.prefix) || key.is_system() {
            break;
        }
        if page.records.len() == query.limit.max(1) || seen == SCAN {
            page.next = last.map(Cursor::after);
            break;
        }
        match readable(records.read(&key, &row.value(), fields))? {
            None => page.unreadable.push(key.clone()),
            Some(mut record) if query.filter.matches(&record, now) => {
                query.fields.project(&mut record);
                page.records.push(record);
            }
            Some(_) => {}
        }
        last = Some(key);
    }
    Ok(page)
}

/// A record, or `None` for one that is damaged or of a later version, in a listing that goes on without it.
pub(crate) fn readable(record: Result<Record>) -> Result<Option<Record>> {
    match record {
        Err(Failure::Ours(error)) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew) => Ok(None),
        other => other.map(Some),
    }
}
