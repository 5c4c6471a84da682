//! The options of both backends.

use cacheness_storage::serde::Deserialize;
use cacheness_storage::{Error, ErrorKind, Result};

/// How a redb file is used, also in a URL: `redb:store.redb?cache_mib=256`.
///
/// ```
/// use acme_redb::RedbConfig;
///
/// let config = RedbConfig::default().cache_mib(256);
/// assert!(!config.quick_repair);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(crate = "cacheness_storage::serde", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RedbConfig {
    /// Memory for pages of the file, in MiB, 1 to 65,536. The first backend on a file decides for all others of this
    /// process. Default: 64.
    pub cache_mib: usize,
    /// Whether every commit keeps what a quick opening needs after a crash. Without it such an opening reads the whole
    /// file; with it a commit waits for the disk twice. Default: `false`.
    pub quick_repair: bool,
}

impl Default for RedbConfig {
    fn default() -> Self {
        Self { cache_mib: 64, quick_repair: false }
    }
}

impl RedbConfig {
    /// As [`cache_mib`](Self::cache_mib).
    #[must_use]
    pub fn cache_mib(mut self, mib: usize) -> Self {
        self.cache_mib = mib;
        self
    }

    /// As [`quick_repair`](Self::quick_repair).
    #[must_use]
    pub fn quick_repair(mut self, quick_repair: bool) -> Self {
        self.quick_repair = quick_repair;
        self
    }

    /// The page cache in bytes.
    pub(crate) fn cache_size(&self) -> Result<usize> {
        if !(1..=65_536).contains(&self.cache_mib) {
            return Err(
                Error::new(ErrorKind::Config, format!("cache_mib is {}", self.cache_mib)).advice("choose 1 to 65536")
            );
        }
        Ok(self.cache_mib.saturating_mul(1 << 20))
    }
}
