//! Records as rows of the table `records`, there and back.

use crate::failure::{corrupt, failure};
use cacheness_storage::{
    Annotations, BlobId, Bytes, Content, EntryKey, Error, ErrorKind, Fields, Location, Metadata, Record, Result,
    Timestamp, Usage, Version,
};
use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement, ToSql, params};

/// A `SELECT` of the columns that [`record`] reads, with others before them and a tail behind. The usage is looked up by
/// subqueries: a cached statement with an outer join is planned anew each time.
macro_rules! select {
    (@head) => {
        "version, created_at, updated_at, expires_at, drop_at, blob, content, signature"
    };
    (@annotations) => {
        ", metadata, tags, description, (SELECT accessed_at FROM usage WHERE usage.id = records.id), \
        (SELECT hits FROM usage WHERE usage.id = records.id)"
    };
    ($fields:expr, $before:literal, $tail:literal) => {
        match ($fields.payload, $fields.annotations) {
            (false, false) => concat!("SELECT ", $before, select!(@head), " FROM records", $tail),
            (false, true) => {
                concat!("SELECT ", $before, select!(@head), select!(@annotations), " FROM records", $tail)
            }
            (true, false) => concat!("SELECT ", $before, select!(@head), ", payload FROM records", $tail),
            (true, true) => {
                concat!("SELECT ", $before, select!(@head), select!(@annotations), ", payload FROM records", $tail)
            }
        }
    };
}
pub(crate) use select;

/// Does nothing when there is a record of the key.
pub(crate) const INSERT: &str = "INSERT INTO records (key, version, created_at, updated_at, expires_at, drop_at, \
    stored_size, blob, content, metadata, tags, description, signature, payload) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (key) DO NOTHING";

pub(crate) const UPDATE: &str = "UPDATE records SET version = ?2, created_at = ?3, updated_at = ?4, expires_at = ?5, \
    drop_at = ?6, stored_size = ?7, blob = ?8, content = ?9, metadata = ?10, tags = ?11, description = ?12, \
    signature = ?13, payload = ?14 WHERE id = ?1";

/// Reads a record from the columns of a [`select!`] whose first column is number `start`.
pub(crate) fn record(row: &Row<'_>, start: usize, key: EntryKey, fields: Fields) -> Result<Record> {
    let time = |column: usize| row.get(start + column).map(Timestamp::from_micros).map_err(failure);
    let time_or_none = |column| {
        row.get::<_, Option<i64>>(start + column).map(|time| time.map(Timestamp::from_micros)).map_err(failure)
    };
    let mut next = start + 8;
    let mut column = || {
        next += 1;
        row.get_ref(next - 1).map_err(failure)
    };
    let (annotations, usage) = match fields.annotations {
        true => (annotations(column()?, column()?, column()?)?, usage(column()?, column()?)?),
        false => Default::default(),
    };
    let location = match (blob(row, start + 5)?, fields.payload) {
        (Some(id), _) => Location::Blob(id),
        (None, false) => Location::Omitted,
        (None, true) => match bytes(column()?)? {
            Some(payload) => Location::Inline(Bytes::copy_from_slice(payload)),
            None => return Err(corrupt("a record has neither a payload nor a blob")),
        },
    };
    Ok(Record {
        version: version(row, start)?,
        created_at: time(1)?,
        updated_at: time(2)?,
        expires_at: time_or_none(3)?,
        drop_at: time_or_none(4)?,
        content: match bytes(row.get_ref(start + 6).map_err(failure)?)? {
            Some(content) => Content::from_bytes(content)?,
            None => return Err(corrupt("a record has no content descriptor")),
        },
        location,
        annotations,
        usage,
        signature: bytes(row.get_ref(start + 7).map_err(failure)?)?.map(Bytes::copy_from_slice),
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

/// Writes a record by [`INSERT`] or [`UPDATE`]; says whether that wrote a row.
pub(crate) fn write(statement: &mut Statement<'_>, target: &dyn ToSql, record: &Record) -> Result<bool> {
    let (blob, payload) = match &record.location {
        Location::Blob(id) => (Some(id.as_bytes()), None),
        Location::Inline(payload) => (None, Some(&**payload)),
        Location::Omitted => {
            return Err(Error::new(ErrorKind::Internal, "a record cannot be put without its payload").key(&record.key));
        }
    };
    let (metadata, tags) = annotations_as_json(&record.annotations).map_err(|error| error.key(&record.key))?;
    statement
        .execute(params![
            target,
            record.version.as_bytes(),
            record.created_at.as_micros(),
            record.updated_at.as_micros(),
            record.expires_at.map(Timestamp::as_micros),
            record.drop_at.map(Timestamp::as_micros),
            stored_size(record)?,
            blob,
            record.content.to_bytes(),
            metadata,
            tags,
            record.annotations.description,
            record.signature.as_deref(),
            payload,
        ])
        .map(|rows| rows == 1)
        .map_err(failure)
}

/// The columns `metadata` and `tags`, empty ones as `NULL`.
pub(crate) fn annotations_as_json(annotations: &Annotations) -> Result<(Option<String>, Option<String>)> {
    let Annotations { metadata, tags, .. } = annotations;
    annotations.check()?;
    let text = |text: serde_json::Result<String>| {
        text.map_err(|source| Error::new(ErrorKind::Serialization, "metadata cannot be written as JSON").source(source))
    };
    Ok((
        if metadata.is_empty() { None } else { Some(text(serde_json::to_string(metadata))?) },
        if tags.is_empty() { None } else { Some(text(serde_json::to_string(tags))?) },
    ))
}

/// The column `stored_size`.
pub(crate) fn stored_size(record: &Record) -> Result<i64> {
    i64::try_from(record.content.stored_size).map_err(|_| {
        let message = format!("{} stored bytes are more than the index can count", record.content.stored_size);
        Error::new(ErrorKind::TooLarge, message).key(&record.key)
    })
}

/// The version in a column.
pub(crate) fn version(row: &Row<'_>, column: usize) -> Result<Version> {
    identifier(row, column)?.map(Version::from_bytes).ok_or_else(|| corrupt("a record has no version"))
}

/// The blob in a column, if there is one.
pub(crate) fn blob(row: &Row<'_>, column: usize) -> Result<Option<BlobId>> {
    Ok(identifier(row, column)?.map(BlobId::from_bytes))
}

/// The key in a column.
pub(crate) fn key(row: &Row<'_>, column: usize) -> Result<EntryKey> {
    text(row.get_ref(column).map_err(failure)?)?.map(EntryKey::new).ok_or_else(|| corrupt("a record has no key"))
}

/// The columns `accessed_at` and `hits` of `usage`, both empty without a row in `usage`.
pub(crate) fn usage(accessed_at: ValueRef<'_>, hits: ValueRef<'_>) -> Result<Usage> {
    let integer = |value: ValueRef<'_>| match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(number)),
        _ => Err(corrupt("a column of numbers holds something else")),
    };
    Ok(Usage {
        accessed_at: integer(accessed_at)?.map(Timestamp::from_micros),
        hits: integer(hits)?.map_or(0, i64::cast_unsigned),
    })
}

fn identifier(row: &Row<'_>, column: usize) -> Result<Option<[u8; 16]>> {
    let bytes = bytes(row.get_ref(column).map_err(failure)?)?;
    let exact = |bytes: &[u8]| bytes.try_into().map_err(|_| corrupt("an identifier in the index has not 16 bytes"));
    bytes.map(exact).transpose()
}

fn annotations(metadata: ValueRef<'_>, tags: ValueRef<'_>, description: ValueRef<'_>) -> Result<Annotations> {
    fn json<T: serde::de::DeserializeOwned + Default>(value: ValueRef<'_>) -> Result<T> {
        let Some(text) = text(value)? else { return Ok(T::default()) };
        serde_json::from_str(text)
            .map_err(|source| corrupt("a record holds annotations that are no JSON").source(source))
    }
    Ok(Annotations {
        metadata: json::<Metadata>(metadata)?,
        tags: json(tags)?,
        description: text(description)?.map(ToOwned::to_owned),
    })
}

fn bytes(value: ValueRef<'_>) -> Result<Option<&[u8]>> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => Ok(Some(bytes)),
        _ => Err(corrupt("a column of bytes holds something else")),
    }
}

fn text(value: ValueRef<'_>) -> Result<Option<&str>> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map(Some).map_err(|_| corrupt("a text in the index is not UTF-8"))
        }
        _ => Err(corrupt("a column of text holds something else")),
    }
}
