//! What makes a blob survive the loss of power: its bytes, its name, and the names of the directories above it.

use crate::directory::{Directory, sync};
use crate::layout::LAYOUT_FILE;
use crate::root::{Root, failed};
use cacheness_storage::{BlobId, Result};
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which directories are known to survive the loss of power.
#[derive(Debug)]
pub(crate) struct Settled {
    known: Mutex<Known>,
    /// The directories above the root, which may hold names not yet written out.
    above: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Known {
    root: bool,
    shards: HashSet<u32>,
}

impl Settled {
    pub(crate) fn new(above: Vec<PathBuf>) -> Self {
        Self { known: Mutex::default(), above }
    }

    /// The directory of a shard was made just now.
    pub(crate) fn forget(&self, shard: u32) {
        self.lock().shards.remove(&shard);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Root {
    /// Makes the root, its layout file and the blob that marks whose it is survive the loss of power: without them the
    /// directory could not be opened, and an opening of another durability made them, perhaps.
    pub(crate) fn settle(&self) -> Result<()> {
        if self.facts(&BlobId::STORE)?.is_some() {
            let marker = self.blob_path(&BlobId::STORE);
            let directory = self.shard_path(self.layout.shard(&BlobId::STORE));
            for path in [&marker, &directory] {
                sync(path).map_err(|error| failed("synced", path, error))?;
            }
        }
        self.settle_root(&mut self.settled.lock())
    }

    /// Makes the names in a shard, and its own, survive the loss of power.
    pub(crate) fn settle_shard(&self, shard: u32, directory: &Directory) -> Result<()> {
        directory.sync().map_err(|error| failed("synced", &self.shard_path(shard), error))?;
        let mut known = self.settled.lock();
        if !known.root {
            self.settle_root(&mut known)?;
        } else if !known.shards.contains(&shard) {
            self.directory.sync().map_err(|error| failed("synced", &self.path, error))?;
        }
        known.shards.insert(shard);
        Ok(())
    }

    fn settle_root(&self, known: &mut Known) -> Result<()> {
        let layout_file = self.path.join(LAYOUT_FILE);
        sync(&layout_file).map_err(|error| failed("synced", &layout_file, error))?;
        for directory in &self.settled.above {
            match sync(directory) {
                // Nor could the caller have made a name in it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced.map_err(|error| failed("synced", directory, error))?,
            }
        }
        self.directory.sync().map_err(|error| failed("synced", &self.path, error))?;
        known.root = true;
        Ok(())
    }
}
