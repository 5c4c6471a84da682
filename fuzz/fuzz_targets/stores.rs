//! Opening a store on foreign ground: the marker in the blob root, the identity in the index, the layout of a directory.
#![no_main]

use bytes::Bytes;
use cacheness_backend_fs::{FsBlobs, FsConfig};
use cacheness_core::runtime::block_on;
use cacheness_core::{ErrorKind, Result, SystemClock, SystemRng, ThreadPool, Timestamp};
use cacheness_fuzz::{Input, bounded};
use cacheness_handlers::{Encoding, Extra, HandlerRegistry};
use cacheness_storage::engine::{Engine, EngineOptions, Parts};
use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness_storage::{
    Annotations, BlobBackend, BlobId, Change, Condition, Content, Digest, DigestAlgorithm, EntryKey, GetBlob, Location,
    MetadataBackend, OnUnmet, OpenContext, PutBlob, Record, Staged, StoreId, Terms, Usage, Version,
};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.below(4) {
        0 => marked(input.rest()),
        1 => {
            let length = input.below(40);
            let mut bytes = marker(input.array());
            for _ in 0..input.below(3) {
                let at = input.below(32);
                bytes[at] ^= input.byte();
            }
            bytes.extend_from_slice(input.rest());
            bytes.truncate(length);
            marked(&bytes);
        }
        2 => indexed(input.rest()),
        _ => laid_out(input.byte() % 5, input.rest()),
    }
});

/// The marker of a store, as `docs/format.md` draws it.
fn marker(store: [u8; 16]) -> Vec<u8> {
    let mut bytes = b"\x89CSTORE\x01".to_vec();
    bytes.extend_from_slice(&store);
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// A blob root that is marked with arbitrary bytes belongs to a store only if they are, or begin, a marker.
fn marked(bytes: &[u8]) {
    let blobs = Arc::new(MemoryBlobs::new(&OpenContext::new()));
    let payload = Staged::Bytes(Bytes::copy_from_slice(bytes));
    block_on(blobs.put(&BlobId::STORE, payload, PutBlob::default())).expect("memory takes a blob");
    let opened = bounded(1 << 20, || open(Arc::new(MemoryMetadata::new(&OpenContext::new())), blobs.clone()));

    let whole = bytes.get(8..24).map(|store| marker(store.try_into().expect("these are 16 bytes")));
    let is_begun = match &whole {
        Some(whole) => whole.starts_with(bytes),
        None => marker([0; 16])[..8].starts_with(&bytes[..bytes.len().min(8)]),
    };
    // A loss of power can leave the size without the bytes.
    let is_begun = is_begun || bytes.len() <= 32 && bytes.iter().all(|byte| *byte == 0);
    match opened {
        Ok(engine) => {
            assert!(is_begun, "a foreign blob root is taken");
            if let Some(whole) = whole.filter(|whole| whole == bytes) {
                assert_eq!(&engine.store().as_bytes()[..], &whole[8..24]);
            }
            let now = block_on(blobs.get(&BlobId::STORE, GetBlob::default())).expect("memory answers");
            let Some(cacheness_storage::Body::Bytes(now)) = now.map(|payload| payload.body) else {
                panic!("an open store has no marker")
            };
            assert_eq!(now, marker(*engine.store().as_bytes()));
            let again = open(Arc::new(MemoryMetadata::new(&OpenContext::new())), blobs).expect("it opens again");
            assert_eq!(again.store(), engine.store());
        }
        Err(error) => {
            assert!(!is_begun, "{error:?}");
            assert!(matches!(error.kind(), ErrorKind::ForeignStore | ErrorKind::FormatTooNew), "{error:?}");
        }
    }
}

/// An index whose identity is arbitrary bytes.
fn indexed(bytes: &[u8]) {
    let index = Arc::new(MemoryMetadata::new(&OpenContext::new()));
    let payload = Bytes::copy_from_slice(bytes);
    let record = Record {
        key: EntryKey::system("store"),
        version: Version::from_bytes([1; 16]),
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
        expires_at: None,
        drop_at: None,
        content: Content {
            type_tag: "system".into(),
            type_name: "".into(),
            format: "raw".into(),
            format_version: 1,
            schema: None,
            extra: Extra::new(),
            encoding: Encoding::NONE,
            raw_size: payload.len() as u64,
            stored_size: payload.len() as u64,
            digest: Digest::of(DigestAlgorithm::Xxh3, &payload),
            key_digest: None,
            terms: Terms::default(),
            object: None,
        },
        location: Location::Inline(payload),
        annotations: Annotations::default(),
        usage: Usage::default(),
        signature: None,
    };
    let change = Change::Put { record: Box::new(record), condition: Condition::Always };
    block_on(index.commit(vec![change], OnUnmet::Abort)).expect("memory takes a record");
    match open(index, Arc::new(MemoryBlobs::new(&OpenContext::new()))) {
        Ok(engine) => assert_eq!(&engine.store().as_bytes()[..], bytes),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_ne!(bytes.len(), size_of::<StoreId>());
        }
    }
}

/// A directory with an arbitrary layout file is a blob root only if the file is exactly what we write.
fn laid_out(shard_chars: u8, text: &[u8]) {
    let place = tempfile::tempdir().expect("a directory can be made");
    fs::write(place.path().join("layout"), text).expect("a file can be written");
    let opened = FsBlobs::open(place.path(), &OpenContext::new(), FsConfig::new().shard_chars(shard_chars));
    let ours = |shard_chars: u8| format!("cacheness-blobs 1\nshard_chars {shard_chars}\n").into_bytes();
    match opened {
        Ok(_) => assert_eq!(text, ours(shard_chars)),
        Err(error) => {
            assert_ne!(text, ours(shard_chars), "{error:?}");
            let kinds = [ErrorKind::ForeignStore, ErrorKind::FormatTooNew, ErrorKind::Corrupt];
            let is_other = error.kind() == ErrorKind::Config && (0..5).any(|other| text == ours(other));
            assert!(is_other || kinds.contains(&error.kind()), "{error:?}");
        }
    }
    let left = fs::read(place.path().join("layout")).expect("the file is still there");
    assert_eq!(left, text, "a layout file that is not ours was changed");
}

fn open(metadata: Arc<dyn MetadataBackend>, blobs: Arc<dyn BlobBackend>) -> Result<Engine> {
    block_on(Engine::open(Parts {
        metadata,
        blobs,
        handlers: HandlerRegistry::empty(),
        runtime: Arc::new(ThreadPool::global()),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        options: EngineOptions::default(),
    }))
}
