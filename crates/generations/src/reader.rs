//! The half of a handle that proves copies fresh and changes nothing.

use std::path::Path;
use std::sync::Arc;

use cacheness_core::Result;

use crate::opening;
use crate::table::{Stamp, Table};

/// Generation counters that are only read: what a memory layer needs, and all that a program gets which may not write
/// the file. Clones share one opening.
///
/// It is a type of its own so that a change of a store that was opened read-only does not compile, instead of being
/// invisible to others.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(crate) table: Arc<Table>,
}

impl Reader {
    /// Opens the counters in the file `path` without writing to it; a shared lock keeps others from believing that they
    /// are alone.
    ///
    /// `None` means that copies cannot be proven fresh, so every get has to ask the index: there is no file, its making
    /// is not finished, or this machine cannot load 64 bits at once from read-only memory (it has 32-bit pointers).
    ///
    /// # Errors
    ///
    /// As [`Generations::open`](crate::Generations::open).
    pub fn open(path: impl AsRef<Path>) -> Result<Option<Self>> {
        Ok(opening::open_read_only(path.as_ref())?.map(|table| Self { table: Arc::new(table) }))
    }

    /// The state of the key's stripe, or `None` while a commit is under way on it.
    ///
    /// Take it *before* the record is read from the index, and keep it with the copy.
    pub fn stamp(&self, key: &[u8]) -> Option<Stamp> {
        self.table.stamp(key)
    }

    /// Whether no commit on the stripe has ended or begun since the stamp was taken: one atomic load.
    ///
    /// If so, the copy is what the index answers at this moment. The stamp of another opening is never fresh.
    #[inline]
    pub fn is_fresh(&self, stamp: Stamp) -> bool {
        self.table.is_fresh(stamp)
    }
}
