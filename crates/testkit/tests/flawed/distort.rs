//! How a flawed index changes what it is given.

use crate::flaw::Flaw::{self, *};
use cacheness_storage::{Annotations, Field, Filter, Location, Record, Terms, Timestamp, Usage};
use serde_json::Value as Json;

/// What is kept instead of a record.
pub(crate) fn record(flaw: Flaw, record: &mut Record) {
    match flaw {
        AcceptsDeepAnnotations if record.annotations.check().is_err() => record.annotations = Annotations::default(),
        BringsNoUsage => record.usage = Usage::default(),
        EmptyTermsAreNone => none_for_empty(&mut record.content.terms),
        LosesDepth => record.annotations.metadata.values_mut().for_each(|value| cut(value, 64)),
        LosesSignature => record.signature = None,
        MillisecondTimes => record.created_at = Timestamp::from_micros(record.created_at.as_micros() / 1000 * 1000),
        RoundsFloats => record.annotations.metadata.values_mut().for_each(round),
        SystemHoldsNothing if record.key.is_system() => record.location = Location::Inline("".into()),
        _ => {}
    }
}

/// What is meant instead of a filter.
pub(crate) fn filter(flaw: Flaw, filter: &Filter) -> Filter {
    match (filter, flaw) {
        (filter, AcceptsDeepFilters) if filter.check().is_err() => Filter::All,
        (Filter::Not(inner), NullsAreUnknown) => match &**inner {
            Filter::Compare(field, ..) | Filter::In(field, _) => Filter::exists(field.clone()) & filter.clone(),
            _ => filter.clone(),
        },
        (filter, TermsAreUnknown) if concerns_terms(filter) => !Filter::All,
        _ => filter.clone(),
    }
}

fn concerns_terms(filter: &Filter) -> bool {
    match filter {
        Filter::Compare(field, ..) | Filter::In(field, _) | Filter::Exists(field) | Filter::Prefix(field, _) => {
            matches!(field, Field::Namespace | Field::Parameter(_) | Field::Epoch)
        }
        Filter::Not(filter) => concerns_terms(filter),
        _ => false,
    }
}

fn none_for_empty(terms: &mut Terms) {
    terms.namespace = terms.namespace.take().filter(|namespace| !namespace.is_empty());
    terms.epoch = terms.epoch.filter(|epoch| *epoch > 0);
}

/// What SQL's `LIKE 'prefix%'` means, as far as `_` and case go.
pub(crate) fn like(prefix: &str, key: &str) -> bool {
    let mut characters = key.chars();
    prefix
        .chars()
        .all(|wanted| characters.next().is_some_and(|found| wanted == '_' || wanted.eq_ignore_ascii_case(&found)))
}

fn round(value: &mut Json) {
    match value {
        Json::Array(values) => values.iter_mut().for_each(round),
        Json::Number(number) if number.is_f64() => *value = Json::from(f64::from(number.as_f64().unwrap() as f32)),
        _ => {}
    }
}

fn cut(value: &mut Json, depth: u8) {
    match value {
        value if depth == 0 => *value = Json::Null,
        Json::Array(values) => values.iter_mut().for_each(|value| cut(value, depth - 1)),
        Json::Object(values) => values.values_mut().for_each(|value| cut(value, depth - 1)),
        _ => {}
    }
}
