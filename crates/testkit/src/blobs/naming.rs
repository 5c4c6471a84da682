//! Deleting and listing by name.

use super::steps::{list_all, noise, put, read, staged_in};
use crate::records::blob;
use crate::{BlobSubject, Result, SeededRng};
use cacheness_storage::{BlobId, Timestamp};

pub(super) async fn deleting_answers_each_name_in_its_place(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let bytes = noise(10)?;
    for n in [1, 2, 3] {
        put(&*store, blob(n), &bytes).await?;
    }
    assert!(store.delete(&[]).await?.is_empty());
    assert_eq!(store.delete(&[blob(3), blob(9), blob(1)]).await?, [true, false, true]);
    assert_eq!(list_all(&*store, 10).await?, [blob(2)]);
    assert_eq!(read(&*store, blob(1)).await?, None);
    assert_eq!(read(&*store, blob(2)).await?, Some(bytes));
    Ok(())
}

pub(super) async fn deleting_again_is_no_error(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    put(&*store, blob(1), &noise(10)?).await?;
    assert_eq!(store.delete(&[blob(1)]).await?, [true]);
    assert_eq!(store.delete(&[blob(1)]).await?, [false]);
    assert_eq!(store.delete(&[blob(1), blob(1)]).await?, [false, false]);
    Ok(())
}

pub(super) async fn many_blobs_are_deleted_at_once(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let bytes = noise(1)?;
    for n in (0..100).step_by(10) {
        put(&*store, blob(n), &bytes).await?;
    }
    // More than the thousand names that object stores take in one request.
    let names: Vec<_> = (0..1500).map(blob).collect();
    let deleted = store.delete(&names).await?;
    let expected: Vec<_> = (0..1500).map(|n| n < 100 && n % 10 == 0).collect();
    assert_eq!(deleted, expected);
    assert_eq!(list_all(&*store, 100).await?, []);
    Ok(())
}

pub(super) async fn a_list_shows_each_blob_once_in_the_order_of_names(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    assert_eq!(list_all(&*store, 10).await?, [], "a new store is empty");
    let rng = SeededRng::new(6);
    let mut names = vec![BlobId::from_bytes([0xff; 16]), blob(0), blob(1), BlobId::from_bytes([1; 16])];
    for _ in 0..60 {
        names.push(BlobId::mint(&rng)?);
    }
    let bytes = noise(10)?;
    for name in &names {
        put(&*store, *name, &bytes).await?;
    }
    names.sort();
    for limit in [1, 7, names.len() - 1, names.len(), names.len() + 1, 1000] {
        assert_eq!(list_all(&*store, limit).await?, names, "limit {limit}");
    }
    Ok(())
}

pub(super) async fn a_list_goes_on_after_a_name_that_need_not_exist(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    for n in [2, 4, 6] {
        put(&*store, blob(n), &noise(10)?).await?;
    }
    for (after, expected) in [(1, [2, 4, 6].as_slice()), (2, &[4, 6]), (3, &[4, 6]), (6, &[]), (7, &[])] {
        let listed = store.list(Some(blob(after)), 10).await?;
        let names: Vec<_> = listed.into_iter().map(|info| info.id).collect();
        assert_eq!(names, expected.iter().copied().map(blob).collect::<Vec<_>>(), "after {after}");
    }
    Ok(())
}

pub(super) async fn what_is_staged_is_no_blob_yet(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let Some(directory) = store.staging() else {
        return Ok(());
    };
    assert!(directory.is_dir(), "{} is lent for staging", directory.display());
    let staged = staged_in(Some(directory), &noise(1000)?)?;
    put(&*store, blob(1), &noise(10)?).await?;
    assert_eq!(list_all(&*store, 10).await?, [blob(1)], "a staged file is listed");
    drop(staged);
    assert_eq!(list_all(&*store, 10).await?, [blob(1)]);
    Ok(())
}

pub(super) async fn discarding_remnants_takes_no_blob(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let bytes = noise(1000)?;
    for n in [1, 2] {
        put(&*store, blob(n), &bytes).await?;
    }
    assert_eq!(store.discard_remnants(Timestamp::MAX).await?, 0, "every put was completed");
    assert_eq!(list_all(&*store, 10).await?, [blob(1), blob(2)]);
    assert_eq!(read(&*store, blob(1)).await?, Some(bytes));
    Ok(())
}
