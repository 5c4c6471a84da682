//! References to blobs are counted; a blob without one is condemned, and named again only after it was forgotten.

use super::steps::{applied, apply, condemned, everything, find, patch_if, put, put_all, reclaim, remove, unmet};
use crate::records::{NOW, annotations, blob, in_blob, inline, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_core::Timestamp;
use cacheness_storage::{Change, Condition, OnUnmet, Outcome, Patch, Reclaim, Reclaimed};

const FOREVER: Timestamp = Timestamp::from_micros(i64::MAX);

pub(super) async fn overwriting_condemns_the_old_blob(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10)]).await?;
    assert_eq!(condemned(&*store).await?, []);
    let outcome = apply(&*store, put(in_blob("key", blob(2), 20))).await?;
    assert_eq!(outcome, applied(Some(version(1)), &[blob(1)]));
    let outcome = apply(&*store, put(inline("key", "inside"))).await?;
    assert_eq!(outcome, applied(Some(version(1)), &[blob(2)]));
    assert_eq!(condemned(&*store).await?, [blob(1), blob(2)], "each condemned blob is listed once");
    let outcome = apply(&*store, put(in_blob("key", blob(3), 30))).await?;
    assert_eq!(outcome, applied(Some(version(1)), &[]), "an inline payload condemns nothing");
    Ok(())
}

pub(super) async fn removing_condemns_the_blob(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10), in_blob("other", blob(2), 10), sample("inline")]).await?;
    assert_eq!(apply(&*store, remove("key")).await?, applied(Some(version(1)), &[blob(1)]));
    assert_eq!(apply(&*store, remove("key")).await?, applied(None, &[]), "a blob is condemned once");
    assert_eq!(apply(&*store, remove("inline")).await?, applied(Some(version(1)), &[]));
    assert_eq!(condemned(&*store).await?, [blob(1)]);
    Ok(())
}

pub(super) async fn a_shared_blob_is_condemned_with_its_last_record(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, ["a", "b", "c"].map(|key| in_blob(key, blob(1), 10))).await?;
    assert_eq!(apply(&*store, remove("a")).await?, applied(Some(version(1)), &[]));
    assert_eq!(apply(&*store, put(sample("b"))).await?, applied(Some(version(1)), &[]));
    assert_eq!(condemned(&*store).await?, []);
    assert_eq!(apply(&*store, remove("c")).await?, applied(Some(version(1)), &[blob(1)]));
    assert_eq!(condemned(&*store).await?, [blob(1)]);
    Ok(())
}

pub(super) async fn putting_the_same_blob_again_keeps_it(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for _ in 0..3 {
        apply(&*store, put(in_blob("key", blob(1), 10))).await?;
        assert_eq!(condemned(&*store).await?, []);
    }
    let patch = Patch { annotations: Some(annotations()), ..Patch::new(version(2), NOW) };
    assert_eq!(apply(&*store, patch_if("key", patch, Condition::Always)).await?, applied(Some(version(1)), &[]));
    assert_eq!(condemned(&*store).await?, []);
    assert_eq!(apply(&*store, remove("key")).await?, applied(Some(version(2)), &[blob(1)]), "one reference, not four");
    Ok(())
}

pub(super) async fn a_blob_moves_between_keys_within_a_commit(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("old", blob(1), 10)]).await?;
    let renamed = vec![put(in_blob("new", blob(1), 10)), remove("old")];
    let outcomes = store.commit(renamed, OnUnmet::Abort).await?;
    assert_eq!(outcomes, [applied(None, &[]), applied(Some(version(1)), &[])]);
    assert_eq!(condemned(&*store).await?, []);
    let before = everything(&*store).await?;
    let wrong_order = vec![remove("new"), put(in_blob("old", blob(1), 10))];
    let outcomes = store.commit(wrong_order, OnUnmet::Abort).await?;
    assert_eq!(outcomes, [Outcome::Aborted, Outcome::Condemned], "the removal condemns the blob at once");
    assert_eq!(everything(&*store).await?, before);
    Ok(())
}

pub(super) async fn a_blob_that_comes_and_goes_within_a_commit_is_condemned(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let changes = vec![put(in_blob("key", blob(1), 10)), remove("key")];
    let outcomes = store.commit(changes, OnUnmet::Abort).await?;
    assert_eq!(outcomes, [applied(None, &[]), applied(Some(version(1)), &[blob(1)])]);
    assert_eq!(condemned(&*store).await?, [blob(1)]);
    Ok(())
}

pub(super) async fn a_put_that_names_a_condemned_blob_is_refused(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10), in_blob("kept", blob(2), 10)]).await?;
    apply(&*store, remove("key")).await?;
    let before = everything(&*store).await?;
    for key in ["key", "kept", "new"] {
        assert_eq!(apply(&*store, put(in_blob(key, blob(1), 10))).await?, Outcome::Condemned);
        assert_eq!(everything(&*store).await?, before, "a refused put left something");
    }
    let changes = || vec![put(sample("a")), put(in_blob("key", blob(1), 10)), put(sample("b"))];
    let outcomes = store.commit(changes(), OnUnmet::Abort).await?;
    assert_eq!(outcomes, [Outcome::Aborted, Outcome::Condemned, Outcome::Aborted]);
    assert_eq!(everything(&*store).await?, before, "an aborted commit left something");
    let outcomes = store.commit(changes(), OnUnmet::Skip).await?;
    assert_eq!(outcomes, [applied(None, &[]), Outcome::Condemned, applied(None, &[])]);
    assert_eq!(find(&*store, "key").await?, None);
    Ok(())
}

pub(super) async fn condemning_is_met_only_without_references(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10)]).await?;
    let condemn = |n| Change::Condemn { blob: blob(n) };
    assert_eq!(apply(&*store, condemn(1)).await?, unmet(None), "a record names it");
    assert_eq!(condemned(&*store).await?, []);
    assert_eq!(apply(&*store, condemn(2)).await?, applied(None, &[]), "nobody knows it");
    assert_eq!(apply(&*store, condemn(2)).await?, applied(None, &[]), "it is condemned already");
    assert_eq!(condemned(&*store).await?, [blob(2)]);
    assert_eq!(apply(&*store, put(in_blob("other", blob(2), 10))).await?, Outcome::Condemned);
    Ok(())
}

pub(super) async fn forgetting_is_met_only_by_condemned_blobs(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10), in_blob("kept", blob(2), 10)]).await?;
    apply(&*store, remove("key")).await?;
    let forget = |n| Change::Forget { blob: blob(n) };
    assert_eq!(apply(&*store, forget(2)).await?, unmet(None), "a record names it");
    assert_eq!(apply(&*store, forget(3)).await?, unmet(None), "nobody knows it");
    assert_eq!(apply(&*store, forget(1)).await?, applied(None, &[]));
    assert_eq!(condemned(&*store).await?, []);
    assert_eq!(apply(&*store, forget(1)).await?, unmet(None), "it is forgotten already");
    assert_eq!(apply(&*store, remove("kept")).await?, applied(Some(version(1)), &[blob(2)]));
    Ok(())
}

pub(super) async fn condemned_blobs_are_named_by_time_and_in_batches(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, (0..10).map(|n| in_blob(&format!("key {n}"), blob(n), 10))).await?;
    for n in 0..10 {
        apply(&*store, remove(&format!("key {n}"))).await?;
    }
    let before = everything(&*store).await?;
    let nothing = reclaim(&*store, Reclaim::Condemned { before: Timestamp::from_micros(0), limit: 100 }).await?;
    assert_eq!(nothing, Reclaimed::default(), "none was condemned so early");
    let all = reclaim(&*store, Reclaim::Condemned { before: FOREVER, limit: 100 }).await?;
    assert!(all.keys.is_empty() && !all.more && all.condemned.len() == 10, "{all:?}");
    let some = reclaim(&*store, Reclaim::Condemned { before: FOREVER, limit: 3 }).await?;
    assert!(some.more && some.condemned.len() == 3, "{some:?}");
    assert_eq!(everything(&*store).await?, before, "naming condemned blobs changes nothing");

    let mut forgotten = Vec::new();
    loop {
        let reclaimed = reclaim(&*store, Reclaim::Condemned { before: FOREVER, limit: 3 }).await?;
        if reclaimed.condemned.is_empty() {
            break;
        }
        let changes = reclaimed.condemned.iter().map(|blob| Change::Forget { blob: *blob }).collect();
        store.commit(changes, OnUnmet::Abort).await?;
        forgotten.extend(reclaimed.condemned);
    }
    forgotten.sort();
    assert_eq!(forgotten, (0..10).map(blob).collect::<Vec<_>>());
    Ok(())
}

pub(super) async fn a_system_record_holds_its_blob_too(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let system = cacheness_storage::EntryKey::system("holds a blob");
    put_all(&*store, [in_blob(system.as_str(), blob(1), 10), in_blob("key", blob(1), 10)]).await?;
    assert_eq!(apply(&*store, remove("key")).await?, applied(Some(version(1)), &[]));
    assert_eq!(apply(&*store, remove(system.as_str())).await?, applied(Some(version(1)), &[blob(1)]));
    Ok(())
}
