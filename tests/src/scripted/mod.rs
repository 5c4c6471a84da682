//! Backends that note their calls and do as a script says: fail, lose what they did, or stand still.

mod backends;

pub use backends::{Scripted, ScriptedBlobs, ScriptedMetadata};

use cacheness_storage::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::thread::ThreadId;

/// What happens to the calls of the backends that share it, and what calls there were: `get` and `commit` of an index,
/// `blob get` and `blob put` of blobs. Closing is none. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<&'static str>,
    threads: HashSet<ThreadId>,
    next: VecDeque<Failure>,
    /// Of these calls, or of all if there are none.
    lasting: Option<(Failure, Vec<&'static str>)>,
    held: bool,
    inside: usize,
    wakers: Vec<Waker>,
}

/// How a call fails.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    kind: ErrorKind,
    happened: bool,
    retryable: Option<bool>,
    call: Option<&'static str>,
}

impl Failure {
    /// Before anything happened.
    pub fn before(kind: ErrorKind) -> Self {
        Self { kind, happened: false, retryable: None, call: None }
    }

    /// After it happened: the answer is lost.
    pub fn after(kind: ErrorKind) -> Self {
        Self { happened: true, ..Self::before(kind) }
    }

    /// With an error that says of itself whether trying again helps.
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = Some(retryable);
        self
    }

    /// The next call of that name; others go through until then.
    pub fn of(mut self, call: &'static str) -> Self {
        self.call = Some(call);
        self
    }

    fn error(self, call: &str) -> Error {
        let error = Error::new(self.kind, format!("{call} fails as told"));
        self.retryable.into_iter().fold(error, Error::retryable)
    }
}

impl Script {
    /// Every call fails from now on.
    pub fn fail(&self, kind: ErrorKind) {
        self.fail_only(kind, &[]);
    }

    /// Every one of these calls fails from now on.
    pub fn fail_only(&self, kind: ErrorKind, only: &[&'static str]) {
        self.state().lasting = Some((Failure::before(kind), only.to_vec()));
    }

    /// From now on these calls do what they are for, and fail nevertheless.
    pub fn lose_replies_of(&self, only: &[&'static str]) {
        self.state().lasting = Some((Failure::after(ErrorKind::Unavailable), only.to_vec()));
    }

    /// The next call fails so, and the one after it as the next of them says, whatever else is healed.
    pub fn fail_next(&self, failures: impl IntoIterator<Item = Failure>) {
        self.state().next.extend(failures);
    }

    /// Calls stand still from now on.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// No call fails any more because every one does, and those that stand still go on.
    pub fn heal(&self) {
        let mut state = self.state();
        (state.lasting, state.held) = (None, false);
        state.wakers.drain(..).for_each(Waker::wake);
        self.0.changed.notify_all();
    }

    /// Waits until so many calls are under way.
    pub fn wait_inside(&self, count: usize) {
        drop(self.0.changed.wait_while(self.state(), |state| state.inside < count).unwrap());
    }

    /// How many calls are under way.
    pub fn inside(&self) -> usize {
        self.state().inside
    }

    /// The calls since this was asked last.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().calls)
    }

    /// How many calls there were of each since they were asked for last, such as `commit 1, get 2`.
    pub fn counts(&self) -> String {
        let mut counts = BTreeMap::<_, u64>::new();
        self.calls().into_iter().for_each(|call| *counts.entry(call).or_default() += 1);
        let counts: Vec<_> = counts.iter().map(|(call, count)| format!("{call} {count}")).collect();
        counts.join(", ")
    }

    /// The threads of all calls.
    pub fn threads(&self) -> HashSet<ThreadId> {
        self.state().threads.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    async fn perform<R>(&self, call: &'static str, blocking: bool, work: impl Future<Output = Result<R>>) -> Result<R> {
        let _inside = Inside::enter(self, call);
        if blocking {
            drop(self.0.changed.wait_while(self.state(), |state| state.held).unwrap());
        } else {
            self.go_on_later().await;
        }
        match self.failure(call) {
            None => work.await,
            Some(failure) if failure.happened => work.await.and(Err(failure.error(call))),
            Some(failure) => Err(failure.error(call)),
        }
    }

    fn failure(&self, call: &str) -> Option<Failure> {
        let mut state = self.state();
        let lasting = state.lasting.as_ref().filter(|(_, only)| only.is_empty() || only.contains(&call));
        let lasting = lasting.map(|(failure, _)| *failure);
        lasting.or_else(|| state.next.pop_front_if(|next| next.call.is_none_or(|meant| meant == call)))
    }

    /// Waits as one does for the network: not at the first poll, and not while calls stand still.
    async fn go_on_later(&self) {
        let mut polled = false;
        poll_fn(|context| {
            let mut state = self.state();
            if std::mem::replace(&mut polled, true) && !state.held {
                return Poll::Ready(());
            }
            match state.held {
                true => state.wakers.push(context.waker().clone()),
                false => context.waker().wake_by_ref(),
            }
            Poll::Pending
        })
        .await;
    }
}

/// A call that is under way, until this is dropped.
struct Inside<'s>(&'s Script);

impl<'s> Inside<'s> {
    fn enter(script: &'s Script, call: &'static str) -> Self {
        let mut state = script.state();
        state.calls.push(call);
        state.threads.insert(std::thread::current().id());
        state.inside += 1;
        script.0.changed.notify_all();
        Self(script)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
        self.0.0.changed.notify_all();
    }
}
