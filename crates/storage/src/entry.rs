//! What users see of a record.

use crate::{Digest, Fields, Metadata, Record, Version};
use cacheness_core::Timestamp;
use cacheness_handlers::CodecId;
use std::time::SystemTime;

/// Everything known about a stored value, without the value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry(Record);

impl From<Record> for Entry {
    fn from(mut record: Record) -> Self {
        Fields::HEAD.project(&mut record);
        Self(record)
    }
}

impl Entry {
    /// The key.
    pub fn key(&self) -> &str {
        self.0.key.as_str()
    }

    /// The version: another one after every change.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// When the value was put.
    pub fn created_at(&self) -> SystemTime {
        self.0.created_at.into()
    }

    /// When the entry last changed.
    pub fn updated_at(&self) -> SystemTime {
        self.0.updated_at.into()
    }

    /// When the value expires; `None` for never.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at.map(|time: Timestamp| time.into())
    }

    /// What kind of value it is: the type tag of the handler that wrote it.
    pub fn data_type(&self) -> &str {
        &self.0.content.type_tag
    }

    /// The Rust type that was put, as the compiler named it then. A hint for people.
    pub fn type_name(&self) -> &str {
        &self.0.content.type_name
    }

    /// The name of the format that the value is stored in.
    pub fn format(&self) -> &str {
        &self.0.content.format
    }

    /// The codec that compressed it.
    pub fn codec(&self) -> CodecId {
        self.0.content.encoding.codec
    }

    /// Bytes before the codec.
    pub fn raw_size(&self) -> u64 {
        self.0.content.raw_size
    }

    /// Bytes at rest.
    pub fn stored_size(&self) -> u64 {
        self.0.content.stored_size
    }

    /// The digest of the bytes at rest.
    pub fn digest(&self) -> Digest {
        self.0.content.digest
    }

    /// The name of the blob that holds the bytes, relative to the store; `None` when they ride in the index.
    pub fn blob(&self) -> Option<String> {
        self.0.blob().map(|id| id.to_string())
    }

    /// The entity tag that the store of blobs gave the object with the bytes, such as S3's `ETag`.
    pub fn etag(&self) -> Option<&str> {
        self.0.content.object.as_ref()?.etag.as_deref()
    }

    /// The version that the store of blobs gave the object with the bytes, such as that of a versioned bucket.
    pub fn object_version(&self) -> Option<&str> {
        self.0.content.object.as_ref()?.version.as_deref()
    }

    /// When it was used last, as far as that was told to the index: uses are noted in memory and told in batches.
    /// `None` when none was.
    pub fn accessed_at(&self) -> Option<SystemTime> {
        self.0.usage.accessed_at.map(Into::into)
    }

    /// How often it was used since the key came into the store, as far as that was told to the index.
    pub fn hits(&self) -> u64 {
        self.0.usage.hits
    }

    /// The namespace that the key was made in.
    pub fn namespace(&self) -> Option<&str> {
        self.0.content.terms.namespace.as_deref()
    }

    /// The parameters that the key was made of, where they are stored.
    pub fn parameters(&self) -> Option<serde_json::Value> {
        serde_json::from_str(self.0.content.terms.parameters.as_deref()?).ok()
    }

    /// The user's metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.0.annotations.metadata
    }

    /// The user's tags.
    pub fn tags(&self) -> &[String] {
        &self.0.annotations.tags
    }

    /// The user's description.
    pub fn description(&self) -> Option<&str> {
        self.0.annotations.description.as_deref()
    }
}
