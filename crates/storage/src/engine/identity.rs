//! Which store this is: index and blob root name the same random identity, or the store does not open.

use super::marker::{self, Mark};
use super::{EngineOptions, Parts, system};
use crate::{
    BlobBackend, BlobId, Change, Condition, EntryKey, Fields, GetBlob, Locality, Location, MetadataBackend, OnUnmet,
    PutBlob, Staged, StoreId,
};
use bytes::Bytes;
use cacheness_core::{Error, ErrorKind, Result};
use std::time::Duration;

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
    if bytes.locality == Locality::Process && index.locality != Locality::Process {
        let message = format!("the index {metadata} outlives the blobs on {blobs}, which end with this process");
        return Err(Error::new(ErrorKind::Config, message).advice("keep both in memory, or neither"));
    }
    for (name, info) in [(metadata.to_string(), &index), (blobs.to_string(), &bytes)] {
        if options.read_only && !info.capabilities.read_only {
            let message = format!("{name} cannot be opened read-only");
            return Err(Error::new(ErrorKind::Config, message).advice("open it for writing, or choose another backend"));
        }
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

/// How often two sides that do not fit are looked at again, and how long after: another process may be at work between
/// them.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// The identity that both sides name; new on an empty pair, unless nothing may be changed.
pub(super) async fn agree(parts: &Parts) -> Result<StoreId> {
    if parts.options.read_only {
        return known(parts).await;
    }
    let mut problem = String::new();
    for _ in 0..LOOKS {
        problem = match (indexed(parts).await?, marked(parts).await?) {
            (Some(index), Mark::Of(marker)) if index == marker => return Ok(index),
            (Some(index), Mark::Of(marker)) => format!("blobs belong to store {marker}, the index to {index}"),
            (Some(index), mark) if mark == Mark::Partial || parts.metadata.stats().await?.blobs == 0 => {
                put_marker(parts, index, mark).await?;
                continue;
            }
            (Some(_), _) => "the index names blobs, but the blob root is not marked as theirs".to_owned(),
            // An index that ends with its process starts empty every time and adopts the blobs it finds.
            (None, Mark::Of(marker)) if parts.metadata.info().locality == Locality::Process => {
                record(parts, marker).await?;
                continue;
            }
            // A loss of power right after the store was made can take the index and leave the mark.
            (None, Mark::Of(marker)) if has_no_blobs(parts).await? => {
                record(parts, marker).await?;
                continue;
            }
            (None, Mark::Of(marker)) => format!("blobs belong to store {marker}, but the index is new"),
            (None, Mark::None | Mark::Partial) => {
                record(parts, StoreId::mint(&*parts.rng)?).await?;
                continue;
            }
        };
        pause(parts).await;
    }
    Err(Error::new(ErrorKind::ForeignStore, format!("{problem} ({} and {})", parts.metadata, parts.blobs))
        .operation("open")
        .advice("put the index and the blobs of one store together, or choose an empty place"))
}

/// The identity that both sides name already.
async fn known(parts: &Parts) -> Result<StoreId> {
    let problem = match (indexed(parts).await?, marked(parts).await?) {
        (Some(index), Mark::Of(marker)) if index == marker => return Ok(index),
        (None, Mark::None | Mark::Partial) => {
            let message = format!("there is no store in {} and {}", parts.metadata, parts.blobs);
            return Err(Error::new(ErrorKind::Config, message).advice("open it for writing once, which makes it"));
        }
        (Some(index), Mark::Of(marker)) => format!("blobs belong to store {marker}, the index to {index}"),
        (Some(index), _) => format!("the index belongs to store {index}, the blob root is not marked"),
        (None, Mark::Of(marker)) => format!("blobs belong to store {marker}, but the index is new"),
    };
    Err(Error::new(ErrorKind::ForeignStore, format!("{problem} ({} and {})", parts.metadata, parts.blobs))
        .advice("put the index and the blobs of one store together"))
}

/// Whether the mark is all that lies at the blob root.
async fn has_no_blobs(parts: &Parts) -> Result<bool> {
    Ok(parts.blobs.list(None, 2).await?.iter().all(|blob| blob.id == BlobId::STORE))
}

async fn pause(parts: &Parts) {
    if parts.metadata.info().blocking && parts.blobs.info().blocking {
        // Blocking backends are ready when polled; so is their opening.
        return std::thread::sleep(PAUSE);
    }
    parts.runtime.sleep(PAUSE).await;
}

fn key() -> EntryKey {
    EntryKey::system("store")
}

async fn indexed(parts: &Parts) -> Result<Option<StoreId>> {
    let found = parts.metadata.get(&[key()], Fields::ALL).await?;
    let Some(record) = found.into_iter().next().flatten() else { return Ok(None) };
    let bytes = match &record.location {
        Location::Inline(bytes) => <[u8; 16]>::try_from(&**bytes).ok(),
        _ => None,
    };
    let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the index holds no store identity"))?;
    Ok(Some(StoreId::from_bytes(bytes)))
}

async fn marked(parts: &Parts) -> Result<Mark> {
    let Some(payload) = parts.blobs.get(&BlobId::STORE, GetBlob::first(marker::LENGTH + 1)).await? else {
        return Ok(Mark::None);
    };
    marker::read(&payload.body.read()?).map_err(|error| error.backend(&parts.blobs))
}

/// Writes the identity into the index, unless another process was faster.
async fn record(parts: &Parts, store: StoreId) -> Result<()> {
    let now = parts.clock.now();
    let bytes = Bytes::copy_from_slice(store.as_bytes());
    let record = system::record(key(), bytes, now, &*parts.rng)?;
    let change = Change::Put { record: Box::new(record), condition: Condition::Absent };
    parts.metadata.commit(vec![change], OnUnmet::Abort).await.map(drop)
}

/// Writes the identity to the blob root, unless another process was faster. What is written follows from the index, so
/// it does no harm to replace the part of a marker that a killed process left.
async fn put_marker(parts: &Parts, store: StoreId, before: Mark) -> Result<()> {
    if before == Mark::Partial {
        parts.blobs.delete(&[BlobId::STORE]).await?;
    }
    let options = PutBlob { durability: parts.options.durability, ..PutBlob::default() };
    match parts.blobs.put(&BlobId::STORE, Staged::Bytes(marker::bytes(store).into()), options).await {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
