//! What the tests share.

use cacheness::core::{ManualClock, Timestamp};
use cacheness::sync::Cache;
use std::path::PathBuf;
use tempfile::TempDir;

pub(crate) use cacheness_tests::{NOW, Results, noise};

/// A fresh cache in a directory of its own.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) clock: ManualClock,
}

impl Place {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_micros(NOW));
        Self { dir: tempfile::tempdir().unwrap(), clock }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    pub(crate) fn open(&self) -> Cache {
        Cache::builder().dir(self.path()).clock(self.clock.clone()).open().unwrap()
    }

    /// The files of stored blobs.
    pub(crate) fn blobs(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().join("blobs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
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
}

impl Drop for Place {
    fn drop(&mut self) {
        cacheness_tests::servers::drop_schema(&self.path());
    }
}
