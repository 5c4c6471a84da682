//! What a read-only opening reads, refuses and leaves unmade. A store without the capability is not asked, nor is one
//! that ends with its process: nobody could have filled it.

use super::steps::{list_all, noise, put, read, read_range, staged_in};
use crate::records::blob;
use crate::{BlobSubject, Result};
use cacheness_core::ErrorKind;
use cacheness_storage::{BlobBackend, Bytes, Locality, PutBlob, Timestamp};
use std::sync::Arc;

/// Larger than what is read into memory.
const LARGE: usize = 1_000_000;

/// A writable opening, if the subject can also be opened read-only.
async fn open(subject: &BlobSubject) -> Result<Option<Arc<dyn BlobBackend>>> {
    let store = subject.open().await?;
    let info = store.info();
    Ok(Some(store).filter(|_| info.capabilities.read_only && info.locality != Locality::Process))
}

pub(super) async fn a_read_only_opening_reads_what_a_writable_one_reads(subject: &BlobSubject) -> Result<()> {
    let Some(writable) = open(subject).await? else { return Ok(()) };
    let (small, large) = (Bytes::from_static(b"payload"), noise(LARGE)?);
    put(&*writable, blob(1), &small).await?;
    put(&*writable, blob(2), &large).await?;
    writable.close().await?;
    drop(writable);

    let store = subject.open_read_only().await?;
    assert_eq!(read(&*store, blob(1)).await?, Some(small));
    assert_eq!(read(&*store, blob(2)).await?, Some(large.clone()));
    assert_eq!(read_range(&*store, blob(2), 5..99).await?, large.slice(5..99));
    assert_eq!(read(&*store, blob(3)).await?, None);
    assert_eq!(store.head(&blob(2)).await?.map(|info| info.size), Some(LARGE as u64));
    assert!(store.head(&blob(3)).await?.is_none());
    assert_eq!(list_all(&*store, 1).await?, [blob(1), blob(2)]);
    assert!(store.info().capabilities.read_only);
    assert_eq!(store.staging(), None, "what cannot be published need not be staged");
    store.close().await?;
    let error = store.head(&blob(1)).await.err();
    assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Closed), "head after close");
    Ok(())
}

pub(super) async fn a_read_only_opening_sees_what_others_put(subject: &BlobSubject) -> Result<()> {
    let Some(writable) = open(subject).await? else { return Ok(()) };
    let store = subject.open_read_only().await?;
    let bytes = Bytes::from_static(b"payload");
    for n in 1..4 {
        put(&*writable, blob(n), &bytes).await?;
        assert_eq!(read(&*store, blob(n)).await?.as_ref(), Some(&bytes));
    }
    writable.delete(&[blob(2)]).await?;
    assert_eq!(read(&*store, blob(2)).await?, None);
    assert_eq!(list_all(&*store, 10).await?, [blob(1), blob(3)]);
    Ok(())
}

pub(super) async fn a_read_only_opening_refuses_every_change(subject: &BlobSubject) -> Result<()> {
    let Some(writable) = open(subject).await? else { return Ok(()) };
    let bytes = noise(1000)?;
    put(&*writable, blob(1), &bytes).await?;
    let store = subject.open_read_only().await?;
    for id in [blob(1), blob(2)] {
        let staged = staged_in(writable.staging(), &bytes)?;
        let refusals = [
            ("put of bytes", put(&*store, id, &bytes).await.err()),
            ("put of a file", store.put(&id, staged, PutBlob::default()).await.err()),
            ("delete", store.delete(&[id]).await.err()),
            ("discard remnants", store.discard_remnants(Timestamp::MIN).await.err()),
        ];
        for (call, error) in refusals {
            let kind = error.as_ref().map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::ReadOnly), "{call}");
            assert!(!error.is_some_and(|error| error.is_retryable()), "trying again does not help");
        }
    }
    for opening in [&store, &writable] {
        assert_eq!(list_all(&**opening, 10).await?, [blob(1)]);
        assert_eq!(read(&**opening, blob(1)).await?.as_ref(), Some(&bytes));
    }
    store.close().await?;
    let error = store.delete(&[blob(1)]).await.err();
    assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Closed), "delete after close");
    assert_eq!(list_all(&*writable, 10).await?, [blob(1)]);
    Ok(())
}

pub(super) async fn a_read_only_opening_makes_no_store(subject: &BlobSubject) -> Result<()> {
    if let Ok(store) = subject.open_read_only().await {
        let info = store.info();
        assert!(
            !info.capabilities.read_only || info.locality == Locality::Process,
            "there is no store to be opened read-only"
        );
        return Ok(());
    }
    let store = subject.open().await?;
    assert_eq!(list_all(&*store, 10).await?, []);
    let bytes = Bytes::from_static(b"payload");
    put(&*store, blob(1), &bytes).await?;
    assert_eq!(read(&*store, blob(1)).await?, Some(bytes));
    Ok(())
}
