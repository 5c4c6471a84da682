//! The part of a filter that SQL can decide. It never drops a record that the filter means: the filter itself decides.

use crate::range;
use cacheness_storage::{Comparison, Field, Fields, Filter, Operand, Timestamp};
use rusqlite::types::Value;

/// How many comparisons are left to SQL at most; a filter with more is decided here.
const MAX_TERMS: usize = 200;

/// A condition on the columns of `records`: constant SQL with values to bind.
#[derive(Default)]
pub(crate) struct Prefilter {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
    /// Whether it means exactly the records that the filter means.
    pub(crate) exact: bool,
    terms: usize,
}

/// What a filter reads of a record.
pub(crate) fn needed_by(filter: &Filter) -> Fields {
    let annotations = match filter {
        Filter::All => false,
        Filter::Compare(field, ..) | Filter::In(field, _) | Filter::Exists(field) | Filter::Prefix(field, _) => {
            is_annotation(field)
        }
        Filter::And(filters) | Filter::Or(filters) => filters.iter().any(|filter| needed_by(filter).annotations),
        Filter::Not(filter) => needed_by(filter).annotations,
        _ => true,
    };
    Fields { payload: false, annotations }
}

/// Whether a field is no column of its own and not in the content descriptor.
fn is_annotation(field: &Field) -> bool {
    let in_content = matches!(field, Field::TypeTag | Field::Parameter(_) | Field::Namespace | Field::Epoch);
    column(field).is_none() && !in_content
}

/// A column that means the same as a field, and whether it can be `NULL`.
fn column(field: &Field) -> Option<(&'static str, bool)> {
    Some(match field {
        Field::Key => ("key", false),
        Field::CreatedAt => ("created_at", false),
        Field::UpdatedAt => ("updated_at", false),
        Field::ExpiresAt => ("expires_at", true),
        Field::DropAt => ("drop_at", true),
        Field::Size => ("stored_size", false),
        _ => return None,
    })
}

/// The range, both ends included, in which the expiry of each record lies that a filter means; `None` when it may mean
/// records that never expire.
pub(crate) fn expiry(filter: &Filter, now: Timestamp) -> Option<(i64, i64)> {
    match filter {
        Filter::Exists(Field::ExpiresAt) => Some((i64::MIN, i64::MAX)),
        Filter::Compare(Field::ExpiresAt, comparison, operand) => {
            let at = match operand {
                Operand::Int(number) => *number,
                Operand::Time(time) => time.as_micros(),
                Operand::Now(offset) => now.offset(*offset).as_micros(),
                _ => return None,
            };
            Some(match comparison {
                Comparison::Eq => (at, at),
                Comparison::Gt | Comparison::Ge => (at, i64::MAX),
                Comparison::Lt | Comparison::Le => (i64::MIN, at),
            })
        }
        Filter::And(filters) => filters
            .iter()
            .filter_map(|filter| expiry(filter, now))
            .reduce(|(from, to), (other_from, other_to)| (from.max(other_from), to.min(other_to))),
        _ => None,
    }
}

impl Prefilter {
    /// What SQL can decide of `filter` at the time `now`.
    pub(crate) fn of(filter: &Filter, now: Timestamp) -> Self {
        let mut prefilter = Self::default();
        match prefilter.push(filter, now) {
            Some(exact) => prefilter.exact = exact,
            None => prefilter.sql.push('1'),
        }
        prefilter
    }

    /// Appends a filter and says whether the SQL is exact; `None`, with nothing appended, when SQL can say nothing.
    fn push(&mut self, filter: &Filter, now: Timestamp) -> Option<bool> {
        let (length, values) = (self.sql.len(), self.values.len());
        let pushed = self.push_part(filter, now);
        if pushed.is_none() {
            self.sql.truncate(length);
            self.values.truncate(values);
        }
        pushed
    }

    fn push_part(&mut self, filter: &Filter, now: Timestamp) -> Option<bool> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return None;
        }
        match filter {
            Filter::All => self.constant(true),
            Filter::Compare(field, comparison, operand) => self.compare(field, *comparison, operand, now),
            Filter::In(field, operands) => self.all_of(operands, " OR ", |prefilter, operand| {
                prefilter.terms += 1;
                if prefilter.terms > MAX_TERMS { None } else { prefilter.compare(field, Comparison::Eq, operand, now) }
            }),
            Filter::Exists(field) => match column(field)? {
                (name, true) => self.sql_of(&["(", name, " IS NOT NULL)"]),
                (_, false) => self.constant(true),
            },
            Filter::Prefix(Field::Key, prefix) => self.prefix(prefix),
            Filter::Prefix(field, _) => column(field).and_then(|_| self.constant(false)),
            Filter::And(filters) => Some(self.some_of(filters, now)),
            Filter::Or(filters) => self.all_of(filters, " OR ", |prefilter, filter| prefilter.push(filter, now)),
            Filter::Not(filter) => {
                self.sql.push_str("(NOT ");
                // The opposite of a condition that lets too much through would drop too much.
                self.push(filter, now).filter(|exact| *exact)?;
                self.sql_of(&[")"])
            }
            _ => None,
        }
    }

    fn compare(&mut self, field: &Field, comparison: Comparison, operand: &Operand, now: Timestamp) -> Option<bool> {
        let (name, nullable) = column(field)?;
        let value = match (field, operand) {
            (Field::Key, Operand::Text(text)) => Value::Text(text.clone()),
            (Field::Key, _) => return self.constant(false),
            (_, Operand::Int(number)) => Value::Integer(*number),
            (_, Operand::Time(time)) => Value::Integer(time.as_micros()),
            (_, Operand::Now(offset)) => Value::Integer(now.offset(*offset).as_micros()),
            (_, Operand::Null | Operand::Bool(_) | Operand::Text(_)) => return self.constant(false),
            _ => return None,
        };
        let operator = match comparison {
            Comparison::Eq => " = ?",
            Comparison::Gt => " > ?",
            Comparison::Ge => " >= ?",
            Comparison::Lt => " < ?",
            Comparison::Le => " <= ?",
        };
        self.values.push(value);
        if nullable {
            self.sql_of(&["(", name, " IS NOT NULL AND ", name, operator, ")"])
        } else {
            self.sql_of(&["(", name, operator, ")"])
        }
    }

    fn prefix(&mut self, prefix: &str) -> Option<bool> {
        self.values.push(Value::Text(prefix.to_owned()));
        match range::end_of_prefix(prefix) {
            Some(end) => {
                self.values.push(Value::Text(end));
                self.sql_of(&["(key >= ? AND key < ?)"])
            }
            None => self.sql_of(&["(key >= ?)"]),
        }
    }

    /// Joins those filters that SQL knows with `AND`.
    fn some_of(&mut self, filters: &[Filter], now: Timestamp) -> bool {
        self.sql.push_str("(1");
        let mut exact = true;
        for filter in filters {
            let length = self.sql.len();
            self.sql.push_str(" AND ");
            match self.push(filter, now) {
                Some(part) => exact &= part,
                None => {
                    self.sql.truncate(length);
                    exact = false;
                }
            }
        }
        self.sql.push(')');
        exact
    }

    /// Joins parts that SQL must know all of.
    fn all_of<T>(
        &mut self,
        parts: &[T],
        joint: &str,
        mut push: impl FnMut(&mut Self, &T) -> Option<bool>,
    ) -> Option<bool> {
        self.sql.push_str("(0");
        let mut exact = true;
        for part in parts {
            self.sql.push_str(joint);
            exact &= push(self, part)?;
        }
        self.sql.push(')');
        Some(exact)
    }

    fn constant(&mut self, value: bool) -> Option<bool> {
        self.sql_of(&[if value { "1" } else { "0" }])
    }

    fn sql_of(&mut self, parts: &[&'static str]) -> Option<bool> {
        self.sql.extend(parts.iter().copied());
        Some(true)
    }
}
