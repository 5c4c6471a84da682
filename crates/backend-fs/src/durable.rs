//! What makes a blob survive the loss of power: its bytes, its name, and the names of the directories above it.

use crate::directory::{Directory, sync};
use crate::layout::LAYOUT_FILE;
use crate::root::{Root, failed};
use cacheness_storage::Result;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which directories are known to survive the loss of power.
#[derive(Debug)]
pub(crate) struct Settled {
    known: Mutex<Known>,
    /// Directories above the root that may hold names not yet written out.
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
    /// Makes the root and its layout file survive the loss of power.
    pub(crate) fn settle(&self) -> Result<()> {
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
        for path in std::iter::once(&layout_file).chain(&self.settled.above) {
            sync(path).map_err(|error| failed("synced", path, error))?;
        }
        self.directory.sync().map_err(|error| failed("synced", &self.path, error))?;
        known.root = true;
        Ok(())
    }
}
