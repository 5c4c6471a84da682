//! The part of a filter that SQL can decide. It never drops a record that the filter means: where it lets others through,
//! the filter itself decides.

use crate::number::{Bound, bound, decimal};
use crate::search::{DESCRIPTION, EPOCH, METADATA, NAMESPACE, PARAMETERS, TAGS, TYPE_TAG, escaped};
use crate::statements::NOW;
use cacheness_storage::{Comparison, Field, Filter, Operand};
use tokio_postgres::types::{ToSql, Type};

/// How many comparisons are left to SQL at most; a filter with more is decided here.
const MAX_TERMS: usize = 200;

/// How many values are bound at most, those of the query around it not counted.
const MAX_VALUES: usize = 2000;

/// A value to bind.
pub(crate) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Many(Vec<Vec<u8>>),
    Number(i64),
}

impl Value {
    /// The value with its type.
    pub(crate) fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(text) => (text, Type::TEXT),
            Self::Bytes(bytes) => (bytes, Type::BYTEA),
            Self::Many(many) => (many, Type::BYTEA_ARRAY),
            Self::Number(number) => (number, Type::INT8),
        }
    }
}

/// A condition on the table `records` as `r`, never `NULL`.
pub(crate) struct Prefilter {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
    /// Whether it means exactly the records that the filter means.
    pub(crate) exact: bool,
    /// How many values the query around it binds before these.
    before: usize,
    terms: usize,
}

/// Where a field is.
enum Place {
    /// A column of whole numbers, and whether it can be `NULL`.
    Column(&'static str, bool),
    Key,
    /// A value in the column `search`: the expression that finds it.
    Json(String),
    Tags,
    /// Nowhere.
    Missing,
}

impl Prefilter {
    /// What SQL can decide of `filter`, in a query that binds so many values before.
    pub(crate) fn of(filter: &Filter, before: usize) -> Self {
        let mut prefilter = Self { sql: String::new(), values: Vec::new(), exact: false, before, terms: 0 };
        match prefilter.push(filter) {
            Some(exact) => prefilter.exact = exact,
            None => prefilter.sql.push_str("true"),
        }
        prefilter
    }

    /// Appends a filter and says whether the SQL is exact; `None`, with nothing appended, when SQL can say nothing.
    fn push(&mut self, filter: &Filter) -> Option<bool> {
        let (length, values) = (self.sql.len(), self.values.len());
        let pushed = self.push_part(filter);
        if pushed.is_none() {
            self.sql.truncate(length);
            self.values.truncate(values);
        }
        pushed
    }

    fn push_part(&mut self, filter: &Filter) -> Option<bool> {
        self.terms += 1;
        if self.terms > MAX_TERMS || self.values.len() > MAX_VALUES {
            return None;
        }
        match filter {
            Filter::All => self.constant(true),
            Filter::Compare(field, comparison, operand) => self.compare(field, *comparison, operand),
            Filter::In(Field::Key, operands) => self.key_in(operands),
            Filter::In(field, operands) => self.all_of(operands, |prefilter, operand| {
                prefilter.terms += 1;
                if prefilter.terms > MAX_TERMS { None } else { prefilter.compare(field, Comparison::Eq, operand) }
            }),
            Filter::Exists(field) => self.exists(field),
            Filter::Prefix(field, prefix) => self.prefix(field, prefix),
            Filter::And(filters) => Some(self.some_of(filters)),
            Filter::Or(filters) => self.all_of(filters, Self::push),
            Filter::Not(filter) => {
                self.sql.push_str("(NOT ");
                // The opposite of a condition that lets too much through would drop too much.
                self.push(filter).filter(|exact| *exact)?;
                self.append(")")
            }
            _ => None,
        }
    }

    fn place(&mut self, field: &Field) -> Option<Place> {
        Some(match field {
            Field::Key => Place::Key,
            Field::CreatedAt => Place::Column("r.created_at", false),
            Field::UpdatedAt => Place::Column("r.updated_at", false),
            Field::ExpiresAt => Place::Column("r.expires_at", true),
            Field::DropAt => Place::Column("r.drop_at", true),
            Field::Size => Place::Column("r.stored_size", false),
            Field::Tag => Place::Tags,
            Field::TypeTag => self.inside(TYPE_TAG, None),
            Field::Description => self.inside(DESCRIPTION, None),
            Field::Namespace => self.inside(NAMESPACE, None),
            Field::Epoch => self.inside(EPOCH, None),
            Field::Metadata(path) => self.inside(METADATA, Some(path)),
            Field::Parameter(path) => self.inside(PARAMETERS, Some(path)),
            _ => return None,
        })
    }

    /// A member of `search`, or what a path leads to in it: through objects only.
    fn inside(&mut self, member: &str, path: Option<&[String]>) -> Place {
        let mut expression = format!("r.search -> '{member}'");
        if path.is_some_and(<[String]>::is_empty) {
            return Place::Missing;
        }
        for name in path.unwrap_or_default() {
            let name = self.bind(Value::Text(escaped(name).into_owned()));
            expression = format!("{expression} -> {name}");
        }
        Place::Json(format!("({expression})"))
    }

    fn compare(&mut self, field: &Field, comparison: Comparison, operand: &Operand) -> Option<bool> {
        match self.place(field)? {
            Place::Missing => self.constant(false),
            Place::Key => match operand {
                Operand::Text(text) => {
                    let text = self.bind(Value::Bytes(text.as_bytes().to_vec()));
                    self.append(&format!("(r.key {} {text})", operator(comparison)))
                }
                _ => self.constant(false),
            },
            Place::Tags => match operand {
                Operand::Text(text) => {
                    let text = self.bind(Value::Text(escaped(text).into_owned()));
                    self.any_tag(&format!("t.tag COLLATE \"C\" {} {text}", operator(comparison)))
                }
                _ => self.constant(false),
            },
            Place::Column(name, nullable) => self.compare_column(name, nullable, comparison, operand),
            Place::Json(expression) => self.compare_json(&expression, comparison, operand),
        }
    }

    fn compare_column(
        &mut self,
        name: &str,
        nullable: bool,
        comparison: Comparison,
        operand: &Operand,
    ) -> Option<bool> {
        let (comparison, value) = match operand {
            Operand::Int(number) => (comparison, self.bind(Value::Number(*number))),
            Operand::Time(time) => (comparison, self.bind(Value::Number(time.as_micros()))),
            Operand::Now(offset) => (comparison, self.now(*offset)),
            Operand::Float(float) => match bound(comparison, *float) {
                Bound::Always(true) if nullable => return self.append(&format!("({name} IS NOT NULL)")),
                Bound::Always(always) => return self.constant(always),
                Bound::Whole(comparison, number) => (comparison, self.bind(Value::Number(number))),
            },
            Operand::Null | Operand::Bool(_) | Operand::Text(_) => return self.constant(false),
            _ => return None,
        };
        let exists = if nullable { format!("{name} IS NOT NULL AND ") } else { String::new() };
        self.append(&format!("({exists}{name} {} {value})", operator(comparison)))
    }

    fn compare_json(&mut self, expression: &str, comparison: Comparison, operand: &Operand) -> Option<bool> {
        let operator = operator(comparison);
        let (kind, test) = match operand {
            Operand::Null => {
                let equal = matches!(comparison, Comparison::Eq | Comparison::Ge | Comparison::Le);
                ("null", if equal { "true".to_owned() } else { "false".to_owned() })
            }
            Operand::Bool(value) => ("boolean", format!("{expression} {operator} '{value}'::jsonb")),
            Operand::Int(number) => {
                ("number", format!("{expression} {operator} to_jsonb({})", self.bind(Value::Number(*number))))
            }
            Operand::Time(time) => {
                ("number", format!("{expression} {operator} to_jsonb({})", self.bind(Value::Number(time.as_micros()))))
            }
            Operand::Now(offset) => ("number", format!("{expression} {operator} to_jsonb({})", self.now(*offset))),
            Operand::Float(float) => {
                let test = match comparison {
                    _ if float.is_finite() => {
                        format!("{expression} {operator} {}::jsonb", self.bind(Value::Text(decimal(*float))))
                    }
                    Comparison::Gt | Comparison::Ge => (*float == f64::NEG_INFINITY).to_string(),
                    Comparison::Lt | Comparison::Le => (*float == f64::INFINITY).to_string(),
                    Comparison::Eq => "false".into(),
                };
                ("number", test)
            }
            Operand::Text(text) => {
                let text = self.bind(Value::Text(escaped(text).into_owned()));
                ("string", format!("({expression} #>> '{{}}') COLLATE \"C\" {operator} {text}"))
            }
            _ => return None,
        };
        self.append(&format!("coalesce(jsonb_typeof({expression}) = '{kind}' AND {test}, false)"))
    }

    fn key_in(&mut self, operands: &[Operand]) -> Option<bool> {
        let text = |operand: &Operand| match operand {
            Operand::Text(text) => Some(text.as_bytes().to_vec()),
            _ => None,
        };
        let keys = self.bind(Value::Many(operands.iter().filter_map(text).collect()));
        self.append(&format!("(r.key = ANY({keys}))"))
    }

    fn exists(&mut self, field: &Field) -> Option<bool> {
        match self.place(field)? {
            Place::Missing => self.constant(false),
            Place::Key | Place::Column(_, false) => self.constant(true),
            Place::Column(name, true) => self.append(&format!("({name} IS NOT NULL)")),
            Place::Json(expression) => self.append(&format!("({expression} IS NOT NULL)")),
            Place::Tags => self.any_tag("true"),
        }
    }

    fn prefix(&mut self, field: &Field, prefix: &str) -> Option<bool> {
        match self.place(field)? {
            Place::Missing | Place::Column(..) => self.constant(false),
            Place::Key => {
                let from = self.bind(Value::Bytes(prefix.as_bytes().to_vec()));
                match end_of_prefix(prefix) {
                    Some(end) => {
                        let end = self.bind(Value::Bytes(end));
                        self.append(&format!("(r.key >= {from} AND r.key < {end})"))
                    }
                    None => self.append(&format!("(r.key >= {from})")),
                }
            }
            Place::Tags => {
                let prefix = self.bind(Value::Text(escaped(prefix).into_owned()));
                self.any_tag(&format!("starts_with(t.tag, {prefix})"))
            }
            Place::Json(expression) => {
                let prefix = self.bind(Value::Text(escaped(prefix).into_owned()));
                self.append(&format!(
                    "coalesce(jsonb_typeof({expression}) = 'string' AND starts_with({expression} #>> '{{}}', {prefix}), false)"
                ))
            }
        }
    }

    fn any_tag(&mut self, test: &str) -> Option<bool> {
        self.append(&format!(
            "EXISTS (SELECT FROM jsonb_array_elements_text(r.search -> '{TAGS}') AS t (tag) WHERE {test})"
        ))
    }

    /// The time of the server and so many microseconds, at the ends of time if it would be beyond.
    fn now(&mut self, offset: i64) -> String {
        let offset = self.bind(Value::Number(offset));
        format!("least(greatest({NOW}::numeric + {offset}, -9223372036854775808), 9223372036854775807)::bigint")
    }

    /// Joins those filters that SQL knows with `AND`.
    fn some_of(&mut self, filters: &[Filter]) -> bool {
        self.sql.push_str("(true");
        let mut exact = true;
        for filter in filters {
            let length = self.sql.len();
            self.sql.push_str(" AND ");
            match self.push(filter) {
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

    /// Joins parts that SQL must know all of with `OR`.
    fn all_of<T>(&mut self, parts: &[T], mut push: impl FnMut(&mut Self, &T) -> Option<bool>) -> Option<bool> {
        self.sql.push_str("(false");
        let mut exact = true;
        for part in parts {
            self.sql.push_str(" OR ");
            exact &= push(self, part)?;
        }
        self.sql.push(')');
        Some(exact)
    }

    fn constant(&mut self, value: bool) -> Option<bool> {
        self.append(if value { "true" } else { "false" })
    }

    fn append(&mut self, sql: &str) -> Option<bool> {
        self.sql.push_str(sql);
        Some(true)
    }

    /// Adds a value; returns what stands for it.
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.before + self.values.len())
    }
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Eq => "=",
        Comparison::Gt => ">",
        Comparison::Ge => ">=",
        Comparison::Lt => "<",
        Comparison::Le => "<=",
    }
}

/// The first bytes after all that start with those of `prefix`; `None` when there are none.
pub(crate) fn end_of_prefix(prefix: &str) -> Option<Vec<u8>> {
    let mut end = prefix.as_bytes().to_vec();
    // No byte of UTF-8 is the greatest one.
    let last = end.last_mut()?;
    *last += 1;
    Some(end)
}
