//! What several workloads share: a place on disk, and stores that are filled once, when the first workload needs them.

use crate::Result;
use crate::floors::sqlite::Sqlite;
use crate::peers::{self, Peer};
use crate::sample::{Sample, Samples};
use crate::store::Store;
use crate::value::Value;
use cacheness::sync::Cache;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub(crate) struct Fixtures {
    place: TempDir,
    pub(crate) samples: Samples,
    disk: OnceCell<Disk>,
    peers: OnceCell<Vec<Peer<Sample>>>,
}

/// Ours and the floor, filled.
pub(crate) struct Disk {
    /// Without copies in memory.
    pub(crate) ours: Cache,
    pub(crate) floor: Sqlite,
}

impl Fixtures {
    pub(crate) fn new() -> Result<Self> {
        let place = tempfile::Builder::new().prefix("cacheness-bench-").tempdir()?;
        Ok(Self { place, samples: Samples::new()?, disk: OnceCell::new(), peers: OnceCell::new() })
    }

    /// A path that nothing else uses.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub(crate) fn disk(&self) -> Result<&Disk> {
        if let Some(disk) = self.disk.get() {
            return Ok(disk);
        }
        let ours = Cache::builder().dir(self.path("disk")).no_memory().open()?;
        let floor = Sqlite::open(&self.path("disk.db"))?;
        Store::<Sample>::fill(&ours, 0..Sample::ENTRIES, self.samples.clone())?;
        Store::fill(&floor, 0..Sample::ENTRIES, self.samples.clone())?;
        settle();
        Ok(self.disk.get_or_init(|| Disk { ours, floor }))
    }

    /// The peers on disk, filled as far as each says.
    pub(crate) fn peers(&self) -> &[Peer<Sample>] {
        self.peers.get_or_init(|| {
            let peers = peers::on_disk(self.place.path()).into_iter().map(|peer| peer.filled(&self.samples)).collect();
            settle();
            peers
        })
    }
}

/// Has the kernel write what it holds back, so that no workload pays for the one before it.
pub(crate) fn settle() {
    drop(Command::new("sync").status());
}
