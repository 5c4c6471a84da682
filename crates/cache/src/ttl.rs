//! When an entry expires, and how fresh a read wants it.

use crate::stats::MissReason;
use cacheness_core::Timestamp;
use cacheness_storage::Record;
use std::time::{Duration, SystemTime};

/// When a live entry expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// Never.
    Never,
    /// At some time.
    Expires {
        /// When.
        at: SystemTime,
        /// How long from now; never zero for an entry that is live.
        left: Duration,
    },
}

impl Ttl {
    pub(crate) fn of(record: &Record, now: Timestamp) -> Self {
        match record.expires_at {
            None => Self::Never,
            Some(at) => Self::Expires { at: at.into(), left: at.since(now) },
        }
    }

    /// How long from now; `None` for ever.
    pub fn left(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Expires { left, .. } => Some(left),
        }
    }
}

/// What a get asks for beyond the key.
///
/// ```
/// use cacheness_cache::GetOptions;
/// use std::time::Duration;
///
/// let options = GetOptions::new().max_age(Duration::from_mins(5));
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct GetOptions {
    max_age: Option<Duration>,
}

impl GetOptions {
    /// Nothing: any live entry will do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only an entry that was put so recently. It stays, whatever its age.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    pub(crate) fn judge(&self, record: &Record, now: Timestamp) -> Result<(), MissReason> {
        match self.max_age {
            Some(age) if now.since(record.created_at) >= age => Err(MissReason::Expired),
            _ => Ok(()),
        }
    }
}
