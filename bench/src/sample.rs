//! The value of most workloads: about 1 KiB of fields as programs have them, and its bytes as a put of ours stores them.

use crate::Result;
use crate::value::{Source, Value};
use bytes::Bytes;
use cacheness::handlers::{Format, Handler, ObjectHandler, SliceReader};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// About 1 KiB in memory and when encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    name: String,
    tags: Vec<String>,
    weights: Vec<f64>,
    text: String,
}

impl Sample {
    pub(crate) fn numbered(number: u64) -> Self {
        Self {
            name: format!("sample {number}"),
            tags: vec!["one".into(), "two".into()],
            weights: (0..70).map(|weight| (number * 70 + weight) as f64 * 0.37).collect(),
            text: "some words that say something ".repeat(10),
        }
    }

    /// The payload that a put of ours stores.
    pub(crate) fn encoded(&self) -> Result<Vec<u8>> {
        let mut payload = Vec::new();
        let handler = ObjectHandler::<Self>::new();
        let format = Handler::plan(&handler, self)?;
        Handler::encode(&handler, self, &format, &mut payload)?;
        Ok(payload)
    }
}

/// A few samples, made once: what a put is given while it is timed.
#[derive(Clone)]
pub(crate) struct Samples(Arc<[(Sample, Bytes)]>);

impl Samples {
    pub(crate) fn new() -> Result<Self> {
        let sample = |number| {
            let sample = Sample::numbered(number);
            let payload = sample.encoded()?.into();
            Ok((sample, payload))
        };
        (0..64).map(sample).collect::<Result<_>>().map(Self)
    }

    /// The sample of a call.
    pub(crate) fn sample(&self, call: u64) -> Result<&Sample> {
        self.at(call).map(|(sample, _)| sample)
    }

    fn at(&self, call: u64) -> Result<&(Sample, Bytes)> {
        let place = usize::try_from(call)? % self.0.len().max(1);
        self.0.get(place).ok_or_else(|| "no samples".into())
    }
}

impl Source<Sample> for Samples {
    fn of(&mut self, call: u64) -> Result<(&Sample, &Bytes)> {
        self.at(call).map(|(sample, payload)| (sample, payload))
    }
}

impl Value for Sample {
    const KEY: &'static str = "user";
    const ENTRIES: u64 = 200_000;
    const REPEATS: bool = true;

    type Source = Samples;

    fn decoded(payload: Bytes) -> Result<Self> {
        let handler = ObjectHandler::<Self>::new();
        Ok(Handler::decode(&handler, &mut SliceReader::new(payload), &Format::new("msgpack", 1))?)
    }
}
