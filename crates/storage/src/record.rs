//! What the index knows about a value.

use crate::{BlobId, BlobInfo, Digest, EntryKey, Version};
use bytes::Bytes;
use cacheness_core::Timestamp;
use cacheness_handlers::{Encoding, Extra};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;

/// A user's metadata: a JSON object.
pub type Metadata = Map<String, Json>;

/// A record: where a value is, and everything known about it.
///
/// Storage keeps the timestamps and never interprets them.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Record {
    /// The name it is found by.
    pub key: EntryKey,
    /// New with every commit of the key.
    pub version: Version,
    /// When this value was put.
    pub created_at: Timestamp,
    /// When the record last changed.
    pub updated_at: Timestamp,
    /// From when on the value counts as expired.
    pub expires_at: Option<Timestamp>,
    /// From when on nobody needs the value, not even as a stale one.
    pub drop_at: Option<Timestamp>,
    /// What the stored bytes are.
    pub content: Content,
    /// Where the stored bytes are.
    pub location: Location,
    /// What the user said about the value.
    pub annotations: Annotations,
    /// How it was used.
    pub usage: Usage,
    /// The signature over everything above, opaque here.
    pub signature: Option<Bytes>,
}

/// What the user said about a value; it may change without the value.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Annotations {
    /// A JSON object of the user's; empty when there is none.
    pub metadata: Metadata,
    /// Labels, in the order given.
    pub tags: Vec<String>,
    /// A sentence for people.
    pub description: Option<String>,
}

/// Where the stored bytes of a value are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub enum Location {
    /// In the record.
    Inline(Bytes),
    /// In the record, but [`Fields`](crate::Fields) did not ask for them.
    Omitted,
    /// In a blob of that name.
    Blob(BlobId),
}

/// What the stored bytes of a value are. Fixed when the value is put; only another put changes it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Content {
    /// What kind of value it is: a handler's type tag.
    pub type_tag: Cow<'static, str>,
    /// The Rust type that was put. A hint for messages, never a decision.
    pub type_name: Cow<'static, str>,
    /// The format's name.
    pub format: Cow<'static, str>,
    /// The format's version.
    pub format_version: u16,
    /// The hash of the value's schema, for formats that do not describe themselves.
    pub schema: Option<u64>,
    /// What the handler stored beside the bytes.
    pub extra: Extra,
    /// Codec and byte-shuffle.
    pub encoding: Encoding,
    /// Bytes that the handler wrote.
    pub raw_size: u64,
    /// Bytes after the codec: those that rest, without a blob's trailer.
    pub stored_size: u64,
    /// The digest of the stored bytes.
    pub digest: Digest,
    /// The full digest of the parameters that the key was made of.
    pub key_digest: Option<[u8; 32]>,
    /// What the value was put under.
    pub terms: Terms,
    /// How the store of blobs tells the object that holds the bytes from others, where it does.
    pub object: Option<Box<ObjectTag>>,
}

/// How a store of blobs tells an object from others of its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct ObjectTag {
    /// The entity tag.
    pub etag: Option<Box<str>>,
    /// The store's own version of the object.
    pub version: Option<Box<str>>,
}

impl ObjectTag {
    /// What a backend told of a blob that it stored; `None` when it told neither.
    pub fn of(info: &BlobInfo) -> Option<Box<Self>> {
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let tag = Self { etag: text(&info.etag), version: text(&info.object_version) };
        (tag != Self::default()).then(|| Box::new(tag))
    }
}

/// What a value was put under: agreed between those who put and those who get it. Storage keeps it and never interprets
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Terms {
    /// The namespace that the key was made in.
    pub namespace: Option<Box<str>>,
    /// The parameters that the key was made of, as the text of a JSON value.
    pub parameters: Option<Box<str>>,
    /// How many times tags had been invalidated when the value was put. Only values with tags have it.
    pub epoch: Option<u64>,
    /// The value expires when it is not used for so many microseconds.
    pub idle: Option<u64>,
    /// Use does not move the expiry beyond this time.
    pub until: Option<Timestamp>,
}

/// How a record was used since its key came into the index, as far as anybody told by
/// [`Change::Use`](crate::Change::Use).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Usage {
    /// When it was used last.
    pub accessed_at: Option<Timestamp>,
    /// How often it was used.
    pub hits: u64,
}

impl Usage {
    /// Notes more uses, the last of them at `at`.
    pub fn note(&mut self, at: Timestamp, hits: u64) {
        self.accessed_at = self.accessed_at.max(Some(at));
        self.hits = self.hits.saturating_add(hits);
    }
}

impl Record {
    /// The blob that the record names.
    pub fn blob(&self) -> Option<BlobId> {
        match self.location {
            Location::Blob(id) => Some(id),
            Location::Inline(_) | Location::Omitted => None,
        }
    }

    /// When it was used last, or put, whichever is later: putting a value is a use of it.
    pub fn last_used(&self) -> Timestamp {
        self.usage.accessed_at.map_or(self.created_at, |at| at.max(self.created_at))
    }
}
