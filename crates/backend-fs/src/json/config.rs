//! The options of the JSON index.

use cacheness_storage::{Error, ErrorKind, Result};
use serde::Deserialize;

/// The most that [`JsonConfig::max_entries`] can be.
const MOST_ENTRIES: u64 = 1_000_000;

/// The options of [`JsonMetadata`](crate::json::JsonMetadata), also in a URL: `json:index.jsonl?max_entries=5000`.
///
/// ```
/// use cacheness_backend_fs::json::JsonConfig;
///
/// assert_eq!(JsonConfig::new().max_entries, 10_000);
/// assert_eq!(JsonConfig::new().max_entries(500).max_entries, 500);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct JsonConfig {
    /// How many entries there may be, 1 to 1,000,000: every process holds all of them in memory, small payloads too,
    /// and reads all of them when it opens the index. Entries beyond it are refused; those there are can be read,
    /// replaced and removed. Default: 10,000.
    pub max_entries: u64,
}

impl JsonConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries there may be, 1 to 1,000,000.
    #[must_use]
    pub fn max_entries(mut self, max_entries: u64) -> Self {
        self.max_entries = max_entries;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        if (1..=MOST_ENTRIES).contains(&self.max_entries) {
            return Ok(());
        }
        let message = "the option max_entries of the JSON index is out of bounds";
        Err(Error::new(ErrorKind::Config, message).advice("choose 1 to 1000000, or the SQLite index for more"))
    }
}

impl Default for JsonConfig {
    fn default() -> Self {
        Self { max_entries: 10_000 }
    }
}
