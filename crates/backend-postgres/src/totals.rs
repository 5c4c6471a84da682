//! Totals in stripes: a commit adds what it changed to one that nobody holds, and reading sums them all.

use crate::failure::{corrupt, misread};
use crate::pool::Session;
use crate::statements::Statements;
use cacheness_storage::{MetadataStats, Result, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio_postgres::{Error as PgError, Row};

/// How many stripes there are.
pub(crate) const STRIPES: u8 = 64;

/// What totals are, or what changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) entries: i64,
    pub(crate) bytes: i64,
    pub(crate) blobs: i64,
    pub(crate) condemned: i64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: Self) {
        self.change(other, 1);
    }

    pub(crate) fn subtract(&mut self, other: Self) {
        self.change(other, -1);
    }

    fn change(&mut self, other: Self, sign: i64) {
        self.entries += sign * other.entries;
        self.bytes = self.bytes.saturating_add(sign * other.bytes);
        self.blobs += sign * other.blobs;
        self.condemned += sign * other.condemned;
    }
}

/// Reads the totals.
pub(crate) async fn read(session: &mut Session, statements: &Statements) -> Result<MetadataStats> {
    let rows = session.ask(&statements.sum_totals, &[]).await?;
    rows.first().ok_or_else(|| corrupt("the index has no totals")).and_then(|row| stats(row).map_err(misread))
}

/// The totals in a row of their sums.
pub(crate) fn stats(row: &Row) -> Result<MetadataStats, PgError> {
    let count = |at: usize| row.try_get::<_, i64>(at).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(MetadataStats {
        entries: count(0)?,
        bytes: count(1)?,
        blobs: count(2)?,
        condemned: count(3)?,
        now: Timestamp::from_micros(row.try_get(4)?),
    })
}

/// The totals that the last commit left. Commits read them from the first time on that somebody asks: who has no limits
/// never does.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    latest: Mutex<Option<MetadataStats>>,
    is_wanted: AtomicBool,
}

impl Committed {
    pub(crate) fn get(&self) -> Option<MetadataStats> {
        self.is_wanted.store(true, Ordering::Relaxed);
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a commit reads the totals behind it.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Notes what was read after a commit. What was read later counts everything that this does.
    pub(crate) fn note(&self, read: MetadataStats) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.as_ref().is_none_or(|latest| latest.now <= read.now) {
            *latest = Some(read);
        }
    }

    /// A commit ended, and nobody knows the totals after it.
    pub(crate) fn forget(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
