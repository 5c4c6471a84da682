//! Reading records by their keys.

use crate::backend::Store;
use crate::rows;
use cacheness_storage::{EntryKey, Fields, Record, Result};
use std::collections::HashMap;

/// The records of some keys, all as of one moment.
pub(crate) async fn records(store: &Store, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
    let mut session = store.primary.lend().await?;
    if let [key] = keys {
        let rows = session.ask(store.statements.get(fields, false), &[&key.as_str().as_bytes()]).await?;
        drop(session);
        return Ok(vec![rows.first().map(|row| rows::record(row, 0, fields)).transpose()?]);
    }
    let asked: Vec<&[u8]> = keys.iter().map(|key| key.as_str().as_bytes()).collect();
    let rows = session.ask(store.statements.get(fields, true), &[&asked]).await?;
    drop(session);
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let record = rows::record(row, 0, fields)?;
        found.insert(record.key.clone(), record);
    }
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}
