//! Parameters as JSON, to be kept beside an entry and shown to people.

use serde_json::Value as Json;

/// What stands in the place of a value that is not to be kept.
pub(crate) const REDACTED: &str = "[redacted]";

/// Replaces the values of all fields of these names, at any depth.
pub(crate) fn redact(json: &mut Json, names: &[String]) {
    match json {
        Json::Object(fields) => {
            for (name, value) in fields {
                if names.contains(name) {
                    *value = REDACTED.into();
                } else {
                    redact(value, names);
                }
            }
        }
        Json::Array(elements) => elements.iter_mut().for_each(|element| redact(element, names)),
        _ => {}
    }
}
