//! Reading the index in pages.

use crate::{EntryKey, Filter, Record};

/// Which records to read, in the order of their keys' bytes.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Query {
    /// Which records are meant.
    pub filter: Filter,
    /// Only keys that start with these bytes.
    pub prefix: String,
    /// At most so many records a page; at least 1.
    pub limit: usize,
    /// What to read of each record.
    pub fields: Fields,
    /// Where to go on. A backend is told by the second argument of `page`.
    pub after: Option<Cursor>,
}

impl Default for Query {
    fn default() -> Self {
        Self { filter: Filter::All, prefix: String::new(), limit: 1000, fields: Fields::HEAD, after: None }
    }
}

impl Query {
    /// Every record, a thousand a page, without inline payloads.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only records that the filter means, too.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = self.filter & filter;
        self
    }

    /// Only keys that start with `prefix`, byte for byte.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// At most so many records a page; zero counts as one.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// Goes on where a page ended.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// What to read of each record.
    #[must_use]
    pub fn fields(mut self, fields: Fields) -> Self {
        self.fields = fields;
        self
    }
}

/// What to read of a record beyond its key, version, times, content and blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Fields {
    /// The payload that rides in the record; [`Location::Omitted`](crate::Location::Omitted) stands for it otherwise.
    pub payload: bool,
    /// Metadata, tags and description, and how it was used; empty otherwise.
    pub annotations: bool,
}

impl Fields {
    /// Everything.
    pub const ALL: Self = Self { payload: true, annotations: true };
    /// Everything but the inline payload.
    pub const HEAD: Self = Self { payload: false, annotations: true };
    /// What it takes to decode the value.
    pub const VALUE: Self = Self { payload: true, annotations: false };
    /// The least: whether there is a record, and its times.
    pub const LEAST: Self = Self { payload: false, annotations: false };

    /// Empties what was not asked for.
    pub fn project(self, record: &mut Record) {
        if !self.payload && matches!(record.location, crate::Location::Inline(_)) {
            record.location = crate::Location::Omitted;
        }
        if !self.annotations {
            record.annotations = crate::Annotations::default();
            record.usage = crate::Usage::default();
        }
    }
}

/// Some records, and where to go on.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Page {
    /// The records, fewer than the limit perhaps: only a missing `next` says that there are no more.
    pub records: Vec<Record>,
    /// The keys of records in this stretch that are damaged, or of a later format version: whether the filter means them
    /// cannot be told. Getting one says what is wrong with it.
    pub unreadable: Vec<EntryKey>,
    /// Where to go on.
    pub next: Option<Cursor>,
}

/// A place between two keys. It holds no lock and no snapshot, and stays valid whatever happens to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Cursor(EntryKey);

impl Cursor {
    /// The place right after `key`.
    pub fn after(key: EntryKey) -> Self {
        Self(key)
    }

    /// The key it stands right after.
    pub fn key(&self) -> &EntryKey {
        &self.0
    }
}
