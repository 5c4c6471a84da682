//! The pairs of local backends that the cache's own promises are tested over, in this process and in others.

use cacheness::{CacheBuilder, Compression, sync::Cache};
use std::path::{Path, PathBuf};

/// An index and blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Both in memory: one opening.
    Memory,
    /// JSON lines and files, which is proven fresh by asking for versions.
    Json,
    /// SQLite and files, which is proven fresh by counters.
    Sqlite,
}

impl Pair {
    /// Every pair.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Json, Self::Sqlite];
    /// The pairs that several processes can open.
    pub const ON_DISK: [Self; 2] = [Self::Json, Self::Sqlite];

    /// The pair of a name.
    pub fn named(name: &str) -> Self {
        match name {
            "json" => Self::Json,
            "sqlite" => Self::Sqlite,
            other => panic!("{other:?} is no pair on disk"),
        }
    }

    /// What [`named`](Self::named) takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Json => "json",
            Self::Sqlite => "sqlite",
        }
    }

    /// A builder of a cache over the pair in a directory, without compression: what is stored has a size that is known.
    pub fn builder(self, dir: &Path) -> CacheBuilder<Cache> {
        let builder = Cache::builder().compression(Compression::NONE);
        match self {
            Self::Memory => builder.metadata("memory:").blobs("memory:"),
            Self::Json => {
                let index = format!("json:{}", dir.join("index.jsonl").display());
                builder.metadata(index).blobs(format!("fs:{}", dir.join("blobs").display()))
            }
            Self::Sqlite => builder.dir(dir),
        }
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
