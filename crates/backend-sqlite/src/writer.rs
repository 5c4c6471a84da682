//! The one connection that writes, and the transaction of a group of commits.

use crate::changes::Changes;
use crate::failure::{again, closed, failure, is_busy};
use crate::group::{Batch, Follower, Group, Outcomes};
use crate::known::{Known, Last};
use crate::open;
use crate::totals::Totals;
use crate::transaction::Transaction;
use cacheness_storage::{Clock, EntryKey, Error, ErrorKind, Generations, Outcome, Reclaimed, Result};
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many changes one transaction takes in before the next batch has to wait for another one.
const MAX_CHANGES: usize = 1000;

/// How many commits later the database may have grown so much that its log should.
const GROWS_IN: u64 = 1024;

pub(crate) struct Writer {
    /// `None` after `close`.
    connection: Mutex<Option<Connection>>,
    group: Group,
    generations: Generations,
    clock: Arc<dyn Clock>,
    busy_timeout: Duration,
    commits: AtomicU64,
    /// What the last commit left; `None` before the first, and after one of which nobody knows.
    last: Mutex<Option<Last>>,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        generations: Generations,
        clock: Arc<dyn Clock>,
        busy_timeout: Duration,
    ) -> Self {
        let (connection, group, last) = (Mutex::new(Some(connection)), Group::default(), Mutex::default());
        Self { connection, group, generations, clock, busy_timeout, commits: AtomicU64::new(0), last }
    }

    /// What every commit marks.
    pub(crate) fn generations(&self) -> &Generations {
        &self.generations
    }

    /// Works with the connection, alone in this process.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(connection.as_ref().ok_or_else(closed)?)
    }

    /// Works with the connection. When the device is full, it moves the log into the database as far as readers allow:
    /// the next transaction writes the log from its beginning and needs no new space for it.
    fn with_room<R>(&self, work: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        self.with(|connection| {
            let result = work(connection);
            if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::OutOfSpace) {
                drop(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
            }
            result
        })
    }

    /// Removes records in a transaction, if no other process keeps the write lock for longer than `patience`; then `None`.
    pub(crate) fn try_reclaim(
        &self,
        patience: Duration,
        remove: impl FnOnce(&mut Changes<'_>) -> Result<Reclaimed>,
    ) -> Result<Option<Reclaimed>> {
        self.try_change(patience, remove, |reclaimed| &reclaimed.keys)
    }

    /// Changes the records of the keys that `changed` names, as impatiently.
    pub(crate) fn try_change<R>(
        &self,
        patience: Duration,
        change: impl FnOnce(&mut Changes<'_>) -> Result<R>,
        changed: fn(&R) -> &[EntryKey],
    ) -> Result<Option<R>> {
        self.with_room(|connection| {
            connection.busy_timeout(patience.min(self.busy_timeout)).map_err(failure)?;
            let begun = Transaction::begin(connection);
            connection.busy_timeout(self.busy_timeout).map_err(failure)?;
            let transaction = match begun {
                Err(error) if is_busy(&error) => return Ok(None),
                begun => begun.map_err(failure)?,
            };
            let mut changes = self.changes(connection)?;
            let result = change(&mut changes)?;
            self.publish(transaction, changed(&result), changes.finish()?)?;
            Ok(Some(result))
        })
    }

    /// Commits a batch, together with those of other threads that wait.
    pub(crate) fn commit(&self, batch: Batch) -> Outcomes {
        self.group.commit(batch, |batch| self.with_room(|connection| self.lead(connection, batch)))
    }

    /// Releases the connection, after moving the log into the database as far as readers allow.
    pub(crate) fn close(&self) {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(connection) = connection {
            // Best effort, and waiting for nobody: a log that stays is read by whoever opens the index next.
            drop(connection.busy_timeout(Duration::ZERO));
            drop(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        }
    }

    /// Commits a batch, and those of others that wait, in one transaction. When one of them leaves a part of itself behind,
    /// which nothing but the end of the transaction takes back, each has a transaction of its own.
    fn lead(&self, connection: &Connection, batch: &Batch) -> Outcomes {
        let mut joined = Vec::new();
        let led = self.transact(connection, batch, |transaction, changes| {
            self.gather(transaction, changes, batch.changes.len(), &mut joined)
        });
        let (led, is_spoiled) = match led {
            Err(Broken::Spoiled) => (self.alone(connection, batch), true),
            Err(Broken::Lost(error)) => (Err(error), false),
            Ok(outcomes) => (Ok(outcomes), false),
        };
        for (follower, outcomes) in joined {
            let outcomes = match &led {
                _ if is_spoiled => self.alone(connection, follower.batch()),
                Ok(_) => outcomes,
                Err(error) => outcomes.and_then(|_| Err(again(error))),
            };
            follower.answer(outcomes);
        }
        led
    }

    fn alone(&self, connection: &Connection, batch: &Batch) -> Outcomes {
        self.transact(connection, batch, |_, _| Ok(Vec::new())).map_err(Broken::into_error)
    }

    /// Commits a batch, and what else `gather` finds.
    fn transact(
        &self,
        connection: &Connection,
        batch: &Batch,
        gather: impl FnOnce(&Transaction<'_>, &mut Changes<'_>) -> Result<Vec<EntryKey>, Broken>,
    ) -> Result<Vec<Outcome>, Broken> {
        let transaction = Transaction::begin(connection).map_err(|error| {
            let error = failure(error);
            // Those who wait, wait for the same lock.
            while let Some(follower) = self.group.next() {
                follower.answer(Err(again(&error)));
            }
            error
        })?;
        let mut changes = self.changes(connection)?;
        let outcomes = changes.apply_all(batch)?;
        if !batch.is_aborted(&outcomes) {
            let gathered = gather(&transaction, &mut changes)?;
            let known = changes.finish()?;
            self.publish(transaction, batch.changed(&outcomes).chain(&gathered), known)?;
        }
        Ok(outcomes)
    }

    /// Changes in a transaction that has begun.
    fn changes<'c>(&self, connection: &'c Connection) -> Result<Changes<'c>> {
        let last = self.last();
        let known = last.as_ref().and_then(|last| last.known(&self.generations));
        Changes::new(connection, self.clock.now(), known)
    }

    /// Makes a transaction final that changes these keys and leaves what is `known`. They are marked before anybody can
    /// see it, until nothing is under way any more, whatever became of it.
    fn publish<'k>(
        &self,
        transaction: Transaction<'_>,
        keys: impl IntoIterator<Item = &'k EntryKey>,
        known: Known,
    ) -> Result<()> {
        let last = Last::new(known, &self.generations);
        let _changing = self.generations.change(keys.into_iter().map(|key| key.as_str().as_bytes()));
        let connection = transaction.connection();
        let committed = transaction.commit().map_err(uncertain);
        *self.last() = committed.is_ok().then_some(last);
        if self.commits.fetch_add(1, Ordering::Relaxed) % GROWS_IN == GROWS_IN - 1 {
            // Best effort: the limit of before is a good one, too.
            drop(open::limit_log(connection));
        }
        committed
    }

    /// The totals that the last commit left; `None` before the first, and after one of which nobody knows.
    pub(crate) fn committed(&self) -> Option<Totals> {
        self.last().as_ref().map(|last| last.known.kept.totals)
    }

    fn last(&self) -> MutexGuard<'_, Option<Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies the batches of those who wait; returns the keys that they change.
    fn gather(
        &self,
        transaction: &Transaction<'_>,
        changes: &mut Changes<'_>,
        mut size: usize,
        joined: &mut Vec<(Follower, Outcomes)>,
    ) -> Result<Vec<EntryKey>, Broken> {
        let mut changed = Vec::new();
        while size < MAX_CHANGES
            && let Some(follower) = self.group.next()
        {
            let batch = follower.batch();
            size += batch.changes.len().max(1);
            changes.now = self.clock.now();
            let outcomes = match batch.may_abort() {
                true => apply_as_part(transaction, changes, batch),
                false => apply_directly(transaction, changes, batch),
            };
            let broken = match outcomes {
                Ok(outcomes) => {
                    if let Ok(outcomes) = &outcomes {
                        changed.extend(batch.changed(outcomes).cloned());
                    }
                    joined.push((follower, outcomes));
                    continue;
                }
                Err(broken) => broken,
            };
            let outcomes = match &broken {
                Broken::Lost(error) => Err(again(error)),
                Broken::Spoiled => Ok(Vec::new()),
            };
            joined.push((follower, outcomes));
            return Err(broken);
        }
        Ok(changed)
    }
}

/// Why a transaction cannot be committed.
#[derive(Debug)]
enum Broken {
    /// SQLite took it back, or cannot.
    Lost(Error),
    /// A part of a batch stands in it that is not to stay.
    Spoiled,
}

impl Broken {
    fn into_error(self) -> Error {
        match self {
            Self::Lost(error) => error,
            Self::Spoiled => Error::new(ErrorKind::Internal, "a transaction of one batch was spoiled by another"),
        }
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Lost(error)
    }
}

/// Applies a batch inside the transaction of others.
fn apply_directly(transaction: &Transaction<'_>, changes: &mut Changes<'_>, batch: &Batch) -> Result<Outcomes, Broken> {
    let before = transaction.written();
    match changes.apply_all(batch) {
        // After some errors, such as a full device, SQLite takes the whole transaction back.
        Err(error) if transaction.is_over() => Err(Broken::Lost(error)),
        Err(_) if transaction.written() > before => Err(Broken::Spoiled),
        outcomes => Ok(outcomes),
    }
}

/// Applies a batch inside the transaction of others, so that all of it can be taken back.
fn apply_as_part(transaction: &Transaction<'_>, changes: &mut Changes<'_>, batch: &Batch) -> Result<Outcomes, Broken> {
    let before = changes.difference();
    let outcomes = match transaction.begin_part() {
        Ok(()) => changes.apply_all(batch),
        Err(error) => Err(failure(error)),
    };
    let keep = outcomes.as_ref().is_ok_and(|outcomes| !batch.is_aborted(outcomes));
    if let Err(error) = transaction.end_part(keep) {
        // After some errors, such as a full device, SQLite takes the whole transaction back.
        return Err(Broken::Lost(outcomes.err().unwrap_or_else(|| failure(error))));
    }
    if !keep {
        changes.restore(before);
    }
    Ok(outcomes)
}

/// An error of a `COMMIT`: it may have happened, so nobody may try again.
fn uncertain(error: rusqlite::Error) -> Error {
    failure(error).retryable(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SqliteConfig, open};
    use cacheness_storage::{Change, Condition, Durability, Fields, Location, OnUnmet, Record, Timestamp};
    use cacheness_testkit::records::{NOW, blob, in_blob, inline, sample};
    use rusqlite::config::DbConfig;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{OnceLock, Weak};
    use std::thread;
    use tempfile::TempDir;

    /// A clock that stops the leader until as many batches wait.
    #[derive(Debug)]
    struct Gate {
        waiting: usize,
        has_leader: AtomicBool,
        is_open: AtomicBool,
        writer: OnceLock<Weak<Writer>>,
    }

    impl Gate {
        fn new(waiting: usize) -> Self {
            let (has_leader, is_open) = (AtomicBool::new(false), AtomicBool::new(false));
            Self { waiting, has_leader, is_open, writer: OnceLock::new() }
        }

        fn writer(self: &Arc<Self>, connection: Connection) -> Arc<Writer> {
            let writer =
                Arc::new(Writer::new(connection, Generations::in_process(), self.clone(), Duration::from_secs(5)));
            self.writer.set(Arc::downgrade(&writer)).unwrap();
            writer
        }

        fn wait_for_leader(&self) {
            while !self.has_leader.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        }
    }

    impl Clock for Gate {
        fn now(&self) -> Timestamp {
            self.has_leader.store(true, Ordering::Relaxed);
            let writer = self.writer.get().and_then(Weak::upgrade).unwrap();
            while !self.is_open.load(Ordering::Relaxed) && writer.group.waiting() < self.waiting {
                thread::yield_now();
            }
            self.is_open.store(true, Ordering::Relaxed);
            NOW
        }
    }

    impl std::fmt::Debug for Writer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Writer")
        }
    }

    /// How many transactions the log holds: frames that tell the size of the database end one.
    fn transactions(log: &[u8]) -> usize {
        log[32..].chunks_exact(24 + 4096).filter(|frame| frame[4..8] != [0; 4]).count()
    }

    #[test]
    fn those_who_wait_share_a_transaction_and_only_their_own_fate() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("index.db");
        let connection = open::writer(&path, Durability::Process, &SqliteConfig::default()).unwrap();
        let writer = &Arc::new(Gate::new(6)).writer(connection);
        let log = || transactions(&std::fs::read(directory.path().join("index.db-wal")).unwrap());
        let before = log();

        let put = |record: Record, condition| Change::Put { record: Box::new(record), condition };
        let good = &|n| put(in_blob(&format!("good {n}"), blob(n), 10), Condition::Always);
        let bad = || put(Record { location: Location::Omitted, ..sample("bad") }, Condition::Always);
        let present = || put(sample("unmet"), Condition::Present(cacheness_storage::Filter::All));
        let commit = &|changes, on_unmet| writer.commit(Batch { changes, on_unmet });
        thread::scope(|scope| {
            let goods: Vec<_> = (0..5).map(|n| scope.spawn(move || commit(vec![good(n)], OnUnmet::Skip))).collect();
            let failed = scope.spawn(|| commit(vec![good(10), good(11), bad()], OnUnmet::Abort));
            let aborted = scope.spawn(|| commit(vec![good(20), present()], OnUnmet::Abort));
            for outcomes in goods {
                assert!(outcomes.join().unwrap().unwrap()[0].is_applied());
            }
            assert_eq!(failed.join().unwrap().unwrap_err().kind(), ErrorKind::Internal);
            let outcomes = aborted.join().unwrap().unwrap();
            assert_eq!(outcomes, [Outcome::Aborted, Outcome::Unmet { current: None }]);
        });

        // A batch that fails or aborts while it leads commits nothing, and another one leads.
        assert_eq!(log() - before, 1);
        let keys = ["good 0", "good 4", "good 10", "good 11", "good 20"].map(Into::into);
        let found = writer.with(|connection| crate::page::records(connection, &keys, Fields::LEAST)).unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, false, false]);
        let totals = writer.with(crate::totals::Totals::read).unwrap();
        assert_eq!((totals.entries, totals.bytes, totals.blobs, totals.condemned), (5, 50, 5, 0));
    }

    #[test]
    fn a_batch_that_fails_in_its_middle_takes_nothing_of_the_others_with_it() {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        let clock = Arc::new(Gate::new(3));
        let writer = &clock.writer(connection);
        let put = |record| Change::Put { record: Box::new(record), condition: Condition::Always };
        let good = &|n: u64| put(in_blob(&format!("good {n}"), blob(n), 10));
        let bad = || put(Record { location: Location::Omitted, ..sample("bad") });
        let commit = &|changes| writer.commit(Batch { changes, on_unmet: OnUnmet::Skip });
        thread::scope(|scope| {
            let leader = scope.spawn(|| commit(vec![good(0)]));
            clock.wait_for_leader();
            let followers: Vec<_> = (1..3).map(|n| scope.spawn(move || commit(vec![good(n)]))).collect();
            let failed = scope.spawn(|| commit(vec![good(10), bad()]));
            for outcomes in followers.into_iter().chain([leader]) {
                assert!(outcomes.join().unwrap().unwrap()[0].is_applied());
            }
            assert_eq!(failed.join().unwrap().unwrap_err().kind(), ErrorKind::Internal);
        });
        let keys = ["good 0", "good 1", "good 2", "good 10"].map(Into::into);
        let found = writer.with(|connection| crate::page::records(connection, &keys, Fields::LEAST)).unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, false]);
        let totals = writer.with(crate::totals::Totals::read).unwrap();
        assert_eq!((totals.entries, totals.bytes, totals.blobs), (3, 30, 3));
    }

    fn put_alone(writer: &Writer, record: Record) -> Outcomes {
        let changes = vec![Change::Put { record: Box::new(record), condition: Condition::Always }];
        writer.commit(Batch { changes, on_unmet: OnUnmet::Skip })
    }

    fn in_memory() -> Writer {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        Writer::new(
            connection,
            Generations::in_process(),
            Arc::new(cacheness_core::SystemClock),
            Duration::from_secs(5),
        )
    }

    #[test]
    fn a_full_device_takes_nothing_and_loses_nothing() {
        let writer = in_memory();
        put_alone(&writer, sample("before")).unwrap();
        let limit = |pages: i64| writer.with(|it| it.pragma_update(None, "max_page_count", pages).map_err(failure));
        limit(12).unwrap();
        let large = inline("large", vec![0; 100_000]);
        let error = put_alone(&writer, large.clone()).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::OutOfSpace, false), "{error}");
        limit(1000).unwrap();
        let keys = ["before".into(), "large".into()];
        let found = || writer.with(|connection| crate::page::records(connection, &keys, Fields::ALL)).unwrap();
        assert_eq!(found(), [Some(sample("before")), None]);
        put_alone(&writer, large.clone()).unwrap();
        assert_eq!(found(), [Some(sample("before")), Some(large)]);
    }

    #[test]
    fn a_full_device_fails_the_whole_transaction_by_its_name() {
        let connection = open::memory(&SqliteConfig::default()).unwrap();
        connection.pragma_update(None, "max_page_count", 12).unwrap();
        let clock = Arc::new(Gate::new(1));
        let writer = &clock.writer(connection);
        let (small, large) = thread::scope(|scope| {
            let small = scope.spawn(|| put_alone(writer, sample("small")));
            clock.wait_for_leader();
            let large = scope.spawn(|| put_alone(writer, inline("large", vec![0; 100_000])));
            (small.join().unwrap(), large.join().unwrap())
        });
        for outcomes in [small, large] {
            assert_eq!(outcomes.unwrap_err().kind(), ErrorKind::OutOfSpace);
        }
        assert_eq!(put_alone(writer, sample("small")).unwrap(), [applied(None)]);
    }

    #[test]
    fn an_impatient_transaction_does_not_wait_as_long_as_commits() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("index.db");
        let config = SqliteConfig::default().busy_timeout_ms(3_600_000);
        let connection = open::writer(&path, Durability::Process, &config).unwrap();
        let writer = Writer::new(
            connection,
            Generations::in_process(),
            Arc::new(cacheness_core::SystemClock),
            config.busy_timeout(),
        );
        let other = open::writer(&path, Durability::Process, &config).unwrap();
        let lock = Transaction::begin(&other).unwrap();
        let reclaim = || writer.try_reclaim(Duration::ZERO, |_| Ok(Reclaimed::default())).unwrap();
        assert_eq!(reclaim(), None);
        drop(lock);
        assert_eq!(reclaim(), Some(Reclaimed::default()));
        let patience =
            |it: &Connection| it.pragma_query_value(None, "busy_timeout", |row| row.get::<_, i64>(0)).map_err(failure);
        assert_eq!(writer.with(patience).unwrap(), 3_600_000);
    }

    #[test]
    fn a_commit_that_fails_at_its_end_is_rolled_back_and_may_not_be_tried_again() {
        let writer = in_memory();
        let sql = |sql: &str| writer.with(|connection| connection.execute_batch(sql).map_err(failure)).unwrap();
        writer
            .with(|it| {
                it.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true).map_err(failure)?;
                it.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true).map_err(failure)
            })
            .unwrap();
        sql("CREATE TABLE orphans (parent INTEGER REFERENCES records (id) DEFERRABLE INITIALLY DEFERRED);
            CREATE TRIGGER fails_at_the_end AFTER INSERT ON records BEGIN INSERT INTO orphans VALUES (-1); END;");
        let error = put_alone(&writer, sample("key")).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Metadata, false), "{error}");
        sql("DROP TRIGGER fails_at_the_end");
        assert_eq!(put_alone(&writer, sample("key")).unwrap(), [applied(None)]);
    }

    /// Looks at the stripes of keys inside each `COMMIT`, just before anybody can see the transaction.
    struct Watched {
        writer: Arc<Writer>,
        generations: Generations,
        /// Of each `COMMIT`, which keys could be stamped during it.
        seen: Arc<Mutex<Vec<Vec<&'static str>>>>,
        fails: Arc<AtomicBool>,
        _directory: TempDir,
    }

    const KEYS: [&str; 5] = ["0", "1", "2", "unmet", "aborted"];

    impl Watched {
        fn new(clock: Arc<Gate>) -> Self {
            let directory = TempDir::new().unwrap();
            let path = directory.path().join("index.db");
            let mut connection = open::writer(&path, Durability::Process, &SqliteConfig::default()).unwrap();
            let generations = Generations::open(directory.path().join("generations")).unwrap();
            let (seen, fails) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
            let watch = {
                let (generations, seen, fails) = (generations.clone(), seen.clone(), fails.clone());
                move || {
                    let free = KEYS.into_iter().filter(|key| generations.stamp(key.as_bytes()).is_some()).collect();
                    seen.lock().unwrap().push(free);
                    fails.load(Ordering::Relaxed)
                }
            };
            connection.commit_hook(Some(watch)).unwrap();
            let timeout = Duration::from_secs(5);
            let writer = Arc::new(Writer::new(connection, generations.clone(), clock.clone(), timeout));
            clock.writer.set(Arc::downgrade(&writer)).unwrap();
            Self { writer, generations, seen, fails, _directory: directory }
        }

        fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Outcomes {
            self.writer.commit(Batch { changes, on_unmet })
        }

        /// The keys whose copies are fresh after `work`, if they were taken before.
        fn fresh_after(&self, work: impl FnOnce()) -> Vec<&'static str> {
            let stamps = KEYS.map(|key| self.generations.stamp(key.as_bytes()).unwrap());
            work();
            let fresh = KEYS.into_iter().zip(stamps).filter(|(_, stamp)| self.generations.is_fresh(*stamp));
            fresh.map(|(key, _)| key).collect()
        }

        fn seen(&self) -> Vec<Vec<&'static str>> {
            std::mem::take(&mut *self.seen.lock().unwrap())
        }
    }

    fn put(key: &str, condition: Condition) -> Change {
        Change::Put { record: Box::new(sample(key)), condition }
    }

    #[test]
    fn what_a_group_changes_is_marked_before_anybody_can_see_it_and_nothing_else_is() {
        let watched = &Watched::new(Arc::new(Gate::new(3)));
        let unmet = || put("unmet", Condition::Version(cacheness_testkit::records::version(9)));
        let fresh = watched.fresh_after(|| {
            thread::scope(|scope| {
                for key in ["0", "1", "2"] {
                    scope.spawn(|| watched.commit(vec![put(key, Condition::Always), unmet()], OnUnmet::Skip).unwrap());
                }
                let aborted = vec![put("aborted", Condition::Always), unmet()];
                scope.spawn(|| watched.commit(aborted, OnUnmet::Abort).unwrap());
            });
        });
        assert_eq!(fresh, ["unmet", "aborted"]);
        assert_eq!(watched.seen(), [["unmet", "aborted"]], "one transaction, all of it marked");
    }

    #[test]
    fn every_kind_of_change_of_a_record_is_marked_and_no_use_and_no_change_of_a_blob_is() {
        let watched = Watched::new(Arc::new(Gate::new(0)));
        let key = || EntryKey::new("1");
        let patch = || Box::new(cacheness_storage::Patch::new(cacheness_testkit::records::version(5), NOW));
        let marked: [fn(_, _) -> Change; 3] = [
            |_, _| Change::Put { record: Box::new(in_blob("1", blob(1), 10)), condition: Condition::Always },
            |key, patch| Change::Patch { key, patch, condition: Condition::Always },
            |key, _| Change::Remove { key, condition: Condition::Always },
        ];
        for change in marked {
            let fresh =
                watched.fresh_after(|| drop(watched.commit(vec![change(key(), patch())], OnUnmet::Abort).unwrap()));
            assert_eq!(fresh, ["0", "2", "unmet", "aborted"]);
            assert_eq!(watched.seen(), [["0", "2", "unmet", "aborted"]]);
        }
        watched.commit(vec![put("2", Condition::Always)], OnUnmet::Skip).unwrap();
        watched.seen();
        let unmarked = vec![
            Change::Use { key: EntryKey::new("2"), at: NOW, hits: 1 },
            Change::Forget { blob: blob(1) },
            Change::Condemn { blob: blob(2) },
            Change::Require { blob: blob(3) },
        ];
        let fresh = watched.fresh_after(|| drop(watched.commit(unmarked, OnUnmet::Skip).unwrap()));
        assert_eq!(fresh, KEYS);
        assert_eq!(watched.seen(), [KEYS]);
    }

    #[test]
    fn what_a_reclaim_removes_is_marked_before_anybody_can_see_it() {
        let watched = Watched::new(Arc::new(Gate::new(0)));
        watched.commit(KEYS.map(|key| put(key, Condition::Always)).to_vec(), OnUnmet::Skip).unwrap();
        watched.seen();
        let fresh = watched.fresh_after(|| {
            let filter = cacheness_storage::Filter::All;
            let order = cacheness_storage::ReclaimOrder::Key;
            let find = |it: &Connection| {
                crate::reclaim::Candidates::find(it, &filter, order, 2, NOW, &cacheness_core::SystemRng)
            };
            let candidates = watched.writer.with(find).unwrap();
            let plan =
                cacheness_storage::Reclaim::Entries { filter, order, limit: 2, until_bytes: None, until_entries: None };
            let part = candidates.parts().next().unwrap();
            let remove = |changes: &mut Changes<'_>| part.remove(changes, &plan);
            let reclaimed = watched.writer.try_reclaim(Duration::ZERO, remove).unwrap().unwrap();
            assert_eq!(reclaimed.keys, ["0".into(), "1".into()]);
        });
        assert_eq!(fresh, ["2", "unmet", "aborted"]);
        assert_eq!(watched.seen(), [["2", "unmet", "aborted"]]);
    }

    #[test]
    fn a_commit_that_fails_ends_its_marks_and_leaves_no_copy_fresh() {
        let watched = Watched::new(Arc::new(Gate::new(0)));
        watched.fails.store(true, Ordering::Relaxed);
        let fresh = watched.fresh_after(|| {
            watched.commit(vec![put("0", Condition::Always)], OnUnmet::Skip).unwrap_err();
        });
        assert_eq!(fresh, KEYS[1..]);
        assert!(watched.generations.stamp(b"0").is_some());
    }

    fn applied(previous: Option<cacheness_storage::Version>) -> Outcome {
        Outcome::Applied { previous, condemned: Vec::new() }
    }
}
