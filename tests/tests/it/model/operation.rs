//! What may be done to a cache: every verb, and the passing of time.
//!
//! A new verb is a variant here, a line in the generator, and an arm in the subject and in the reference.

use super::meaning::Meaning;
use super::value::{Content, Kind};
use std::time::Duration;

/// Which of the parameters.
pub(super) type Slot = u8;

/// Parameters a namespace.
pub(super) const SLOTS: Slot = 14;

/// The names of the parts of the cache; the first is outside of all.
pub(super) const SPACES: [Option<&str>; 3] = [None, Some("red"), Some("Blue.2")];

/// Which of the parts of the cache.
pub(super) type Space = u8;

/// The place of an entry: parameters in a part of the cache.
pub(super) type Spot = (Space, Slot);

/// One step of a history.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Call(Through, Operation),
    Time(Move),
    /// Close the cache, and open it again where it persists.
    Reopen,
}

/// Which handle an operation goes through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Through {
    /// The first or the second opening of the same store.
    pub(super) second: bool,
    pub(super) face: Face,
    /// Whose handle it is. What is stored is stored there.
    pub(super) space: Space,
    /// Where the entries are that are asked for, changed or copied: by their keys, when that is elsewhere.
    pub(super) of: Space,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Face {
    Blocking,
    Async,
}

/// How the clock moves, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move {
    Forward(u64),
    Back(u64),
    /// To where one of the entries expires or a use begins to move its expiry, and so much beside it.
    Boundary {
        which: usize,
        beside: i64,
    },
}

/// What a put says beyond the value.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) ttl: Option<Duration>,
    pub(super) idle: Option<Duration>,
    pub(super) number: Option<i64>,
    pub(super) tags: Vec<u8>,
    pub(super) description: Option<u8>,
}

/// How a key is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path {
    Get(Kind),
    Shared(Kind),
    WithMetadata(Kind),
    Fresh(Kind, Duration),
    Many(Kind),
    Reader,
    Exists,
    Ttl,
    Metadata,
    /// Asked for among the entries, by its key.
    Listed,
}

/// What is refused, and changes nothing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    ZeroTtl,
    ZeroIdle,
    TouchForZero,
    MetadataNoObject,
    FailingReader,
}

/// A call.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Put(Slot, Content),
    PutWith(Slot, Content, Said),
    PutShared(Slot, Content),
    PutIfAbsent(Slot, Content),
    PutIfAbsentWith(Slot, Content, Said),
    Update(Slot, Content),
    UpdateWith(Slot, Content, Said),
    PutMany(Kind, Vec<(Slot, Content)>),
    UpdateMany(Kind, Vec<(Slot, Content)>),
    PutReader(Slot, Content),
    GetOrPut(Slot, Content),
    /// With a computation that fails when it is told to.
    TryGetOrPut(Slot, Content, bool),
    Refused(Slot, Refusal),
    Read(Slot, Path),
    GetMany(Kind, Vec<Slot>),
    Entries {
        meaning: Meaning,
        limit: usize,
    },
    Ages,
    Stats,
    ResetStats,
    Flush,
    Touch(Slot, Option<Duration>),
    TouchMany(Vec<Slot>, Option<Duration>),
    Invalidate(Slot),
    InvalidateMany(Vec<Slot>),
    InvalidateWhere(Meaning),
    /// By a predicate: those with a number that is at least this one.
    InvalidateIf(i64),
    InvalidateTag(u8),
    CleanupExpired,
    Clear,
    Copy(Slot, Slot),
    Rename(Slot, Slot),
    /// Whether the other entry may be overwritten.
    CopyWith(Slot, Slot, bool),
    RenameWith(Slot, Slot, bool),
    Sweep,
    Verify,
}

impl Operation {
    /// The entries that it may change.
    pub(super) fn spots(&self, through: Through) -> Vec<Spot> {
        use Operation::*;
        let Through { space, of, .. } = through;
        match self {
            Put(slot, _) | PutWith(slot, ..) | PutShared(slot, _) | PutIfAbsent(slot, _) | Update(slot, _) => {
                vec![(space, *slot)]
            }
            PutReader(slot, _) | PutIfAbsentWith(slot, ..) | UpdateWith(slot, ..) => vec![(space, *slot)],
            GetOrPut(slot, _) | TryGetOrPut(slot, ..) | Refused(slot, _) => vec![(space, *slot)],
            Read(slot, _) | Touch(slot, _) | Invalidate(slot) => vec![(of, *slot)],
            PutMany(_, puts) | UpdateMany(_, puts) => puts.iter().map(|(slot, _)| (space, *slot)).collect(),
            GetMany(_, slots) | TouchMany(slots, _) | InvalidateMany(slots) => {
                slots.iter().map(|slot| (of, *slot)).collect()
            }
            Copy(from, to) | Rename(from, to) | CopyWith(from, to, _) | RenameWith(from, to, _) => {
                vec![(space, *to), (of, *from)]
            }
            Entries { .. } | Ages | Stats | ResetStats | Flush | Sweep | Verify => Vec::new(),
            InvalidateWhere(_) | InvalidateIf(_) | InvalidateTag(_) | CleanupExpired | Clear => Vec::new(),
        }
    }
}
