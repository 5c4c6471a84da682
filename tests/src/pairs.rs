//! The pairs of backends that the cache's own promises are tested over, in this process and in others.

use crate::servers::{self, ServerClock};
use cacheness::core::ManualClock;
use cacheness::{CacheBuilder, Compression, sync::Cache};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An index and blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Both in memory: one opening.
    Memory,
    /// JSON lines and files, which is proven fresh by asking for versions.
    Json,
    /// SQLite and files, which is proven fresh by counters.
    Sqlite,
    /// PostgreSQL and files.
    PostgresFs,
    /// PostgreSQL and S3.
    PostgresS3,
}

impl Pair {
    /// Every pair.
    pub const ALL: [Self; 5] = [Self::Memory, Self::Json, Self::Sqlite, Self::PostgresFs, Self::PostgresS3];
    /// Those without a server.
    pub const LOCAL: [Self; 3] = [Self::Memory, Self::Json, Self::Sqlite];
    /// Those that several processes can open.
    pub const SHARED: [Self; 4] = [Self::Json, Self::Sqlite, Self::PostgresFs, Self::PostgresS3];
    /// Those of them that are nothing but files.
    pub const ON_DISK: [Self; 2] = [Self::Json, Self::Sqlite];
    /// Those whose index is a server's.
    pub const REMOTE: [Self; 2] = [Self::PostgresFs, Self::PostgresS3];

    /// The pair of a name.
    pub fn named(name: &str) -> Self {
        let pair = Self::SHARED.into_iter().find(|pair| pair.name() == name);
        pair.unwrap_or_else(|| panic!("{name:?} is no pair that several processes can open"))
    }

    /// What [`named`](Self::named) takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Json => "json",
            Self::Sqlite => "sqlite",
            Self::PostgresFs => "postgres+fs",
            Self::PostgresS3 => "postgres+s3",
        }
    }

    /// Whether the index is a server's.
    pub fn is_remote(self) -> bool {
        Self::REMOTE.contains(&self)
    }

    /// Every local pair with every variant, and each remote one with one of them, because a server takes its time.
    pub fn with<V: Clone, const N: usize>(variants: [V; N]) -> Vec<(Self, V)> {
        let every = Self::LOCAL.into_iter().flat_map(|pair| variants.clone().map(|variant| (pair, variant)));
        let remote = Self::REMOTE.into_iter().zip([0, N - 1]).map(|(pair, which)| (pair, variants[which].clone()));
        every.chain(remote).collect()
    }

    /// How many blobs lie in the store of a directory. Where other machines may be reading what was replaced, they are
    /// given no more time first, through a cache that `builder` opens.
    pub fn stored(self, builder: CacheBuilder<Cache>, dir: &Path) -> u64 {
        if self == Self::PostgresS3 {
            let cache = builder.grace(Duration::ZERO).delete_grace(Duration::ZERO).open().unwrap();
            cache.sweep().unwrap();
            cache.close().unwrap();
        }
        self.blobs(dir)
    }

    /// How many blobs lie in the store of a directory.
    pub fn blobs(self, dir: &Path) -> u64 {
        if self == Self::PostgresS3 { servers::blobs(dir) } else { blob_files(dir).len() as u64 }
    }

    /// The URLs of index and blobs in a directory.
    pub fn urls(self, dir: &Path) -> [String; 2] {
        self.urls_by(dir, servers::postgres)
    }

    fn urls_by(self, dir: &Path, postgres: fn(&Path) -> String) -> [String; 2] {
        let at = |scheme: &str, name: &str| format!("{scheme}:{}", dir.join(name).display());
        let files = || at("fs", "blobs");
        match self {
            Self::Memory => ["memory:".into(), "memory:".into()],
            Self::Json => [at("json", "index.jsonl"), files()],
            Self::Sqlite => [at("sqlite", "index.db"), files()],
            Self::PostgresFs => [postgres(dir), files()],
            Self::PostgresS3 => [postgres(dir), servers::s3(dir)],
        }
    }

    /// A builder of a cache over the pair in a directory, without compression: what is stored has a size that is known.
    /// All who are given the directory open the same store.
    pub fn builder(self, dir: &Path) -> CacheBuilder<Cache> {
        self.at(dir, servers::postgres)
    }

    /// The same at the time of a clock, which is the server's, too.
    pub fn builder_by(self, dir: &Path, clock: &ManualClock) -> CacheBuilder<Cache> {
        match self.is_remote() {
            true => self.at(dir, servers::clocked_postgres).clock(ServerClock::new(dir, clock.clone())),
            false => self.builder(dir).clock(clock.clone()),
        }
    }

    fn at(self, dir: &Path, postgres: fn(&Path) -> String) -> CacheBuilder<Cache> {
        let [metadata, blobs] = self.urls_by(dir, postgres);
        Cache::builder().compression(Compression::NONE).metadata(metadata).blobs(blobs)
    }
}

/// The files of blobs below the directory of a store, without the marker.
///
/// # Panics
///
/// When the directory cannot be read.
pub fn blob_files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![dir.join("blobs")]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".blob") && !name.starts_with("00000000000000000000000000000000") {
                found.push(path);
            }
        }
    }
    found
}
