//! How copies are proven fresh, and what is noted before their records are read.

use crate::hashed::Hashed;
use cacheness_core::Timestamp;
use cacheness_storage::{Coherence, Feed, GenerationReader, Stamp};
use std::time::Duration;

/// How a copy is proven fresh.
#[derive(Debug)]
pub(super) enum Proof {
    /// It is: nobody changes the store but through this layer's owner, who says so.
    Always,
    /// By the stamp of its key.
    Stamps(GenerationReader),
    /// By the stamp of its key while messages of changes arrive, by the record's version otherwise.
    Feed(Feed),
    /// By the record's version, for which the caller has to ask.
    Version,
    /// It need not be, for so long after it was read.
    Within(Duration),
}

/// What a proof needs to know of the time before the record was read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Evidence {
    None,
    Stamp(Stamp),
    Since(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fresh,
    Unproven,
    Stale,
}

impl Proof {
    pub(super) fn new(coherence: Coherence, staleness: Option<Duration>) -> Self {
        match (staleness, coherence) {
            (Some(staleness), _) => Self::Within(staleness),
            (None, Coherence::Exclusive) => Self::Always,
            (None, Coherence::Generations(reader)) => Self::Stamps(reader),
            (None, Coherence::Feed(feed)) => Self::Feed(feed),
            (None, _) => Self::Version,
        }
    }

    pub(super) fn is_always(&self) -> bool {
        matches!(self, Self::Always)
    }

    /// Taken before the record is read; `None` while it is being changed.
    pub(super) fn evidence(&self, hashed: &Hashed, now: Timestamp) -> Option<Evidence> {
        match self {
            Self::Always | Self::Version => Some(Evidence::None),
            Self::Stamps(reader) => reader.stamp(hashed.key().entry_key().as_str().as_bytes()).map(Evidence::Stamp),
            Self::Feed(feed) => feed.stamp(hashed.key().entry_key().as_str().as_bytes()).map(Evidence::Stamp),
            Self::Within(_) => Some(Evidence::Since(now)),
        }
    }

    /// Whether what was read meanwhile may still be fresh.
    pub(super) fn is_current(&self, evidence: Evidence) -> bool {
        match (self, evidence) {
            (Self::Stamps(reader), Evidence::Stamp(stamp)) => reader.is_fresh(stamp),
            (Self::Feed(feed), Evidence::Stamp(stamp)) => feed.is_untold(stamp),
            _ => true,
        }
    }

    #[inline]
    pub(super) fn judge(&self, evidence: Evidence, now: Timestamp) -> Verdict {
        let is_fresh = match (self, evidence) {
            (Self::Version, _) => return Verdict::Unproven,
            (Self::Feed(feed), _) if !feed.is_up() => return Verdict::Unproven,
            (Self::Always, _) => true,
            (Self::Stamps(reader), Evidence::Stamp(stamp)) => reader.is_fresh(stamp),
            (Self::Feed(feed), Evidence::Stamp(stamp)) => feed.is_fresh(stamp),
            // A clock that was set back proves nothing.
            (Self::Within(staleness), Evidence::Since(since)) => now >= since && now.since(since) < *staleness,
            (Self::Stamps(_) | Self::Feed(_) | Self::Within(_), _) => false,
        };
        if is_fresh { Verdict::Fresh } else { Verdict::Stale }
    }
}

/// A load under way, begun before the record is read. It is good for one copy, unless the key is changed or another copy
/// comes in meanwhile.
#[derive(Debug)]
#[must_use = "without it, what was read is not kept"]
pub(crate) struct Ticket {
    pub(super) hashed: Hashed,
    pub(super) began: Stamp,
    pub(super) evidence: Evidence,
}
