//! Filters of the model test, as the library takes them and as the reference understands them.

use super::operation::{SPACES, Space};
use super::reference::Held;
use super::value::{self, Kind};
use cacheness::core::Timestamp;
use cacheness::storage::Operand;
use cacheness::{Field, Filter};
use proptest::prelude::*;

/// Which entries are meant.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    Every,
    Tagged(u8),
    NumberAtLeast(i64),
    NumberIsNot(i64),
    WithNumber,
    Described(u8),
    StoredAs(Kind),
    In(Space),
    /// Put within so many microseconds.
    PutWithin(i64),
    /// Expiring within so many microseconds.
    EndsWithin(i64),
    Not(Box<Meaning>),
    Both(Box<Meaning>, Box<Meaning>),
    Either(Box<Meaning>, Box<Meaning>),
}

impl Meaning {
    pub(super) fn filter(&self) -> Filter {
        let number = || Field::metadata("number");
        match self {
            Self::Every => Filter::All,
            Self::Tagged(tag) => Filter::eq(Field::Tag, tag_text(*tag)),
            Self::NumberAtLeast(least) => Filter::ge(number(), *least),
            Self::NumberIsNot(other) => Filter::ne(number(), *other),
            Self::WithNumber => Filter::exists(number()),
            Self::Described(description) => Filter::prefix(Field::Description, description_text(*description)),
            Self::StoredAs(kind) => Filter::eq(Field::TypeTag, kind.type_tag()),
            Self::In(space) => match SPACES[usize::from(*space)] {
                Some(name) => Filter::eq(Field::Namespace, name),
                None => !Filter::exists(Field::Namespace),
            },
            Self::PutWithin(micros) => Filter::ge(Field::CreatedAt, Operand::Now(-micros)),
            Self::EndsWithin(micros) => Filter::le(Field::ExpiresAt, Operand::Now(*micros)),
            Self::Not(inner) => !inner.filter(),
            Self::Both(one, other) => one.filter() & other.filter(),
            Self::Either(one, other) => one.filter() | other.filter(),
        }
    }

    pub(super) fn means(&self, held: &Held, now: Timestamp) -> bool {
        let micros = Timestamp::as_micros;
        match self {
            Self::Every => true,
            Self::Tagged(tag) => held.said.tags.contains(tag),
            Self::NumberAtLeast(least) => held.said.number.is_some_and(|number| number >= *least),
            Self::NumberIsNot(other) => held.said.number != Some(*other),
            Self::WithNumber => held.said.number.is_some(),
            Self::Described(description) => held.said.description == Some(*description),
            Self::StoredAs(kind) => held.kind.type_tag() == kind.type_tag(),
            Self::In(space) => held.space == *space,
            Self::PutWithin(span) => micros(held.created_at) >= micros(now) - span,
            Self::EndsWithin(span) => held.expires_at.is_some_and(|end| micros(end) <= micros(now) + span),
            Self::Not(inner) => !inner.means(held, now),
            Self::Both(one, other) => one.means(held, now) && other.means(held, now),
            Self::Either(one, other) => one.means(held, now) || other.means(held, now),
        }
    }
}

/// Tags that are nearly each other, or nearly something else.
pub(super) const TAGS: [&str; 5] = ["tag/é", "TAG/é", "", "'100 %'_\\\"", "\u{0}\n🌙"];

pub(super) fn tag_text(tag: u8) -> String {
    TAGS[usize::from(tag)].to_owned()
}

pub(super) fn description_text(description: u8) -> String {
    format!("{description} of them")
}

pub(super) fn meaning() -> impl Strategy<Value = Meaning> {
    use Meaning::*;
    let span = || prop::sample::select(vec![0, 1, 1_000_000, 10_000_000, 60_000_000]);
    let leaf = prop_oneof![
        3 => Just(Every),
        2 => (0..TAGS.len() as u8).prop_map(Tagged),
        1 => (-3..4_i64).prop_map(NumberAtLeast),
        1 => (-3..4_i64).prop_map(NumberIsNot),
        1 => Just(WithNumber),
        1 => (0..3_u8).prop_map(Described),
        1 => value::kind().prop_map(StoredAs),
        1 => (0..SPACES.len() as Space).prop_map(In),
        1 => span().prop_map(PutWithin),
        1 => span().prop_map(EndsWithin),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            inner.prop_map(|inner| Not(Box::new(inner))),
            pair.clone().prop_map(|(one, other)| Both(Box::new(one), Box::new(other))),
            pair.prop_map(|(one, other)| Either(Box::new(one), Box::new(other))),
        ]
    })
}
