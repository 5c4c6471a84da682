//! The meaning of a filter: what every backend must agree with.

use super::{Comparison, Field, Filter, Operand};
use crate::Record;
use cacheness_core::Timestamp;
use serde_json::Value as Json;
use std::cmp::Ordering;

/// A value that a field has, borrowed from its record.
#[derive(Clone, Copy)]
enum Found<'r> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'r str),
    /// An array or an object: it exists, and equals nothing.
    Other,
}

impl Filter {
    /// Whether the filter means this record at the time `now`.
    pub fn matches(&self, record: &Record, now: Timestamp) -> bool {
        match self {
            Self::All => true,
            Self::Compare(field, comparison, operand) => {
                any(record, field, |found| compare(found, *comparison, operand, now))
            }
            Self::In(field, operands) => {
                any(record, field, |found| operands.iter().any(|operand| compare(found, Comparison::Eq, operand, now)))
            }
            Self::Exists(field) => any(record, field, |_| true),
            Self::Prefix(field, prefix) => {
                any(record, field, |found| matches!(found, Found::Text(text) if text.starts_with(prefix.as_str())))
            }
            Self::And(filters) => filters.iter().all(|filter| filter.matches(record, now)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(record, now)),
            Self::Not(filter) => !filter.matches(record, now),
        }
    }
}

fn any(record: &Record, field: &Field, test: impl Fn(Found<'_>) -> bool) -> bool {
    let time = |time: Timestamp| Found::Int(time.as_micros().into());
    let found = match field {
        Field::Tag => return record.annotations.tags.iter().any(|tag| test(Found::Text(tag))),
        Field::Key => Some(Found::Text(record.key.as_str())),
        Field::CreatedAt => Some(time(record.created_at)),
        Field::UpdatedAt => Some(time(record.updated_at)),
        Field::ExpiresAt => record.expires_at.map(time),
        Field::DropAt => record.drop_at.map(time),
        Field::Size => Some(Found::Int(record.content.stored_size.into())),
        Field::TypeTag => Some(Found::Text(&record.content.type_tag)),
        Field::Description => record.annotations.description.as_deref().map(Found::Text),
        Field::Metadata(path) => inside(&record.annotations.metadata, path),
        Field::Parameter(path) => return parameters(record).is_some_and(|all| inside(&all, path).is_some_and(test)),
        Field::Namespace => record.content.terms.namespace.as_deref().map(Found::Text),
        Field::Epoch => record.content.terms.epoch.map(|epoch| Found::Int(epoch.into())),
    };
    found.is_some_and(test)
}

/// The stored parameters, if they have names.
fn parameters(record: &Record) -> Option<crate::Metadata> {
    serde_json::from_str(record.content.terms.parameters.as_deref()?).ok()
}

fn inside<'r>(metadata: &'r crate::Metadata, path: &[String]) -> Option<Found<'r>> {
    let (first, rest) = path.split_first()?;
    let value = rest.iter().try_fold(metadata.get(first)?, |value, name| value.as_object()?.get(name))?;
    Some(match value {
        Json::Null => Found::Null,
        Json::Bool(value) => Found::Bool(*value),
        Json::String(text) => Found::Text(text),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => Found::Int(whole.into()),
            (_, Some(whole), _) => Found::Int(whole.into()),
            (.., Some(float)) => Found::Float(float),
            _ => Found::Other,
        },
        Json::Array(_) | Json::Object(_) => Found::Other,
    })
}

fn compare(found: Found<'_>, comparison: Comparison, operand: &Operand, now: Timestamp) -> bool {
    let operand = match operand {
        Operand::Null => Found::Null,
        Operand::Bool(value) => Found::Bool(*value),
        Operand::Int(value) => Found::Int((*value).into()),
        Operand::Float(value) => Found::Float(*value),
        Operand::Text(text) => Found::Text(text),
        Operand::Time(time) => Found::Int(time.as_micros().into()),
        Operand::Now(offset) => Found::Int(now.offset(*offset).as_micros().into()),
    };
    let ordering = match (found, operand) {
        (Found::Null, Found::Null) => Some(Ordering::Equal),
        (Found::Bool(one), Found::Bool(other)) => Some(one.cmp(&other)),
        (Found::Text(one), Found::Text(other)) => Some(one.cmp(other)),
        (Found::Int(one), Found::Int(other)) => Some(one.cmp(&other)),
        (Found::Float(one), Found::Float(other)) => one.partial_cmp(&other),
        (Found::Int(one), Found::Float(other)) => whole_with_float(one, other),
        (Found::Float(one), Found::Int(other)) => whole_with_float(other, one).map(Ordering::reverse),
        _ => None,
    };
    ordering.is_some_and(|ordering| match comparison {
        Comparison::Eq => ordering.is_eq(),
        Comparison::Gt => ordering.is_gt(),
        Comparison::Ge => ordering.is_ge(),
        Comparison::Lt => ordering.is_lt(),
        Comparison::Le => ordering.is_le(),
    })
}

/// Compares exactly: the whole part as an integer first, then what the float has beyond it.
fn whole_with_float(whole: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // Casting saturates, and i128 holds every whole part that an i64 or u64 could equal.
    let floor = float.floor();
    Some(whole.cmp(&(floor as i128)).then(if float > floor { Ordering::Less } else { Ordering::Equal }))
}
