//! The small steps that checks are made of.

use crate::Result;
use cacheness_core::Timestamp;
use cacheness_storage::{
    BlobId, BlobQuery, Change, Coherence, Condition, EntryKey, Fields, Locality, MetadataBackend, OnUnmet, Outcome,
    Patch, Query, Reclaim, Reclaimed, Record, Version,
};

pub(super) type Store = dyn MetadataBackend;

/// How many changes go into one commit when a check needs many records.
const BATCH: usize = 100;

pub(super) fn put(record: Record) -> Change {
    put_if(record, Condition::Always)
}

pub(super) fn put_if(record: Record, condition: Condition) -> Change {
    Change::Put { record: Box::new(record), condition }
}

pub(super) fn patch_if(key: &str, patch: Patch, condition: Condition) -> Change {
    Change::Patch { key: EntryKey::new(key), patch: Box::new(patch), condition }
}

pub(super) fn remove(key: &str) -> Change {
    remove_if(key, Condition::Always)
}

pub(super) fn remove_if(key: &str, condition: Condition) -> Change {
    Change::Remove { key: EntryKey::new(key), condition }
}

pub(super) fn use_of(key: &str, at: Timestamp, hits: u64) -> Change {
    Change::Use { key: EntryKey::new(key), at, hits }
}

pub(super) fn applied(previous: Option<Version>, condemned: &[BlobId]) -> Outcome {
    Outcome::Applied { previous, condemned: condemned.to_vec() }
}

pub(super) fn unmet(current: Option<Version>) -> Outcome {
    Outcome::Unmet { current }
}

/// Commits a single change.
pub(super) async fn apply(store: &Store, change: Change) -> Result<Outcome> {
    let mut outcomes = store.commit(vec![change], OnUnmet::Abort).await?;
    assert_eq!(outcomes.len(), 1, "a commit of one change has one outcome");
    Ok(outcomes.remove(0))
}

/// Puts records, a hundred a commit.
pub(super) async fn put_all(store: &Store, records: impl IntoIterator<Item = Record>) -> Result<()> {
    let changes: Vec<_> = records.into_iter().map(put).collect();
    for batch in changes.chunks(BATCH) {
        let outcomes = store.commit(batch.to_vec(), OnUnmet::Abort).await?;
        assert_eq!(outcomes.len(), batch.len(), "every change has an outcome");
        assert!(outcomes.iter().all(Outcome::is_applied), "an unconditional put was not applied: {outcomes:?}");
    }
    Ok(())
}

/// Reads all of one record.
pub(super) async fn find(store: &Store, key: &str) -> Result<Option<Record>> {
    let mut records = store.get(&[EntryKey::new(key)], Fields::ALL).await?;
    assert_eq!(records.len(), 1, "a get of one key has one answer");
    Ok(records.remove(0))
}

/// Reads all pages of a query; every page must keep the limit, and the order of keys must rise without end.
pub(super) async fn pages(store: &Store, query: &Query) -> Result<Vec<Record>> {
    let mut found: Vec<Record> = Vec::new();
    let mut after = None;
    loop {
        let page = store.page(query, after.clone()).await?;
        assert!(page.records.len() <= query.limit.max(1), "a page is longer than its limit of {}", query.limit);
        for record in page.records {
            if let Some(last) = found.last() {
                assert!(last.key < record.key, "{:?} comes after {:?}", record.key, last.key);
            }
            found.push(record);
        }
        let Some(next) = page.next else {
            return Ok(found);
        };
        if let Some(before) = after {
            assert!(next.key() > before.key(), "the cursor stands still at {:?}", next.key());
        }
        after = Some(next);
    }
}

/// The keys of all records that a query means.
pub(super) async fn keys(store: &Store, query: &Query) -> Result<Vec<String>> {
    Ok(pages(store, query).await?.iter().map(|record| record.key.to_string()).collect())
}

/// All condemned blobs, sorted.
pub(super) async fn condemned(store: &Store) -> Result<Vec<BlobId>> {
    let until = Timestamp::from_micros(i64::MAX);
    let found = store.blobs(&BlobQuery::Condemned { until, after: None, limit: 100_000 }).await?;
    let mut blobs: Vec<_> = found.iter().map(|blob| blob.id).collect();
    blobs.sort();
    Ok(blobs)
}

/// Gives space back, with nobody else at it.
pub(super) async fn reclaim(store: &Store, plan: Reclaim) -> Result<Reclaimed> {
    let reclaimed = store.reclaim(&plan).await?;
    assert!(!reclaimed.busy, "nobody else reclaims, and still the store is busy");
    Ok(reclaimed)
}

/// Whether another opening would see another store, or cannot be.
pub(super) fn is_alone(store: &Store) -> bool {
    store.info().locality == Locality::Process || matches!(store.coherence(), Coherence::Exclusive)
}

/// Entries, bytes, blobs and condemned blobs.
pub(super) async fn totals(store: &Store) -> Result<[u64; 4]> {
    let stats = store.stats().await?;
    Ok([stats.entries, stats.bytes, stats.blobs, stats.condemned])
}

/// All that a store shows of itself, to see whether something changed.
pub(super) async fn everything(store: &Store) -> Result<(Vec<Record>, Vec<BlobId>, [u64; 4])> {
    let records = pages(store, &Query::new().fields(Fields::ALL)).await?;
    Ok((records, condemned(store).await?, totals(store).await?))
}
