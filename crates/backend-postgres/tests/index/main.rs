//! The PostgreSQL index, by a real server.
#![allow(clippy::panic, clippy::unwrap_used)]

mod common;
mod concurrency;
mod conformance;
mod encryption;
mod faults;
mod listening;
mod opening;
mod schema;
mod together;
mod wire;

use cacheness_backend_postgres::PostgresMetadata;
use cacheness_storage::{Change, Condition, MetadataBackend, Record};
use common::Schema;

fn put(record: Record) -> Change {
    Change::Put { record: Box::new(record), condition: Condition::Always }
}

fn remove(key: &str) -> Change {
    Change::Remove { key: key.into(), condition: Condition::Always }
}

/// Entries, bytes, blobs and condemned blobs, as the index counts them.
async fn totals(store: &PostgresMetadata) -> [u64; 4] {
    let stats = store.stats().await.unwrap();
    [stats.entries, stats.bytes, stats.blobs, stats.condemned]
}

/// The same, counted anew.
async fn recount(schema: &Schema, prefix: &str) -> [u64; 4] {
    let count = "SELECT concat_ws(' ', (SELECT count(*) FROM {schema}.{prefix}records WHERE key < '\\xf48fbfbf'), \
        (SELECT coalesce(sum(stored_size), 0) FROM {schema}.{prefix}records WHERE blob IS NULL AND key < '\\xf48fbfbf') \
        + (SELECT coalesce(sum(size), 0) FROM {schema}.{prefix}blobs WHERE refs > 0), \
        (SELECT count(*) FROM {schema}.{prefix}blobs WHERE refs > 0), \
        (SELECT count(*) FROM {schema}.{prefix}blobs WHERE refs = 0))";
    let told = schema.ask(&count.replace("{prefix}", prefix)).await;
    let numbers: Vec<u64> = told[0].split(' ').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}
