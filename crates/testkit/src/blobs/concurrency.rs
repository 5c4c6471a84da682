//! Many threads at once.

use super::steps::{list_all, noise, put, read, staged_in};
use crate::records::blob;
use crate::threads::{THREADS, on_threads};
use crate::{BlobSubject, Result};
use cacheness_core::ErrorKind;
use cacheness_storage::{BlobBackend, Locality, PutBlob, Staged};
use std::sync::Arc;

const ROUNDS: u64 = 20;

pub(super) fn many_threads_put_and_delete_their_own_blobs(subject: &BlobSubject) -> Result<()> {
    let store = subject.block_on(subject.open())?;
    on_threads(|thread| {
        subject.block_on(async {
            for round in 0..ROUNDS {
                let id = blob(thread * ROUNDS + round);
                let bytes = noise(1000 * (round as usize + 1))?;
                put(&*store, id, &bytes).await?;
                assert!(read(&*store, id).await? == Some(bytes), "another thread's bytes");
                if round % 2 == 0 {
                    assert_eq!(store.delete(&[id]).await?, [true]);
                }
            }
            Ok(())
        })
    })?;
    let left: Vec<_> = (0..THREADS * ROUNDS).filter(|n| n % ROUNDS % 2 == 1).map(blob).collect();
    assert_eq!(subject.block_on(list_all(&*store, 1000))?, left);
    Ok(())
}

pub(super) fn only_one_of_many_puts_of_a_name_wins(subject: &BlobSubject) -> Result<()> {
    let store = subject.block_on(subject.open())?;
    if !store.info().capabilities.exclusive_puts {
        return Ok(());
    }
    let openings = openings(subject, &store)?;
    for round in 0..ROUNDS {
        let id = blob(round);
        let sized = |thread: u64| noise(50_000 + thread as usize);
        let results = on_threads(|thread| {
            let bytes = sized(thread)?;
            let payload = if thread % 2 == 0 { Staged::Bytes(bytes) } else { staged_in(store.staging(), &bytes)? };
            let store = openings.get(thread as usize).unwrap_or(&store);
            Ok(subject.block_on(store.put(&id, payload, PutBlob::default())).map_err(|error| error.kind()))
        })?;
        let winners: Vec<u64> =
            (0..THREADS).zip(&results).filter(|(_, won)| won.is_ok()).map(|(thread, _)| thread).collect();
        let [winner] = winners[..] else {
            assert_eq!(winners.len(), 1, "{results:?}");
            continue;
        };
        let lost = results.iter().filter(|result| matches!(result, Err(ErrorKind::AlreadyExists))).count() as u64;
        assert_eq!(lost, THREADS - 1, "{results:?}");
        assert!(subject.block_on(read(&*store, id))? == Some(sized(winner)?), "the bytes are not the winner's");
    }
    Ok(())
}

pub(super) fn racing_deletions_are_no_error(subject: &BlobSubject) -> Result<()> {
    let store = subject.block_on(subject.open())?;
    for round in 0..ROUNDS {
        let id = blob(round);
        subject.block_on(put(&*store, id, &noise(10)?))?;
        let found = on_threads(|_| subject.block_on(store.delete(&[id])))?;
        let count = found.iter().flatten().filter(|found| **found).count();
        assert!(count >= 1, "somebody deleted it");
        assert_eq!(subject.block_on(read(&*store, id))?, None);
    }
    Ok(())
}

/// An opening for each thread, as if each were a process of its own; none when the store is one process's.
fn openings(subject: &BlobSubject, store: &Arc<dyn BlobBackend>) -> Result<Vec<Arc<dyn BlobBackend>>> {
    let count = if store.info().locality == Locality::Process { 0 } else { THREADS };
    (0..count).map(|_| subject.block_on(subject.open())).collect()
}
