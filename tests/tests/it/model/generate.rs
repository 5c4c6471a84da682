//! How likely each operation is, and with what.

use super::meaning::{self, TAGS};
use super::operation::{Face, Move, Operation, Path, Refusal, SLOTS, SPACES, Said, Slot, Space, Step, Through};
use super::value::{self, Content, Kind};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

/// Spans of time that meet: some are written as TTLs, some are waited for, some are asked for as an age.
fn span() -> impl Strategy<Value = Duration> {
    let round = prop::sample::select(vec![1, 1_000_000, 10_000_000, 60_000_000, 3_600_000_000]);
    prop_oneof![
        16 => round.prop_map(Duration::from_micros),
        2 => Just(Duration::from_nanos(1_500)),
        1 => Just(Duration::MAX),
    ]
}

/// Spans of idleness, even and odd.
fn idle() -> impl Strategy<Value = Duration> {
    let round = prop::sample::select(vec![1, 3, 4, 1_000_000, 10_000_001, 60_000_000]);
    prop_oneof![12 => round.prop_map(Duration::from_micros), 1 => Just(Duration::MAX)]
}

/// A few keys that everything happens to, and others.
fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![3 => 0..4_u8, 2 => 0..SLOTS]
}

fn slots() -> impl Strategy<Value = Vec<Slot>> {
    vec(slot(), 0..8)
}

fn said() -> impl Strategy<Value = Said> {
    let (ttl, idle) = (prop::option::weighted(0.6, span()), prop::option::weighted(0.4, idle()));
    let (number, description) = (prop::option::of(-3..4_i64), prop::option::of(0..3_u8));
    let all = (ttl, idle, number, vec(tag(), 0..3), description);
    all.prop_map(|(ttl, idle, number, tags, description)| Said { ttl, idle, number, tags, description })
}

/// One that much has, and others.
fn tag() -> impl Strategy<Value = u8> {
    prop_oneof![1 => Just(0), 1 => 0..TAGS.len() as u8]
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
    prop::sample::select(vec![ZeroTtl, ZeroIdle, TouchForZero, MetadataNoObject, FailingReader])
}

/// Puts of one kind, of which the last may be too large.
fn batch(last: impl Strategy<Value = Content>) -> impl Strategy<Value = (Kind, Vec<(Slot, Content)>)> {
    last.prop_flat_map(|last| {
        let others = vec((slot(), value::content_of(Just(last.kind))), 0..6);
        (slot(), others).prop_map(move |(slot, mut puts)| {
            puts.push((slot, last));
            (last.kind, puts)
        })
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![60 => storing(), 20 => reading(), 45 => managing(), 4 => prop::sample::select(vec![
        Ages, Stats, ResetStats, Flush, Flush, Sweep, Verify
    ])]
}

fn storing() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let (content, any_content) = (value::content, value::any_content);
    let bytes = || prop_oneof![8 => value::content_of(Just(Kind::Bytes)), 1 => any_content()];
    let with = || (slot(), content(), said());
    prop_oneof![
        8 => (slot(), any_content()).prop_map(|(slot, content)| Put(slot, content)),
        24 => with().prop_map(|(slot, content, said)| PutWith(slot, content, said)),
        2 => (slot(), content()).prop_map(|(slot, content)| PutShared(slot, content)),
        3 => (slot(), content()).prop_map(|(slot, content)| PutIfAbsent(slot, content)),
        3 => with().prop_map(|(slot, content, said)| PutIfAbsentWith(slot, content, said)),
        3 => (slot(), content()).prop_map(|(slot, content)| Update(slot, content)),
        3 => with().prop_map(|(slot, content, said)| UpdateWith(slot, content, said)),
        5 => batch(any_content()).prop_map(|(kind, puts)| PutMany(kind, puts)),
        3 => batch(content()).prop_map(|(kind, puts)| UpdateMany(kind, puts)),
        3 => (slot(), bytes()).prop_map(|(slot, content)| PutReader(slot, Content { kind: Kind::Bytes, ..content })),
        4 => (slot(), any_content()).prop_map(|(slot, content)| GetOrPut(slot, content)),
        2 => (slot(), content(), any::<bool>()).prop_map(|(slot, content, fails)| TryGetOrPut(slot, content, fails)),
        1 => (slot(), refusal()).prop_map(|(slot, refusal)| Refused(slot, refusal)),
    ]
}

fn reading() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        10 => (slot(), path()).prop_map(|(slot, path)| Read(slot, path)),
        3 => (value::kind(), slots()).prop_map(|(kind, slots)| GetMany(kind, slots)),
        4 => (meaning::meaning(), 1..8_usize).prop_map(|(meaning, limit)| Entries { meaning, limit }),
    ]
}

fn managing() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        10 => (slot(), prop::option::of(span())).prop_map(|(slot, ttl)| Touch(slot, ttl)),
        3 => (slots(), prop::option::of(span())).prop_map(|(slots, ttl)| TouchMany(slots, ttl)),
        4 => slot().prop_map(Invalidate),
        2 => slots().prop_map(InvalidateMany),
        2 => meaning::meaning().prop_map(InvalidateWhere),
        2 => (-3..4_i64).prop_map(InvalidateIf),
        5 => tag().prop_map(InvalidateTag),
        3 => Just(CleanupExpired),
        1 => Just(Clear),
    ]
}

fn copying() -> impl Strategy<Value = Operation> {
    use Operation::*;
    (slot(), slot(), any::<bool>(), 0..4_u8).prop_map(|(from, to, overwrites, which)| match which {
        0 => Copy(from, to),
        1 => Rename(from, to),
        2 => CopyWith(from, to, overwrites),
        _ => RenameWith(from, to, overwrites),
    })
}

fn through(elsewhere: u32) -> impl Strategy<Value = Through> {
    let face = prop_oneof![2 => Just(Face::Blocking), 1 => Just(Face::Async)];
    let any = 0..SPACES.len() as Space;
    let spaces = prop_oneof![4 => any.clone().prop_map(|space| (space, space)), elsewhere => (any.clone(), any)];
    let all = (prop::bool::weighted(0.3), face, spaces);
    all.prop_map(|(second, face, (space, of))| Through { second, face, space, of })
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
        52 => (through(1), operation()).prop_map(|(through, operation)| Step::Call(through, operation)),
        // From one part of the cache to another, most of them.
        8 => (through(12), copying()).prop_map(|(through, operation)| Step::Call(through, operation)),
        14 => time().prop_map(Step::Time),
        1 => Just(Step::Reopen),
    ];
    vec(step, 1..most)
}
