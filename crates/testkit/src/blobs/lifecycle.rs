//! What a backend says of itself, how it closes, and what is there when it is opened again.

use super::steps::{list_all, noise, put, read};
use crate::poll::ready_on_first_poll;
use crate::records::blob;
use crate::{BlobSubject, Result};
use cacheness_core::ErrorKind;
use cacheness_storage::{GetBlob, Locality, PutBlob, Staged, Timestamp};

pub(super) async fn it_prints_as_one_line(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    for text in [format!("{store}"), format!("{store:?}")] {
        assert!(!text.trim().is_empty() && !text.contains('\n'), "{text:?}");
    }
    Ok(())
}

pub(super) async fn what_it_says_of_itself_is_constant(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let (info, name) = (store.info(), store.to_string());
    assert!(!info.name.is_empty(), "a backend has a name");
    put(&*store, blob(1), &noise(10)?).await?;
    store.delete(&[blob(1)]).await?;
    assert_eq!((store.info(), store.to_string()), (info.clone(), name.clone()));
    store.close().await?;
    assert_eq!((store.info(), store.to_string()), (info, name));
    Ok(())
}

pub(super) async fn closing_ends_it_and_closing_again_is_no_error(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    put(&*store, blob(1), &noise(10)?).await?;
    for _ in 0..2 {
        store.close().await?;
        let refusals = [
            ("put", put(&*store, blob(2), &noise(10)?).await.err()),
            ("get", store.get(&blob(1), GetBlob::default()).await.err()),
            ("head", store.head(&blob(1)).await.err()),
            ("delete", store.delete(&[blob(1)]).await.err()),
            ("list", store.list(None, 10).await.err()),
            ("discard remnants", store.discard_remnants(Timestamp::MIN).await.err()),
        ];
        for (call, error) in refusals {
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Closed), "{call} after close");
        }
    }
    Ok(())
}

pub(super) async fn futures_of_a_blocking_backend_are_ready_at_once(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    if !store.info().blocking {
        return Ok(());
    }
    let payload = Staged::Bytes(noise(100_000)?);
    ready_on_first_poll(store.put(&blob(1), payload, PutBlob::default()))?;
    ready_on_first_poll(store.get(&blob(1), GetBlob::default()))?;
    ready_on_first_poll(store.head(&blob(1)))?;
    ready_on_first_poll(store.list(None, 10))?;
    ready_on_first_poll(store.delete(&[blob(1)]))?;
    ready_on_first_poll(store.close())
}

pub(super) async fn what_was_put_is_there_when_it_is_opened_again(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let locality = store.info().locality;
    let bytes = noise(100_000)?;
    for n in [1, 2, 3] {
        put(&*store, blob(n), &bytes).await?;
    }
    store.delete(&[blob(2)]).await?;
    store.close().await?;
    drop(store);

    let store = subject.open().await?;
    assert_eq!(store.info().locality, locality);
    if locality == Locality::Process {
        assert_eq!(list_all(&*store, 10).await?, [], "a store of one process is new whenever it is opened");
        return Ok(());
    }
    assert_eq!(list_all(&*store, 10).await?, [blob(1), blob(3)]);
    assert!(read(&*store, blob(3)).await? == Some(bytes.clone()), "the bytes changed");
    let refused = put(&*store, blob(1), &bytes).await.map(drop).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::AlreadyExists));
    Ok(())
}

pub(super) async fn two_openings_see_each_others_blobs(subject: &BlobSubject) -> Result<()> {
    let one = subject.open().await?;
    let other = subject.open().await?;
    let bytes = noise(1000)?;
    put(&*one, blob(1), &bytes).await?;
    if one.info().locality == Locality::Process {
        assert_eq!(read(&*other, blob(1)).await?, None, "a store of one process is new whenever it is opened");
        return Ok(());
    }
    assert_eq!(read(&*other, blob(1)).await?, Some(bytes));
    assert_eq!(other.delete(&[blob(1)]).await?, [true]);
    assert_eq!(read(&*one, blob(1)).await?, None);
    Ok(())
}
