//! The pairs of backends that the model test goes over, and how a cache over each is opened.

use super::value::LARGEST;
use crate::support::Place;
use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness::backends::memory::{MemoryBlobs, MemoryMetadata};
use cacheness::backends::sqlite::{SqliteConfig, SqliteMetadata};
use cacheness::core::Rng;
use cacheness::storage::{BlobBackend, MetadataBackend, OpenContext};
use cacheness::sync::Cache;
use cacheness::{Bundle, Bundled, Result};
use cacheness_testkit::SeededRng;
use std::sync::Arc;
use std::time::Duration;

/// The backends of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Memory,
    Json,
    Sqlite,
    SqliteInMemory,
    ThirdParty,
}

/// How the cache is opened.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) default_ttl: Option<Duration>,
}

/// Chance that goes on where it was when the store is opened again, so that no name is minted twice.
#[derive(Debug, Clone)]
struct Chance(Arc<SeededRng>);

impl Rng for Chance {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        self.0.fill(bytes)
    }
}

/// The backends of a store that ends with its process.
type InMemory = (Arc<dyn MetadataBackend>, Arc<dyn BlobBackend>);

/// A store, for as long as a test lasts.
pub(super) struct Home {
    pub(super) place: Place,
    pair: Pair,
    setup: Setup,
    chance: Chance,
    in_memory: Option<InMemory>,
}

impl Home {
    pub(super) fn new(pair: Pair, setup: &Setup) -> Result<Self> {
        let place = Place::new();
        let in_memory = in_memory(pair, &place)?;
        Ok(Self { place, pair, setup: setup.clone(), chance: Chance(Arc::new(SeededRng::new(1))), in_memory })
    }

    /// Whether the store is there after it was closed.
    pub(super) fn persists(&self) -> bool {
        self.in_memory.is_none()
    }

    /// Opens the store once more.
    pub(super) fn open(&self) -> Result<Cache> {
        let in_place = |scheme: &str, name: &str| format!("{scheme}:{}", self.place.path().join(name).display());
        let builder = Cache::builder()
            .clock(self.place.clock.clone())
            .rng(self.chance.clone())
            .grace(Duration::ZERO)
            .delete_grace(Duration::ZERO)
            .max_value_size(LARGEST as u64);
        let builder = match self.setup.default_ttl {
            Some(ttl) => builder.default_ttl(ttl),
            None => builder,
        };
        match (self.pair, &self.in_memory) {
            (_, Some((index, blobs))) => builder.metadata_backend(index.clone()).blob_backend(blobs.clone()),
            (Pair::Json, _) => builder.metadata(in_place("json", "index.jsonl")).blobs(in_place("fs", "blobs")),
            (Pair::ThirdParty, _) => {
                std::fs::create_dir_all(self.place.path())?;
                let mut registry = Bundled::registry()?;
                acme_redb::register(&mut registry.backends)?;
                let file = in_place("redb", "store.redb");
                builder.registry(registry).metadata(file.clone()).blobs(file)
            }
            (Pair::Sqlite | Pair::Memory | Pair::SqliteInMemory, _) => builder.dir(self.place.path()),
        }
        .open()
    }
}

/// The backends that end with their process: both openings share them.
fn in_memory(pair: Pair, place: &Place) -> Result<Option<InMemory>> {
    let context = OpenContext::new().clock(Arc::new(place.clock.clone()));
    Ok(match pair {
        Pair::Memory => Some((Arc::new(MemoryMetadata::new(&context)), Arc::new(MemoryBlobs::new(&context)))),
        Pair::SqliteInMemory => Some((
            Arc::new(SqliteMetadata::open(":memory:", &context, SqliteConfig::default())?),
            Arc::new(FsBlobs::open(place.path().join("blobs"), &context, FsConfig::default())?),
        )),
        Pair::Json | Pair::Sqlite | Pair::ThirdParty => None,
    })
}
