//! The column `search`: what filters ask of a record, as `jsonb` that compares as the filters do.
//!
//! Two things are not as in the record: NUL, which `jsonb` cannot hold, and U+0001 are two characters each, so that order
//! and prefixes stay what they were; floats are written with all their digits, so that comparing them is exact.

use crate::number::decimal;
use cacheness_storage::serde_json::{Map, Number, Value as Json};
use cacheness_storage::{Annotations, Content, Metadata};
use std::borrow::Cow;

/// The member of a record's description.
pub(crate) const DESCRIPTION: &str = "d";
/// The member of the count of invalidations.
pub(crate) const EPOCH: &str = "e";
/// The member of the user's metadata.
pub(crate) const METADATA: &str = "m";
/// The member of the namespace.
pub(crate) const NAMESPACE: &str = "n";
/// The member of parameters that have names.
pub(crate) const PARAMETERS: &str = "p";
/// The member of the tags.
pub(crate) const TAGS: &str = "t";
/// The member of the type tag.
pub(crate) const TYPE_TAG: &str = "y";

/// The text of the column for a record.
pub(crate) fn text(content: &Content, annotations: &Annotations) -> String {
    let mut out = String::with_capacity(64);
    out.push('{');
    member(&mut out, TYPE_TAG);
    string(&mut out, &content.type_tag);
    let mut named = |name, write: &dyn Fn(&mut String)| {
        out.push(',');
        member(&mut out, name);
        write(&mut out);
    };
    if let Some(description) = &annotations.description {
        named(DESCRIPTION, &|out| string(out, description));
    }
    if let Some(epoch) = content.terms.epoch {
        named(EPOCH, &|out| out.push_str(&epoch.to_string()));
    }
    if !annotations.metadata.is_empty() {
        named(METADATA, &|out| object(out, &annotations.metadata));
    }
    if let Some(namespace) = &content.terms.namespace {
        named(NAMESPACE, &|out| string(out, namespace));
    }
    let parameters = content.terms.parameters.as_deref();
    if let Some(parameters) = parameters.and_then(|text| serde_json::from_str::<Metadata>(text).ok()) {
        named(PARAMETERS, &|out| object(out, &parameters));
    }
    if !annotations.tags.is_empty() {
        named(TAGS, &|out| list(out, &annotations.tags, |out, tag| string(out, tag)));
    }
    out.push('}');
    out
}

/// A text as it stands in the column.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', '\u{1}']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => out.push_str("\u{1}\u{1}"),
            '\u{1}' => out.push_str("\u{1}\u{2}"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// A number as it stands in the column.
pub(crate) fn number(out: &mut String, number: &Number) {
    match number.as_f64() {
        Some(float) if number.is_f64() => out.push_str(&decimal(float)),
        _ => out.push_str(&number.to_string()),
    }
}

fn member(out: &mut String, name: &str) {
    string(out, name);
    out.push(':');
}

fn string(out: &mut String, text: &str) {
    out.push_str(&Json::from(&*escaped(text)).to_string());
}

fn list<T>(out: &mut String, values: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in values.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn object(out: &mut String, members: &Map<String, Json>) {
    out.push('{');
    for (at, (name, item)) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        member(out, name);
        value(out, item);
    }
    out.push('}');
}

fn value(out: &mut String, json: &Json) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(found) => number(out, found),
        Json::String(text) => string(out, text),
        Json::Array(values) => list(out, values, value),
        Json::Object(members) => object(out, members),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_keeps_order_and_prefixes() {
        let texts = [
            "",
            "\0",
            "\0\0",
            "\0a",
            "\u{1}",
            "\u{1}\0",
            "\u{1}\u{1}",
            "\u{2}",
            "a",
            "a\0",
            "a\0b",
            "a\u{1}",
            "a\u{1}b",
            "ab",
        ];
        for one in texts {
            assert!(!escaped(one).contains('\0'));
            for other in texts {
                assert_eq!(escaped(one).cmp(&escaped(other)), one.cmp(other), "{one:?} and {other:?}");
                assert_eq!(escaped(one).starts_with(&*escaped(other)), one.starts_with(other), "{one:?} and {other:?}");
            }
        }
    }
}
