//! Writing a whole index to a new file, which takes the place of the old one: how one begins, and how it is compacted.

use super::line::{Draft, Header};
use super::opening::{beside, failed};
use crate::directory::sync;
use cacheness_storage::memory::{Effect, Index};
use cacheness_storage::{BlobId, BlobRecord, Digest, Result, Timestamp};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A file that was written anew.
pub(super) struct Written {
    pub(super) file: File,
    pub(super) size: u64,
    /// Without the header. Each has one change.
    pub(super) lines: u64,
}

/// Writes an index to the file at `path`, in the place of what is there. For the holder of the exclusive lock.
pub(super) fn write(path: &Path, generation: u64, index: &Index, at: Timestamp) -> Result<Written> {
    let new = beside(path, "-new");
    // A process that was killed left it.
    remove(&new)?;
    let written = fill(&new, path, generation, index, at).and_then(|written| {
        fs::rename(&new, path).map_err(|error| failed("replaced", path, error))?;
        Ok(written)
    });
    if written.is_err() {
        // The error that counts is known already.
        let _ = remove(&new);
    }
    let written = written?;
    let directory = path.parent().unwrap_or(path);
    // What is committed from now on is in the new file only.
    sync(directory).map_err(|error| failed("synced", directory, error))?;
    Ok(written)
}

/// Removes what a process that was killed may have left.
pub(super) fn remove_leftover(path: &Path) -> Result<()> {
    remove(&beside(path, "-new"))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("removed", path, error)),
        _ => Ok(()),
    }
}

fn fill(new: &Path, old: &Path, generation: u64, index: &Index, at: Timestamp) -> Result<Written> {
    let unwritten = |error| failed("written", new, error);
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(new).map_err(unwritten)?;
    if let Ok(metadata) = fs::metadata(old) {
        file.set_permissions(metadata.permissions()).map_err(unwritten)?;
    }
    let mut output = BufWriter::new(&file);
    output.write_all(&Header::new(generation).to_line()?).map_err(unwritten)?;
    let mut lines = 0;
    let mut line = |effect| {
        let mut draft = Draft::new(at);
        draft.push(effect);
        lines += 1;
        output.write_all(&draft.finish()?).map_err(unwritten)
    };
    for record in index.records().values() {
        line(Effect::Put(record))?;
    }
    for blob in untold_blobs(index) {
        line(Effect::Blob(blob))?;
    }
    output.flush().map_err(unwritten)?;
    drop(output);
    file.sync_all().map_err(|error| failed("synced", new, error))?;
    let size = file.metadata().map_err(unwritten)?.len();
    Ok(Written { file, size, lines })
}

/// What is known of blobs and does not follow from the records, read in their order: those that are condemned, and
/// those of which the first record that named them said other things than the first that does now.
fn untold_blobs(index: &Index) -> impl Iterator<Item = &BlobRecord> {
    let mut told: BTreeMap<BlobId, (Digest, u64)> = BTreeMap::new();
    for record in index.records().values() {
        if let Some(id) = record.blob() {
            told.entry(id).or_insert((record.content.digest, record.content.stored_size));
        }
    }
    index.all_blobs().values().filter(move |blob| {
        let told = told.get(&blob.id);
        blob.condemned_at.is_some() || told.is_none_or(|told| (Some(told.0), told.1) != (blob.digest, blob.size))
    })
}
