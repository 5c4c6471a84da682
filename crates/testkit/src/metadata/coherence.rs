//! Generations: a copy in memory is fresh only while nothing changed its record.

use super::steps::{apply, patch_if, put, put_all, reclaim, remove, use_of};
use crate::records::{NOW, sample};
use crate::{MetadataSubject, Result};
use cacheness_storage::{
    Coherence, Condition, Field, Filter, OnUnmet, Patch, Reclaim, ReclaimOrder, Timestamp, Version,
};

pub(super) async fn a_copy_is_stale_after_every_change_of_its_record(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let Coherence::Generations(reader) = store.coherence() else { return Ok(()) };
    let stamp = || reader.stamp(b"key");
    let patch = Patch::new(Version::from_bytes([9; 16]), Timestamp::from_micros(1));
    for change in [put(sample("key")), put(sample("key")), patch_if("key", patch, Condition::Always), remove("key")] {
        let before = stamp();
        assert!(before.is_some_and(|stamp| reader.is_fresh(stamp)), "nobody is changing it");
        apply(&*store, change).await?;
        assert!(before.is_some_and(|stamp| !reader.is_fresh(stamp)), "a change left the copy fresh");
    }
    put_all(&*store, [sample("key"), sample("kept")]).await?;
    let before = stamp();
    let filter = Filter::eq(Field::Key, "key");
    let plan = Reclaim::Entries { filter, order: ReclaimOrder::Key, limit: 10, until_bytes: None, until_entries: None };
    assert_eq!(reclaim(&*store, plan).await?.keys, ["key".into()]);
    assert!(before.is_some_and(|stamp| !reader.is_fresh(stamp)), "a reclaim left the copy fresh");
    Ok(())
}

pub(super) async fn a_copy_stays_fresh_when_its_record_is_used(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let Coherence::Generations(reader) = store.coherence() else { return Ok(()) };
    let keys: Vec<String> = (0..100).map(|number| format!("key {number}")).collect();
    put_all(&*store, keys.iter().map(|key| sample(key))).await?;
    let stamps: Vec<_> = keys.iter().filter_map(|key| reader.stamp(key.as_bytes())).collect();
    assert_eq!(stamps.len(), keys.len(), "nobody is changing anything");
    for on_unmet in [OnUnmet::Abort, OnUnmet::Skip] {
        let outcomes = store.commit(keys.iter().map(|key| use_of(key, NOW, 1)).collect(), on_unmet).await?;
        assert!(outcomes.iter().all(cacheness_storage::Outcome::is_applied), "{outcomes:?}");
    }
    assert!(stamps.iter().all(|stamp| reader.is_fresh(*stamp)), "a use made a copy stale");
    Ok(())
}

pub(super) async fn reading_and_changing_others_leaves_most_copies_fresh(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let Coherence::Generations(reader) = store.coherence() else { return Ok(()) };
    let keys: Vec<String> = (0..100).map(|number| format!("key {number}")).collect();
    put_all(&*store, keys.iter().map(|key| sample(key))).await?;
    let stamps: Vec<_> = keys.iter().filter_map(|key| reader.stamp(key.as_bytes())).collect();
    assert_eq!(stamps.len(), keys.len(), "nobody is changing anything");
    store.get(&[keys[0].as_str().into()], cacheness_storage::Fields::ALL).await?;
    apply(&*store, put(sample("another"))).await?;
    let fresh = stamps.iter().filter(|stamp| reader.is_fresh(**stamp)).count();
    assert!(fresh >= 90, "only {fresh} of 100 copies stayed fresh when one other key changed");
    Ok(())
}
