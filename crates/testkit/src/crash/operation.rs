//! What a process does to a store: chosen by chance, told in lines.

use super::content::Content;
use crate::SeededRng;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::OpenContext;
use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness_storage::sync::BlobStore;
use std::fmt;

/// Values of more bytes are staged in files.
pub(super) const STAGED_IN_MEMORY: usize = 64 << 10;

/// One thing that is done to a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Open,
    Put(Manner, String, Content),
    Get(String),
    Delete(String),
    Clear,
    Sweep,
    Close,
}

/// How a value is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Put,
    /// From a reader.
    Reader,
    /// Only over another value.
    Update,
    /// Under the key that its content makes.
    New,
}

const MANNERS: [(Manner, &str); 4] =
    [(Manner::Put, "put"), (Manner::Reader, "put_reader"), (Manner::Update, "update"), (Manner::New, "put_new")];

impl Operation {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        Some(match words[..] {
            ["open"] => Self::Open,
            ["get", key] => Self::Get(key.into()),
            ["delete", key] => Self::Delete(key.into()),
            ["clear"] => Self::Clear,
            ["sweep"] => Self::Sweep,
            ["close"] => Self::Close,
            [word, key, seed, size] => {
                let (manner, _) = MANNERS.iter().find(|(_, name)| *name == word)?;
                Self::Put(*manner, key.into(), Content::parse(seed, size)?)
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Put(manner, key, content) => {
                let name = MANNERS.iter().find(|(known, _)| known == manner).map_or("", |(_, name)| name);
                write!(f, "{name} {key} {content}")
            }
            Self::Get(key) => write!(f, "get {key}"),
            Self::Delete(key) => write!(f, "delete {key}"),
            Self::Clear => f.write_str("clear"),
            Self::Sweep => f.write_str("sweep"),
            Self::Close => f.write_str("close"),
        }
    }
}

/// The keys of every store, and the values that are put again and again, each with the key that its content makes.
pub(super) struct Repertoire {
    keys: Vec<String>,
    recurring: Vec<(String, Content)>,
}

impl Repertoire {
    pub(super) fn new() -> Result<Self> {
        let context = OpenContext::new();
        let store = BlobStore::builder()
            .metadata_backend(MemoryMetadata::new(&context))
            .blob_backend(MemoryBlobs::new(&context))
            .content_addressable(true)
            .open()?;
        let contents = (1..).zip([700, 17_000, 30_000, 45_000, 70_000, 100_000]);
        let contents = contents.map(|(seed, size)| Content { seed, size });
        let recurring: Result<_> = contents.map(|content| Ok((store.put_new(&content.bytes())?, content))).collect();
        Ok(Self { keys: (0..20).map(|number| format!("key-{number}")).collect(), recurring: recurring? })
    }

    /// Every key that a store can have.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.keys.iter().chain(self.recurring.iter().map(|(key, _)| key))
    }

    /// The next operation: with recurring values, or with one that was never put, of the seed `fresh`.
    pub(super) fn choose(&self, chance: &SeededRng, fresh: Option<u64>, sweeps: bool) -> Result<Operation> {
        let none = || Error::new(ErrorKind::Internal, "there is nothing to choose from");
        let key = chance.pick(&self.keys).ok_or_else(none)?.clone();
        let (made, recurring) = chance.pick(&self.recurring).ok_or_else(none)?.clone();
        let any = if chance.below(4) == 0 { made.clone() } else { key.clone() };
        let content = fresh.map_or(recurring, |seed| Content { seed, size: size(chance) });
        Ok(match chance.below(100) {
            0..40 => Operation::Put(Manner::Put, key, content),
            40..50 => Operation::Put(Manner::Reader, key, content),
            50..58 => Operation::Put(Manner::Update, key, content),
            58..66 if fresh.is_none() => Operation::Put(Manner::New, made, recurring),
            58..66 => Operation::Put(Manner::Put, key, content),
            66..78 => Operation::Delete(any),
            78..91 => Operation::Get(any),
            91..96 if sweeps => Operation::Sweep,
            91..96 => Operation::Get(any),
            96..98 => Operation::Clear,
            _ => Operation::Close,
        })
    }
}

/// Of values that ride in the record, that are staged in memory, and that are staged in a file.
fn size(chance: &SeededRng) -> usize {
    let (from, to) = match chance.below(10) {
        0..4 => (8, 2_000),
        4..8 => (20_000, 60_000),
        _ => (STAGED_IN_MEMORY as u64, 150_000),
    };
    usize::try_from(from + chance.below(to - from)).unwrap_or(8)
}
