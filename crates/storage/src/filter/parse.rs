//! Filters as JSON, in the notation that document stores made common: `{"accuracy": {"$gte": 0.9}}`.

use super::{Comparison, Field, Filter, MAX_FILTER_DEPTH, Operand};
use cacheness_core::{Error, ErrorKind, Result, Timestamp};
use serde_json::{Map, Value as Json};

/// What stands before the name of a parameter.
const PARAMETER: &str = "$param.";

/// Reads a filter from a JSON object, all of whose members must be met.
///
/// | member | means |
/// |---|---|
/// | `"name": value`, `"outer.inner": value` | the metadata value under these names equals it |
/// | `"name": {"$gte": value, …}` | every operator is met: `$eq $ne $gt $gte $lt $lte $in $nin $exists $prefix $not` |
/// | `"$key"`, `"$size"`, `"$type"`, `"$tag"`, `"$description"` | the same for a field of the record |
/// | `"$param.name"`, `"$namespace"` | the same for a stored parameter of the key, and for its namespace |
/// | `"$created_at"`, `"$updated_at"`, `"$expires_at"` | the same, in microseconds since 1970 |
/// | `"$and": […]`, `"$or": […]`, `"$not": {…}` | of filters |
///
/// ```
/// use cacheness_storage::{Field, Filter, serde_json::json};
///
/// let filter = Filter::try_from(&json!({"$or": [{"accuracy": {"$gte": 0.9}}, {"$tag": "nightly"}]}))?;
/// assert_eq!(filter, Filter::ge(Field::metadata("accuracy"), 0.9) | Filter::eq(Field::Tag, "nightly"));
/// # Ok::<(), cacheness_storage::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::InvalidQuery`] for unknown operators and fields, values that cannot be compared, and a filter that is nested
/// deeper than [`MAX_FILTER_DEPTH`].
impl TryFrom<&Json> for Filter {
    type Error = Error;

    fn try_from(json: &Json) -> Result<Self> {
        let filter = filter(json, 0)?;
        filter.check()?;
        Ok(filter)
    }
}

fn filter(json: &Json, depth: usize) -> Result<Filter> {
    let members = object(json, "a filter")?;
    if depth > MAX_FILTER_DEPTH {
        return Err(wrong(format!("the filter is nested deeper than {MAX_FILTER_DEPTH} levels")));
    }
    all(members, |name, value| match name {
        "$and" => Ok(Filter::And(filters(name, value, depth)?)),
        "$or" => Ok(Filter::Or(filters(name, value, depth)?)),
        "$not" => Ok(!filter(value, depth + 1)?),
        _ => condition(&field(name)?, value, depth),
    })
}

fn filters(name: &str, json: &Json, depth: usize) -> Result<Vec<Filter>> {
    let parts = json.as_array().ok_or_else(|| wrong(format!("{name} takes a list of filters")))?;
    parts.iter().map(|part| filter(part, depth + 1)).collect()
}

/// One filter for all members.
fn all(members: &Map<String, Json>, one: impl Fn(&str, &Json) -> Result<Filter>) -> Result<Filter> {
    members.iter().try_fold(Filter::All, |met, (name, value)| Ok(met & one(name, value)?))
}

fn field(name: &str) -> Result<Field> {
    Ok(match name {
        "$key" => Field::Key,
        "$created_at" => Field::CreatedAt,
        "$updated_at" => Field::UpdatedAt,
        "$expires_at" => Field::ExpiresAt,
        "$size" => Field::Size,
        "$type" => Field::TypeTag,
        "$description" => Field::Description,
        "$tag" => Field::Tag,
        "$namespace" => Field::Namespace,
        name if name.starts_with(PARAMETER) => Field::Parameter(path(name.trim_start_matches(PARAMETER))),
        name if name.starts_with('$') => {
            return Err(wrong(format!("{name} is no field and no operator that a filter can begin with")).advice(
                "fields are $key, $size, $type, $tag, $description, $namespace, $param.NAME, $created_at, $updated_at, \
                 $expires_at; operators $and, $or, $not",
            ));
        }
        name => Field::Metadata(path(name)),
    })
}

fn path(names: &str) -> Vec<String> {
    names.split('.').map(str::to_owned).collect()
}

fn condition(field: &Field, json: &Json, depth: usize) -> Result<Filter> {
    if depth > MAX_FILTER_DEPTH {
        return Err(wrong(format!("the filter is nested deeper than {MAX_FILTER_DEPTH} levels")));
    }
    let Json::Object(operators) = json else { return Ok(Filter::eq(field.clone(), operand(field, json)?)) };
    all(operators, |name, value| {
        let compare = |comparison| Ok(Filter::Compare(field.clone(), comparison, operand(field, value)?));
        let values = || {
            let list = value.as_array().ok_or_else(|| wrong(format!("{name} takes a list of values")))?;
            list.iter().map(|value| operand(field, value)).collect::<Result<Vec<_>>>()
        };
        match name {
            "$eq" => compare(Comparison::Eq),
            "$ne" => compare(Comparison::Eq).map(|filter| !filter),
            "$gt" => compare(Comparison::Gt),
            "$gte" => compare(Comparison::Ge),
            "$lt" => compare(Comparison::Lt),
            "$lte" => compare(Comparison::Le),
            "$in" => Ok(Filter::In(field.clone(), values()?)),
            "$nin" => Ok(!Filter::In(field.clone(), values()?)),
            "$exists" => match value {
                Json::Bool(true) => Ok(Filter::exists(field.clone())),
                Json::Bool(false) => Ok(!Filter::exists(field.clone())),
                _ => Err(wrong("$exists takes true or false")),
            },
            "$prefix" => match value {
                Json::String(prefix) => Ok(Filter::prefix(field.clone(), prefix.as_str())),
                _ => Err(wrong("$prefix takes a text")),
            },
            "$not" => condition(field, value, depth + 1).map(|filter| !filter),
            _ => Err(wrong(format!("{name} is no operator")).advice(
                "operators are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $prefix and $not; values that are objects \
                 cannot be compared",
            )),
        }
    })
}

fn operand(field: &Field, json: &Json) -> Result<Operand> {
    let is_time = matches!(field, Field::CreatedAt | Field::UpdatedAt | Field::ExpiresAt);
    Ok(match json {
        Json::Number(number) if is_time => match number.as_i64() {
            Some(micros) => Operand::Time(Timestamp::from_micros(micros)),
            None => return Err(wrong("a time is a whole number of microseconds since 1970")),
        },
        Json::Null => Operand::Null,
        Json::Bool(value) => Operand::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Operand::Int(value),
            (None, Some(value)) => Operand::Float(value),
            (None, None) => return Err(wrong(format!("{number} is out of range"))),
        },
        Json::String(text) => Operand::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => {
            return Err(wrong("a list or an object cannot be compared").advice("use $in for one of several values"));
        }
    })
}

fn object<'j>(json: &'j Json, what: &str) -> Result<&'j Map<String, Json>> {
    json.as_object().ok_or_else(|| wrong(format!("{what} is a JSON object")))
}

fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidQuery, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operator_has_its_filter() {
        let field = || Field::metadata("a");
        for (json, filter) in [
            (json!({}), Filter::All),
            (json!({"a": 1}), Filter::eq(field(), 1)),
            (json!({"a": null}), Filter::eq(field(), Operand::Null)),
            (json!({"a": {"$eq": "x"}}), Filter::eq(field(), "x")),
            (json!({"a": {"$ne": true}}), Filter::ne(field(), true)),
            (json!({"a": {"$gt": 1.5}}), Filter::gt(field(), 1.5)),
            (json!({"a": {"$gte": 1}}), Filter::ge(field(), 1)),
            (json!({"a": {"$lt": 1}}), Filter::lt(field(), 1)),
            (json!({"a": {"$lte": 1}}), Filter::le(field(), 1)),
            (json!({"a": {"$gt": 1, "$lt": 3}}), Filter::gt(field(), 1) & Filter::lt(field(), 3)),
            (json!({"a": {"$in": [1, 2]}}), Filter::in_(field(), [1, 2])),
            (json!({"a": {"$nin": [1, 2]}}), Filter::not_in(field(), [1, 2])),
            (json!({"a": {"$exists": true}}), Filter::exists(field())),
            (json!({"a": {"$exists": false}}), !Filter::exists(field())),
            (json!({"a": {"$prefix": "x"}}), Filter::prefix(field(), "x")),
            (json!({"a": {"$not": {"$gt": 1}}}), !Filter::gt(field(), 1)),
            (json!({"a.b.c": 1}), Filter::eq(Field::Metadata(vec!["a".into(), "b".into(), "c".into()]), 1)),
            (
                json!({"$and": [{"$tag": "x"}, {"$size": {"$lt": 9}}]}),
                Filter::And(vec![Filter::eq(Field::Tag, "x"), Filter::lt(Field::Size, 9)]),
            ),
            (json!({"$expires_at": {"$lt": 7}}), Filter::lt(Field::ExpiresAt, Timestamp::from_micros(7))),
            (json!({"$param.model.depth": 3}), Filter::eq(Field::Parameter(vec!["model".into(), "depth".into()]), 3)),
            (json!({"$namespace": "team"}), Filter::eq(Field::Namespace, "team")),
            (json!({"$or": [{"a": 1}, {"a": 2}]}), Filter::Or(vec![Filter::eq(field(), 1), Filter::eq(field(), 2)])),
            (json!({"$and": [{"a": 1}]}), Filter::And(vec![Filter::eq(field(), 1)])),
            (json!({"$not": {"a": 1}}), !Filter::eq(field(), 1)),
        ] {
            assert_eq!(Filter::try_from(&json).unwrap(), filter, "{json}");
        }
    }

    #[test]
    fn what_is_unknown_or_cannot_be_compared_is_refused_by_name() {
        for (json, named) in [
            (json!([1]), "JSON object"),
            (json!({"a": {"$regex": "x"}}), "$regex"),
            (json!({"$where": "x"}), "$where"),
            (json!({"$keys": "x"}), "$keys"),
            (json!({"a": {"b": 1}}), "b"),
            (json!({"a": [1]}), "$in"),
            (json!({"a": {"$in": 1}}), "$in"),
            (json!({"a": {"$exists": 1}}), "$exists"),
            (json!({"a": {"$prefix": 1}}), "$prefix"),
            (json!({"$or": {"a": 1}}), "$or"),
            (json!({"$created_at": 1.5}), "microseconds"),
        ] {
            let error = Filter::try_from(&json).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidQuery, "{json}");
            let line = error.to_string();
            assert!(line.contains(named) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn a_filter_nested_too_deep_is_refused() {
        let nested = |levels: usize| (0..levels).fold(json!({"a": 1}), |inner, _| json!({"$and": [inner]}));
        Filter::try_from(&nested(MAX_FILTER_DEPTH - 1)).unwrap();
        for levels in [MAX_FILTER_DEPTH, 10 * MAX_FILTER_DEPTH] {
            assert_eq!(Filter::try_from(&nested(levels)).unwrap_err().kind(), ErrorKind::InvalidQuery);
        }
        let negated = (0..200).fold(json!({"$gt": 1}), |inner, _| json!({"$not": inner}));
        assert_eq!(Filter::try_from(&json!({"a": negated})).unwrap_err().kind(), ErrorKind::InvalidQuery);
    }
}
