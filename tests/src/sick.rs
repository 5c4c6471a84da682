//! A store whose backends fall sick as a script says, and what several processes open over it.

use crate::NOW;
use crate::scripted::{Script, ScriptedBlobs, ScriptedMetadata};
use cacheness::core::{ManualClock, Timestamp};
use cacheness::storage::{BlobBackend, Bundle, Coherence, Locality, MetadataBackend, OpenContext, block_on};
use cacheness::{Bundled, CacheBuilder, OnBackendError, sync::Cache};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Where the store lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In memory, proven by counters.
    Memory,
    /// In memory, as a server that many machines share, proven by versions.
    Shared,
    /// In files, the index in SQLite.
    Sqlite,
    /// In files, the index as JSON.
    Json,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Shared, Self::Sqlite, Self::Json];
}

/// A store, and the script of one process that has it open.
#[derive(Debug)]
pub struct Sick {
    kind: Kind,
    index: Arc<dyn MetadataBackend>,
    blobs: Arc<dyn BlobBackend>,
    /// What happens to the calls of that process.
    pub script: Script,
    /// The time, for everybody.
    pub clock: ManualClock,
    _dir: TempDir,
}

impl Sick {
    /// An empty store.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn new(kind: Kind) -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::starting_at(Timestamp::from_micros(NOW)));
        let context = OpenContext::new().clock(Arc::new(clock.clone()));
        let registry = Bundled::registry().unwrap().backends;
        let at = |scheme: &str, name: &str| format!("{scheme}:{}", dir.path().join(name).display());
        let (index, blobs) = match kind {
            Kind::Memory | Kind::Shared => ("memory:".to_owned(), "memory:".to_owned()),
            Kind::Sqlite => (at("sqlite", "index.db"), at("fs", "blobs")),
            Kind::Json => (at("json", "index.jsonl"), at("fs", "blobs")),
        };
        let index = block_on(registry.open_metadata(&index.parse().unwrap(), &context)).unwrap();
        let blobs = block_on(registry.open_blobs(&blobs.parse().unwrap(), &context)).unwrap();
        Self { kind, index, blobs, script: Script::default(), clock, _dir: dir }
    }

    /// A builder of a cache over it that goes on without it, and whose calls the script decides on.
    pub fn builder(&self) -> CacheBuilder<Cache> {
        self.builder_by(&self.script).on_backend_error(OnBackendError::Miss)
    }

    /// A builder of a cache over it by a script, with nothing else set.
    pub fn builder_by(&self, script: &Script) -> CacheBuilder<Cache> {
        let index = ScriptedMetadata::over(self.index.clone(), script);
        let blobs = ScriptedBlobs::over(self.blobs.clone(), script);
        let (index, blobs) = match self.kind {
            Kind::Shared => {
                (index.seen_by(Locality::Shared).coherence(Coherence::Probe), blobs.seen_by(Locality::Shared))
            }
            _ => (index, blobs),
        };
        Cache::builder().metadata_backend(index).blob_backend(blobs).clock(self.clock.clone())
    }

    /// A cache that goes on without it.
    ///
    /// # Panics
    ///
    /// When it cannot be opened.
    pub fn open(&self) -> Cache {
        self.builder().open().unwrap()
    }

    /// A cache of another process, for which everything works.
    ///
    /// # Panics
    ///
    /// When it cannot be opened.
    pub fn other(&self) -> Cache {
        self.builder_by(&Script::default()).open().unwrap()
    }

    /// Everything works again, and so much later that deletes are tried once more.
    pub fn heal(&self) {
        self.script.heal();
        self.clock.advance(Duration::from_secs(6));
    }
}
