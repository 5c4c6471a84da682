//! What becomes of an operation when a backend is sick.

use crate::Key;
use crate::core::Core;
use crate::memory::MemoryLayer;
use crate::observe;
use crate::owed::{Debt, What};
use cacheness_core::{Error, ErrorKind, Result};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What an operation does when a backend is sick: cannot be reached, does not answer in time, refuses access, is full, or
/// fails in any other way that has nothing to do with what was asked of it.
///
/// Sick are errors of the kinds [`Unavailable`](ErrorKind::Unavailable), [`Timeout`](ErrorKind::Timeout),
/// [`CircuitOpen`](ErrorKind::CircuitOpen), [`Storage`](ErrorKind::Storage), [`Metadata`](ErrorKind::Metadata),
/// [`OutOfSpace`](ErrorKind::OutOfSpace) and [`Permission`](ErrorKind::Permission). All others are errors in any case:
/// they would come back with every try, and somebody has to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnBackendError {
    /// It is an error.
    #[default]
    Fail,
    /// The cache goes on without it.
    ///
    /// | operation | what it comes to |
    /// |---|---|
    /// | gets, `exists`, `metadata`, `ttl` | nothing is there; no miss is counted |
    /// | `get_or_put` | the value is computed and returned |
    /// | `put`, `put_many` | the key is returned, and nothing is stored |
    /// | `put_if_absent`, `update`, `touch`, `copy`, `rename` | `false` or 0 |
    /// | `invalidate`, `invalidate_many`, `invalidate_where`, `invalidate_tag`, `clear` | as if nothing was there; remembered |
    /// | `cleanup_expired` | 0 |
    /// | `stats` | with the totals that were read last |
    /// | all others, such as `entries`, `verify`, `flush`, `close` | an error: there is no other answer |
    ///
    /// What a delete was to remove, and what a failed `put` or `update` was to replace, does not come back: the delete is
    /// remembered in this process, its keys are misses from then on, and it is carried out as soon as the index answers
    /// again, before anything is put. See [`Stats::owed`](crate::Stats::owed) and `close`.
    ///
    /// Opening a cache is not part of it: a backend that cannot be reached then is an error.
    Miss,
}

/// What an operation is counted as when a backend fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Metadata,
    Put,
    Touch,
    Copy,
    Invalidate,
    Cleanup,
    Stats,
    Deliver,
}

pub(crate) const OPERATIONS: [(Operation, &str); 9] = [
    (Operation::Get, "get"),
    (Operation::Metadata, "metadata"),
    (Operation::Put, "put"),
    (Operation::Touch, "touch"),
    (Operation::Copy, "copy"),
    (Operation::Invalidate, "invalidate"),
    (Operation::Cleanup, "cleanup"),
    (Operation::Stats, "stats"),
    (Operation::Deliver, "deliver"),
];

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        OPERATIONS.get(self as usize).map_or("", |(_, name)| name)
    }
}

/// Whether an error says that a backend is sick.
pub(crate) fn is_sick(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::CircuitOpen
            | ErrorKind::Storage
            | ErrorKind::Metadata
            | ErrorKind::OutOfSpace
            | ErrorKind::Permission
    )
}

/// Whether a backend failed when it was asked last.
#[derive(Debug, Default)]
pub(crate) struct Sickness(AtomicBool);

impl Core {
    /// What an operation came to; `None` when a sick backend is no reason to fail. Errors of sick backends are counted.
    pub(crate) fn unless_sick<R>(&self, operation: Operation, result: Result<R>) -> Result<Option<R>> {
        match result {
            Ok(result) => {
                if self.sickness.0.load(Ordering::Relaxed) {
                    self.recovered();
                }
                Ok(Some(result))
            }
            Err(error) if is_sick(&error) => self.sick(operation, error).map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// As [`unless_sick`](Self::unless_sick), for deletes: one that did not reach the index is remembered.
    pub(crate) fn unless_owed<R>(&self, result: Result<R>, debt: impl FnOnce() -> What) -> Result<Option<R>> {
        let done = self.unless_sick(Operation::Invalidate, result)?;
        if done.is_none() {
            self.owe(debt());
        }
        Ok(done)
    }

    #[cold]
    fn sick(&self, operation: Operation, error: Error) -> Result<()> {
        self.counters.backend_error(operation, error.kind());
        if !self.sickness.0.swap(true, Ordering::Relaxed) {
            observe::sick(operation.name(), &error);
        }
        match self.on_backend_error {
            OnBackendError::Fail => Err(error),
            OnBackendError::Miss => Ok(()),
        }
    }

    #[cold]
    fn recovered(&self) {
        if self.sickness.0.swap(false, Ordering::Relaxed) {
            observe::recovered();
        }
        self.owed.hurry(self.now());
    }

    /// Whether a read of a key may go on. Not while a delete of it has not reached the index: it is tried once more.
    pub(crate) async fn may_read(&self, operation: Operation, key: Key) -> bool {
        if !self.owed.are_some() || !self.owed.covers(key) {
            return true;
        }
        let may = self.deliver_if_due().await.is_ok() || !self.owed.covers(key);
        if !may {
            self.counters.backend_error(operation, ErrorKind::Unavailable);
        }
        may
    }

    /// What a read came to, with nothing in the place of what a sick backend does not give. No function that takes the read as a
    /// future: that would hold it twice.
    pub(crate) fn nothing_if_sick<R>(&self, operation: Operation, read: Result<Option<R>>) -> Result<Option<R>> {
        Ok(self.unless_sick(operation, read)?.flatten())
    }

    /// Remembers a delete that did not reach the index.
    pub(crate) fn owe(&self, what: What) {
        if self.read_only {
            return;
        }
        match &what {
            What::Keys(keys) => {
                drop(self.changing(keys.iter().copied()));
                keys.iter().for_each(|key| _ = self.uses.forget(*key));
            }
            // What a reply that was lost removed, nobody names any more.
            What::Matching(_) | What::Tag(_) | What::All => {
                drop(self.memory.as_ref().map(MemoryLayer::change_all));
            }
        }
        let debt = Debt { scope: self.namespace.clone(), what, at: self.engine.latest_time() };
        if self.owed.add(debt, self.now()) {
            self.deliver_in_background();
        }
    }
}

/// A reader of the caller's, which remembers that it failed: that is no backend's doing.
pub(crate) struct Given<R> {
    reader: R,
    has_failed: Arc<AtomicBool>,
}

/// Whether a caller's reader has failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenState(Arc<AtomicBool>);

impl GivenState {
    pub(crate) fn watch<R: Read>(&self, reader: R) -> Given<R> {
        Given { reader, has_failed: self.0.clone() }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<R: Read> Read for Given<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        if read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        read
    }
}
