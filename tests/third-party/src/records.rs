//! Records as rows, there and back.

use crate::failure::{Result, corrupt};
use crate::schema::{PAYLOADS, RECORDS, Row, USES};
use cacheness_storage::{
    Annotations, BlobId, Bytes, Content, EntryKey, Error, ErrorKind, Fields, Location, Metadata, Record, Timestamp,
    Usage, Version,
};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table};

/// Records as of one moment.
pub(crate) struct Records {
    pub(crate) rows: ReadOnlyTable<&'static str, Row<'static>>,
    payloads: ReadOnlyTable<&'static str, &'static [u8]>,
    uses: ReadOnlyTable<&'static str, (Option<i64>, u64)>,
}

impl Records {
    pub(crate) fn of(snapshot: &ReadTransaction) -> Result<Self> {
        Ok(Self {
            rows: snapshot.open_table(RECORDS)?,
            payloads: snapshot.open_table(PAYLOADS)?,
            uses: snapshot.open_table(USES)?,
        })
    }

    /// The record under a key.
    pub(crate) fn get(&self, key: &EntryKey, fields: Fields) -> Result<Option<Record>> {
        let Some(row) = self.rows.get(key.as_str())? else { return Ok(None) };
        self.read(key, &row.value(), fields).map(Some)
    }

    /// The record in a row.
    pub(crate) fn read(&self, key: &EntryKey, row: &Row<'_>, fields: Fields) -> Result<Record> {
        let mut record = head(key, row, fields.annotations).map_err(|error| error.key(key))?;
        if fields.annotations {
            record.usage = usage(&self.uses, key)?;
        }
        if fields.payload && record.location == Location::Omitted {
            let payload = self.payloads.get(key.as_str())?;
            let payload = payload.ok_or_else(|| corrupt("a record has neither a payload nor a blob").key(key))?;
            record.location = Location::Inline(Bytes::copy_from_slice(payload.value()));
        }
        Ok(record)
    }
}

/// How the record under a key was used.
pub(crate) fn usage(uses: &impl ReadableTable<&'static str, (Option<i64>, u64)>, key: &EntryKey) -> Result<Usage> {
    let (accessed_at, hits) = uses.get(key.as_str())?.map(|row| row.value()).unwrap_or_default();
    Ok(Usage { accessed_at: accessed_at.map(Timestamp::from_micros), hits })
}

/// Writes how the record under a key was used.
pub(crate) fn write_usage(uses: &mut Table<'_, &str, (Option<i64>, u64)>, key: &EntryKey, usage: Usage) -> Result<()> {
    if usage == Usage::default() {
        uses.remove(key.as_str())?;
    } else {
        uses.insert(key.as_str(), (usage.accessed_at.map(Timestamp::as_micros), usage.hits))?;
    }
    Ok(())
}

/// The record in a row, without a payload and its usage.
pub(crate) fn head(key: &EntryKey, row: &Row<'_>, annotations: bool) -> Result<Record, Error> {
    let (version, (created, updated, expires, drop), blob, _, content, metadata, tags, description, signature) = row;
    Ok(Record {
        key: key.clone(),
        version: Version::from_bytes(**version),
        created_at: Timestamp::from_micros(*created),
        updated_at: Timestamp::from_micros(*updated),
        expires_at: expires.map(Timestamp::from_micros),
        drop_at: drop.map(Timestamp::from_micros),
        content: Content::from_bytes(content)?,
        location: blob.map_or(Location::Omitted, |id| Location::Blob(BlobId::from_bytes(*id))),
        annotations: match annotations {
            false => Annotations::default(),
            true => Annotations {
                metadata: metadata.map_or_else(|| Ok(Metadata::new()), from_json)?,
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                description: description.map(str::to_owned),
            },
        },
        usage: Usage::default(),
        signature: signature.map(Bytes::copy_from_slice),
    })
}

/// Writes all of a record but its payload and its usage.
pub(crate) fn write(rows: &mut Table<'_, &str, Row<'_>>, record: &Record) -> Result<()> {
    let Annotations { metadata, tags, description } = &record.annotations;
    record.annotations.check()?;
    let blob = record.blob();
    let content = record.content.to_bytes();
    let metadata = if metadata.is_empty() { None } else { Some(to_json(metadata)?) };
    let micros = Timestamp::as_micros;
    rows.insert(
        record.key.as_str(),
        (
            record.version.as_bytes(),
            (
                micros(record.created_at),
                micros(record.updated_at),
                record.expires_at.map(micros),
                record.drop_at.map(micros),
            ),
            blob.as_ref().map(BlobId::as_bytes),
            record.content.stored_size,
            content.as_slice(),
            metadata.as_deref(),
            tags.iter().map(String::as_str).collect(),
            description.as_deref(),
            record.signature.as_deref(),
        ),
    )?;
    Ok(())
}

fn to_json(metadata: &Metadata) -> Result<String, Error> {
    serde_json::to_string(metadata)
        .map_err(|source| Error::new(ErrorKind::Serialization, "metadata cannot be written as JSON").source(source))
}

fn from_json(text: &str) -> Result<Metadata, Error> {
    serde_json::from_str(text).map_err(|source| corrupt("a record holds metadata that is no JSON").source(source))
}
