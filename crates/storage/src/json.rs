//! The bound on JSON inside records, which is kept as text: what a reader of it takes back.

use crate::{Annotations, Content};
use cacheness_core::{Error, ErrorKind, Result};
use serde_json::Value as Json;

/// How deep the JSON of a record may be nested, its outermost object included.
const MAX_DEPTH: usize = 127;

impl Annotations {
    /// Refuses metadata that could be written and not read back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serialization`] when it is nested deeper than 127 levels, itself included.
    pub fn check(&self) -> Result<()> {
        check("metadata", self.metadata.values())
    }
}

impl Content {
    /// Refuses extra fields of a handler that could be written and not read back.
    pub(crate) fn check(&self) -> Result<()> {
        check("what the handler stores beside the bytes", self.extra.values())
    }
}

fn check<'j>(what: &str, mut values: impl Iterator<Item = &'j Json>) -> Result<()> {
    if values.any(|value| is_deeper_than(value, MAX_DEPTH - 1)) {
        let message = format!("{what} is nested deeper than {MAX_DEPTH} levels");
        return Err(Error::new(ErrorKind::Serialization, message).advice("store it as a value of its own"));
    }
    Ok(())
}

fn is_deeper_than(value: &Json, limit: usize) -> bool {
    match value {
        Json::Array(values) => limit == 0 || values.iter().any(|value| is_deeper_than(value, limit - 1)),
        Json::Object(values) => limit == 0 || values.values().any(|value| is_deeper_than(value, limit - 1)),
        _ => false,
    }
}
