//! Which store this is: index and blob root name the same random identity, or the store does not open.

use super::{EngineOptions, Parts};
use crate::{
    BlobBackend, BlobId, Body, Change, Condition, Content, Digest, DigestAlgorithm, EntryKey, Fields, GetBlob,
    Locality, Location, MetadataBackend, OnUnmet, Outcome, PutBlob, Record, Staged, StoreId, Version,
};
use bytes::Bytes;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{Encoding, Extra};
use std::io::Read;

/// The first bytes of the blob [`BlobId::STORE`]; the identity follows.
const MARKER: [u8; 8] = *b"\x89CSTORE1";

/// Refuses pairs in which records would be lost while blobs stay, or seen by one machine only.
pub(super) fn check_pair(
    metadata: &dyn MetadataBackend,
    blobs: &dyn BlobBackend,
    options: &EngineOptions,
) -> Result<()> {
    let (index, bytes) = (metadata.info(), blobs.info());
    if bytes.locality == Locality::Shared && index.locality != Locality::Shared && !options.allow_split_locality {
        let message =
            format!("blobs on {blobs} are shared between machines, but the index {metadata} is seen by this one only");
        return Err(Error::new(ErrorKind::Config, message)
            .advice("use a shared index such as PostgreSQL, keep blobs local, or set allow_split_locality"));
    }
    if options.durability == crate::Durability::Full {
        for (name, info) in [(metadata.to_string(), &index), (blobs.to_string(), &bytes)] {
            if !info.capabilities.full_durability {
                let message = format!("{name} cannot keep the promise of full durability");
                return Err(
                    Error::new(ErrorKind::Config, message).advice("choose Durability::Process or another backend")
                );
            }
        }
    }
    Ok(())
}

/// The identity that both sides name; new on an empty pair.
pub(super) async fn agree(parts: &Parts) -> Result<StoreId> {
    let (index, marker) = (indexed(parts).await?, marked(parts).await?);
    match (index, marker) {
        (Some(index), Some(marker)) if index == marker => Ok(index),
        (Some(index), Some(marker)) => {
            Err(foreign(parts, &format!("blobs belong to store {marker}, the index to {index}")))
        }
        (Some(index), None) if parts.metadata.stats().await?.blobs == 0 => mark(parts, index).await,
        (Some(_), None) => Err(foreign(parts, "the index names blobs, but the blob root is not marked as theirs")),
        (None, None) => mark(parts, record(parts, StoreId::mint(&*parts.rng)?).await?).await,
        // An index that ends with its process starts empty every time and adopts the blobs it finds.
        (None, Some(marker)) if parts.metadata.info().locality == Locality::Process => record(parts, marker).await,
        (None, Some(marker)) => Err(foreign(parts, &format!("blobs belong to store {marker}, but the index is new"))),
    }
}

fn foreign(parts: &Parts, problem: &str) -> Error {
    Error::new(ErrorKind::ForeignStore, format!("{problem} ({} and {})", parts.metadata, parts.blobs))
        .operation("open")
        .advice("put the index and the blobs of one store together, or choose an empty place")
}

fn key() -> EntryKey {
    EntryKey::system("store")
}

async fn indexed(parts: &Parts) -> Result<Option<StoreId>> {
    let found = parts.metadata.get(&[key()], Fields::ALL).await?;
    let Some(record) = found.into_iter().next().flatten() else { return Ok(None) };
    match &record.location {
        Location::Inline(bytes) => identity(bytes).map(Some),
        _ => Err(Error::new(ErrorKind::Corrupt, "the index holds no store identity")),
    }
}

async fn marked(parts: &Parts) -> Result<Option<StoreId>> {
    let options = GetBlob::first((MARKER.len() + 16) as u64);
    let Some(payload) = parts.blobs.get(&BlobId::STORE, options).await? else { return Ok(None) };
    let mut bytes = Vec::with_capacity(MARKER.len() + 16);
    match payload.body {
        Body::Bytes(body) => bytes.extend_from_slice(&body),
        Body::File { file, size } => drop(file.take(size).read_to_end(&mut bytes)?),
    }
    match bytes.strip_prefix(&MARKER) {
        Some(rest) => identity(rest).map(Some),
        // A first open that was killed while it wrote the marker leaves a part of it; nothing was stored yet.
        None if MARKER.starts_with(&bytes) => Ok(None),
        None => Err(Error::new(ErrorKind::ForeignStore, format!("the marker of {} is of no known kind", parts.blobs))),
    }
}

fn identity(bytes: &[u8]) -> Result<StoreId> {
    let bytes =
        <[u8; 16]>::try_from(bytes).map_err(|_| Error::new(ErrorKind::Corrupt, "a store identity has 16 bytes"))?;
    Ok(StoreId::from_bytes(bytes))
}

/// Writes the identity into the index, unless another process was faster; returns what stands there.
async fn record(parts: &Parts, store: StoreId) -> Result<StoreId> {
    let now = parts.clock.now();
    let bytes = Bytes::copy_from_slice(store.as_bytes());
    let record = Record {
        key: key(),
        version: Version::mint(&*parts.rng)?,
        created_at: now,
        updated_at: now,
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
            raw_size: 16,
            stored_size: 16,
            digest: Digest::of(DigestAlgorithm::Xxh3, &bytes),
            key_digest: None,
        },
        location: Location::Inline(bytes),
        annotations: crate::Annotations::default(),
        signature: None,
    };
    let change = Change::Put { record: Box::new(record), condition: Condition::Absent };
    let outcomes = parts.metadata.commit(vec![change], OnUnmet::Abort).await?;
    if outcomes.first().is_some_and(Outcome::is_applied) {
        return Ok(store);
    }
    let missing = || Error::new(ErrorKind::Corrupt, "the store identity vanished while the store was opened");
    indexed(parts).await?.ok_or_else(missing)
}

/// Writes the identity to the blob root, unless another process was faster with the same.
async fn mark(parts: &Parts, store: StoreId) -> Result<StoreId> {
    let mut bytes = MARKER.to_vec();
    bytes.extend_from_slice(store.as_bytes());
    let options = PutBlob { durability: parts.options.durability, ..PutBlob::default() };
    match parts.blobs.put(&BlobId::STORE, Staged::Bytes(bytes.into()), options).await {
        Ok(_) => Ok(store),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match marked(parts).await? {
            Some(marker) if marker == store => Ok(store),
            Some(marker) => Err(foreign(parts, &format!("blobs belong to store {marker}, the index to {store}"))),
            None => Err(foreign(parts, "the marker of the blob root is incomplete")),
        },
        Err(error) => Err(error),
    }
}
