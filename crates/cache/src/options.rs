//! What a put says beyond key and value.

use crate::key::{Canonical, redact};
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
    pub(crate) idle_ttl: Option<Duration>,
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

    /// How long the value lives after it was put or read last; together with a TTL, whichever ends first. Zero is an error
    /// of the put. Reads move the expiry when half of the time or less is left.
    #[must_use]
    pub fn idle_ttl(mut self, idle: Duration) -> Self {
        self.idle_ttl = Some(idle);
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

/// What a copy or a renaming says beyond its keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct CopyOptions {
    pub(crate) overwrite: bool,
}

impl CopyOptions {
    /// Nothing: a live entry under the other key is an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the copy may take the place of a live entry.
    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }
}

/// Whether the parameters of keys are kept beside entries, for people, filters and `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoreParameters {
    /// They are not.
    #[default]
    Off,
    /// They are.
    On,
    /// They are, without the values of parameters of these names, at any depth.
    Redacted(Vec<String>),
}

impl StoreParameters {
    /// The parameters as they are kept.
    pub(crate) fn text_of(&self, parameters: &Canonical) -> Result<Option<Box<str>>> {
        let redacted = match self {
            Self::Off => return Ok(None),
            Self::On => [].as_slice(),
            Self::Redacted(names) => names,
        };
        let Some(mut json) = parameters.parameters() else { return Ok(None) };
        redact(&mut json, redacted);
        let text = serde_json::to_string(&json).map_err(|source| {
            Error::new(ErrorKind::Serialization, "the parameters cannot be written as JSON").source(source)
        })?;
        Ok(Some(text.into()))
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
