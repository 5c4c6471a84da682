//! The lines of the journal: the header, then one line a commit, each with a checksum of itself.

use super::record::{MAX_RECORD_DEPTH, RecordText, digest};
use cacheness_core::hex::{self, Hex};
use cacheness_storage::memory::Effect;
use cacheness_storage::{BlobId, BlobRecord, EntryKey, Error, ErrorKind, Record, Result, Timestamp};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

/// No header is longer, in bytes.
pub(super) const MAX_HEADER: u64 = 4096;

const FORMAT: &str = "cacheness-index";
const VERSION: u64 = 1;

/// What stands around the sixteen digits of the checksum, at the end of a line.
const SUM: &str = ",\"sum\":\"";
const END: &str = "\"}";

/// A line, its list of changes, and a change lie around a record.
const MAX_DEPTH: usize = 3 + MAX_RECORD_DEPTH;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    format: String,
    version: u64,
    /// How often the file was written anew.
    pub(super) generation: u64,
}

impl Header {
    pub(super) fn new(generation: u64) -> Self {
        Self { format: FORMAT.into(), version: VERSION, generation }
    }

    /// The line, with its end.
    pub(super) fn to_line(&self) -> Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self).map_err(unwritable)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads the first line.
    pub(super) fn from_line(line: &[u8]) -> Result<Self> {
        let foreign = || {
            Error::new(ErrorKind::ForeignStore, "the file is no cacheness index")
                .advice("give an empty or missing file; nothing was changed in this one")
        };
        let header: Json = serde_json::from_slice(line).map_err(|_| foreign())?;
        if header.get("format").and_then(Json::as_str) != Some(FORMAT) || !line.ends_with(b"\n") {
            return Err(foreign());
        }
        match header.get("version").and_then(Json::as_u64) {
            Some(version) if version > VERSION => {
                let message = format!("the index has format {version}, but this version knows only {VERSION}");
                Err(Error::new(ErrorKind::FormatTooNew, message).advice("use a newer version of cacheness"))
            }
            version => serde_json::from_slice(line).ok().filter(|_| version == Some(VERSION)).ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, "the first line of the index is damaged")
                    .advice("write it anew, as docs/format.md draws it")
            }),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ChangeText<'a> {
    Put(Box<RecordText<'a>>),
    Remove(String),
    Use(UseText<'a>),
    Blob(BlobText),
    Forget(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UseText<'a> {
    key: Cow<'a, str>,
    at: i64,
    hits: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlobText {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    condemned_at: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineText<'a> {
    at: i64,
    changes: Vec<ChangeText<'a>>,
    sum: Option<IgnoredAny>,
}

/// A line while it is written.
pub(super) struct Draft {
    text: Vec<u8>,
    changes: u64,
    result: Result<(), serde_json::Error>,
}

impl Draft {
    /// A line for a commit at this time.
    pub(super) fn new(at: Timestamp) -> Self {
        Self { text: format!("{{\"at\":{},\"changes\":[", at.as_micros()).into_bytes(), changes: 0, result: Ok(()) }
    }

    /// Adds what the commit did.
    pub(super) fn push(&mut self, effect: Effect<'_>) {
        if self.changes > 0 {
            self.text.push(b',');
        }
        self.changes += 1;
        let change = match effect {
            Effect::Put(record) => ChangeText::Put(Box::new(RecordText::of(record))),
            Effect::Remove(key) => ChangeText::Remove(key.to_string()),
            Effect::Use(key, at, hits) => {
                ChangeText::Use(UseText { key: key.as_str().into(), at: at.as_micros(), hits })
            }
            Effect::Blob(blob) => ChangeText::Blob(BlobText {
                id: blob.id.to_string(),
                digest: blob.digest.map(|digest| digest.to_string()),
                size: blob.size,
                condemned_at: blob.condemned_at.map(Timestamp::as_micros),
            }),
            Effect::Forget(id) => ChangeText::Forget(id.to_string()),
        };
        if let Err(error) = serde_json::to_writer(&mut self.text, &change) {
            self.result = Err(error);
        }
    }

    /// How many changes it tells of.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The line, with its end.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.result.map_err(unwritable)?;
        self.text.push(b']');
        let sum = Hex(&xxh3_64(&self.text).to_be_bytes()).to_string();
        for part in [SUM, &sum, END, "\n"] {
            self.text.extend_from_slice(part.as_bytes());
        }
        Ok(self.text)
    }
}

/// What a line says was done.
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) changes: Vec<Done>,
}

/// An effect on its own.
pub(super) enum Done {
    Put(Box<Record>),
    Remove(EntryKey),
    Use(EntryKey, Timestamp, u64),
    Blob(BlobRecord),
    Forget(BlobId),
}

impl Done {
    pub(super) fn effect(&self) -> Effect<'_> {
        match self {
            Self::Put(record) => Effect::Put(record),
            Self::Remove(key) => Effect::Remove(key),
            Self::Use(key, at, hits) => Effect::Use(key, *at, *hits),
            Self::Blob(blob) => Effect::Blob(blob),
            Self::Forget(id) => Effect::Forget(*id),
        }
    }
}

impl Line {
    /// Reads a line, without its end. A line without a checksum is taken as it is.
    pub(super) fn parse(line: &[u8]) -> Result<Self> {
        let damaged = |problem: String| Error::new(ErrorKind::Corrupt, problem);
        let text = std::str::from_utf8(line).map_err(|error| damaged(error.to_string()))?;
        let sum = sum(text);
        if sum.is_some_and(|(summed, sum)| xxh3_64(summed.as_bytes()) != sum) {
            return Err(damaged("the checksum is another one".into()));
        }
        if is_deeper_than(line, MAX_DEPTH) {
            return Err(damaged(format!("it is nested deeper than {MAX_DEPTH} levels")));
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // What is nested was counted.
        deserializer.disable_recursion_limit();
        let parsed = LineText::deserialize(&mut deserializer).and_then(|parsed| deserializer.end().map(|()| parsed));
        let parsed = parsed.map_err(|error| damaged(error.to_string()))?;
        if parsed.sum.is_some() && sum.is_none() {
            return Err(damaged("the checksum is not what ends the line".into()));
        }
        let changes = parsed.changes.into_iter().map(ChangeText::into_done).collect::<Result<_>>()?;
        Ok(Self { at: Timestamp::from_micros(parsed.at), changes })
    }
}

impl ChangeText<'_> {
    fn into_done(self) -> Result<Done> {
        Ok(match self {
            Self::Put(record) => Done::Put(Box::new(record.into_record()?)),
            Self::Remove(key) => Done::Remove(key.into()),
            Self::Use(UseText { key, at, hits }) => {
                Done::Use(key.into_owned().into(), Timestamp::from_micros(at), hits)
            }
            Self::Blob(blob) => Done::Blob(BlobRecord {
                id: blob.id.parse()?,
                digest: blob.digest.as_deref().map(digest).transpose()?,
                size: blob.size,
                references: 0,
                condemned_at: blob.condemned_at.map(Timestamp::from_micros),
            }),
            Self::Forget(id) => Done::Forget(id.parse()?),
        })
    }
}

/// What the checksum at the end of a line is of, and the checksum.
fn sum(line: &str) -> Option<(&str, u64)> {
    let line = line.strip_suffix(END)?;
    let (line, digits) = line.split_at_checked(line.len().checked_sub(16)?)?;
    let sum = hex::parse(digits).map(u64::from_be_bytes)?;
    Some((line.strip_suffix(SUM)?, sum))
}

/// Whether arrays and objects lie in each other so deep.
fn is_deeper_than(line: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

fn unwritable(source: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "a change could not be written as JSON").source(source)
}
