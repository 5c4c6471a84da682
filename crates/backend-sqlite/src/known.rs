//! What a writer knows of the index between its transactions, as long as nobody else commits: totals, and which system
//! records there are. What it knows it need not read again.
//!
//! Every transaction marks one stripe of the generation counters while it holds the write lock. So whoever holds the lock
//! and finds the stripe as his own last transaction left it, was the last to commit.

use crate::failure::failure;
use crate::rows;
use crate::totals::Kept;
use cacheness_storage::{EntryKey, Generations, Result, Stamp};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What every transaction marks. No key begins with such a byte.
const COMMITS: &[u8] = b"\xff commits";

/// How many keys of system records are remembered at most.
const MOST_KEYS: usize = 64;

/// How many puts of new keys in a row make a trend.
const TREND: u8 = 4;

/// What stands in the index.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) kept: Kept,
    pub(crate) system: SystemKeys,
    pub(crate) trend: Trend,
}

/// Whether the last puts were of new keys, so that the next one is expected to be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trend {
    new: u8,
}

/// What the last transaction left, while nobody else committed.
#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) known: Known,
    stamp: Option<Stamp>,
}

/// The keys of all system records.
#[derive(Debug, Clone, Default)]
pub(crate) enum SystemKeys {
    #[default]
    Unknown,
    Few(Arc<BTreeSet<EntryKey>>),
    TooMany,
}

impl Known {
    /// What the index says.
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        Ok(Self { kept: Kept::read(connection)?, system: SystemKeys::Unknown, trend: Trend::default() })
    }
}

impl Trend {
    /// Notes a put.
    pub(crate) fn note(&mut self, is_new: bool) {
        self.new = if is_new { self.new.saturating_add(1) } else { 0 };
    }

    pub(crate) fn expects_new(self) -> bool {
        self.new >= TREND
    }
}

impl Last {
    /// What a transaction leaves that is about to be committed. Call it while it holds the write lock.
    pub(crate) fn new(known: Known, generations: &Generations) -> Self {
        drop(generations.change([COMMITS]));
        Self { known, stamp: generations.stamp(COMMITS) }
    }

    /// What is known still. Call it while holding the write lock.
    pub(crate) fn known(&self, generations: &Generations) -> Option<&Known> {
        self.stamp.is_some_and(|stamp| generations.is_fresh(stamp)).then_some(&self.known)
    }
}

impl SystemKeys {
    /// Whether there is surely no record of this key.
    pub(crate) fn lack(&mut self, key: &EntryKey, connection: &Connection) -> Result<bool> {
        if let Self::Unknown = self {
            *self = Self::read(connection)?;
        }
        Ok(matches!(self, Self::Few(keys) if !keys.contains(key)))
    }

    /// Notes that there is a record of this key.
    pub(crate) fn add(&mut self, key: &EntryKey) {
        if let Self::Few(keys) = self {
            if keys.len() == MOST_KEYS {
                *self = Self::TooMany;
            } else {
                Arc::make_mut(keys).insert(key.clone());
            }
        }
    }

    /// Notes that there is no record of this key any more.
    pub(crate) fn remove(&mut self, key: &EntryKey) {
        if let Self::Few(keys) = self {
            Arc::make_mut(keys).remove(key);
        }
    }

    fn read(connection: &Connection) -> Result<Self> {
        let select = "SELECT key FROM records INDEXED BY records_by_key WHERE key >= ?1 LIMIT ?2";
        let mut statement = connection.prepare_cached(select).map_err(failure)?;
        let first = EntryKey::SYSTEM.to_string();
        let mut found = statement.query((first, MOST_KEYS as i64 + 1)).map_err(failure)?;
        let mut keys = BTreeSet::new();
        while let Some(row) = found.next().map_err(failure)? {
            keys.insert(rows::key(row, 0)?);
        }
        Ok(if keys.len() > MOST_KEYS { Self::TooMany } else { Self::Few(Arc::new(keys)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SqliteConfig, open};
    use cacheness_storage::Durability;

    #[test]
    fn what_is_known_is_forgotten_when_somebody_else_commits_or_is_about_to() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("index.db");
        let connection = open::writer(&path, Durability::Process, &SqliteConfig::default()).unwrap();
        let counters = directory.path().join("generations");
        let (ours, theirs) = (Generations::open(&counters).unwrap(), Generations::open(&counters).unwrap());
        let known = Known::read(&connection).unwrap();
        let last = Last::new(known.clone(), &ours);
        assert!(last.known(&ours).is_some());
        let committing = Last::new(known.clone(), &theirs);
        assert!(last.known(&ours).is_none(), "another one committed");
        assert!(committing.known(&theirs).is_some());
        // A process that was killed in the middle.
        std::mem::forget(theirs.change([COMMITS]));
        assert!(Last::new(known, &ours).known(&ours).is_none());
    }

    #[test]
    fn keys_of_system_records_are_known_while_they_are_few() {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let [one, other] = ["one", "other"].map(EntryKey::system);
        let mut keys = SystemKeys::default();
        assert!(keys.lack(&one, &connection).unwrap());
        keys.add(&one);
        assert!(!keys.lack(&one, &connection).unwrap() && keys.lack(&other, &connection).unwrap());
        keys.remove(&one);
        assert!(keys.lack(&one, &connection).unwrap());
        (0..MOST_KEYS).for_each(|n| keys.add(&EntryKey::system(&n.to_string())));
        assert!(keys.lack(&one, &connection).unwrap());
        keys.add(&other);
        assert!(!keys.lack(&one, &connection).unwrap(), "it has to be looked up");
    }
}
