//! What a put says beyond key and value.

use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage as storage;
use serde::Serialize;
use std::time::Duration;

/// What a put says beyond key and value. None of it enters the key.
///
/// ```
/// use cacheness_cache::PutOptions;
/// use serde_json::json;
/// use std::time::Duration;
///
/// let options = PutOptions::new()
///     .ttl(Duration::from_hours(6))
///     .metadata(json!({"accuracy": 0.93}))
///     .tags(["nightly"])
///     .description("the best so far");
/// # let _ = options;
/// ```
#[derive(Debug, Default)]
pub struct PutOptions {
    pub(crate) stored: storage::PutOptions,
    pub(crate) ttl: Option<Duration>,
}

impl PutOptions {
    /// Nothing: the cache's default TTL, no metadata.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the value lives, in the place of the cache's default. Zero is an error of the put.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The user's metadata: anything that serializes to a JSON object. What does not is an error of the put.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Serialize) -> Self {
        self.stored = self.stored.metadata(metadata);
        self
    }

    /// Labels; any text will do.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.stored = self.stored.tags(tags);
        self
    }

    /// A sentence for people.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.stored = self.stored.description(description);
        self
    }
}

/// Refuses a TTL that nothing could live.
pub(crate) fn check_ttl(ttl: Duration) -> Result<Duration> {
    if ttl.is_zero() {
        return Err(Error::new(ErrorKind::Config, "a TTL of zero would expire at once")
            .advice("leave it out to keep values for ever, or invalidate the entry"));
    }
    Ok(ttl)
}
