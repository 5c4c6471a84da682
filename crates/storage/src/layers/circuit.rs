//! The state of a circuit: closed while calls succeed, open after too many failures in a row, and then probed by one
//! call at a time.
//!
//! Nygard, "Release It!" (2007), chapter 5.

use super::counter::Counter;
use cacheness_core::{Clock, Error, ErrorKind, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whether calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// They do.
    Closed,
    /// They are refused.
    Open,
    /// One may pass, to see how it goes; the others are refused.
    HalfOpen,
}

/// What one circuit of a [`CircuitBreaker`](super::CircuitBreaker) did so far.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitStats {
    /// The backend it was first put around, as that prints itself.
    pub backend: String,
    /// Whether calls pass now.
    pub state: CircuitState,
    /// Failures that count, in all.
    pub failures: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// How often it opened.
    pub opened: u64,
    /// Calls that passed while it was half-open.
    pub probes: u64,
}

/// One circuit.
#[derive(Debug)]
pub(super) struct Circuit {
    backend: String,
    threshold: u32,
    open_for: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    failures: Counter,
    refused: Counter,
    opened: Counter,
    probes: Counter,
}

#[derive(Debug)]
struct State {
    /// Grows whenever the circuit opens or closes: what passed before that says nothing of the time after it.
    era: u64,
    now: Now,
}

#[derive(Debug, Clone, Copy)]
enum Now {
    Closed { failures: u32 },
    Open { since: Timestamp },
    Probing,
}

/// A call that passes. Dropped without a verdict, it says nothing, and another one may be the probe.
pub(super) struct Pass<'c> {
    circuit: &'c Circuit,
    era: u64,
    is_probe: bool,
}

impl Circuit {
    pub(super) fn new(backend: String, threshold: u32, open_for: Duration, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State { era: 0, now: Now::Closed { failures: 0 } });
        let [failures, refused, opened, probes] = [(); 4].map(|()| Counter::default());
        Self { backend, threshold, open_for, clock, state, failures, refused, opened, probes }
    }

    /// Lets a call pass, or refuses it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CircuitOpen`].
    pub(super) fn enter(&self) -> Result<Pass<'_>, Error> {
        let mut state = self.lock();
        let waited = self.waited(&mut state);
        let is_probe = match state.now {
            Now::Closed { .. } => false,
            Now::Open { .. } if waited => {
                state.now = Now::Probing;
                self.probes.add(1);
                true
            }
            Now::Open { .. } | Now::Probing => {
                self.refused.add(1);
                return Err(Error::new(
                    ErrorKind::CircuitOpen,
                    "the backend failed too often and is left alone for a while",
                )
                .backend(&self.backend)
                .advice("look at its earlier errors; calls pass again when it answers"));
            }
        };
        Ok(Pass { circuit: self, era: state.era, is_probe })
    }

    /// Whether an open circuit was open for long enough.
    fn waited(&self, state: &mut State) -> bool {
        let Now::Open { since } = state.now else { return false };
        let now = self.clock.now();
        if now < since {
            // The clock was set back: nobody waits longer than once more for that.
            state.now = Now::Open { since: now };
            return self.open_for.is_zero();
        }
        now.since(since) >= self.open_for
    }

    pub(super) fn stats(&self) -> CircuitStats {
        let mut state = self.lock();
        let waited = self.waited(&mut state);
        let state = match state.now {
            Now::Closed { .. } => CircuitState::Closed,
            Now::Open { .. } if !waited => CircuitState::Open,
            Now::Open { .. } | Now::Probing => CircuitState::HalfOpen,
        };
        CircuitStats {
            backend: self.backend.clone(),
            state,
            failures: self.failures.get(),
            refused: self.refused.get(),
            opened: self.opened.get(),
            probes: self.probes.get(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Notes how the call went: an error counts when the backend is to blame for it.
    pub(super) fn note<T>(self, result: &Result<T, Error>) {
        let has_failed = match result {
            Ok(_) => false,
            Err(error) if is_failure(error.kind()) => true,
            // The caller's fault says nothing of the backend.
            Err(_) => return,
        };
        let circuit = self.circuit;
        circuit.failures.add(u64::from(has_failed));
        let mut state = circuit.lock();
        if state.era != self.era {
            return;
        }
        match (&mut state.now, has_failed) {
            (Now::Closed { failures }, false) => *failures = 0,
            (Now::Closed { failures }, true) => {
                *failures += 1;
                if *failures >= circuit.threshold {
                    state.open(circuit);
                }
            }
            (Now::Probing, true) => state.open(circuit),
            (Now::Probing, false) => {
                state.era += 1;
                state.now = Now::Closed { failures: 0 };
            }
            (Now::Open { .. }, _) => {}
        }
    }
}

impl State {
    fn open(&mut self, circuit: &Circuit) {
        self.era += 1;
        self.now = Now::Open { since: circuit.clock.now() };
        circuit.opened.add(1);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.is_probe {
            return;
        }
        let mut state = self.circuit.lock();
        if state.era == self.era && matches!(state.now, Now::Probing) {
            // The next caller probes at once.
            state.now = Now::Open { since: Timestamp::MIN };
        }
    }
}

/// Whether an error says that the backend is sick.
pub(super) fn is_failure(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Storage | ErrorKind::Metadata)
}
