//! The JSON index: the contract, crashes, damage, sharing, its bounds and its format.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod bounds;
mod conformance;
#[cfg(unix)]
mod crash;
mod damage;
#[cfg(target_os = "linux")]
mod faults;
mod format;
mod opening;
#[cfg(target_os = "linux")]
mod power;
mod sharing;
#[cfg(target_os = "linux")]
#[path = "../common/user.rs"]
mod user;

use cacheness_backend_fs::json::{JsonConfig, JsonMetadata};
use cacheness_core::runtime::block_on;
use cacheness_core::{ErrorKind, ManualClock, Result};
use cacheness_storage::{
    Change, Condition, EntryKey, Fields, MetadataBackend, OnUnmet, OpenContext, Outcome, Query, Record,
};
use cacheness_testkit::records::NOW;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn context() -> OpenContext {
    OpenContext::new().clock(Arc::new(ManualClock::starting_at(NOW)))
}

fn try_open(path: &Path) -> Result<JsonMetadata> {
    JsonMetadata::open(path, &context(), JsonConfig::new())
}

fn open(path: &Path) -> JsonMetadata {
    try_open(path).unwrap()
}

fn refusal(path: &Path) -> ErrorKind {
    try_open(path).unwrap_err().kind()
}

fn put(record: Record) -> Change {
    Change::Put { record: Box::new(record), condition: Condition::Always }
}

fn remove(key: &str) -> Change {
    Change::Remove { key: key.into(), condition: Condition::Always }
}

fn use_of(key: &str, micros: i64, hits: u64) -> Change {
    Change::Use { key: key.into(), at: NOW.offset(micros), hits }
}

fn try_commit(index: &JsonMetadata, change: Change) -> Result<Vec<Outcome>> {
    block_on(index.commit(vec![change], OnUnmet::Abort))
}

fn commit(index: &JsonMetadata, change: Change) {
    assert!(try_commit(index, change).unwrap()[0].is_applied());
}

fn try_find(index: &JsonMetadata, key: &str) -> Result<Option<Record>> {
    block_on(index.get(&[EntryKey::new(key)], Fields::ALL)).map(|mut found| found.remove(0))
}

fn find(index: &JsonMetadata, key: &str) -> Option<Record> {
    try_find(index, key).unwrap()
}

fn all(index: &JsonMetadata) -> Vec<Record> {
    block_on(index.page(&Query::new().limit(usize::MAX).fields(Fields::ALL), None)).unwrap().records
}

fn keys(index: &JsonMetadata) -> Vec<String> {
    all(index).into_iter().map(|record| record.key.to_string()).collect()
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A directory, and the path of an index in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("index.jsonl");
    (home, path)
}
