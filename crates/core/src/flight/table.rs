//! Who computes which key, and who waits for it.

use super::inside::is_inside;
use super::{Flights, Lead, Receiver, Sender, Turn};
use futures_channel::oneshot;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Table<K: Eq + Hash + Clone, L>(HashMap<K, Flight<K, L>>);

/// The computation of one key. Once it is overtaken, it is no longer in the table.
pub(super) struct Flight<K: Eq + Hash + Clone, L> {
    /// One of its kind in the process.
    id: u64,
    followers: VecDeque<Sender<Turn<K, L>>>,
    /// Who waits for the commit, once there is one; dropping tells them.
    committing: Option<Vec<Sender<()>>>,
}

pub(super) enum Boarded<K: Eq + Hash + Clone, L> {
    Leader(Lead<K, L>),
    Follower(Receiver<Turn<K, L>>),
}

/// To be dropped without the lock: that wakes those who wait.
pub(super) enum Overtaken<K: Eq + Hash + Clone, L> {
    Nothing,
    Computing(Flight<K, L>),
    Committing(Receiver<()>),
}

/// What a leader leaves who was dropped; to be used and dropped without the lock.
pub(super) struct Left<K: Eq + Hash + Clone, L> {
    pub(super) heir: Option<Sender<Turn<K, L>>>,
    _committing: Option<Vec<Sender<()>>>,
}

impl<K: Eq + Hash + Clone, L> Table<K, L> {
    /// Makes a caller lead or follow; `None` when he is inside the computation that he asks for.
    pub(super) fn board(&mut self, key: &K, flights: &Flights<K, L>) -> Option<Boarded<K, L>> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        match self.0.entry(key.clone()) {
            Entry::Occupied(flight) if is_inside(flight.get().id) => None,
            Entry::Occupied(mut flight) => {
                let (sender, receiver) = oneshot::channel();
                flight.get_mut().follow(sender);
                Some(Boarded::Follower(receiver))
            }
            Entry::Vacant(place) => {
                let id = LAST.fetch_add(1, Ordering::Relaxed);
                place.insert(Flight { id, followers: VecDeque::new(), committing: None });
                Some(Boarded::Leader(Lead::new(flights.clone(), key.clone(), id)))
            }
        }
    }

    pub(super) fn overtake_all(&mut self) -> Vec<Overtaken<K, L>> {
        let keys: Vec<K> = self.0.keys().cloned().collect();
        keys.iter().map(|key| self.overtake(key)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(super) fn followers(&self, key: &K) -> usize {
        self.0.get(key).map_or(0, |flight| flight.followers.len())
    }

    pub(super) fn overtake(&mut self, key: &K) -> Overtaken<K, L> {
        if let Some(watchers) = self.0.get_mut(key).and_then(|flight| flight.committing.as_mut()) {
            let (sender, receiver) = oneshot::channel();
            watchers.push(sender);
            return Overtaken::Committing(receiver);
        }
        self.0.remove(key).map_or(Overtaken::Nothing, Overtaken::Computing)
    }

    /// Begins the commit, unless the flight was overtaken.
    pub(super) fn commit(&mut self, key: &K, id: u64) -> bool {
        self.get(key, id).map(|flight| flight.committing = Some(Vec::new())).is_some()
    }

    /// Takes a flight out, unless it was overtaken.
    pub(super) fn land(&mut self, key: &K, id: u64) -> Option<Flight<K, L>> {
        self.get(key, id)?;
        self.0.remove(key)
    }

    /// Finds who leads on; with nobody left the flight ends.
    pub(super) fn leave(&mut self, key: &K, id: u64) -> Option<Left<K, L>> {
        let flight = self.get(key, id)?;
        let _committing = flight.committing.take();
        while let Some(heir) = flight.followers.pop_front() {
            if !heir.is_canceled() {
                return Some(Left { heir: Some(heir), _committing });
            }
        }
        self.0.remove(key);
        Some(Left { heir: None, _committing })
    }

    fn get(&mut self, key: &K, id: u64) -> Option<&mut Flight<K, L>> {
        self.0.get_mut(key).filter(|flight| flight.id == id)
    }
}

impl<K: Eq + Hash + Clone, L> Flight<K, L> {
    pub(super) fn into_followers(self) -> VecDeque<Sender<Turn<K, L>>> {
        self.followers
    }

    fn follow(&mut self, follower: Sender<Turn<K, L>>) {
        if self.followers.len() == self.followers.capacity() {
            // Those who gave up leave their place.
            self.followers.retain(|follower| !follower.is_canceled());
        }
        self.followers.push_back(follower);
    }
}

impl<K: Eq + Hash + Clone, L> Overtaken<K, L> {
    /// Wakes the followers of who was computing; the end of the commit of who was committing.
    pub(super) fn committed(self) -> Option<Receiver<()>> {
        match self {
            Self::Nothing => None,
            Self::Computing(flight) => {
                drop(flight);
                None
            }
            Self::Committing(committed) => Some(committed),
        }
    }
}

impl<K: Eq + Hash + Clone, L> Default for Table<K, L> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}
