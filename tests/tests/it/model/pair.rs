//! The pairs of backends that the model test goes over, and how a cache over each is opened.

use super::operation::SPACES;
use super::runtime::{Awaited, InPlace};
use super::value::LARGEST;
use crate::support::Place;
use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness::backends::memory::{MemoryBlobs, MemoryMetadata};
use cacheness::backends::sqlite::{SqliteConfig, SqliteMetadata};
use cacheness::core::{Rng, Timestamp};
use cacheness::storage::{BlobBackend, MetadataBackend, OpenContext};
use cacheness::sync::Cache;
use cacheness::{Bundle, Bundled, Compression, MemoryConfig, MemoryPolicy, Result, StoreParameters};
use cacheness_testkit::SeededRng;
use cacheness_tests::pairs;
use cacheness_tests::servers::ServerClock;
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
    /// The server shows the time of the test.
    Remote(pairs::Pair),
}

/// How the cache is opened.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) default_ttl: Option<Duration>,
    pub(super) keeps_parameters: bool,
    pub(super) memories: Memories,
}

/// The memory layers of the openings.
#[derive(Debug, Clone, Copy)]
pub(super) enum Memories {
    Two([Memory; 2]),
    /// The first opening serves copies without a proof, and the second one is not used: nobody changes anything but
    /// through the first.
    OneUnproven,
}

/// The memory layer of an opening.
#[derive(Debug, Clone, Copy)]
pub(super) enum Memory {
    Unset,
    None,
    /// So small that it is full at once.
    Tiny(MemoryPolicy),
    Unproven,
}

impl Memories {
    pub(super) fn of_both(self) -> [Memory; 2] {
        match self {
            Self::Two(memories) => memories,
            Self::OneUnproven => [Memory::Unproven; 2],
        }
    }

    /// Whether the second opening is used.
    pub(super) fn are_two(self) -> bool {
        matches!(self, Self::Two(_))
    }
}

/// The limit of a tiny memory layer, in bytes.
pub(super) const TINY: u64 = 64 << 10;

/// The handles of an opening, by the part of the cache.
pub(super) type Handles = [Cache; SPACES.len()];

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
    runtime: Arc<Awaited>,
}

impl Home {
    pub(super) fn new(pair: Pair, setup: &Setup) -> Result<Self> {
        let place = Place::new();
        let in_memory = in_memory(pair, &place)?;
        Ok(Self {
            place,
            pair,
            setup: setup.clone(),
            chance: Chance(Arc::new(SeededRng::new(1))),
            in_memory,
            runtime: Arc::new(Awaited::new()?),
        })
    }

    /// Sets the time, which is the server's as well, also for what asks no clock but the server's.
    pub(super) fn set_time(&self, now: Timestamp) {
        self.place.clock.set(now);
        if matches!(self.pair, Pair::Remote(_)) {
            ServerClock::new(&self.place.path(), self.place.clock.clone());
        }
    }

    /// Waits for what goes on in the background.
    pub(super) fn settle(&self) {
        self.runtime.settle();
    }

    /// Whether the store is there after it was closed.
    pub(super) fn persists(&self) -> bool {
        self.in_memory.is_none()
    }

    /// Opens the store twice.
    pub(super) fn open_both(&self) -> Result<[Handles; 2]> {
        let [one, other] = self.setup.memories.of_both();
        Ok([self.open(one)?, self.open(other)?])
    }

    fn open(&self, memory: Memory) -> Result<Handles> {
        let in_place = |scheme: &str, name: &str| format!("{scheme}:{}", self.place.path().join(name).display());
        let builder = match self.pair {
            // What a server is asked needs a reactor, and waits for its answer.
            Pair::Remote(pair) => {
                let builder = pair.builder_by(&self.place.path(), &self.place.clock);
                builder.compression(Compression::default()).runtime(self.runtime.clone())
            }
            _ => Cache::builder().clock(self.place.clock.clone()).runtime(Arc::new(InPlace)),
        };
        let builder = builder
            .rng(self.chance.clone())
            .grace(Duration::ZERO)
            .delete_grace(Duration::ZERO)
            .max_value_size(LARGEST as u64);
        let builder = match self.setup.default_ttl {
            Some(ttl) => builder.default_ttl(ttl),
            None => builder,
        };
        let builder = if self.setup.keeps_parameters { builder.store_parameters(StoreParameters::On) } else { builder };
        let builder = match memory {
            Memory::Unset => builder,
            Memory::None => builder.no_memory(),
            Memory::Unproven => builder.memory(MemoryConfig::new().staleness(Duration::from_secs(3600))),
            Memory::Tiny(policy) => builder.memory(MemoryConfig::new().limit(TINY).policy(policy)),
        };
        let cache = match (self.pair, &self.in_memory) {
            (_, Some((index, blobs))) => builder.metadata_backend(index.clone()).blob_backend(blobs.clone()),
            (Pair::Json, _) => builder.metadata(in_place("json", "index.jsonl")).blobs(in_place("fs", "blobs")),
            (Pair::ThirdParty, _) => {
                std::fs::create_dir_all(self.place.path())?;
                let mut registry = Bundled::registry()?;
                acme_redb::register(&mut registry.backends)?;
                let file = in_place("redb", "store.redb");
                builder.registry(registry).metadata(file.clone()).blobs(file)
            }
            (Pair::Remote(_), _) => builder,
            (Pair::Sqlite | Pair::Memory | Pair::SqliteInMemory, _) => builder.dir(self.place.path()),
        }
        .open()?;
        // Whether it is near its limits, and has every commit tell what is used, an opening learns from its first put.
        cache.put("first", &0)?;
        cache.invalidate("first")?;
        cache.reset_stats();
        let [_, red, blue] = SPACES.map(|space| space.map(|name| cache.namespace(name)).transpose());
        Ok([cache.clone(), red?.unwrap_or(cache.clone()), blue?.unwrap_or(cache)])
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
        Pair::Json | Pair::Sqlite | Pair::ThirdParty | Pair::Remote(_) => None,
    })
}
