//! What may be done to a cache: every verb, the passing of time, and how likely each is.
//!
//! A new verb is a variant here, a line in `operation`, and an arm in the subject and in the reference.

use super::meaning::{self, Meaning};
use super::value::{self, Content, Kind};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

/// Which of the keys.
pub(super) type Slot = u8;

pub(super) const SLOTS: Slot = 40;

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
    /// To where one of the entries expires, and so much beside it.
    Boundary {
        which: usize,
        beside: i64,
    },
}

/// What a put says beyond the value.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) ttl: Option<Duration>,
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
    Update(Slot, Content),
    PutMany(Kind, Vec<(Slot, Content)>),
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
    Stats,
    Touch(Slot, Option<Duration>),
    TouchMany(Vec<Slot>, Option<Duration>),
    Invalidate(Slot),
    InvalidateMany(Vec<Slot>),
    InvalidateWhere(Meaning),
    CleanupExpired,
    Clear,
    Copy(Slot, Slot),
    Rename(Slot, Slot),
    Sweep,
    Verify,
}

impl Operation {
    /// The keys that it may change.
    pub(super) fn slots(&self) -> Vec<Slot> {
        use Operation::*;
        match self {
            Put(slot, _) | PutWith(slot, ..) | PutShared(slot, _) | PutIfAbsent(slot, _) | Update(slot, _) => {
                vec![*slot]
            }
            PutReader(slot, _) | GetOrPut(slot, _) | TryGetOrPut(slot, ..) | Refused(slot, _) | Read(slot, _) => {
                vec![*slot]
            }
            Touch(slot, _) | Invalidate(slot) => vec![*slot],
            PutMany(_, puts) => puts.iter().map(|(slot, _)| *slot).collect(),
            GetMany(_, slots) | TouchMany(slots, _) | InvalidateMany(slots) => slots.clone(),
            Copy(from, to) | Rename(from, to) => vec![*from, *to],
            Entries { .. } | Stats | InvalidateWhere(_) | CleanupExpired | Clear | Sweep | Verify => Vec::new(),
        }
    }
}

/// Spans of time that meet: some are written as TTLs, some are waited for, some are asked for as an age.
fn span() -> impl Strategy<Value = Duration> {
    let round = prop::sample::select(vec![1, 1_000_000, 10_000_000, 60_000_000, 3_600_000_000]);
    prop_oneof![
        16 => round.prop_map(Duration::from_micros),
        2 => Just(Duration::from_nanos(1_500)),
        1 => Just(Duration::MAX),
    ]
}

/// A few keys that everything happens to, and others.
fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![3 => 0..6_u8, 2 => 0..SLOTS]
}

fn slots() -> impl Strategy<Value = Vec<Slot>> {
    vec(slot(), 0..8)
}

fn said() -> impl Strategy<Value = Said> {
    let ttl = prop::option::weighted(0.7, span());
    let (number, description) = (prop::option::of(-3..4_i64), prop::option::of(0..3_u8));
    (ttl, number, vec(0..4_u8, 0..3), description).prop_map(|(ttl, number, tags, description)| Said {
        ttl,
        number,
        tags,
        description,
    })
}

fn path() -> impl Strategy<Value = Path> {
    let kind = value::kind;
    prop_oneof![
        3 => kind().prop_map(Path::Get),
        1 => kind().prop_map(Path::Shared),
        1 => kind().prop_map(Path::WithMetadata),
        3 => (kind(), age()).prop_map(|(kind, age)| Path::Fresh(kind, age)),
        1 => kind().prop_map(Path::Many),
        1 => prop::sample::select(vec![Path::Reader, Path::Exists, Path::Ttl, Path::Metadata, Path::Listed]),
    ]
}

/// A span, or what is a microsecond beside it.
fn age() -> impl Strategy<Value = Duration> {
    const MICROSECOND: Duration = Duration::from_micros(1);
    (span(), 0..3_u8).prop_map(|(span, beside)| match beside {
        0 => span,
        1 => span.saturating_sub(MICROSECOND),
        _ => span.saturating_add(MICROSECOND),
    })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    use Refusal::*;
    prop::sample::select(vec![ZeroTtl, TouchForZero, MetadataNoObject, FailingReader])
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let (content, any_content, meaning) = (value::content, value::any_content, meaning::meaning);
    let bytes = || prop_oneof![8 => value::content_of(Just(Kind::Bytes)), 1 => any_content()];
    let batch = any_content().prop_flat_map(|first| {
        let others = vec((slot(), value::content_of(Just(first.kind))), 0..6);
        (slot(), others).prop_map(move |(slot, mut puts)| {
            puts.push((slot, first));
            PutMany(first.kind, puts)
        })
    });
    prop_oneof![
        8 => (slot(), any_content()).prop_map(|(slot, content)| Put(slot, content)),
        16 => (slot(), content(), said()).prop_map(|(slot, content, said)| PutWith(slot, content, said)),
        2 => (slot(), content()).prop_map(|(slot, content)| PutShared(slot, content)),
        6 => (slot(), content()).prop_map(|(slot, content)| PutIfAbsent(slot, content)),
        6 => (slot(), content()).prop_map(|(slot, content)| Update(slot, content)),
        6 => batch,
        3 => (slot(), bytes()).prop_map(|(slot, content)| PutReader(slot, Content { kind: Kind::Bytes, ..content })),
        4 => (slot(), any_content()).prop_map(|(slot, content)| GetOrPut(slot, content)),
        2 => (slot(), content(), any::<bool>()).prop_map(|(slot, content, fails)| TryGetOrPut(slot, content, fails)),
        1 => (slot(), refusal()).prop_map(|(slot, refusal)| Refused(slot, refusal)),
        8 => (slot(), path()).prop_map(|(slot, path)| Read(slot, path)),
        2 => (value::kind(), slots()).prop_map(|(kind, slots)| GetMany(kind, slots)),
        4 => (meaning(), 1..8_usize).prop_map(|(meaning, limit)| Entries { meaning, limit }),
        1 => Just(Stats),
        8 => (slot(), prop::option::of(span())).prop_map(|(slot, ttl)| Touch(slot, ttl)),
        2 => (slots(), prop::option::of(span())).prop_map(|(slots, ttl)| TouchMany(slots, ttl)),
        4 => slot().prop_map(Invalidate),
        2 => slots().prop_map(InvalidateMany),
        2 => meaning().prop_map(InvalidateWhere),
        2 => Just(CleanupExpired),
        1 => Just(Clear),
        6 => (slot(), slot()).prop_map(|(from, to)| Copy(from, to)),
        6 => (slot(), slot()).prop_map(|(from, to)| Rename(from, to)),
        1 => Just(Sweep),
        1 => Just(Verify),
    ]
}

fn through() -> impl Strategy<Value = Through> {
    let face = prop_oneof![2 => Just(Face::Blocking), 1 => Just(Face::Async)];
    (prop::bool::weighted(0.3), face).prop_map(|(second, face)| Through { second, face })
}

fn time() -> impl Strategy<Value = Move> {
    let micros = || prop::sample::select(vec![1, 999_999, 1_000_000, 10_000_000, 60_000_000, 3_600_000_000]);
    prop_oneof![
        3 => micros().prop_map(Move::Forward),
        2 => micros().prop_map(Move::Back),
        6 => (0..100_usize, -1..2_i64).prop_map(|(which, beside)| Move::Boundary { which, beside }),
    ]
}

/// A history.
pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        60 => (through(), operation()).prop_map(|(through, operation)| Step::Call(through, operation)),
        14 => time().prop_map(Step::Time),
        1 => Just(Step::Reopen),
    ];
    vec(step, 1..most)
}
