//! What stores keep while they are measured, and where calls get it from.

use crate::Result;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of value.
pub(crate) trait Value: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The first part of its keys, where keys are parameters.
    const KEY: &'static str;
    /// Entries in a store while it is measured.
    const ENTRIES: u64;
    /// Whether different calls are given equal values.
    #[cfg_attr(not(feature = "peers"), expect(dead_code, reason = "only a peer asks"))]
    const REPEATS: bool;

    type Source: Source<Self>;

    /// What a get of ours does with a payload, without the verification.
    fn decoded(payload: Bytes) -> Result<Self>;
}

/// Gives the calls of one subject their values. Clones of it serve others.
pub(crate) trait Source<V>: Clone + Send + Sync + 'static {
    /// The value of a call, and what a put of ours stores of it.
    fn of(&mut self, call: u64) -> Result<(&V, &Bytes)>;
}

/// What a call that stores many is given, made ready before it is timed.
pub(crate) struct Batch<V> {
    /// As ours takes them.
    pub(crate) entries: Vec<((&'static str, u64), V)>,
    payloads: Vec<Bytes>,
}

impl<V: Value> Batch<V> {
    /// Values for pairs of a number and a call.
    pub(crate) fn of(calls: impl Iterator<Item = (u64, u64)>, source: &mut V::Source) -> Result<Self> {
        let mut batch = Self { entries: Vec::new(), payloads: Vec::new() };
        for (number, call) in calls {
            let (value, payload) = source.of(call)?;
            batch.entries.push(((V::KEY, number), value.clone()));
            batch.payloads.push(payload.clone());
        }
        Ok(batch)
    }

    /// The numbers, each with its value and its payload.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &V, &[u8])> {
        self.entries.iter().zip(&self.payloads).map(|(((_, number), value), payload)| (*number, value, &payload[..]))
    }
}
