//! What a read-only opening reads, refuses and leaves unmade. A store without the capability is not asked, nor is one
//! that ends with its process: nobody could have filled it.

use super::steps::{apply, everything, find, patch_if, put, put_all, remove, use_of};
use crate::records::{NOW, blob, complete, in_blob, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_core::ErrorKind;
use cacheness_storage::{
    BlobQuery, Change, Condition, EntryKey, Fields, Filter, Locality, MetadataBackend, OnUnmet, Patch, Query, Reclaim,
    ReclaimOrder, Record,
};
use std::sync::Arc;

/// A writable opening, if the subject can also be opened read-only.
async fn open(subject: &MetadataSubject) -> Result<Option<Arc<dyn MetadataBackend>>> {
    let store = subject.open().await?;
    let info = store.info();
    Ok(Some(store).filter(|_| info.capabilities.read_only && info.locality != Locality::Process))
}

/// Some of everything.
async fn fill(store: &dyn MetadataBackend) -> Result<()> {
    put_all(store, [complete("complete"), in_blob("kept", blob(1), 10), in_blob("removed", blob(2), 20)]).await?;
    put_all(store, [sample(EntryKey::system("identity").as_str())]).await?;
    apply(store, remove("removed")).await.map(drop)
}

pub(super) async fn a_read_only_opening_reads_what_a_writable_one_reads(subject: &MetadataSubject) -> Result<()> {
    let Some(writable) = open(subject).await? else { return Ok(()) };
    fill(&*writable).await?;
    let expected = everything(&*writable).await?;
    let named = BlobQuery::Named(vec![blob(1), blob(2), blob(3)]);
    let mut blobs = writable.blobs(&named).await?;
    blobs.sort_by_key(|blob| blob.id);
    writable.close().await?;
    drop(writable);

    for _ in 0..2 {
        let store = subject.open_read_only().await?;
        assert_eq!(everything(&*store).await?, expected);
        assert_eq!(find(&*store, "complete").await?, Some(complete("complete")));
        assert_eq!(find(&*store, "removed").await?, None);
        let system = EntryKey::system("identity");
        assert_eq!(find(&*store, system.as_str()).await?, Some(sample(system.as_str())));
        let mut found = store.blobs(&named).await?;
        found.sort_by_key(|blob| blob.id);
        assert_eq!(found, blobs);
        if store.info().locality != Locality::Shared {
            assert_eq!(store.stats().await?.now, NOW, "it goes by the clock it was given");
        }
        assert!(store.info().capabilities.read_only);
        store.close().await?;
        let error = store.get(&["complete".into()], Fields::ALL).await.err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Closed), "get after close");
    }
    Ok(())
}

pub(super) async fn a_read_only_opening_sees_what_others_commit(subject: &MetadataSubject) -> Result<()> {
    let Some(writable) = open(subject).await? else { return Ok(()) };
    writable.close().await?;
    // Opened while nobody writes, and before anybody does.
    let early = subject.open_read_only().await?;
    assert_eq!(find(&*early, "complete").await?, None);
    let writable = subject.open().await?;
    for n in 1..4 {
        let late = subject.open_read_only().await?;
        put_all(&*writable, [Record { version: version(n), ..complete("complete") }]).await?;
        for store in [&early, &late] {
            let found = find(&**store, "complete").await?.map(|record| record.version);
            assert_eq!(found, Some(version(n)));
        }
    }
    fill(&*writable).await?;
    let expected = everything(&*writable).await?;
    assert_eq!(everything(&*early).await?, expected);
    writable.close().await?;
    assert_eq!(everything(&*early).await?, expected);
    Ok(())
}

pub(super) async fn a_read_only_opening_refuses_every_change(subject: &MetadataSubject) -> Result<()> {
    let Some(writable) = open(subject).await? else { return Ok(()) };
    fill(&*writable).await?;
    let before = everything(&*writable).await?;
    let store = subject.open_read_only().await?;
    let changes = [
        put(sample("new")),
        put(sample("complete")),
        patch_if("complete", Patch::new(version(9), NOW), Condition::Always),
        remove("complete"),
        remove("absent"),
        use_of("complete", NOW, 1),
        Change::Condemn { blob: blob(3) },
        Change::Forget { blob: blob(2) },
    ];
    for change in changes {
        for on_unmet in [OnUnmet::Abort, OnUnmet::Skip] {
            let error = store.commit(vec![change.clone()], on_unmet).await.err();
            let kind = error.as_ref().map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::ReadOnly), "{change:?}");
            assert!(!error.is_some_and(|error| error.is_retryable()), "trying again does not help");
        }
    }
    let plan = Reclaim::Entries {
        filter: Filter::All,
        order: ReclaimOrder::Key,
        limit: 10,
        until_bytes: None,
        until_entries: None,
    };
    let error = store.reclaim(&plan).await.err();
    assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::ReadOnly), "reclaim");
    assert_eq!(everything(&*store).await?, before);
    assert_eq!(everything(&*writable).await?, before);
    store.close().await?;
    let error = store.commit(vec![put(sample("new"))], OnUnmet::Abort).await.err();
    assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Closed), "commit after close");
    assert_eq!(everything(&*writable).await?, before);
    Ok(())
}

pub(super) async fn a_read_only_opening_makes_no_store(subject: &MetadataSubject) -> Result<()> {
    if let Ok(store) = subject.open_read_only().await {
        let info = store.info();
        assert!(
            !info.capabilities.read_only || info.locality == Locality::Process,
            "there is no store to be opened read-only"
        );
        return Ok(());
    }
    let store = subject.open().await?;
    assert_eq!(everything(&*store).await?, (Vec::new(), Vec::new(), [0; 4]));
    put_all(&*store, [sample("key")]).await?;
    assert_eq!(store.page(&Query::new(), None).await?.records.len(), 1);
    Ok(())
}
