//! What a put says beyond key and value.

use crate::{Annotations, Metadata};
use cacheness_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::Value as Json;

/// What a put says beyond key and value.
///
/// ```
/// use cacheness_storage::PutOptions;
/// use serde_json::json;
///
/// let options = PutOptions::new().metadata(json!({"accuracy": 0.93})).tags(["nightly"]).description("the best so far");
/// # options.into_annotations()?;
/// # Ok::<(), cacheness_storage::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct PutOptions {
    metadata: Option<Result<Metadata>>,
    tags: Vec<String>,
    description: Option<String>,
}

impl PutOptions {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The user's metadata: anything that serializes to a JSON object. What does not is an error of the put.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Serialize) -> Self {
        self.metadata = Some(match serde_json::to_value(metadata) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(Error::new(ErrorKind::Config, "metadata must be a JSON object")
                .advice("give a struct, a map or json!({…})")),
            Err(source) => Err(Error::new(ErrorKind::Serialization, "metadata cannot become JSON").source(source)),
        });
        self
    }

    /// Labels; any text will do.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// A sentence for people.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// What the record keeps.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] or [`ErrorKind::Serialization`] for metadata that is no JSON object or too deep.
    pub fn into_annotations(self) -> Result<Annotations> {
        let metadata = self.metadata.transpose()?.unwrap_or_default();
        let annotations = Annotations { metadata, tags: self.tags, description: self.description };
        annotations.check()?;
        Ok(annotations)
    }
}
