//! What a sweep may take for a leftover of this store: blobs by their trailer, staging files by name, age and lock.

use crate::{BlobBackend, BlobId, GetBlob, StoreId, Trailer};
use cacheness_core::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// More than any trailer has that a key and a handler of usual size make.
const TAIL: u64 = 64 << 10;

/// What the names of our files in a staging directory begin with.
const PREFIX: &str = "cacheness-";

/// Whom a blob belongs to that the index does not know.
pub(super) enum Owner {
    /// This store: its trailer says so, or it has none, as an interrupted write leaves it.
    This,
    /// Another store.
    Other,
    /// Nobody: it is gone.
    Gone,
}

/// Whom a blob belongs to. Asked of the blob itself: what a listing says may be long past.
pub(super) async fn owner(blobs: &dyn BlobBackend, id: &BlobId, store: StoreId) -> Result<Owner> {
    let Some(info) = blobs.head(id).await? else { return Ok(Owner::Gone) };
    let range = Some(info.size.saturating_sub(TAIL)..info.size);
    let tail = GetBlob { range, bypass_copies: true, ..GetBlob::default() };
    let Some(payload) = blobs.get(id, tail).await? else { return Ok(Owner::Gone) };
    Ok(match Trailer::from_end_of(&payload.body.read()?) {
        Ok(trailer) if trailer.store != store => Owner::Other,
        // A later version may keep its store elsewhere in the trailer.
        Err(error) if error.kind() == ErrorKind::FormatTooNew => Owner::Other,
        Ok(_) | Err(_) => Owner::This,
    })
}

/// Removes our files in a staging directory that are older than `grace` and that no living process holds; says how
/// many.
pub(super) fn remove_files(directory: &Path, grace: Duration) -> Result<u64> {
    let failed = |error| Error::io(ErrorKind::Storage, format!("{} could not be swept", directory.display()), error);
    let mut removed = 0;
    for entry in files(directory).map_err(failed)? {
        let path = entry.map_err(failed)?;
        if is_abandoned(&path, grace).unwrap_or(false) && fs::remove_file(&path).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Our files in a staging directory.
pub(super) fn files(directory: &Path) -> io::Result<impl Iterator<Item = io::Result<std::path::PathBuf>>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        entries => Some(entries?),
    };
    Ok(entries.into_iter().flatten().filter_map(|entry| match entry {
        Ok(entry) if !entry.file_name().to_string_lossy().starts_with(PREFIX) => None,
        Ok(entry) if entry.file_type().is_ok_and(|kind| !kind.is_file()) => None,
        entry => Some(entry.map(|entry| entry.path())),
    }))
}

fn is_abandoned(path: &Path, grace: Duration) -> io::Result<bool> {
    let file = File::open(path)?;
    let modified_at = file.metadata()?.modified()?;
    // A file of the future is as good as new.
    let age = SystemTime::now().duration_since(modified_at).unwrap_or_default();
    Ok(age >= grace && file.try_lock().is_ok())
}
