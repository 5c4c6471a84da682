//! The options of the SQLite index.

use cacheness_storage::{Error, ErrorKind, Result};
use serde::Deserialize;
use std::time::Duration;

/// The options of [`SqliteMetadata`](crate::SqliteMetadata), also in a URL: `sqlite:index.db?readers=8`.
///
/// ```
/// use cacheness_backend_sqlite::SqliteConfig;
///
/// let config = SqliteConfig::default().readers(8);
/// assert_eq!(config.busy_timeout_ms, 5000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// How many threads read at the same time, 1 to 64; others wait. Each takes one connection, with about 2 MB of
    /// page cache when it is warm. An index in memory has one connection for all. Default: 4.
    pub readers: usize,
    /// How long a commit waits for the write lock of another process, in milliseconds, 1 to 3,600,000. Default: 5000.
    pub busy_timeout_ms: u64,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self { readers: 4, busy_timeout_ms: 5000 }
    }
}

impl SqliteConfig {
    /// How many threads read at the same time, 1 to 64.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// How long a commit waits for the write lock of another process, in milliseconds, 1 to 3,600,000.
    #[must_use]
    pub fn busy_timeout_ms(mut self, milliseconds: u64) -> Self {
        self.busy_timeout_ms = milliseconds;
        self
    }

    pub(crate) fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.busy_timeout_ms)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |name: &str, bounds: &str| {
            let message = format!("the option {name} of the SQLite index is out of bounds");
            Err(Error::new(ErrorKind::Config, message).advice(format!("choose {bounds}")))
        };
        if !(1..=64).contains(&self.readers) {
            return wrong("readers", "1 to 64");
        }
        if !(1..=3_600_000).contains(&self.busy_timeout_ms) {
            return wrong("busy_timeout_ms", "1 to 3600000");
        }
        Ok(())
    }
}
