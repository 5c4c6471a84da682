//! Many threads at once.

use super::steps::{condemned, find, is_alone, pages, put, put_all, put_if, remove, totals, use_of};
use crate::records::{NOW, blob, in_blob, sample, version};
use crate::threads::{THREADS, on_threads};
use crate::{MetadataSubject, Result, SeededRng};
use cacheness_storage::{BlobId, Change, Condition, MetadataBackend, OnUnmet, Outcome, Query, Record, Usage, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ROUNDS: u64 = 25;

pub(super) fn only_one_of_many_puts_of_an_absent_key_is_applied(subject: &MetadataSubject) -> Result<()> {
    let store = subject.block_on(subject.open())?;
    let openings = openings(subject, &store)?;
    for round in 0..ROUNDS {
        let key = format!("key {round}");
        let outcomes = on_threads(|thread| {
            let store = openings.get(thread as usize).unwrap_or(&store);
            let record = Record { version: version(thread), ..sample(&key) };
            subject.block_on(store.commit(vec![put_if(record, Condition::Absent)], OnUnmet::Abort))
        })?;
        let applied = |outcomes: &Vec<Outcome>| outcomes.iter().all(Outcome::is_applied);
        let winners: Vec<_> = (0..THREADS).zip(&outcomes).filter(|(_, outcomes)| applied(outcomes)).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        let found = subject.block_on(find(&*store, &key))?.map(|record| record.version);
        assert_eq!(found, winners.first().map(|(winner, _)| version(*winner)));
    }
    Ok(())
}

pub(super) fn each_version_is_replaced_by_one_thread_only(subject: &MetadataSubject) -> Result<()> {
    let store = subject.block_on(subject.open())?;
    let first = version(0);
    subject.block_on(put_all(&*store, [Record { version: first, ..sample("key") }]))?;
    let openings = openings(subject, &store)?;
    let swaps = on_threads(|thread| {
        let store = openings.get(thread as usize).unwrap_or(&store);
        let mut swaps = Vec::new();
        let mut current = first;
        for attempt in 1.. {
            let next = version((thread << 32) + attempt);
            let record = Record { version: next, ..sample("key") };
            let outcomes =
                subject.block_on(store.commit(vec![put_if(record, Condition::Version(current))], OnUnmet::Abort))?;
            match outcomes.first() {
                Some(Outcome::Applied { previous, .. }) => {
                    assert_eq!(*previous, Some(current));
                    swaps.push((current, next));
                    current = next;
                }
                Some(Outcome::Unmet { current: Some(other) }) if *other != current => current = *other,
                other => assert_eq!(other, None, "a compare-and-swap succeeds, or tells the version that is there"),
            }
            if swaps.len() as u64 == ROUNDS {
                break;
            }
        }
        Ok(swaps)
    })?;
    let chain: BTreeMap<Version, Version> = swaps.iter().flatten().copied().collect();
    assert_eq!(chain.len() as u64, THREADS * ROUNDS, "two threads replaced the same version");
    let last = (0..chain.len()).fold(first, |at, _| chain.get(&at).copied().unwrap_or(first));
    let found = subject.block_on(find(&*store, "key"))?.map(|record| record.version);
    assert_eq!(found, Some(last), "the versions make one chain, from the first to the one that is there");
    Ok(())
}

pub(super) fn totals_and_references_stay_right_when_many_commit(subject: &MetadataSubject) -> Result<()> {
    let store = subject.block_on(subject.open())?;
    let openings = openings(subject, &store)?;
    let condemnations = on_threads(|thread| {
        let store = openings.get(thread as usize).unwrap_or(&store);
        let rng = SeededRng::new(thread);
        let mut condemned = Vec::new();
        for round in 0..ROUNDS {
            let keys = [(); 2].map(|()| format!("key {}", rng.below(5)));
            let new = blob(thread * ROUNDS + round);
            let mut changes: Vec<Change> = keys.iter().map(|key| put(in_blob(key, new, 100))).collect();
            changes.push(remove(&format!("key {}", rng.below(5))));
            for outcome in subject.block_on(store.commit(changes, OnUnmet::Abort))? {
                match outcome {
                    Outcome::Applied { condemned: blobs, .. } => condemned.extend(blobs),
                    other => assert!(other.is_applied(), "an unconditional change was not applied: {other:?}"),
                }
            }
        }
        Ok(condemned)
    })?;
    let mut told: Vec<BlobId> = condemnations.into_iter().flatten().collect();
    told.sort();
    subject.block_on(async {
        assert_eq!(told, condemned(&*store).await?, "each condemned blob is told to exactly one commit");
        let records = pages(&*store, &Query::new()).await?;
        let named: BTreeSet<BlobId> = records.iter().filter_map(Record::blob).collect();
        let [entries, blobs] = [records.len() as u64, named.len() as u64];
        assert_eq!(totals(&*store).await?, [entries, blobs * 100, blobs, told.len() as u64]);
        assert_eq!(blobs + told.len() as u64, THREADS * ROUNDS, "a blob was lost");
        assert!(told.iter().all(|blob| !named.contains(blob)), "a record names a condemned blob");
        Ok(())
    })
}

pub(super) fn uses_of_many_threads_add_up(subject: &MetadataSubject) -> Result<()> {
    let store = subject.block_on(subject.open())?;
    subject.block_on(put_all(&*store, [sample("key")]))?;
    let openings = openings(subject, &store)?;
    on_threads(|thread| {
        let store = openings.get(thread as usize).unwrap_or(&store);
        for round in 0..ROUNDS {
            let at = NOW.offset((round * THREADS + thread).cast_signed());
            let outcomes = subject.block_on(store.commit(vec![use_of("key", at, round)], OnUnmet::Abort))?;
            assert!(outcomes.iter().all(Outcome::is_applied), "{outcomes:?}");
        }
        Ok(())
    })?;
    let last = NOW.offset((ROUNDS * THREADS).cast_signed() - 1);
    let expected = Usage { accessed_at: Some(last), hits: THREADS * ROUNDS * (ROUNDS - 1) / 2 };
    assert_eq!(subject.block_on(find(&*store, "key"))?.map(|record| record.usage), Some(expected));
    Ok(())
}

/// An opening for each thread, as if each were a process of its own; none when nobody else can open the store.
fn openings(subject: &MetadataSubject, store: &Arc<dyn MetadataBackend>) -> Result<Vec<Arc<dyn MetadataBackend>>> {
    let count = if is_alone(&**store) { 0 } else { THREADS };
    (0..count).map(|_| subject.block_on(subject.open())).collect()
}
