//! The one who computes a key.

use super::inside::Inside;
use super::table::Flight;
use super::{Flights, Sender, Turn};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::pin::pin;

/// The lead of a key's computation. Dropped without landing, it goes to the follower who waits longest.
#[must_use = "whoever drops the lead hands it to the next"]
pub struct Lead<K: Eq + Hash + Clone, L> {
    flights: Flights<K, L>,
    key: K,
    id: u64,
}

impl<K: Eq + Hash + Clone, L> Lead<K, L> {
    pub(super) fn new(flights: Flights<K, L>, key: K, id: u64) -> Self {
        Self { flights, key, id }
    }

    /// Runs the computation, and knows it again when it asks for its own key on the thread that polls it.
    pub async fn drive<F: Future>(&self, compute: impl FnOnce() -> F) -> F::Output {
        let computation = {
            let _inside = Inside::enter(self.id);
            compute()
        };
        let mut computation = pin!(computation);
        poll_fn(|context| {
            let _inside = Inside::enter(self.id);
            computation.as_mut().poll(context)
        })
        .await
    }

    /// Begins to commit what was computed: from here on, who overtakes the key waits for the end of this. Not so when the
    /// key was overtaken: what was computed must not be committed then.
    #[must_use = "an overtaken computation must not be committed"]
    pub fn begin_commit(&self) -> bool {
        self.flights.lock().commit(&self.key, self.id)
    }

    /// Ends the flight and tells every follower how it went.
    pub fn land(self, landing: L)
    where
        L: Clone,
    {
        self.arrive().tell(landing);
    }

    /// Ends the flight: who asks for the key from now on does not wait for it. Its followers still wait to be told.
    pub fn arrive(self) -> Arrival<K, L> {
        let landed = self.flights.lock().land(&self.key, self.id);
        Arrival(landed.map(Flight::into_followers).unwrap_or_default())
    }
}

/// A flight that ended and whose followers do not know yet. Dropped, it makes them start afresh.
#[must_use = "the followers wait to be told"]
pub struct Arrival<K: Eq + Hash + Clone, L>(VecDeque<Sender<Turn<K, L>>>);

impl<K: Eq + Hash + Clone, L> Arrival<K, L> {
    /// Whether anybody waits.
    pub fn is_awaited(&self) -> bool {
        self.0.iter().any(|follower| !follower.is_canceled())
    }

    /// Tells every follower how it went.
    pub fn tell(self, landing: L)
    where
        L: Clone,
    {
        for follower in self.0 {
            // Who gave up needs no answer.
            drop(follower.send(Turn::Landed(landing.clone())));
        }
    }
}

impl<K: Eq + Hash + Clone, L> Drop for Lead<K, L> {
    fn drop(&mut self) {
        let left = self.flights.lock().leave(&self.key, self.id);
        if let Some(heir) = left.and_then(|left| left.heir) {
            let lead = Self { flights: self.flights.clone(), key: self.key.clone(), id: self.id };
            // If he gave up just now, the lead comes back, is dropped, and goes to the next.
            drop(heir.send(Turn::Lead(lead)));
        }
    }
}

impl<K: Eq + Hash + Clone, L> fmt::Debug for Lead<K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lead({})", self.id)
    }
}

impl<K: Eq + Hash + Clone, L> fmt::Debug for Arrival<K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrival({})", self.0.len())
    }
}
