//! Commits: what they touch is locked and read in one round trip, judged here as the reference does, and written, counted
//! and committed in a second one.

mod held;
mod put;
mod queue;
mod uses;
mod writes;

pub(crate) use held::Held;
pub(crate) use queue::PutQueue;
pub(crate) use writes::Writes;

use crate::backend::Store;
use crate::failure::{ambiguous, corrupt, failure, is_definite, is_race};
use crate::pipeline::{Step, Values};
use crate::pool::Session;
use crate::rows::{MAX_KEY, column, stored_size};
use crate::totals;
use cacheness_storage::{
    BlobId, Change, Condition, EntryKey, Error, ErrorKind, Location, OnUnmet, Outcome, Record, Result, Timestamp,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::{Error as PgError, Row};

/// How often a commit begins again when others were faster.
const ATTEMPTS: u32 = 12;

/// How often it does so beside the others, before it lets nobody else commit meanwhile.
const PATIENCE: u32 = 6;

/// How a round trip of a commit ended that did not fail for good.
pub(crate) enum Ended<T> {
    Well(T),
    /// Another transaction was faster, this one was taken back.
    Overtaken(Error),
}

/// Applies changes in one transaction.
pub(crate) async fn commit(store: &Arc<Store>, changes: &[Change], on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    changes.iter().try_for_each(check)?;
    let _changing = store.mark(&mut changes.iter().filter_map(Change::key));
    if let Some(put) = put::SinglePut::of(changes)
        && let Some(outcomes) = queue::put(store, changes, put).await?
    {
        return Ok(outcomes);
    }
    let only_uses = changes.iter().all(|change| matches!(change, Change::Use { .. }));
    let touched = Touched::by(changes);
    let mut attempt = 0;
    loop {
        let ended = match only_uses {
            true => uses::apply(store, changes, on_unmet).await?,
            false => apply(store, changes, on_unmet, &touched, attempt >= PATIENCE).await?,
        };
        match ended {
            Ended::Well(outcomes) => return Ok(outcomes),
            Ended::Overtaken(error) if attempt == ATTEMPTS => return Err(error),
            Ended::Overtaken(_) => {
                attempt += 1;
                tokio::time::sleep(pause(store, attempt)?).await;
            }
        }
    }
}

/// A random time, longer for later attempts, of at most 64 ms.
fn pause(store: &Store, attempt: u32) -> Result<Duration> {
    let [chance] = cacheness_core::rng::random(&*store.rng)?;
    Ok(Duration::from_micros(1 << attempt.min(8)).saturating_mul(u32::from(chance)))
}

/// Refuses what the index cannot hold.
fn check(change: &Change) -> Result<()> {
    change.check()?;
    let Change::Put { record, .. } = change else { return Ok(()) };
    if record.key.as_str().len() > MAX_KEY {
        let message = format!("the key is longer than the {MAX_KEY} bytes that the PostgreSQL index takes");
        return Err(Error::new(ErrorKind::InvalidKey, message));
    }
    if matches!(record.location, Location::Omitted) {
        return Err(Error::new(ErrorKind::Internal, "a record cannot be put without its payload").key(&record.key));
    }
    stored_size(record).map(drop)
}

/// What changes read or write.
struct Touched {
    keys: BTreeSet<EntryKey>,
    /// Those of the keys whose blobs may lose a reference.
    releasing: BTreeSet<EntryKey>,
    blobs: BTreeSet<BlobId>,
    /// Whether a condition or a patch reads what is in a record.
    whole: bool,
}

impl Touched {
    fn by(changes: &[Change]) -> Self {
        let mut touched =
            Self { keys: BTreeSet::new(), releasing: BTreeSet::new(), blobs: BTreeSet::new(), whole: false };
        for change in changes {
            match change {
                Change::Put { record, condition } => {
                    touched.key(&record.key, condition);
                    touched.releasing.insert(record.key.clone());
                    touched.blobs.extend(record.blob());
                }
                Change::Remove { key, condition } => {
                    touched.key(key, condition);
                    touched.releasing.insert(key.clone());
                }
                Change::Patch { key, condition, .. } => {
                    touched.key(key, condition);
                    touched.whole = true;
                }
                Change::Use { key, .. } => drop(touched.keys.insert(key.clone())),
                Change::Condemn { blob } | Change::Require { blob } | Change::Forget { blob } => {
                    touched.blobs.insert(*blob);
                }
                _ => {}
            }
        }
        touched
    }

    fn key(&mut self, key: &EntryKey, condition: &Condition) {
        self.keys.insert(key.clone());
        self.whole |= !matches!(condition, Condition::Always | Condition::Absent | Condition::Version(_));
    }
}

/// One attempt, beside other commits or alone.
async fn apply(
    store: &Store,
    changes: &[Change],
    on_unmet: OnUnmet,
    touched: &Touched,
    alone: bool,
) -> Result<Ended<Vec<Outcome>>> {
    let mut session = store.primary.lend().await?;
    let (mut held, announced) = match lock(store, &mut session, touched, alone).await? {
        Ended::Well(locked) => locked,
        Ended::Overtaken(error) => return Ok(Ended::Overtaken(error)),
    };
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        let outcome = match held.apply(change) {
            Ok(outcome) => outcome,
            Err(error) => {
                session.roll_back();
                return Err(error);
            }
        };
        if on_unmet == OnUnmet::Abort && !outcome.is_applied() {
            session.roll_back();
            store.committed.forget();
            outcomes.fill(Outcome::Aborted);
            outcomes.push(outcome);
            outcomes.resize(changes.len(), Outcome::Aborted);
            return Ok(Ended::Well(outcomes));
        }
        outcomes.push(outcome);
    }
    let writes = Writes::of(&held);
    let ended = match writes {
        Ok(writes) => finish(store, &mut session, &writes, announced).await?,
        Err(error) => {
            session.roll_back();
            return Err(error);
        }
    };
    Ok(match ended {
        Ended::Well(()) => Ended::Well(outcomes),
        Ended::Overtaken(error) => Ended::Overtaken(error),
    })
}

/// Begins a transaction, locks what is touched and reads it. Also whether changes of keys are to be announced.
async fn lock(store: &Store, session: &mut Session, touched: &Touched, alone: bool) -> Result<Ended<(Held, bool)>> {
    let statements = &store.statements;
    let keys: Vec<&[u8]> = touched.keys.iter().map(|key| key.as_str().as_bytes()).collect();
    let releasing: Vec<&[u8]> = touched.releasing.iter().map(|key| key.as_str().as_bytes()).collect();
    let blobs: Vec<&[u8]> = touched.blobs.iter().map(|blob| &blob.as_bytes()[..]).collect();
    let mut steps = vec![Step::Command("BEGIN ISOLATION LEVEL READ COMMITTED")];
    if alone {
        steps.push(Step::Command(&statements.lock_all));
    }
    let before = steps.len();
    if !keys.is_empty() {
        let lock = if touched.whole { &statements.lock_whole_records } else { &statements.lock_records };
        steps.push(Step::Statement(session.prepared(lock).await?, vec![&keys]));
    }
    if !(blobs.is_empty() && releasing.is_empty()) {
        let values: Values<'_> = vec![&blobs, &releasing];
        steps.push(Step::Statement(session.prepared(&statements.lock_blobs).await?, values));
    }
    // Several keys are looked at one after the other: one that was not there may have come while another was waited for.
    let watched: Vec<&[u8]> = if keys.len() > 1 { keys.clone() } else { Vec::new() };
    steps.push(Step::Statement(session.prepared(&statements.begin).await?, vec![&watched]));
    session.unsettle();
    let answers = match collected(session.run(&steps).await?) {
        Ok(answers) => answers,
        Err(error) => return taken_back(session, error),
    };
    let mut answers = answers.into_iter().skip(before);
    let mut next = |asked: bool| asked.then(|| answers.next()).flatten().unwrap_or_default();
    let records = next(!keys.is_empty());
    let blobs = next(!(blobs.is_empty() && releasing.is_empty()));
    let begun = next(true);
    let locked = i64::try_from(records.len()).unwrap_or(i64::MAX);
    let read = || -> Result<_> {
        let begun = begun.first().ok_or_else(|| corrupt("the server does not tell its time"))?;
        if !watched.is_empty() && column::<i64>(begun, 2)? != locked {
            let message = "other commits were faster again and again";
            return Ok(Ended::Overtaken(Error::new(ErrorKind::Unavailable, message).advice("try again")));
        }
        let now = Timestamp::from_micros(column(begun, 0)?);
        Ok(Ended::Well((Held::new(now, records, &blobs)?, column(begun, 1)?)))
    };
    let read = read();
    if !matches!(read, Ok(Ended::Well(_))) {
        session.roll_back();
    }
    read
}

/// All answers, or the error that ended them.
fn collected(answers: Vec<Result<Vec<Row>, PgError>>) -> Result<Vec<Vec<Row>>, PgError> {
    answers.into_iter().collect()
}

/// A round trip failed before anything could be committed.
fn taken_back<T>(session: &mut Session, error: PgError) -> Result<Ended<T>> {
    match is_definite(&error) {
        true => session.roll_back(),
        false => session.doubt(),
    }
    match is_race(&error) {
        true => Ok(Ended::Overtaken(failure(error))),
        false => Err(failure(error)),
    }
}

/// Writes, commits, and reads the totals after it where somebody wants them, in one round trip.
pub(crate) async fn finish(
    store: &Store,
    session: &mut Session,
    writes: &Writes<'_>,
    announced: bool,
) -> Result<Ended<()>> {
    if writes.is_empty() {
        session.roll_back();
        store.committed.forget();
        return Ok(Ended::Well(()));
    }
    let messages = if announced { store.announcer.messages(writes.changed_keys()) } else { Vec::new() };
    let stripe = store.stripe()?;
    let mut steps = writes.steps(store, session, &stripe).await?;
    if !messages.is_empty() {
        let notify = session.prepared(&store.statements.notify).await?;
        steps.push(Step::Statement(notify, vec![&store.channel, &messages]));
    }
    let commit = steps.len();
    steps.push(Step::Command("COMMIT"));
    steps.extend(store.totals_after_commit(session).await?);
    let unknown = store.unknown_end();
    let answers = session.run(&steps).await.map_err(|_| crate::failure::unanswered_commit())?;
    let failed_at = answers.iter().position(Result::is_err);
    let mut answers = answers;
    match failed_at {
        Some(at) if at <= commit => {
            let Some(Err(error)) = answers.pop() else { return Err(corrupt("an answer was lost")) };
            if !is_definite(&error) {
                session.doubt();
                return Err(ambiguous(&error));
            }
            // The commit behind it became a rollback.
            session.settle();
            unknown.known();
            match is_race(&error) {
                true => Ok(Ended::Overtaken(failure(error))),
                false => Err(failure(error)),
            }
        }
        _ => {
            session.settle();
            unknown.known();
            counted(store, answers.into_iter().nth(commit + 1));
            Ok(Ended::Well(()))
        }
    }
}

/// Notes the totals that were read behind a commit, if they were.
fn counted(store: &Store, answer: Option<Result<Vec<Row>, PgError>>) {
    let sums = answer.and_then(Result::ok);
    match sums.as_deref().and_then(<[Row]>::first).map(totals::stats) {
        Some(Ok(read)) => store.committed.note(read),
        _ => store.committed.forget(),
    }
}

/// How many bytes rest in the record itself.
fn inline_bytes(record: &Record) -> i64 {
    match record.location {
        Location::Blob(_) => 0,
        Location::Inline(_) | Location::Omitted => i64::try_from(record.content.stored_size).unwrap_or(i64::MAX),
    }
}
