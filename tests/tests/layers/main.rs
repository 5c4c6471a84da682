//! The layers: each through the conformance suites around real backends, and against backends that fail by script. No test
//! waits for time to pass: clocks stand still, and sleepers wake at once or never.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

mod breaker;
mod builder;
mod cached;
mod cached_damage;
mod cached_shared;
mod conformance;
mod failover;
mod naps;
mod retry;
mod timeout;

use cacheness_storage::{BlobBackend, BlobId, Body, Bytes, GetBlob, PutBlob, Result, Staged, block_on};
use std::io::Read;

/// The bytes of a blob, or of a part.
fn read_with(blobs: &dyn BlobBackend, id: BlobId, options: GetBlob) -> Result<Option<Bytes>> {
    let Some(payload) = block_on(blobs.get(&id, options))? else { return Ok(None) };
    Ok(Some(match payload.body {
        Body::Bytes(bytes) => bytes,
        Body::File { file, size } => {
            let mut bytes = Vec::new();
            file.take(size).read_to_end(&mut bytes)?;
            assert_eq!(bytes.len() as u64, size);
            bytes.into()
        }
        other => panic!("{other:?} is new"),
    }))
}

fn read(blobs: &dyn BlobBackend, id: BlobId) -> Result<Option<Bytes>> {
    read_with(blobs, id, GetBlob::default())
}

fn put(blobs: &dyn BlobBackend, id: BlobId, bytes: &Bytes) -> Result<()> {
    block_on(blobs.put(&id, Staged::Bytes(bytes.clone()), PutBlob::default())).map(drop)
}

fn noise(size: usize) -> Bytes {
    cacheness_tests::noise(size).into()
}
