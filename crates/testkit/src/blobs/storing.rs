//! Blobs come back as they were put, and stay as they are.

use super::steps::{assert_same, found, noise, put, read, staged_in};
use crate::records::blob;
use crate::{BlobSubject, Result};
use cacheness_core::ErrorKind;
use cacheness_storage::{Digest, DigestAlgorithm, Durability, GetBlob, PutBlob, Staged};
use std::collections::BTreeMap;

/// Nothing, one byte, the sizes around usual buffers, and one that no buffer holds.
const SIZES: [usize; 7] = [0, 1, 4095, 65_535, 65_536, 65_537, 5 << 20];

pub(super) async fn a_missing_blob_is_none(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    assert!(store.head(&blob(1)).await?.is_none());
    assert!(store.get(&blob(1), GetBlob::default()).await?.is_none());
    assert!(store.get(&blob(1), GetBlob::first(10)).await?.is_none());
    put(&*store, blob(1), &noise(10)?).await?;
    assert!(store.head(&blob(2)).await?.is_none());
    Ok(())
}

pub(super) async fn bytes_from_memory_come_back(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    for (n, size) in (1..).zip(SIZES) {
        let bytes = noise(size)?;
        let info = put(&*store, blob(n), &bytes).await?;
        assert_eq!((info.id, info.size), (blob(n), size as u64));
        assert!(read(&*store, blob(n)).await? == Some(bytes), "{size} bytes came back otherwise");
    }
    Ok(())
}

pub(super) async fn bytes_from_a_file_come_back(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let elsewhere = std::env::temp_dir();
    let mut n = 0;
    for directory in [store.staging(), Some(elsewhere.as_path())].into_iter().flatten() {
        for size in SIZES.into_iter().filter(|size| *size > 0) {
            n += 1;
            let bytes = noise(size)?;
            let info = store.put(&blob(n), staged_in(Some(directory), &bytes)?, PutBlob::default()).await?;
            assert_eq!((info.id, info.size), (blob(n), size as u64));
            let back = read(&*store, blob(n)).await?;
            assert!(back == Some(bytes), "{size} bytes from {} came back otherwise", directory.display());
        }
    }
    Ok(())
}

pub(super) async fn a_staged_file_is_gone_after_the_put(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let elsewhere = std::env::temp_dir();
    for (n, directory) in (1..).zip([store.staging(), Some(elsewhere.as_path())].into_iter().flatten()) {
        for (id, taken) in [(blob(n), true), (blob(n), false)] {
            let staged = staged_in(Some(directory), &noise(1000)?)?;
            let Staged::File(file) = &staged else { continue };
            let path = file.path().to_owned();
            assert_eq!(store.put(&id, staged, PutBlob::default()).await.is_ok(), taken);
            assert!(!path.exists(), "{} was left behind", path.display());
        }
    }
    Ok(())
}

pub(super) async fn head_and_get_tell_what_put_told(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    for (n, size) in [(1, 0), (2, 100_000)] {
        let told = put(&*store, blob(n), &noise(size)?).await?;
        assert_same(&found(store.head(&blob(n)).await?)?, &told);
        assert_same(&found(store.get(&blob(n), GetBlob::default()).await?)?.info, &told);
        let part = found(store.get(&blob(n), GetBlob::first(10)).await?)?;
        assert_eq!(part.info.size, size as u64, "the size of the whole blob, not of the part");
        let listed = store.list(Some(blob(n - 1)), 1).await?;
        assert_same(&found(listed.into_iter().next())?, &told);
    }
    Ok(())
}

pub(super) async fn what_is_put_beside_the_bytes_is_kept_or_ignored(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let bytes = noise(1000)?;
    for (n, algorithm) in [(1, DigestAlgorithm::Xxh3), (2, DigestAlgorithm::Blake3)] {
        let mut options = PutBlob::default();
        options.digest = Some(Digest::of(algorithm, &bytes));
        options.content_type = Some("application/x-test; charset=utf-8".into());
        options.cache_control = Some("max-age=60".into());
        options.metadata = BTreeMap::from([("name".to_owned(), "value".to_owned())]);
        let told = store.put(&blob(n), Staged::Bytes(bytes.clone()), options.clone()).await?;
        let head = found(store.head(&blob(n)).await?)?;
        let got = found(store.get(&blob(n), GetBlob::default()).await?)?.info;
        assert_same(&head, &told);
        for info in [told, head, got] {
            assert!(info.digest.is_none() || info.digest == options.digest, "{info:?}");
            assert!(info.content_type.is_none() || info.content_type == options.content_type, "{info:?}");
            assert!(info.metadata.is_empty() || info.metadata == options.metadata, "{info:?}");
        }
    }
    Ok(())
}

pub(super) async fn a_digest_is_never_made_up(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let told = put(&*store, blob(1), &noise(1000)?).await?;
    let head = found(store.head(&blob(1)).await?)?;
    assert_eq!([told.digest, head.digest], [None, None], "no digest was given at put");
    Ok(())
}

pub(super) async fn a_name_that_is_taken_keeps_its_blob(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    let (old, new) = (noise(70_000)?, noise(100)?);
    put(&*store, blob(1), &old).await?;
    let payloads = [
        Staged::Bytes(new.clone()),
        Staged::Bytes(old.clone()),
        staged_in(store.staging(), &new)?,
        staged_in(None, &new)?,
    ];
    for payload in payloads {
        let refused = store.put(&blob(1), payload, PutBlob::default()).await.map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::AlreadyExists));
        assert!(read(&*store, blob(1)).await?.as_ref() == Some(&old), "the old bytes changed");
    }
    assert_eq!(store.list(None, 10).await?.len(), 1);
    Ok(())
}

pub(super) async fn every_durability_is_served(subject: &BlobSubject) -> Result<()> {
    let store = subject.open().await?;
    for (n, durability) in [(1, Durability::Process), (2, Durability::Full)] {
        let mut options = PutBlob::default();
        options.durability = durability;
        let bytes = noise(1000)?;
        if durability == Durability::Full && !store.info().capabilities.full_durability {
            continue;
        }
        store.put(&blob(n), Staged::Bytes(bytes.clone()), options).await?;
        assert_eq!(read(&*store, blob(n)).await?, Some(bytes), "{durability:?}");
    }
    Ok(())
}
