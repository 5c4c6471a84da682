//! Commits of uses alone, which are what a cache flushes: one statement that locks no record.

use super::{Ended, counted};
use crate::backend::Store;
use crate::failure::{ambiguous, failure, is_definite, is_race};
use crate::pipeline::{Step, Values};
use crate::rows;
use cacheness_storage::{Change, EntryKey, OnUnmet, Outcome, Result, Timestamp, Usage, Version};
use std::collections::BTreeMap;

/// Notes uses.
pub(super) async fn apply(store: &Store, changes: &[Change], on_unmet: OnUnmet) -> Result<Ended<Vec<Outcome>>> {
    let mut told: BTreeMap<&EntryKey, Usage> = BTreeMap::new();
    for change in changes {
        if let Change::Use { key, at, hits } = change {
            told.entry(key).or_default().note(*at, *hits);
        }
    }
    let keys: Vec<&[u8]> = told.keys().map(|key| key.as_str().as_bytes()).collect();
    let at: Vec<Option<i64>> = told.values().map(|used| used.accessed_at.map(Timestamp::as_micros)).collect();
    let hits: Vec<i64> = told.values().map(|used| i64::try_from(used.hits).unwrap_or(i64::MAX)).collect();
    let skip = on_unmet == OnUnmet::Skip;
    let mut session = store.primary.lend().await?;
    let values: Values<'_> = vec![&keys, &at, &hits, &skip];
    let mut steps = vec![Step::Statement(session.prepared(&store.statements.use_only).await?, values)];
    steps.extend(store.totals_after_commit(&mut session).await?);
    let answers = session.run(&steps).await.map_err(|_| crate::failure::unanswered_commit())?;
    let mut answers = answers.into_iter();
    let found = match answers.next() {
        Some(Ok(found)) => found,
        Some(Err(error)) if is_race(&error) => return Ok(Ended::Overtaken(failure(error))),
        Some(Err(error)) if is_definite(&error) => return Err(failure(error)),
        Some(Err(error)) => {
            session.doubt();
            return Err(ambiguous(&error));
        }
        None => Vec::new(),
    };
    counted(store, answers.next());
    let found: BTreeMap<EntryKey, Version> =
        found.iter().map(|row| Ok((rows::key(row, 0)?, rows::version(row, 1)?))).collect::<Result<_>>()?;
    Ok(Ended::Well(outcomes(changes, on_unmet, &found)))
}

fn outcomes(changes: &[Change], on_unmet: OnUnmet, found: &BTreeMap<EntryKey, Version>) -> Vec<Outcome> {
    let outcome = |change: &Change| match change {
        Change::Use { key, .. } => match found.get(key) {
            Some(version) => Outcome::Applied { previous: Some(*version), condemned: Vec::new() },
            None => Outcome::Unmet { current: None },
        },
        _ => Outcome::Aborted,
    };
    let mut outcomes: Vec<_> = changes.iter().map(outcome).collect();
    let unmet = outcomes.iter().position(|outcome| !outcome.is_applied());
    if let (OnUnmet::Abort, Some(unmet)) = (on_unmet, unmet) {
        let first = outcomes.iter_mut().enumerate().filter(|(at, _)| *at != unmet);
        first.for_each(|(_, outcome)| *outcome = Outcome::Aborted);
    }
    outcomes
}
