//! References to blobs are counted; a blob without one is condemned, and named again only after it was forgotten.

use super::steps::{applied, apply, condemned, everything, find, patch_if, put, put_all, remove, unmet};
use crate::records::{NOW, annotations, blob, in_blob, inline, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_core::Timestamp;
use cacheness_storage::{BlobId, BlobQuery, Change, Condition, Digest, OnUnmet, Outcome, Patch};

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
    let condemned = async |until, after, limit| store.blobs(&BlobQuery::Condemned { until, after, limit }).await;
    assert_eq!(condemned(Timestamp::from_micros(0), None, 100).await?, [], "none was condemned so early");
    let all = condemned(FOREVER, None, 100).await?;
    let places: Vec<_> = all.iter().map(|blob| (blob.condemned_at, blob.id)).collect();
    assert!(all.len() == 10 && places.is_sorted(), "{all:?}");
    assert!(all.iter().all(|blob| blob.references == 0 && blob.size == 10 && blob.digest.is_some()), "{all:?}");
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = condemned(FOREVER, after, 3).await?;
        assert!(page.len() <= 3, "{page:?}");
        let Some(last) = page.last() else { break };
        after = last.condemned_at.map(|at| (at, last.id));
        pages.extend(page);
    }
    assert_eq!(pages, all);
    assert_eq!(everything(&*store).await?, before, "naming condemned blobs changes nothing");
    Ok(())
}

pub(super) async fn blobs_are_told_by_their_names(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10), in_blob("twin", blob(1), 10), in_blob("gone", blob(2), 20)]).await?;
    apply(&*store, remove("gone")).await?;
    apply(&*store, Change::Condemn { blob: blob(3) }).await?;
    let mut told = store.blobs(&BlobQuery::Named((1..5).map(blob).collect())).await?;
    told.sort_by_key(|blob| blob.id);
    let told: Vec<_> = told
        .iter()
        .map(|blob| (blob.id, blob.references, blob.size, blob.digest.is_some(), blob.condemned_at.is_some()))
        .collect();
    let expected = [(blob(1), 2, 10, true, false), (blob(2), 0, 20, true, true), (blob(3), 0, 0, false, true)];
    assert_eq!(told, expected, "the fourth is unknown");
    assert_eq!(store.blobs(&BlobQuery::Named(Vec::new())).await?, []);
    Ok(())
}

pub(super) async fn a_blob_is_found_by_its_content_while_records_name_it(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for digest in [Digest::Xxh3([7; 16]), Digest::Blake3([7; 32])] {
        let find = async || store.blobs(&BlobQuery::Content(digest)).await;
        assert_eq!(find().await?, [], "nothing of this content is there");
        let mut record = in_blob("key", BlobId::from_bytes([digest.as_bytes().len() as u8; 16]), 10);
        record.content.digest = digest;
        let id = record.blob();
        put_all(&*store, [in_blob("other", blob(9), 10), record]).await?;
        let found = find().await?;
        assert_eq!(found.iter().map(|blob| (Some(blob.id), blob.digest)).collect::<Vec<_>>(), [(id, Some(digest))]);
        apply(&*store, remove("key")).await?;
        assert_eq!(find().await?, [], "what is condemned cannot be shared");
    }
    Ok(())
}

pub(super) async fn requiring_is_met_only_while_records_name_the_blob(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10)]).await?;
    let share = async |n| {
        let changes = vec![Change::Require { blob: blob(n) }, put(in_blob("shares", blob(n), 10))];
        store.commit(changes, OnUnmet::Abort).await
    };
    assert_eq!(share(2).await?, [Outcome::Condemned, Outcome::Aborted], "nobody knows it");
    assert_eq!(share(1).await?, [applied(None, &[]), applied(None, &[])]);
    apply(&*store, remove("key")).await?;
    assert_eq!(share(1).await?[0], applied(None, &[]), "one record still names it");
    apply(&*store, remove("shares")).await?;
    assert_eq!(condemned(&*store).await?, [blob(1)]);
    assert_eq!(share(1).await?, [Outcome::Condemned, Outcome::Aborted], "it is condemned");
    apply(&*store, Change::Forget { blob: blob(1) }).await?;
    assert_eq!(share(1).await?, [Outcome::Condemned, Outcome::Aborted], "it is forgotten");
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
