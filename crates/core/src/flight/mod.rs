//! Single-flight: one computation a key, however many callers ask for it, and whatever becomes of the one who computes.

mod inside;
mod lead;
mod table;

pub use lead::{Arrival, Lead};

use crate::{Error, ErrorKind, Result};
use futures_channel::oneshot::{Receiver, Sender};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::{Boarded, Table};

/// The computations that are under way, by key; clones share them. No lock is held while one computes or waits.
///
/// The first caller of a key leads, the others follow. A leader ends in one of three ways: he lands, and all followers
/// learn how at once; he is dropped, by a panic or because his future was, and the follower who waits longest leads on; or
/// the key is overtaken, and his followers start afresh without him.
///
/// Whoever was given the lead and neither goes on nor is dropped holds the others up: a future that nobody polls.
///
/// ```
/// use cacheness_core::flight::{Flights, Turn};
/// use cacheness_core::runtime::block_on;
///
/// let flights = Flights::<&str, u32>::default();
/// let answer = block_on(async {
///     match flights.join("key").await? {
///         Turn::Lead(lead) => {
///             let answer = lead.drive(|| async { 42 }).await;
///             lead.land(answer);
///             Ok(answer)
///         }
///         Turn::Landed(answer) => Ok::<_, cacheness_core::Error>(answer),
///     }
/// })?;
/// assert_eq!(answer, 42);
/// assert!(flights.is_empty());
/// # Ok::<(), cacheness_core::Error>(())
/// ```
pub struct Flights<K: Eq + Hash + Clone, L>(Arc<Mutex<Table<K, L>>>);

/// What a caller does next.
#[derive(Debug)]
pub enum Turn<K: Eq + Hash + Clone, L> {
    /// He computes.
    Lead(Lead<K, L>),
    /// Another one did, and says how it went.
    Landed(L),
}

impl<K: Eq + Hash + Clone, L> Flights<K, L> {
    /// Waits for whoever computes the key, or leads when nobody does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] when the computation of the key itself asks for it, on the thread that computes: it would
    /// wait for itself for ever.
    pub async fn join(&self, key: K) -> Result<Turn<K, L>> {
        loop {
            match self.board(&key)? {
                Boarded::Leader(lead) => return Ok(Turn::Lead(lead)),
                Boarded::Follower(turn) => {
                    // Without an answer the key was overtaken.
                    if let Ok(turn) = turn.await {
                        return Ok(turn);
                    }
                }
            }
        }
    }

    /// Makes whoever computes the key keep what he computes to himself: he may not commit it. His followers, and whoever
    /// joins from now on, start afresh. When he is committing already, this waits until he is done.
    pub async fn overtake(&self, key: &K) {
        // In a statement of its own, the lock is released before the wait.
        let overtaken = self.lock().overtake(key);
        if let Some(committed) = overtaken.committed() {
            // Whether he landed or was dropped, he is done.
            let _ = committed.await;
        }
    }

    /// Overtakes every key.
    pub async fn overtake_all(&self) {
        let overtaken = self.lock().overtake_all();
        let committing: Vec<Receiver<()>> = overtaken.into_iter().filter_map(|each| each.committed()).collect();
        for committed in committing {
            let _ = committed.await;
        }
    }

    /// How many keys are being computed.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no key is being computed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn board(&self, key: &K) -> Result<Boarded<K, L>> {
        self.lock().board(key, self).ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "the computation of this key asked for this key, and would wait for itself")
                .advice("give the inner value a key of its own, or compute it directly")
        })
    }

    fn lock(&self) -> MutexGuard<'_, Table<K, L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone, L> Clone for Flights<K, L> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Eq + Hash + Clone, L> Default for Flights<K, L> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Clone, L> fmt::Debug for Flights<K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flights({})", self.len())
    }
}

#[cfg(test)]
mod tests;
