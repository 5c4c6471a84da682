//! The commit of one small record, which is what most puts are: one statement that reads, judges, writes and counts.
//!
//! What it reads it does not lock. It writes over a row only if that is still the one that was read, and otherwise leaves the
//! commit to the way that locks. Where the row went meanwhile, the record is a new one, with a row number of its own.

use super::counted;
use crate::backend::Store;
use crate::failure::{ambiguous, failure, is_definite, is_race, unanswered_commit};
use crate::pipeline::{Step, Values};
use crate::rows::{Written, column};
use cacheness_storage::{Change, Condition, Location, Outcome, Record, Result, Usage, Version};

/// A put that one statement can do.
pub(super) struct SinglePut<'c> {
    record: &'c Record,
    /// Whether there must be no record before.
    absent: bool,
}

impl<'c> SinglePut<'c> {
    /// What the changes are, if they are one such put.
    pub(super) fn of(changes: &'c [Change]) -> Option<Self> {
        let [Change::Put { record, condition }] = changes else { return None };
        let absent = match condition {
            Condition::Always => false,
            Condition::Absent => true,
            _ => return None,
        };
        let is_inline = matches!(record.location, Location::Inline(_));
        (is_inline && record.usage == Usage::default()).then_some(Self { record, absent })
    }

    /// Puts the record; `None` when that takes locks.
    pub(super) async fn apply(&self, store: &Store) -> Result<Option<Outcome>> {
        let mut written = Written::default();
        written.push(self.record)?;
        let (is_counted, stripe) = (!self.record.key.is_system(), store.stripe()?);
        let messages = store.announcer.messages([&self.record.key].into_iter());
        let mut values = written.all();
        let more: Values<'_> = vec![&self.absent, &is_counted, &stripe, &store.channel, &messages];
        values.extend(more);
        let mut session = store.primary.lend().await?;
        let steps = [
            Step::Statement(session.prepared(&store.statements.put).await?, values),
            Step::Statement(session.prepared(&store.statements.sum_totals).await?, Vec::new()),
        ];
        let unknown = store.unknown_end();
        let mut answers = session.run(&steps).await.map_err(|_| unanswered_commit())?.into_iter();
        let rows = match answers.next().unwrap_or(Ok(Vec::new())) {
            Err(error) if !is_definite(&error) => {
                session.doubt();
                return Err(ambiguous(&error));
            }
            answer => answer,
        };
        unknown.known();
        let rows = match rows {
            Err(error) if is_race(&error) => return Ok(None),
            other => other.map_err(failure)?,
        };
        counted(store, answers.next());
        let Some(row) = rows.first() else { return Ok(None) };
        let previous = match column::<Option<&[u8]>>(row, 0)? {
            Some(version) => Some(Version::from_bytes(crate::rows::identifier(version)?)),
            None => None,
        };
        if column(row, 1)? {
            return Ok(Some(Outcome::Applied { previous, condemned: Vec::new() }));
        }
        // One that may be there was changed meanwhile, or has a blob to release.
        Ok((self.absent && previous.is_some()).then_some(Outcome::Unmet { current: previous }))
    }
}
