//! What the SQLite index promises beyond the contract: its files, its format, many threads and processes.
#![allow(clippy::panic, clippy::unwrap_used)]

mod concurrency;
mod damage;
mod expiring;
mod format;
#[cfg(target_os = "linux")]
mod full_disk;
mod generations;
mod keys;
mod opening;
mod other_process;
#[cfg(target_os = "linux")]
mod permissions;
mod processes;
mod read_only;
mod reclaiming;
mod usage;

use cacheness_backend_sqlite::{SqliteConfig, SqliteMetadata};
use cacheness_core::runtime::block_on;
use cacheness_storage::{
    Change, Condition, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Record, Result,
};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("index.db");
    (directory, path)
}

fn open(path: &Path) -> Result<SqliteMetadata> {
    SqliteMetadata::open(path, &OpenContext::new(), SqliteConfig::default())
}

fn open_read_only(path: &Path) -> Result<SqliteMetadata> {
    SqliteMetadata::open(path, &OpenContext::new().read_only(true), SqliteConfig::default())
}

fn put(record: Record) -> Change {
    Change::Put { record: Box::new(record), condition: Condition::Always }
}

fn commit(index: &SqliteMetadata, changes: Vec<Change>) -> Result<Vec<Outcome>> {
    block_on(index.commit(changes, OnUnmet::Skip))
}

/// Asserts that the totals are what SQL counts, that every reference is, and that usages belong to records.
fn assert_totals_are_recounted(index: &SqliteMetadata, path: &Path) {
    let connection = Connection::open(path).unwrap();
    let count = |sql: &str| u64::try_from(connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()).unwrap();
    let MetadataStats { entries, bytes, blobs, condemned, .. } = block_on(index.stats()).unwrap();
    let user = "key < char(0x10FFFF)";
    assert_eq!(entries, count(&format!("SELECT count(*) FROM records WHERE {user}")));
    let inline = count(&format!("SELECT coalesce(sum(length(payload)), 0) FROM records WHERE {user}"));
    assert_eq!(bytes, inline + count("SELECT coalesce(sum(size), 0) FROM blobs WHERE refs > 0"));
    assert_eq!(blobs, count("SELECT count(DISTINCT blob) FROM records"));
    assert_eq!(blobs, count("SELECT count(*) FROM blobs WHERE refs > 0"));
    assert_eq!(condemned, count("SELECT count(*) FROM blobs WHERE condemned_at IS NOT NULL"));
    let wrong = "SELECT count(*) FROM blobs WHERE refs <> (SELECT count(*) FROM records WHERE blob = blobs.id)";
    assert_eq!(count(wrong), 0);
    let leaked = "SELECT count(*) FROM usage WHERE id NOT IN (SELECT id FROM records)";
    assert_eq!(count(leaked), 0, "usages without a record");
    let late = "SELECT count(*) FROM usage JOIN records USING (id) WHERE not_before > created_at";
    assert_eq!(count(late), 0, "usages whose record is older than they say");
    let missed = "SELECT count(*) FROM records, totals WHERE records.id <= usage_to \
        AND records.id NOT IN (SELECT id FROM usage)";
    assert_eq!(count(missed), 0, "records without the usage that they are said to have");
}
