//! What all connections of a proxy share: the faults, the counts, and who is connected.

use super::connection::Connection;
use super::fault::{Direction, Fault};
use super::faults::Faults;
use super::http::RequestHead;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many request heads are kept.
const HEADS: usize = 10_000;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) upstream: SocketAddr,
    state: Mutex<State>,
    /// Told when faults come or go and when a connection ends.
    changed: Condvar,
    connections: AtomicU64,
    requests: AtomicU64,
    replies: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    open: HashMap<u64, Arc<Connection>>,
    heads: VecDeque<RequestHead>,
    /// What was sent last, by whomever.
    last: Option<Direction>,
    round_trips: u64,
    is_closed: bool,
}

impl Shared {
    pub(super) fn new(upstream: SocketAddr) -> Self {
        let [connections, requests, replies] = [0; 3].map(AtomicU64::new);
        Self { upstream, state: Mutex::default(), changed: Condvar::new(), connections, requests, replies }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn inject(&self, fault: Fault, times: Option<u32>) {
        self.state().faults.add(fault, times);
        self.changed.notify_all();
    }

    pub(super) fn heal(&self) {
        self.state().faults.clear();
        self.changed.notify_all();
    }

    /// Asks the faults something.
    pub(super) fn faults<T>(&self, ask: impl FnOnce(&mut Faults) -> T) -> T {
        ask(&mut self.state().faults)
    }

    /// Waits while connections stall, or until this one ends.
    pub(super) fn wait_while_stalled(&self, connection: &Connection) {
        let mut state = self.state();
        while let Some(left) = state.faults.stalled(connection.number()).filter(|_| !connection.has_ended()) {
            state = self.wait(state, left);
        }
    }

    /// Waits for a time, or until the faults change or this connection ends.
    pub(super) fn pause(&self, connection: &Connection, time: Duration) {
        let state = self.state();
        let (begun, generation) = (Instant::now(), state.faults.generation());
        let mut state = state;
        while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
            if state.faults.generation() != generation || connection.has_ended() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Wakes whoever waits for a connection that has ended.
    pub(super) fn wake(&self) {
        // With the lock, so that nobody looks before and waits after.
        drop(self.state());
        self.changed.notify_all();
    }

    pub(super) fn accepted(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Notes a connection, which ends if the proxy has.
    pub(super) fn add(&self, connection: &Arc<Connection>) {
        let mut state = self.state();
        state.open.insert(connection.number(), Arc::clone(connection));
        let is_closed = state.is_closed;
        drop(state);
        if is_closed {
            connection.reset();
        }
    }

    /// Resets every connection, and those to come.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.heal();
        self.open().iter().for_each(|connection| connection.reset());
    }

    pub(super) fn remove(&self, connection: &Connection) {
        // Dropped behind the lock: the sockets close then.
        let removed = self.state().open.remove(&connection.number());
        drop(removed);
    }

    pub(super) fn open(&self) -> Vec<Arc<Connection>> {
        self.state().open.values().cloned().collect()
    }

    pub(super) fn note(&self, head: RequestHead) {
        let mut state = self.state();
        if state.heads.len() == HEADS {
            state.heads.pop_front();
        }
        state.heads.push_back(head);
    }

    pub(super) fn requests(&self) -> Vec<RequestHead> {
        self.state().heads.iter().cloned().collect()
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn strikes(&self) -> u64 {
        self.state().faults.strikes()
    }

    /// Something was sent. Requests are told before they are forwarded, and so are replies: what a client sends because of a
    /// reply is told behind it.
    pub(super) fn sent(&self, direction: Direction) {
        let mut state = self.state();
        if state.last.replace(direction) != Some(direction) && direction == Direction::Requests {
            state.round_trips += 1;
        }
    }

    pub(super) fn round_trips(&self) -> u64 {
        self.state().round_trips
    }

    pub(super) fn bytes(&self, direction: Direction) -> u64 {
        self.count(direction).load(Ordering::SeqCst)
    }

    pub(super) fn forwarded(&self, direction: Direction, bytes: usize) {
        self.count(direction).fetch_add(bytes as u64, Ordering::SeqCst);
    }

    fn count(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Requests => &self.requests,
            Direction::Replies => &self.replies,
        }
    }
}
