//! A store into which records and blobs are put as they are, past the engine's write path, to be read by the engine.

use bytes::Bytes;
use cacheness_core::runtime::block_on;
use cacheness_core::{Result, SystemClock, SystemRng, ThreadPool, Timestamp};
use cacheness_handlers::{ErasedHandler, HandlerRegistry};
use cacheness_storage::engine::{Engine, EngineOptions, Lookup, Parts};
use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness_storage::{
    Annotations, BackendInfo, BlobBackend, BlobId, BlobInfo, Body, Change, Condition, Content, EntryKey, Fields,
    GetBlob, Location, MetadataBackend, OnUnmet, OpenContext, Payload, PutBlob, Record, Staged, Usage, Version,
    async_trait,
};
use std::any::Any;
use std::fmt;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// Where the stored bytes of a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the record.
    Record,
    /// In a file, which is decoded while it is read.
    File,
}

struct Shelf {
    index: Arc<MemoryMetadata>,
    blobs: Arc<Files>,
    engine: Engine,
}

/// Opened once; every value is taken away again.
static SHELF: LazyLock<Shelf> = LazyLock::new(|| {
    let context = OpenContext::new();
    let index = Arc::new(MemoryMetadata::new(&context));
    let blobs = Arc::new(Files(MemoryBlobs::new(&context)));
    let mut handlers = HandlerRegistry::standard();
    cacheness_handler_ndarray::register(&mut handlers).expect("the names are free");
    let engine = Engine::open(Parts {
        metadata: index.clone(),
        blobs: blobs.clone(),
        handlers,
        runtime: Arc::new(ThreadPool::global()),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        options: EngineOptions::default(),
    });
    Shelf { index, blobs, engine: block_on(engine).expect("an empty pair opens") }
});

/// Reads stored bytes as a `T`, by way of the engine: digest, codec, handler.
///
/// # Errors
///
/// What putting the record and reading the value return.
pub fn decode<T: Any + Send + Sync>(
    content: &Content,
    stored: &Bytes,
    place: Place,
    fallback: Option<&'static dyn ErasedHandler>,
) -> Result<T> {
    let blob = match place {
        Place::Record => None,
        Place::File => Some(BlobId::mint(&SystemRng)?),
    };
    if let Some(id) = &blob {
        block_on(SHELF.blobs.put(id, Staged::Bytes(stored.clone()), PutBlob::default()))?;
    }
    let record = Record {
        key: EntryKey::new("key"),
        version: Version::from_bytes([1; 16]),
        created_at: Timestamp::from_micros(1),
        updated_at: Timestamp::from_micros(1),
        expires_at: None,
        drop_at: None,
        content: content.clone(),
        location: blob.map_or_else(|| Location::Inline(stored.clone()), Location::Blob),
        annotations: Annotations::default(),
        usage: Usage::default(),
        signature: None,
    };
    let key = record.key.clone();
    let put = Change::Put { record: Box::new(record), condition: Condition::Always };
    let read = block_on(SHELF.index.commit(vec![put], OnUnmet::Abort)).and_then(|_| read(&key, fallback));
    let remove = Change::Remove { key, condition: Condition::Always };
    block_on(SHELF.index.commit(vec![remove], OnUnmet::Skip))?;
    if let Some(blob) = blob {
        block_on(SHELF.blobs.delete(&[blob]))?;
        block_on(SHELF.index.commit(vec![Change::Forget { blob }], OnUnmet::Skip))?;
    }
    read
}

fn read<T: Any + Send + Sync>(key: &EntryKey, fallback: Option<&'static dyn ErasedHandler>) -> Result<T> {
    match block_on(SHELF.engine.find(key, Fields::ALL, |_| Ok::<(), ()>(())))? {
        Lookup::Found(found) => block_on(SHELF.engine.decode(&found.record, found.stored, fallback)),
        other => panic!("the record is there, and the engine finds {other:?}"),
    }
}

/// Blobs in memory that are handed out as open files, however small.
#[derive(Debug)]
struct Files(MemoryBlobs);

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("files:")
    }
}

#[async_trait]
impl BlobBackend for Files {
    fn info(&self) -> BackendInfo {
        self.0.info()
    }

    fn staging(&self) -> Option<&Path> {
        None
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        self.0.put(id, payload, options).await
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        const BEFORE: &[u8] = b"A payload begins where its file stands.";
        let Some(Payload { info, body: Body::Bytes(bytes) }) = self.0.get(id, options).await? else { return Ok(None) };
        let mut file = tempfile::tempfile()?;
        file.write_all(&[BEFORE, &bytes, b"and ends before this"].concat())?;
        file.seek(SeekFrom::Start(BEFORE.len() as u64))?;
        Ok(Some(Payload { info, body: Body::File { file, size: bytes.len() as u64 } }))
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        self.0.head(id).await
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        self.0.delete(ids).await
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        self.0.list(after, limit).await
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        self.0.discard_remnants(before).await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}
