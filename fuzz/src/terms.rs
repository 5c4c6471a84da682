//! The terms that a value may have been put under.

use crate::Input;
use cacheness_core::Timestamp;
use cacheness_storage::Terms;
use serde_json::json;

/// Terms of any kind; none at all when nothing is left of the input. Parameters may be any text, and often are an object
/// under one of the names.
pub fn terms(input: &mut Input<'_>, names: &[&str]) -> Terms {
    Terms {
        namespace: input.flag().then(|| input.text().into()),
        parameters: match input.below(4) {
            0 => None,
            1 => Some(input.text().into()),
            kind => {
                let value = match kind {
                    2 => json!({ "a": input.byte(), "b": { "": i64::from_le_bytes(input.array()) } }),
                    _ => json!(input.text()),
                };
                let name = names.get(input.below(names.len().max(1))).copied().unwrap_or_default();
                Some(json!({ name: value }).to_string().into())
            }
        },
        epoch: input.flag().then(|| input.number()),
        idle: input.flag().then(|| input.number()),
        until: input.flag().then(|| Timestamp::from_micros(i64::from_le_bytes(input.array()))),
    }
}
