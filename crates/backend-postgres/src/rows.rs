//! Records as rows of the table `records`, there and back.

use crate::failure::{corrupt, misread};
use crate::search;
use cacheness_storage::{
    Annotations, BlobId, Bytes, Content, EntryKey, Error, ErrorKind, Fields, Location, Metadata, Record, Result,
    Timestamp, Usage, Version,
};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// How long a key may be: an entry of PostgreSQL's index must fit on a third of a page.
pub(crate) const MAX_KEY: usize = 2600;

/// The columns that every reading of a record begins with.
const HEAD: &str =
    "r.key, r.version, r.created_at, r.updated_at, r.expires_at, r.drop_at, r.blob, r.content, r.signature";

/// How many [`HEAD`] are.
const HEAD_LENGTH: usize = 9;

/// The columns that [`record`] reads, of the tables `records` as `r` and, with annotations, `usage` as `u`.
pub(crate) fn columns(fields: Fields) -> String {
    let annotations = if fields.annotations { ", r.annotations::text, u.accessed_at, u.hits" } else { "" };
    let payload = if fields.payload { ", r.payload" } else { "" };
    format!("{HEAD}{annotations}{payload}")
}

/// Reads a record from [`columns`] that begin with number `start`.
pub(crate) fn record(row: &Row, start: usize, fields: Fields) -> Result<Record> {
    let key = key(row, start)?;
    self::fields(row, start, key.clone(), fields).map_err(|error| error.key(&key))
}

fn fields(row: &Row, start: usize, key: EntryKey, fields: Fields) -> Result<Record> {
    let time = |at: usize| column(row, start + at).map(Timestamp::from_micros);
    let time_or_none = |at: usize| column::<Option<i64>>(row, start + at).map(|time| time.map(Timestamp::from_micros));
    let mut next = start + HEAD_LENGTH;
    let (annotations, usage) = if fields.annotations {
        next += 3;
        (annotations(column(row, next - 3)?)?, usage(column(row, next - 2)?, column(row, next - 1)?))
    } else {
        Default::default()
    };
    let location = match (blob(row, start + 6)?, fields.payload) {
        (Some(id), _) => Location::Blob(id),
        (None, false) => Location::Omitted,
        (None, true) => match column::<Option<&[u8]>>(row, next)? {
            Some(payload) => Location::Inline(Bytes::copy_from_slice(payload)),
            None => return Err(corrupt("a record has neither a payload nor a blob")),
        },
    };
    Ok(Record {
        version: version(row, start + 1)?,
        created_at: time(2)?,
        updated_at: time(3)?,
        expires_at: time_or_none(4)?,
        drop_at: time_or_none(5)?,
        content: Content::from_bytes(column(row, start + 7)?)?,
        location,
        annotations,
        usage,
        signature: column::<Option<&[u8]>>(row, start + 8)?.map(Bytes::copy_from_slice),
        key,
    })
}

/// A record, or `None` for one that is damaged or of a later format version, in a listing that goes on without it.
pub(crate) fn readable(record: Result<Record>) -> Result<Option<Record>> {
    match record {
        Ok(record) => Ok(Some(record)),
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A column of a row.
pub(crate) fn column<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T> {
    row.try_get(at).map_err(misread)
}

/// The key in a column.
pub(crate) fn key(row: &Row, at: usize) -> Result<EntryKey> {
    let text = std::str::from_utf8(column(row, at)?);
    text.map(EntryKey::new).map_err(|_| corrupt("a key in the index is not UTF-8"))
}

/// The version in a column.
pub(crate) fn version(row: &Row, at: usize) -> Result<Version> {
    identifier(column(row, at)?).map(Version::from_bytes)
}

/// The blob in a column, if there is one.
pub(crate) fn blob(row: &Row, at: usize) -> Result<Option<BlobId>> {
    column::<Option<&[u8]>>(row, at)?.map(identifier).transpose().map(|id| id.map(BlobId::from_bytes))
}

pub(crate) fn identifier(bytes: &[u8]) -> Result<[u8; 16]> {
    bytes.try_into().map_err(|_| corrupt("an identifier in the index has not 16 bytes"))
}

fn usage(accessed_at: Option<i64>, hits: Option<i64>) -> Usage {
    let hits = hits.and_then(|hits| u64::try_from(hits).ok()).unwrap_or(0);
    Usage { accessed_at: accessed_at.map(Timestamp::from_micros), hits }
}

/// The column `annotations`.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Told {
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

fn annotations(text: Option<&str>) -> Result<Annotations> {
    let Some(text) = text else { return Ok(Annotations::default()) };
    let Told { metadata, tags, description } = serde_json::from_str(text)
        .map_err(|source| corrupt("a record holds annotations that are no JSON").source(source))?;
    Ok(Annotations { metadata, tags, description })
}

fn annotations_as_json(annotations: &Annotations) -> Result<Option<String>> {
    if *annotations == Annotations::default() {
        return Ok(None);
    }
    let Annotations { metadata, tags, description } = annotations.clone();
    serde_json::to_string(&Told { metadata, tags, description })
        .map(Some)
        .map_err(|source| Error::new(ErrorKind::Serialization, "metadata cannot be written as JSON").source(source))
}

/// The columns of records to be written, each an array.
#[derive(Default)]
pub(crate) struct Written<'r> {
    pub(crate) keys: Vec<&'r [u8]>,
    pub(crate) versions: Vec<&'r [u8]>,
    pub(crate) created_at: Vec<i64>,
    pub(crate) updated_at: Vec<i64>,
    pub(crate) expires_at: Vec<Option<i64>>,
    pub(crate) drop_at: Vec<Option<i64>>,
    pub(crate) stored_sizes: Vec<i64>,
    pub(crate) blobs: Vec<Option<&'r [u8]>>,
    pub(crate) contents: Vec<Vec<u8>>,
    pub(crate) annotations: Vec<Option<String>>,
    pub(crate) search: Vec<String>,
    pub(crate) signatures: Vec<Option<&'r [u8]>>,
    pub(crate) payloads: Vec<Option<&'r [u8]>>,
}

impl<'r> Written<'r> {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, record: &'r Record) -> Result<()> {
        let (blob, payload) = match &record.location {
            Location::Blob(id) => (Some(&id.as_bytes()[..]), None),
            Location::Inline(payload) => (None, Some(&**payload)),
            // Only a patched record lacks its payload, and its payload is not written.
            Location::Omitted => (None, None),
        };
        self.keys.push(record.key.as_str().as_bytes());
        self.versions.push(record.version.as_bytes());
        self.created_at.push(record.created_at.as_micros());
        self.updated_at.push(record.updated_at.as_micros());
        self.expires_at.push(record.expires_at.map(Timestamp::as_micros));
        self.drop_at.push(record.drop_at.map(Timestamp::as_micros));
        self.stored_sizes.push(stored_size(record)?);
        self.blobs.push(blob);
        self.contents.push(record.content.to_bytes());
        self.annotations.push(annotations_as_json(&record.annotations).map_err(|error| error.key(&record.key))?);
        self.search.push(search::text(&record.content, &record.annotations));
        self.signatures.push(record.signature.as_deref());
        self.payloads.push(payload);
        Ok(())
    }
}

/// The column `stored_size`.
pub(crate) fn stored_size(record: &Record) -> Result<i64> {
    i64::try_from(record.content.stored_size).map_err(|_| {
        let message = format!("{} stored bytes are more than the index can count", record.content.stored_size);
        Error::new(ErrorKind::TooLarge, message).key(&record.key)
    })
}
