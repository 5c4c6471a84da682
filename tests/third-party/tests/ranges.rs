//! Ranges of blobs that are larger than a piece.

use acme_redb::{RedbBlobs, RedbConfig};
use cacheness_storage::{BlobId, Body, Bytes, GetBlob, OpenContext, PutBlob, Result, Staged};
use cacheness_testkit::BlobSubject;

const PIECE: usize = 63 * 4096;

#[test]
fn a_range_may_begin_and_end_in_any_piece() -> Result<()> {
    let subject = BlobSubject::in_directory(async |directory, context: OpenContext| {
        RedbBlobs::open(directory.join("store.redb"), &context, RedbConfig::default())
    });
    subject.block_on(async {
        let blobs = subject.open().await?;
        let id = BlobId::from_bytes([1; 16]);
        let bytes: Bytes = (0..3 * PIECE).map(|n| (n / 7) as u8).collect();
        blobs.put(&id, Staged::Bytes(bytes.clone()), PutBlob::default()).await?;
        let places = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE - 1, 2 * PIECE, 3 * PIECE - 1, 3 * PIECE];
        for start in places {
            for end in places.into_iter().filter(|end| *end >= start) {
                let mut options = GetBlob::default();
                options.range = Some(start as u64..end as u64);
                let payload = blobs.get(&id, options).await?.map(|payload| payload.body);
                let Some(Body::Bytes(part)) = payload else { panic!("{payload:?}") };
                assert!(part == bytes.slice(start..end), "{start}..{end}");
            }
        }
        Ok(())
    })
}
