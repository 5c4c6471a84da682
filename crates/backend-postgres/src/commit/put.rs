//! The commit of one small record, which is what most puts are: one statement that reads, judges, writes and counts. It may
//! take the lease of the record along.
//!
//! What it reads it does not lock. It writes over a row only if that is still the one that was read, and otherwise leaves the
//! commit to the way that locks. Where the row went meanwhile, the record is a new one, with a row number of its own.

use super::counted;
use crate::backend::Store;
use crate::failure::{ambiguous, is_definite, unanswered_commit};
use crate::pipeline::{Step, Values};
use crate::rows::{Written, column, identifier};
use cacheness_storage::{Change, Condition, EntryKey, Location, Outcome, Record, Result, Usage, Version};
use std::collections::BTreeMap;
use tokio_postgres::Row;

/// What came of a put: the outcomes of its changes, or `None` when it takes locks.
pub(super) type Answer = Option<Vec<Outcome>>;

/// A put that one statement can do.
pub(super) struct SinglePut<'c> {
    record: &'c Record,
    /// Whether there must be no record before.
    absent: bool,
    /// The system record that goes whatever it is, where there is one.
    removed: Option<&'c EntryKey>,
}

impl<'c> SinglePut<'c> {
    /// What the changes are, if they are one such put.
    pub(super) fn of(changes: &'c [Change]) -> Option<Self> {
        let (Change::Put { record, condition }, rest) = changes.split_first()? else { return None };
        let (absent, removed) = match (condition, rest) {
            (Condition::Always, []) => (false, None),
            (Condition::Absent, []) => (true, None),
            // Locked in the order of keys, as other commits do: those of system records come last.
            (Condition::Always, [Change::Remove { key, condition: Condition::Always }])
                if key.is_system() && !record.key.is_system() =>
            {
                (false, Some(key))
            }
            _ => return None,
        };
        let is_inline = matches!(record.location, Location::Inline(_));
        (is_inline && record.usage == Usage::default()).then_some(Self { record, absent, removed })
    }

    /// Puts the record; `None` when that takes locks.
    pub(super) async fn apply(&self, store: &Store) -> Result<Answer> {
        let mut written = Written::default();
        written.push(self.record)?;
        let (is_counted, stripe) = (self.is_counted(), store.stripe()?);
        let messages = store.announcer.messages(self.keys());
        let removed = self.removed_bytes();
        let mut values = written.all();
        let more: Values<'_> = vec![&self.absent, &is_counted, &stripe, &store.channel, &messages, &removed];
        values.extend(more);
        let Some(rows) = send(store, &store.statements.put, values).await? else { return Ok(None) };
        rows.first().map_or(Ok(None), |row| self.answer(row, 0))
    }

    fn is_counted(&self) -> bool {
        !self.record.key.is_system()
    }

    fn keys(&self) -> impl Iterator<Item = &'c EntryKey> {
        [&self.record.key].into_iter().chain(self.removed)
    }

    fn removed_bytes(&self) -> Option<&'c [u8]> {
        self.removed.map(|key| key.as_str().as_bytes())
    }

    /// What the columns from one on say: the version before, whether the record was put, and the version of what went with it.
    fn answer(&self, row: &Row, start: usize) -> Result<Answer> {
        let previous = version(row, start)?;
        if column(row, start + 1)? {
            let applied = |previous| Outcome::Applied { previous, condemned: Vec::new() };
            let gone = self.removed.map(|_| version(row, start + 2)).transpose()?;
            return Ok(Some([previous].into_iter().chain(gone).map(applied).collect()));
        }
        // One that may be there was changed meanwhile, or has a blob to release.
        Ok((self.absent && previous.is_some()).then(|| vec![Outcome::Unmet { current: previous }]))
    }
}

/// Puts records of different keys in one statement, each as if it were alone.
pub(super) async fn put_together(store: &Store, puts: &[SinglePut<'_>]) -> Result<Vec<Answer>> {
    let mut written = Written::default();
    puts.iter().try_for_each(|put| written.push(put.record))?;
    let absent: Vec<bool> = puts.iter().map(|put| put.absent).collect();
    let are_counted: Vec<bool> = puts.iter().map(SinglePut::is_counted).collect();
    let removed: Vec<Option<&[u8]>> = puts.iter().map(SinglePut::removed_bytes).collect();
    let messages = store.announcer.messages(puts.iter().flat_map(SinglePut::keys));
    let stripe = store.stripe()?;
    let mut values = written.all();
    let more: Values<'_> = vec![&absent, &are_counted, &stripe, &store.channel, &messages, &removed];
    values.extend(more);
    let rows = send(store, &store.statements.put_together, values).await?.unwrap_or_default();
    let mut answered = BTreeMap::new();
    for row in &rows {
        answered.insert(column::<&[u8]>(row, 0)?, row);
    }
    let answer = |put: &SinglePut<'_>| {
        let row = answered.get(put.record.key.as_str().as_bytes());
        row.map_or(Ok(None), |row| put.answer(row, 1))
    };
    puts.iter().map(answer).collect()
}

/// Sends a statement that commits by itself. `None` when the server took it back, with the connection unhurt: the way that
/// locks finds out why.
async fn send(store: &Store, sql: &str, values: Values<'_>) -> Result<Option<Vec<Row>>> {
    let mut session = store.primary.lend().await?;
    let mut steps = vec![Step::Statement(session.prepared(sql).await?, values)];
    steps.extend(store.totals_after_commit(&mut session).await?);
    let unknown = store.unknown_end();
    let mut answers = session.run(&steps).await.map_err(|_| unanswered_commit())?.into_iter();
    let rows = match answers.next().unwrap_or(Ok(Vec::new())) {
        Err(error) if !is_definite(&error) => {
            session.doubt();
            return Err(ambiguous(&error));
        }
        rows => rows.ok(),
    };
    unknown.known();
    if rows.is_some() {
        counted(store, answers.next());
    }
    Ok(rows)
}

/// The version in a column, where there is one.
fn version(row: &Row, at: usize) -> Result<Option<Version>> {
    column::<Option<&[u8]>>(row, at)?.map(identifier).transpose().map(|version| version.map(Version::from_bytes))
}
