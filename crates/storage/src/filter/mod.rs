//! The one typed filter language: which records a query, a condition or a reclaim means.

mod evaluate;
mod parse;

use cacheness_core::{Error, ErrorKind, Result, Timestamp};

/// Which records are meant. Every backend gives the answers that [`Filter::matches`] gives.
///
/// A comparison with a field that a record does not have is false; `ne` and `not_in` are the negations of `eq` and
/// `in_`, so they are true there. Numbers compare by value, whole or not; values of different kinds are unequal and
/// have no order. A record has a tag field for each of its tags: `eq(Field::Tag, "x")` asks whether one of them is `x`.
///
/// A filter is also read from JSON, by `TryFrom<&serde_json::Value>`: `{"accuracy": {"$gte": 0.9}}`.
///
/// ```
/// use cacheness_storage::{Field, Filter};
///
/// let good = Filter::ge(Field::metadata("accuracy"), 0.9) & !Filter::eq(Field::Tag, "draft");
/// good.check()?;
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Filter {
    /// Every record.
    #[default]
    All,
    /// Compares a field with a value.
    Compare(Field, Comparison, Operand),
    /// The field equals one of the values.
    In(Field, Vec<Operand>),
    /// The record has the field.
    Exists(Field),
    /// The field is a text that starts with these bytes.
    Prefix(Field, String),
    /// All of them.
    And(Vec<Filter>),
    /// At least one of them.
    Or(Vec<Filter>),
    /// The opposite.
    Not(Box<Filter>),
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Field {
    /// The key.
    Key,
    /// When the value was put.
    CreatedAt,
    /// When the record last changed.
    UpdatedAt,
    /// When the value expires.
    ExpiresAt,
    /// When nobody needs the value any more.
    DropAt,
    /// Stored bytes.
    Size,
    /// The type tag.
    TypeTag,
    /// The description.
    Description,
    /// Each of the tags.
    Tag,
    /// A value inside the user's metadata, by the names that lead to it.
    Metadata(Vec<String>),
    /// A value inside the stored parameters of the key, by the names that lead to it.
    Parameter(Vec<String>),
    /// The namespace of the key.
    Namespace,
    /// How many times tags had been invalidated when the value was put.
    Epoch,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Operand {
    /// JSON's null.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A point in time.
    Time(Timestamp),
    /// The time at which the filter is evaluated, plus so many microseconds. A shared backend takes its own time.
    Now(i64),
}

/// How deep filters may be nested.
pub const MAX_FILTER_DEPTH: usize = 32;

impl Field {
    /// The metadata value under a top-level name.
    pub fn metadata(name: impl Into<String>) -> Self {
        Self::Metadata(vec![name.into()])
    }

    /// The parameter of that name, where parameters are stored.
    pub fn parameter(name: impl Into<String>) -> Self {
        Self::Parameter(vec![name.into()])
    }
}

impl Filter {
    /// The field equals the value.
    pub fn eq(field: Field, value: impl Into<Operand>) -> Self {
        Self::Compare(field, Comparison::Eq, value.into())
    }

    /// The field does not equal the value, or is missing.
    pub fn ne(field: Field, value: impl Into<Operand>) -> Self {
        !Self::eq(field, value)
    }

    /// The field is greater than the value.
    pub fn gt(field: Field, value: impl Into<Operand>) -> Self {
        Self::Compare(field, Comparison::Gt, value.into())
    }

    /// The field is greater than the value, or equals it.
    pub fn ge(field: Field, value: impl Into<Operand>) -> Self {
        Self::Compare(field, Comparison::Ge, value.into())
    }

    /// The field is less than the value.
    pub fn lt(field: Field, value: impl Into<Operand>) -> Self {
        Self::Compare(field, Comparison::Lt, value.into())
    }

    /// The field is less than the value, or equals it.
    pub fn le(field: Field, value: impl Into<Operand>) -> Self {
        Self::Compare(field, Comparison::Le, value.into())
    }

    /// The field equals one of the values.
    pub fn in_(field: Field, values: impl IntoIterator<Item = impl Into<Operand>>) -> Self {
        Self::In(field, values.into_iter().map(Into::into).collect())
    }

    /// The field equals none of the values, or is missing.
    pub fn not_in(field: Field, values: impl IntoIterator<Item = impl Into<Operand>>) -> Self {
        !Self::in_(field, values)
    }

    /// The record has the field.
    pub fn exists(field: Field) -> Self {
        Self::Exists(field)
    }

    /// The field is a text that starts with `prefix`, byte for byte.
    pub fn prefix(field: Field, prefix: impl Into<String>) -> Self {
        Self::Prefix(field, prefix.into())
    }

    /// Refuses a filter that no backend should evaluate.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidQuery`] when it is nested deeper than [`MAX_FILTER_DEPTH`].
    pub fn check(&self) -> Result<()> {
        if self.is_deeper_than(MAX_FILTER_DEPTH) {
            let message = format!("a filter is nested deeper than {MAX_FILTER_DEPTH} levels");
            return Err(Error::new(ErrorKind::InvalidQuery, message).advice("use in_ for many values, or split it"));
        }
        Ok(())
    }

    fn is_deeper_than(&self, limit: usize) -> bool {
        let inner = match self {
            Self::And(filters) | Self::Or(filters) => filters.as_slice(),
            Self::Not(filter) => std::slice::from_ref(&**filter),
            _ => return limit == 0,
        };
        limit == 0 || inner.iter().any(|filter| filter.is_deeper_than(limit - 1))
    }
}

impl std::ops::BitAnd for Filter {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, filter) | (filter, Self::All) => filter,
            (Self::And(mut filters), filter) => {
                filters.push(filter);
                Self::And(filters)
            }
            (one, other) => Self::And(vec![one, other]),
        }
    }
}

impl std::ops::BitOr for Filter {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        match self {
            Self::Or(mut filters) => {
                filters.push(other);
                Self::Or(filters)
            }
            one => Self::Or(vec![one, other]),
        }
    }
}

impl std::ops::Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Not(filter) => *filter,
            filter => Self::Not(Box::new(filter)),
        }
    }
}

macro_rules! operand_from {
    ($($type:ty => $variant:ident($convert:expr);)*) => {$(
        impl From<$type> for Operand {
            fn from(value: $type) -> Self {
                Self::$variant($convert(value))
            }
        }
    )*};
}

operand_from! {
    bool => Bool(std::convert::identity);
    i32 => Int(i64::from);
    u32 => Int(i64::from);
    i64 => Int(std::convert::identity);
    f64 => Float(std::convert::identity);
    &str => Text(str::to_owned);
    String => Text(std::convert::identity);
    Timestamp => Time(std::convert::identity);
}
