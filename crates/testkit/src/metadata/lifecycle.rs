//! What a backend says of itself, how it closes, and what is there when it is opened again.

use super::steps::{Store, apply, everything, find, is_alone, put, put_all, remove, use_of};
use crate::poll::ready_on_first_poll;
use crate::records::{NOW, blob, complete, in_blob, sample};
use crate::{MetadataSubject, Result};
use cacheness_core::ErrorKind;
use cacheness_storage::{BlobQuery, EntryKey, Fields, Filter, Locality, OnUnmet, Query, Reclaim, ReclaimOrder};

fn reclaim_all() -> Reclaim {
    Reclaim::Entries {
        filter: Filter::All,
        order: ReclaimOrder::Key,
        limit: 10,
        until_bytes: None,
        until_entries: None,
    }
}

pub(super) async fn it_prints_as_one_line(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for text in [format!("{store}"), format!("{store:?}")] {
        assert!(!text.trim().is_empty() && !text.contains('\n'), "{text:?}");
    }
    Ok(())
}

pub(super) async fn what_it_says_of_itself_is_constant(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let (info, coherence, name) = (store.info(), store.coherence(), store.to_string());
    assert!(!info.name.is_empty(), "a backend has a name");
    put_all(&*store, [complete("key"), in_blob("other", blob(1), 10)]).await?;
    apply(&*store, remove("other")).await?;
    store.reclaim(&reclaim_all()).await?;
    assert_eq!((store.info(), store.coherence(), store.to_string()), (info.clone(), coherence.clone(), name.clone()));
    store.close().await?;
    assert_eq!((store.info(), store.coherence(), store.to_string()), (info, coherence, name));
    Ok(())
}

pub(super) async fn closing_ends_it_and_closing_again_is_no_error(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("key")]).await?;
    for _ in 0..2 {
        store.close().await?;
        let refusals = [
            ("get", store.get(&[EntryKey::new("key")], Fields::ALL).await.err()),
            ("commit", store.commit(vec![put(sample("new"))], OnUnmet::Abort).await.err()),
            ("page", store.page(&Query::new(), None).await.err()),
            ("blobs", store.blobs(&BlobQuery::Named(vec![blob(1)])).await.err()),
            ("reclaim", store.reclaim(&reclaim_all()).await.err()),
            ("stats", store.stats().await.err()),
        ];
        for (call, error) in refusals {
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Closed), "{call} after close");
        }
    }
    Ok(())
}

pub(super) async fn futures_of_a_blocking_backend_are_ready_at_once(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    if !store.info().blocking {
        return Ok(());
    }
    ready_on_first_poll(store.commit(vec![put(complete("key"))], OnUnmet::Abort))?;
    ready_on_first_poll(store.get(&[EntryKey::new("key")], Fields::ALL))?;
    ready_on_first_poll(store.page(&Query::new(), None))?;
    ready_on_first_poll(store.stats())?;
    ready_on_first_poll(store.reclaim(&reclaim_all()))?;
    ready_on_first_poll(store.close())
}

pub(super) async fn what_was_committed_is_there_when_it_is_opened_again(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let locality = store.info().locality;
    put_all(&*store, [complete("key"), in_blob("kept", blob(1), 10), in_blob("removed", blob(2), 20)]).await?;
    put_all(&*store, [sample(EntryKey::system("identity").as_str())]).await?;
    apply(&*store, remove("removed")).await?;
    let before = everything(&*store).await?;
    store.close().await?;
    drop(store);

    let store = subject.open().await?;
    assert_eq!(store.info().locality, locality);
    if locality == Locality::Process {
        assert_eq!(store.stats().await?.entries, 0, "a store of one process is new whenever it is opened");
        return Ok(());
    }
    assert_eq!(everything(&*store).await?, before);
    assert!(find(&*store, EntryKey::system("identity").as_str()).await?.is_some());
    Ok(())
}

pub(super) async fn what_was_committed_is_there_without_a_close(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [complete("key"), in_blob("other", blob(1), 10)]).await?;
    let before = everything(&*store).await?;
    let lasts = store.info().locality != Locality::Process;
    drop(store);
    if lasts {
        assert_eq!(everything(&*subject.open().await?).await?, before);
    }
    Ok(())
}

pub(super) async fn two_openings_see_each_others_commits(subject: &MetadataSubject) -> Result<()> {
    let one = subject.open().await?;
    if is_alone(&*one) {
        return nobody_else_changes_it(&*one, subject).await;
    }
    let other = subject.open().await?;
    for (writer, reader, key) in [(&one, &other, "by one"), (&other, &one, "by the other")] {
        put_all(&**writer, [complete(key)]).await?;
        assert_eq!(find(&**reader, key).await?, Some(complete(key)));
    }
    assert_eq!(everything(&*one).await?, everything(&*other).await?);
    apply(&*other, use_of("by one", NOW, 2)).await?;
    assert_eq!(find(&*one, "by one").await?.map(|record| record.usage.hits), Some(2));
    apply(&*other, remove("by one")).await?;
    assert_eq!(find(&*one, "by one").await?, None);
    Ok(())
}

/// A second opening is refused, or is another store.
async fn nobody_else_changes_it(store: &Store, subject: &MetadataSubject) -> Result<()> {
    if let Ok(other) = subject.open().await {
        put_all(&*other, [sample("elsewhere")]).await?;
        assert_eq!(find(store, "elsewhere").await?, None, "it says that nobody else can change it");
    }
    Ok(())
}
