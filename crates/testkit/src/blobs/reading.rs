//! Parts of a blob, and blobs that go while they are read.

use super::steps::{bytes_of, found, noise, put, read_range};
use crate::records::blob;
use crate::{BlobSubject, Result};
use cacheness_core::ErrorKind;
use cacheness_storage::GetBlob;

const SIZE: usize = 200_000;

pub(super) async fn a_range_gives_its_bytes(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let bytes = noise(SIZE)?;
    put(&*store, blob(1), &bytes).await?;
    for range in [0..SIZE, 0..1, 1..2, 65_535..65_537, 100_000..150_000, SIZE - 1..SIZE] {
        let part = read_range(&*store, blob(1), range.start as u64..range.end as u64).await?;
        assert!(part == bytes.slice(range.clone()), "{range:?}");
    }
    Ok(())
}

pub(super) async fn what_lies_beyond_the_end_is_left_out(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let bytes = noise(SIZE)?;
    let size = SIZE as u64;
    put(&*store, blob(1), &bytes).await?;
    for (range, start) in [
        (0..size + 1, 0),
        (0..u64::MAX, 0),
        (size - 10..size + 10, SIZE - 10),
        (size - 1..u64::MAX, SIZE - 1),
        (size..size + 10, SIZE),
        (size + 1..size + 10, SIZE),
        (u64::MAX - 1..u64::MAX, SIZE),
        (1 << 63..u64::MAX, SIZE),
    ] {
        let part = read_range(&*store, blob(1), range.clone()).await?;
        assert!(part == bytes.slice(start..), "{range:?}");
    }
    Ok(())
}

pub(super) async fn an_empty_range_gives_nothing(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    put(&*store, blob(1), &noise(100)?).await?;
    put(&*store, blob(2), &noise(0)?).await?;
    for start in [0, 1, 50, 99, 100, 101, u64::MAX] {
        for id in [blob(1), blob(2)] {
            assert!(read_range(&*store, id, start..start).await?.is_empty(), "{start}..{start}");
        }
    }
    assert!(read_range(&*store, blob(2), 0..10).await?.is_empty());
    Ok(())
}

pub(super) async fn an_open_payload_outlives_its_blob(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let bytes = noise(5 << 20)?;
    put(&*store, blob(1), &bytes).await?;
    let whole = found(store.get(&blob(1), GetBlob::default()).await?)?;
    let part = found(store.get(&blob(1), GetBlob::first(1 << 20)).await?)?;
    assert_eq!(store.delete(&[blob(1)]).await?, [true]);
    assert!(store.head(&blob(1)).await?.is_none());
    assert!(bytes_of(whole)? == bytes, "the payload changed when its blob was deleted");
    assert!(bytes_of(part)? == bytes.slice(..1 << 20), "the part changed when its blob was deleted");
    Ok(())
}

pub(super) async fn an_entity_tag_is_honoured_if_declared(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let bytes = noise(1000)?;
    let told = put(&*store, blob(1), &bytes).await?;
    let info = store.info();
    if !info.capabilities.if_match {
        return Ok(());
    }
    let head = found(store.head(&blob(1)).await?)?;
    assert!(head.etag.is_some(), "a backend that honours entity tags tells them");
    assert_eq!(told.etag, head.etag);
    let mut options = GetBlob::first(10);
    options.if_match = head.etag;
    assert_eq!(bytes_of(found(store.get(&blob(1), options.clone()).await?)?)?, bytes.slice(..10));
    options.if_match = Some("\"another\"".into());
    let refused = store.get(&blob(1), options.clone()).await.map(drop).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::Conflict));
    assert!(store.get(&blob(2), options).await?.is_none(), "a missing blob is no conflict");
    Ok(())
}
