//! Deletes that did not reach the index: remembered until they do, so that nothing old comes back.
//!
//! What is remembered is bounded. When it becomes too much, the widest delete takes the place of all: everything of the
//! namespace that all of them are in, or everything.

use crate::Key;
use crate::key::Namespace;
use crate::observe;
use cacheness_core::flight::Flights;
use cacheness_core::{Error, ErrorKind, Timestamp};
use cacheness_storage::Filter;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many deletes of one key are remembered, and how many of other kinds.
const MOST_KEYS: usize = 64 << 10;
const MOST_OTHERS: usize = 256;

/// How many keys go into one commit.
const BATCH: usize = 1000;

/// How long after a delivery that failed the next is tried, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long at least, when the backends answered others meanwhile.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// A delete that did not reach the index.
#[derive(Debug, Clone)]
pub(crate) struct Debt {
    /// The namespace that it is for; `None` for the whole cache.
    pub(crate) scope: Option<Namespace>,
    pub(crate) what: What,
    /// When it was asked for, at the latest: what was put after that is not meant.
    pub(crate) at: Timestamp,
}

/// What a delete means.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Keys(Vec<Key>),
    Matching(Filter),
    Tag(String),
    All,
}

/// The next deletes to deliver.
#[derive(Debug)]
pub(crate) enum Batch {
    Keys(Vec<(Key, Timestamp)>),
    Other(u64, Debt),
}

/// The deletes that did not reach the index yet.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    are_some: AtomicBool,
    state: Mutex<State>,
    /// Whoever delivers; the others wait for how it went.
    pub(crate) deliveries: Flights<(), bool>,
}

#[derive(Debug, Default)]
struct State {
    keys: HashMap<Key, Timestamp>,
    /// All others, by number, in their order.
    others: Vec<(u64, Debt)>,
    next: u64,
    /// The namespace that all of them are in.
    scope: Option<Namespace>,
    /// When a delivery failed last, and how long the pause after it is.
    failed: Option<(Timestamp, Duration)>,
    error: Option<String>,
    is_scheduled: bool,
}

impl State {
    fn len(&self) -> usize {
        self.keys.len() + self.others.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Owed {
    /// Whether there are any.
    #[inline]
    pub(crate) fn are_some(&self) -> bool {
        self.are_some.load(Ordering::Acquire)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        if self.are_some() { self.state().len() as u64 } else { 0 }
    }

    /// Whether one of them may mean a key.
    pub(crate) fn covers(&self, key: Key) -> bool {
        if !self.are_some() {
            return false;
        }
        let state = self.state();
        let may_mean = |debt: &Debt| debt.scope.as_ref().is_none_or(|scope| scope.may_own(key));
        state.keys.contains_key(&key) || state.others.iter().any(|(_, debt)| may_mean(debt))
    }

    /// Remembers one; says whether somebody has to see to it.
    pub(crate) fn add(&self, debt: Debt, now: Timestamp) -> bool {
        let mut state = self.state();
        let is_first = state.is_empty();
        let owns = |scope: &Namespace| match &debt.what {
            What::Keys(keys) => keys.iter().all(|key| scope.may_own(*key)),
            _ => true,
        };
        let scope = debt.scope.clone().filter(owns);
        if is_first {
            state.scope.clone_from(&scope);
            state.failed = Some((now, FIRST_PAUSE));
        } else if state.scope != scope {
            state.scope = None;
        }
        let at = debt.at;
        match debt.what {
            What::Keys(keys) => state.keys.extend(keys.into_iter().map(|key| (key, at))),
            _ => {
                let number = state.next;
                state.next += 1;
                state.others.push((number, debt));
            }
        }
        if state.keys.len() > MOST_KEYS || state.others.len() > MOST_OTHERS {
            observe::collapsed(state.len() as u64, state.scope.as_ref().map(Namespace::name));
            let everything = Debt { scope: state.scope.clone(), what: What::All, at };
            let number = state.next;
            state.next += 1;
            state.keys = HashMap::new();
            state.others = vec![(number, everything)];
        }
        self.tell(&state);
        !state.is_empty() && !std::mem::replace(&mut state.is_scheduled, true)
    }

    /// The next ones to deliver.
    pub(crate) fn batch(&self) -> Option<Batch> {
        let state = self.state();
        if state.keys.is_empty() {
            return state.others.first().map(|(number, debt)| Batch::Other(*number, debt.clone()));
        }
        Some(Batch::Keys(state.keys.iter().take(BATCH).map(|(key, at)| (*key, *at)).collect()))
    }

    /// Forgets what was delivered, but not what was asked for again meanwhile.
    pub(crate) fn delivered(&self, batch: &Batch) {
        let mut state = self.state();
        match batch {
            Batch::Keys(keys) => {
                for (key, at) in keys {
                    if state.keys.get(key) == Some(at) {
                        state.keys.remove(key);
                    }
                }
            }
            Batch::Other(number, _) => state.others.retain(|(other, _)| other != number),
        }
        (state.failed, state.error) = (None, None);
        self.tell(&state);
    }

    /// Lets time pass before the next delivery.
    pub(crate) fn failed(&self, error: &Error, now: Timestamp) {
        let mut state = self.state();
        let pause = state.failed.map_or(FIRST_PAUSE, |(_, pause)| (2 * pause).min(LONGEST_PAUSE));
        (state.failed, state.error) = (Some((now, pause)), Some(error.to_string()));
    }

    /// The backends answer: the next delivery need not wait for long.
    pub(crate) fn hurry(&self, now: Timestamp) {
        if !self.are_some() {
            return;
        }
        if let Some((at, pause)) = &mut self.state().failed
            && now.since(*at) < *pause
        {
            *pause = (*pause).min(SHORTEST_PAUSE);
        }
    }

    /// Whether a delivery may be tried.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        // A clock that was set back is no reason to wait for ever.
        self.state().failed.is_none_or(|(at, pause)| now < at || now.since(at) >= pause)
    }

    /// How long whoever delivers in the background waits; `None` when there is nothing left to deliver, and he ends.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let mut state = self.state();
        state.is_scheduled = !state.is_empty();
        state.is_scheduled.then(|| state.failed.map_or(FIRST_PAUSE, |(_, pause)| pause))
    }

    /// What there is to say about them.
    pub(crate) fn error(&self) -> Error {
        let state = self.state();
        let count = state.len();
        let message = match &state.error {
            Some(error) => format!("{count} deletes did not reach the index: {error}"),
            None => format!("{count} deletes did not reach the index yet"),
        };
        Error::new(ErrorKind::Unavailable, message)
    }

    fn tell(&self, state: &State) {
        self.are_some.store(!state.is_empty(), Ordering::Release);
        observe::owed(state.len() as u64);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
