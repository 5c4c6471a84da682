//! The verbs of `BlobStore`, declared once for both faces.

mod manage;
mod read;
mod store;

use crate::{Cursor, Entry};

/// Some entries, and where to go on: pass `next` to [`Query::after`](crate::Query::after).
#[derive(Debug, Clone)]
pub struct EntryPage {
    /// The entries, fewer than the limit perhaps: only a missing `next` says that there are no more.
    pub entries: Vec<Entry>,
    /// Where to go on.
    pub next: Option<Cursor>,
}

impl From<crate::Page> for EntryPage {
    fn from(page: crate::Page) -> Self {
        Self { entries: page.records.into_iter().map(Entry::from).collect(), next: page.next }
    }
}
