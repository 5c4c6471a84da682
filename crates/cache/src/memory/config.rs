//! How much a memory layer holds, of what, and for how long.

use cacheness_core::policy::Policy;
use cacheness_core::{Error, ErrorKind, Result};
use std::time::Duration;

/// How a memory layer is made up.
///
/// ```
/// use cacheness_cache::{MemoryConfig, MemoryPolicy};
///
/// let config = MemoryConfig::new().limit(256 << 20).policy(MemoryPolicy::Lru);
/// # let _ = config;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryConfig {
    pub(super) limit: u64,
    pub(super) policy: Policy,
    pub(super) staleness: Option<Duration>,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { limit: 64 << 20, policy: Policy::default(), staleness: None }
    }
}

impl MemoryConfig {
    /// 64 MiB, W-TinyLFU, and nothing stale.
    pub fn new() -> Self {
        Self::default()
    }

    /// What all copies together may take, in bytes. A value of more than a quarter of it is not kept.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Which copies make room for others.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Serves copies for so long after they were read, without a proof that they are fresh: changes by others show up to
    /// so much later. Zero is an error when the cache is opened.
    #[must_use]
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.staleness = Some(staleness);
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.staleness.is_some_and(|staleness| staleness.is_zero()) {
            return Err(Error::new(
                ErrorKind::Config,
                "copies in memory with a staleness of zero would never be served",
            )
            .advice("leave it out: copies are served as long as they are proven fresh then"));
        }
        Ok(())
    }
}
