//! A record as a JSON object for people: names for all fields, payloads as text where they are text.

use super::base64;
use cacheness_core::hex::{self, Hex};
use cacheness_handlers::{CodecId, Encoding, Extra};
use cacheness_storage::{
    Annotations, Bytes, Content, Digest, EntryKey, Error, ErrorKind, Location, Metadata, ObjectTag, Record, Result,
    Terms, Timestamp, Usage,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How deep a JSON object with a record lies in others, which adds to what the record may hold: 127 levels of metadata
/// and, one deeper, of a handler's fields.
pub(super) const MAX_RECORD_DEPTH: usize = 1 + 1 + 127;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordText<'a> {
    key: Cow<'a, str>,
    version: String,
    created_at: i64,
    updated_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop_at: Option<i64>,
    content: ContentText<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(default, skip_serializing_if = "is_empty")]
    metadata: Cow<'a, Metadata>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    tags: Cow<'a, [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accessed_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentText<'a> {
    type_tag: Cow<'a, str>,
    type_name: Cow<'a, str>,
    format: Cow<'a, str>,
    format_version: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(default, skip_serializing_if = "has_none")]
    extra: Cow<'a, Extra>,
    codec: String,
    shuffle: u8,
    raw_size: u64,
    stored_size: u64,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_digest: Option<String>,
    #[serde(default, skip_serializing_if = "TermsText::is_empty")]
    terms: TermsText<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_version: Option<Cow<'a, str>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsText<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Cow<'a, str>>,
    /// A text that holds JSON: numbers in it stay as they were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

impl<'a> TermsText<'a> {
    fn of(terms: &'a Terms) -> Self {
        Self {
            namespace: terms.namespace.as_deref().map(Cow::Borrowed),
            parameters: terms.parameters.as_deref().map(Cow::Borrowed),
            epoch: terms.epoch,
            idle: terms.idle,
            until: terms.until.map(Timestamp::as_micros),
        }
    }

    fn into_terms(self) -> Terms {
        Terms {
            namespace: self.namespace.map(Into::into),
            parameters: self.parameters.map(Into::into),
            epoch: self.epoch,
            idle: self.idle,
            until: self.until.map(Timestamp::from_micros),
        }
    }

    fn is_empty(&self) -> bool {
        let Self { namespace, parameters, epoch, idle, until } = self;
        namespace.is_none() && parameters.is_none() && epoch.is_none() && idle.is_none() && until.is_none()
    }
}

fn is_empty(metadata: &Metadata) -> bool {
    metadata.is_empty()
}

fn has_none(extra: &Extra) -> bool {
    extra.is_empty()
}

impl<'a> RecordText<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        let (mut blob, mut text, mut base64) = (None, None, None);
        match &record.location {
            Location::Blob(id) => blob = Some(id.to_string()),
            Location::Inline(payload) => match std::str::from_utf8(payload) {
                Ok(payload) => text = Some(payload.into()),
                Err(_) => base64 = Some(base64::encode(payload)),
            },
            Location::Omitted => {}
        }
        Self {
            key: record.key.as_str().into(),
            version: record.version.to_string(),
            created_at: record.created_at.as_micros(),
            updated_at: record.updated_at.as_micros(),
            expires_at: record.expires_at.map(Timestamp::as_micros),
            drop_at: record.drop_at.map(Timestamp::as_micros),
            content: ContentText::of(&record.content),
            blob,
            text,
            base64,
            metadata: Cow::Borrowed(&record.annotations.metadata),
            tags: Cow::Borrowed(&record.annotations.tags),
            description: record.annotations.description.as_deref().map(Cow::Borrowed),
            accessed_at: record.usage.accessed_at.map(Timestamp::as_micros),
            hits: Some(record.usage.hits).filter(|hits| *hits > 0),
            signature: record.signature.as_deref().map(base64::encode),
        }
    }

    pub(super) fn into_record(self) -> Result<Record> {
        let location = match (self.blob, self.text, self.base64) {
            (Some(id), None, None) => Location::Blob(id.parse()?),
            (None, Some(text), None) => Location::Inline(Bytes::from(text.into_owned())),
            (None, None, Some(base64)) => Location::Inline(from_base64(&base64)?),
            _ => return Err(wrong("has not exactly one of blob, text and base64")),
        };
        Ok(Record {
            key: EntryKey::from(self.key.into_owned()),
            version: self.version.parse()?,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
            expires_at: self.expires_at.map(Timestamp::from_micros),
            drop_at: self.drop_at.map(Timestamp::from_micros),
            content: self.content.into_content()?,
            location,
            annotations: Annotations {
                metadata: self.metadata.into_owned(),
                tags: self.tags.into_owned(),
                description: self.description.map(Cow::into_owned),
            },
            usage: Usage {
                accessed_at: self.accessed_at.map(Timestamp::from_micros),
                hits: self.hits.unwrap_or_default(),
            },
            signature: self.signature.as_deref().map(from_base64).transpose()?,
        })
    }
}

impl<'a> ContentText<'a> {
    fn of(content: &'a Content) -> Self {
        Self {
            type_tag: Cow::Borrowed(&content.type_tag),
            type_name: Cow::Borrowed(&content.type_name),
            format: Cow::Borrowed(&content.format),
            format_version: content.format_version,
            schema: content.schema.map(|schema| Hex(&schema.to_be_bytes()).to_string()),
            extra: Cow::Borrowed(&content.extra),
            codec: content.encoding.codec.to_string(),
            shuffle: content.encoding.shuffle,
            raw_size: content.raw_size,
            stored_size: content.stored_size,
            digest: content.digest.to_string(),
            key_digest: content.key_digest.map(|digest| Hex(&digest).to_string()),
            terms: TermsText::of(&content.terms),
            etag: content.object.as_ref().and_then(|object| object.etag.as_deref()).map(Cow::Borrowed),
            object_version: content.object.as_ref().and_then(|object| object.version.as_deref()).map(Cow::Borrowed),
        }
    }

    fn into_content(self) -> Result<Content> {
        let schema = self.schema.map(|text| hex::parse(&text).ok_or_else(|| wrong("has a schema that is no hash")));
        let key_digest =
            self.key_digest.map(|text| hex::parse(&text).ok_or_else(|| wrong("has a key digest that is none")));
        Ok(Content {
            type_tag: Cow::Owned(self.type_tag.into_owned()),
            type_name: Cow::Owned(self.type_name.into_owned()),
            format: Cow::Owned(self.format.into_owned()),
            format_version: self.format_version,
            schema: schema.transpose()?.map(u64::from_be_bytes),
            extra: self.extra.into_owned(),
            encoding: Encoding { codec: codec(&self.codec)?, shuffle: self.shuffle },
            raw_size: self.raw_size,
            stored_size: self.stored_size,
            digest: digest(&self.digest)?,
            key_digest: key_digest.transpose()?,
            terms: self.terms.into_terms(),
            object: (self.etag.is_some() || self.object_version.is_some()).then(|| {
                let text = |text: Cow<'_, str>| Box::from(text);
                Box::new(ObjectTag { etag: self.etag.map(text), version: self.object_version.map(text) })
            }),
        })
    }
}

/// Reads a digest as it is displayed.
pub(super) fn digest(text: &str) -> Result<Digest> {
    let short = || wrong("has a digest of the wrong length");
    match text.split_once(':') {
        Some(("xxh3", digits)) => hex::parse(digits).map(Digest::Xxh3).ok_or_else(short),
        Some(("b3", digits)) => hex::parse(digits).map(Digest::Blake3).ok_or_else(short),
        _ => Err(Error::new(ErrorKind::FormatTooNew, format!("the digest {text:?} is not known"))),
    }
}

fn codec(name: &str) -> Result<CodecId> {
    [CodecId::None, CodecId::Lz4, CodecId::Zstd, CodecId::Gzip]
        .into_iter()
        .find(|codec| codec.to_string() == name)
        .ok_or_else(|| Error::new(ErrorKind::FormatTooNew, format!("the codec {name:?} is not known")))
}

fn from_base64(text: &str) -> Result<Bytes> {
    base64::decode(text).map(Bytes::from).ok_or_else(|| wrong("has base64 that is none"))
}

fn wrong(problem: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("a record {problem}"))
}
