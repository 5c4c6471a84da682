//! What is kept in memory of an entry, and what it weighs.

use crate::counters::OfHandler;
use bytes::Bytes;
use cacheness_storage::{Location, Record};
use serde_json::Value as Json;
use std::any::Any;
use std::sync::Arc;

/// What a copy takes besides its contents: its places in the map, in the policy and in the policy's sketch.
const OVERHEAD: u64 = 256;

/// A value in memory: its record, its stored bytes or its decoded form or both.
#[derive(Debug, Clone)]
pub(crate) struct MemoryCopy {
    record: Record,
    value: Option<Arc<dyn Any + Send + Sync>>,
    /// Where hits of it are counted.
    counters: Arc<OfHandler>,
    /// Without the value.
    base: u64,
    weight: u64,
}

impl MemoryCopy {
    /// A copy of a record, with the stored bytes if they are inline. Those of a blob can be put in their place.
    pub(crate) fn new(record: Record, counters: Arc<OfHandler>) -> Self {
        let base = size_of::<Self>() as u64 + OVERHEAD + weigh(&record);
        Self { record, value: None, counters, base, weight: base }
    }

    /// With a decoded value in the place of the one that was there. It takes about `size` bytes besides itself: the raw size
    /// of the content is a good guess.
    #[must_use]
    pub(crate) fn with_value<T: Any + Send + Sync>(mut self, value: Arc<T>, size: u64) -> Self {
        self.weight = self.base.saturating_add(size).saturating_add(size_of::<T>() as u64);
        self.value = Some(value);
        self
    }

    /// The record: version, expiry, key digest, what the stored bytes are.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Where hits of it are counted.
    pub(crate) fn counters(&self) -> &Arc<OfHandler> {
        &self.counters
    }

    /// The stored bytes, if they are kept.
    pub(crate) fn stored(&self) -> Option<&Bytes> {
        match &self.record.location {
            Location::Inline(bytes) => Some(bytes),
            Location::Omitted | Location::Blob(_) => None,
        }
    }

    /// The decoded value, if one is kept and it is a `T`.
    #[inline]
    pub(crate) fn value<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(self.value.as_ref()?).downcast().ok()
    }

    /// What it takes, in bytes, about.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }
}

/// What a record has on the heap.
fn weigh(record: &Record) -> u64 {
    let annotations = &record.annotations;
    let stored = if let Location::Inline(bytes) = &record.location { bytes.len() } else { 0 };
    let texts = annotations.tags.iter().chain(&annotations.description).map(|text| text.len() + size_of::<String>());
    let content = [&record.content.type_tag, &record.content.type_name, &record.content.format];
    let sizes = [record.key.as_str().len(), stored, record.signature.as_ref().map_or(0, Bytes::len)];
    let fields = annotations.metadata.iter().chain(&record.content.extra).map(|(name, json)| weigh_field(name, json));
    let parts = sizes.into_iter().chain(texts).chain(content.map(|text| text.len())).chain(fields);
    parts.fold(0, |sum, part| sum.saturating_add(part as u64))
}

fn weigh_field(name: &str, json: &Json) -> usize {
    let (mut weight, mut rest) = (size_of::<String>() + name.len(), vec![json]);
    while let Some(json) = rest.pop() {
        weight += size_of::<Json>();
        match json {
            Json::String(text) => weight += text.len(),
            Json::Array(elements) => rest.extend(elements),
            Json::Object(fields) => {
                weight += fields.keys().map(|name| size_of::<String>() + name.len()).sum::<usize>();
                rest.extend(fields.values());
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
    weight
}
