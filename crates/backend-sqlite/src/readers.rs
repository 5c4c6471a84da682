//! A small pool of read-only connections. The one that was used last is used first: its page cache is the warmest.

use crate::failure::closed;
use cacheness_storage::Result;
use rusqlite::Connection;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(crate) struct Readers {
    idle: Mutex<Idle>,
    returned: Condvar,
}

struct Idle {
    connections: Vec<Connection>,
    /// How many threads wait for a connection.
    waiting: usize,
    closed: bool,
}

/// A connection that goes back to the pool, also when its user panics.
struct Lease<'p> {
    pool: &'p Readers,
    connection: Option<Connection>,
}

impl Readers {
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        Self { idle: Mutex::new(Idle { connections, waiting: 0, closed: false }), returned: Condvar::new() }
    }

    /// Works with a connection, and waits for one only when all are in use.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        let lease = self.lease();
        work(lease.connection.as_ref().ok_or_else(closed)?)
    }

    /// Drops the connections; those in use are dropped when they come back.
    pub(crate) fn close(&self) {
        let mut idle = self.lock();
        idle.closed = true;
        idle.connections.clear();
        self.returned.notify_all();
    }

    fn lease(&self) -> Lease<'_> {
        let mut idle = self.lock();
        while idle.connections.is_empty() && !idle.closed {
            idle.waiting += 1;
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
            idle.waiting -= 1;
        }
        Lease { pool: self, connection: idle.connections.pop() }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let mut idle = self.pool.lock();
        if !idle.closed {
            idle.connections.push(connection);
            // Waking nobody is a system call, too.
            if idle.waiting > 0 {
                self.pool.returned.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cacheness_storage::ErrorKind;
    use std::thread;

    #[test]
    fn closing_ends_the_wait_for_a_connection() {
        let readers = &Readers::new(vec![Connection::open_in_memory().unwrap()]);
        let wait_until = |done: fn(&Idle) -> bool| {
            while !done(&readers.lock()) {
                thread::yield_now();
            }
        };
        let (used, waited) = thread::scope(|scope| {
            let user = scope.spawn(move || {
                readers.with(|connection| {
                    wait_until(|idle| idle.closed);
                    Ok(connection.is_autocommit())
                })
            });
            wait_until(|idle| idle.connections.is_empty());
            let waiter = scope.spawn(|| readers.with(|_| Ok(())));
            wait_until(|idle| idle.waiting == 1);
            readers.close();
            (user.join().unwrap(), waiter.join().unwrap())
        });
        assert!(used.unwrap());
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::Closed);
        assert!(readers.lock().connections.is_empty());
    }
}
