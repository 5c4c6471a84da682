//! Group commit: whoever finds the writer free leads and takes the batches of those who wait into its transaction.
//!
//! The waiting threads sleep until their batch is done, or until the lead is theirs.

use cacheness_storage::{Change, Condition, EntryKey, Error, ErrorKind, OnUnmet, Outcome, Result};
use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many changes are worth being sorted.
const MANY: usize = 100;

/// How many transactions a thread commits for others after its own.
const MORE: usize = 4;

/// The changes of one commit.
pub(crate) struct Batch {
    pub(crate) changes: Vec<Change>,
    pub(crate) on_unmet: OnUnmet,
}

impl Batch {
    /// Whether these outcomes mean that nothing of the batch is applied.
    pub(crate) fn is_aborted(&self, outcomes: &[Outcome]) -> bool {
        self.on_unmet == OnUnmet::Abort && !outcomes.iter().all(Outcome::is_applied)
    }

    /// The changes with their places, in the order of their keys: in this order they visit each page of the index by key
    /// once. `None` for a few changes, and where their order means something.
    pub(crate) fn sorted(&self) -> Option<Vec<(usize, &Change)>> {
        let is_free = |change: &Change| {
            matches!(
                change,
                Change::Put { condition: Condition::Always, .. } | Change::Remove { condition: Condition::Always, .. }
            )
        };
        if self.changes.len() < MANY || !self.changes.iter().all(is_free) {
            return None;
        }
        let mut sorted: Vec<_> = self.changes.iter().enumerate().collect();
        // Stable: two changes of one key keep their order.
        sorted.sort_by_key(|(_, change)| change.key());
        Some(sorted)
    }

    /// Whether what it has written may have to be taken back though nothing failed.
    pub(crate) fn may_abort(&self) -> bool {
        self.on_unmet == OnUnmet::Abort && self.changes.len() > 1
    }

    /// The keys whose records these outcomes say were changed.
    pub(crate) fn changed<'b>(&'b self, outcomes: &'b [Outcome]) -> impl Iterator<Item = &'b EntryKey> {
        let applied = self.changes.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_applied());
        applied.filter_map(|(change, _)| change.key())
    }
}

/// What became of a batch.
pub(crate) type Outcomes = Result<Vec<Outcome>>;

/// The batches that wait for a transaction.
#[derive(Default)]
pub(crate) struct Group {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    has_leader: bool,
    waiting: VecDeque<Arc<Ticket>>,
}

/// A waiting batch.
struct Ticket {
    batch: Batch,
    turn: Mutex<Turn>,
    called: Condvar,
}

enum Turn {
    Waiting,
    Lead,
    Done(Outcomes),
}

/// The lead. Dropping it passes it on, also in a panic.
struct Lead<'g>(&'g Group);

/// The waiting batch that joined the leader's transaction. Its thread sleeps until it is answered.
pub(crate) struct Follower(Arc<Ticket>);

impl Group {
    /// Hands a batch in and returns what became of it. `lead` runs on one thread at a time; it commits the batch that
    /// it is given, and those of [`next`](Self::next) as it likes.
    pub(crate) fn commit(&self, batch: Batch, lead: impl Fn(&Batch) -> Outcomes) -> Outcomes {
        let mut queue = lock(&self.queue);
        if !queue.has_leader {
            queue.has_leader = true;
            drop(queue);
            return self.lead(&batch, lead);
        }
        let ticket = Arc::new(Ticket { batch, turn: Mutex::new(Turn::Waiting), called: Condvar::new() });
        queue.waiting.push_back(ticket.clone());
        drop(queue);
        match ticket.wait() {
            Some(outcomes) => outcomes,
            None => self.lead(&ticket.batch, lead),
        }
    }

    /// Leads, and goes on for those who came meanwhile: waking one of them to lead would take longer than most commits.
    fn lead(&self, batch: &Batch, lead: impl Fn(&Batch) -> Outcomes) -> Outcomes {
        let _lead = Lead(self);
        let outcomes = lead(batch);
        for _ in 0..MORE {
            let Some(follower) = self.next() else { break };
            let outcomes = lead(follower.batch());
            follower.answer(outcomes);
        }
        outcomes
    }

    /// The batch that waits longest. For the leader only.
    pub(crate) fn next(&self) -> Option<Follower> {
        lock(&self.queue).waiting.pop_front().map(Follower)
    }
}

impl Ticket {
    /// What became of the batch; `None` when this thread leads from now on.
    fn wait(&self) -> Option<Outcomes> {
        let waiting = |turn: &mut Turn| matches!(turn, Turn::Waiting);
        let mut turn = self.called.wait_while(lock(&self.turn), waiting).unwrap_or_else(PoisonError::into_inner);
        match mem::replace(&mut *turn, Turn::Waiting) {
            Turn::Done(outcomes) => Some(outcomes),
            Turn::Lead | Turn::Waiting => None,
        }
    }

    fn call(&self, turn: Turn) {
        *lock(&self.turn) = turn;
        self.called.notify_one();
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        match queue.waiting.pop_front() {
            Some(next) => next.call(Turn::Lead),
            None => queue.has_leader = false,
        }
    }
}

impl Follower {
    pub(crate) fn batch(&self) -> &Batch {
        &self.0.batch
    }

    pub(crate) fn answer(self, outcomes: Outcomes) {
        self.0.call(Turn::Done(outcomes));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if matches!(*lock(&self.0.turn), Turn::Waiting) {
            let message = "the thread that led this commit panicked";
            self.0.call(Turn::Done(Err(Error::new(ErrorKind::Internal, message))));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Group {
    /// How many batches wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.queue).waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    fn batch() -> Batch {
        Batch { changes: Vec::new(), on_unmet: OnUnmet::Skip }
    }

    fn wait_for(group: &Group, waiting: usize) {
        while group.waiting() < waiting {
            thread::yield_now();
        }
    }

    fn wait_for_leader(group: &Group) {
        while !lock(&group.queue).has_leader {
            thread::yield_now();
        }
    }

    #[test]
    fn a_leader_goes_on_for_a_few_others_and_whoever_is_left_leads_next() {
        let group = &Group::default();
        let leads = &Mutex::new(Vec::new());
        let lead = move |_: &Batch| {
            lock(leads).push(thread::current().id());
            Ok(Vec::new())
        };
        let lead_late = move |batch: &Batch| {
            if lock(leads).is_empty() {
                wait_for(group, MORE + 2);
            }
            lead(batch)
        };
        let first = thread::scope(|scope| {
            let first = scope.spawn(move || group.commit(batch(), lead_late).unwrap()).thread().id();
            wait_for_leader(group);
            for _ in 0..MORE + 2 {
                scope.spawn(move || group.commit(batch(), lead).unwrap());
            }
            first
        });
        let leads = lock(leads);
        assert_eq!(leads.len(), MORE + 3);
        assert_eq!(leads.iter().filter(|leader| **leader == first).count(), 1 + MORE);
        assert_eq!(group.waiting(), 0);
        assert!(!lock(&group.queue).has_leader);
    }

    #[test]
    fn a_leader_that_panics_answers_whom_it_took_and_passes_the_lead_on() {
        let group = &Group::default();
        let panicking = move |_: &Batch| {
            wait_for(group, 2);
            let _taken = group.next();
            panic!("the leader fails");
        };
        let (taken, left) = thread::scope(|scope| {
            scope.spawn(move || catch_unwind(AssertUnwindSafe(|| group.commit(batch(), panicking))).unwrap_err());
            wait_for_leader(group);
            let taken = scope.spawn(move || group.commit(batch(), |_| panic!("it is not asked to lead")));
            wait_for(group, 1);
            let left = scope.spawn(move || group.commit(batch(), |_| Ok(Vec::new())));
            (taken.join().unwrap(), left.join().unwrap())
        });
        let error = taken.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Internal, false));
        assert_eq!(left.unwrap(), []);
    }
}
