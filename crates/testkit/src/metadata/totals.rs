//! Totals follow every change.

use super::steps::{apply, patch_if, put, put_all, put_if, reclaim, remove, totals, use_of};
use crate::records::{NOW, blob, in_blob, inline, version};
use crate::{MetadataSubject, Result};
use cacheness_storage::{
    Change, Condition, EntryKey, Filter, MetadataStats, OnUnmet, Patch, Reclaim, ReclaimOrder, Record,
};

pub(super) async fn totals_follow_every_change(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    assert_eq!(totals(&*store).await?, [0, 0, 0, 0], "a new store is empty");
    let patch = patch_if("b", Patch::new(version(2), NOW), Condition::Always);
    let steps = [
        (put(inline("a", "12345")), [1, 5, 0, 0]),
        (put(inline("a", "123")), [1, 3, 0, 0]),
        (put(in_blob("b", blob(1), 1000)), [2, 1003, 1, 0]),
        (patch, [2, 1003, 1, 0]),
        (use_of("b", NOW, 1), [2, 1003, 1, 0]),
        (put(in_blob("c", blob(1), 1000)), [3, 1003, 1, 0]),
        (put(in_blob("a", blob(2), 500)), [3, 1500, 2, 0]),
        (remove("b"), [2, 1500, 2, 0]),
        (put(inline("c", "1")), [2, 501, 1, 1]),
        (put(in_blob("a", blob(3), 700)), [2, 701, 1, 2]),
        (put_if(inline("a", "unmet"), Condition::Absent), [2, 701, 1, 2]),
        (put(in_blob("a", blob(1), 1000)), [2, 701, 1, 2]),
        (Change::Condemn { blob: blob(9) }, [2, 701, 1, 3]),
        (Change::Condemn { blob: blob(9) }, [2, 701, 1, 3]),
        (Change::Forget { blob: blob(9) }, [2, 701, 1, 2]),
        (Change::Forget { blob: blob(1) }, [2, 701, 1, 1]),
        (remove("missing"), [2, 701, 1, 1]),
        (put(inline("empty", "")), [3, 701, 1, 1]),
        (remove("a"), [2, 1, 0, 2]),
        (remove("c"), [1, 0, 0, 2]),
        (remove("empty"), [0, 0, 0, 2]),
    ];
    for (change, expected) in steps {
        apply(&*store, change.clone()).await?;
        assert_eq!(totals(&*store).await?, expected, "[entries, bytes, blobs, condemned] after {change:?}");
        if let Some(MetadataStats { entries, bytes, blobs, condemned, .. }) = store.committed() {
            assert_eq!([entries, bytes, blobs, condemned], expected, "what the commit left after {change:?}");
        }
    }
    Ok(())
}

pub(super) async fn totals_leave_system_records_out(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let key = EntryKey::system("lease");
    put_all(&*store, [inline(key.as_str(), "12345"), inline("key", "123")]).await?;
    assert_eq!(totals(&*store).await?, [1, 3, 0, 0]);
    apply(&*store, put(Record { version: version(2), ..inline(key.as_str(), "1234567") })).await?;
    assert_eq!(totals(&*store).await?, [1, 3, 0, 0]);
    apply(&*store, remove(key.as_str())).await?;
    assert_eq!(totals(&*store).await?, [1, 3, 0, 0]);
    Ok(())
}

pub(super) async fn totals_follow_batches_and_reclaims(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, (0..10).map(|n| in_blob(&format!("blob {n}"), blob(n / 2), 100))).await?;
    put_all(&*store, (0..10).map(|n| inline(&format!("inline {n}"), vec![0; 10]))).await?;
    assert_eq!(totals(&*store).await?, [20, 600, 5, 0]);
    let aborted = vec![remove("blob 0"), remove("blob 1"), put_if(inline("inline 0", ""), Condition::Absent)];
    store.commit(aborted.clone(), OnUnmet::Abort).await?;
    assert_eq!(totals(&*store).await?, [20, 600, 5, 0], "an aborted commit counts nothing");
    store.commit(aborted, OnUnmet::Skip).await?;
    assert_eq!(totals(&*store).await?, [18, 500, 4, 1]);
    let plan = Reclaim::Entries {
        filter: Filter::All,
        order: ReclaimOrder::Key,
        limit: 10,
        until_bytes: None,
        until_entries: None,
    };
    reclaim(&*store, plan).await?;
    assert_eq!(totals(&*store).await?, [8, 80, 0, 5]);
    Ok(())
}

pub(super) async fn the_totals_of_large_blobs_are_exact(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let size = (1 << 53) + 1;
    put_all(&*store, [in_blob("a", blob(1), size), in_blob("b", blob(2), size)]).await?;
    assert_eq!(totals(&*store).await?, [2, 2 * size, 2, 0]);
    Ok(())
}
