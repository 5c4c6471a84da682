//! The handle of a program that changes the store.

use std::path::Path;
use std::sync::Arc;

use cacheness_core::Result;

use crate::changing::Changing;
use crate::opening;
use crate::reader::Reader;
use crate::table::{Stamp, Stripes, Table};

/// Generation counters of a store, to be marked around every commit and read to prove copies fresh. Clones share one
/// opening.
#[derive(Clone, Debug)]
pub struct Generations {
    reader: Reader,
}

impl Generations {
    fn new(table: Table) -> Self {
        Self { reader: Reader { table: Arc::new(table) } }
    }

    /// Counters that only this handle and its clones see, for an index that lives in this process: 128 KiB.
    pub fn in_process() -> Self {
        Self::new(Table::on_heap())
    }

    /// Opens the counters in the file `path`, and makes it, readable by its owner only, when it is missing or empty.
    /// Its directory must exist, on a file system of this machine.
    ///
    /// A process that is alone with the file ends the changes that killed processes left under way.
    ///
    /// # Errors
    ///
    /// [`ForeignStore`](cacheness_core::ErrorKind::ForeignStore) for other contents or something that is not a file,
    /// [`FormatTooNew`](cacheness_core::ErrorKind::FormatTooNew),
    /// [`Corrupt`](cacheness_core::ErrorKind::Corrupt) for another length or a damaged header, and what the operating
    /// system reports. Nothing is written then, except that a full disk can leave an unfinished file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        opening::open(path.as_ref()).map(Self::new)
    }

    /// The half of this handle that changes nothing; their stamps are the same.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The same as [`Reader::stamp`].
    pub fn stamp(&self, key: &[u8]) -> Option<Stamp> {
        self.reader.stamp(key)
    }

    /// The same as [`Reader::is_fresh`].
    pub fn is_fresh(&self, stamp: Stamp) -> bool {
        self.reader.is_fresh(stamp)
    }

    /// Marks the stripes of the keys busy, each stripe once, until the result is dropped. Call it before the commit
    /// begins and drop the result after it ended, whatever its end.
    ///
    /// At most 1,048,575 changes may be under way on one stripe, those of killed processes included.
    pub fn change<'k>(&self, keys: impl IntoIterator<Item = &'k [u8]>) -> Changing {
        Changing::begin(&self.reader.table, Stripes::of(keys))
    }

    /// Marks every stripe, for a commit whose keys are not known beforehand.
    pub fn change_all(&self) -> Changing {
        Changing::begin(&self.reader.table, Stripes::All)
    }
}
