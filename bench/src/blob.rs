//! Values of 64 KiB that no codec makes smaller.

use crate::Result;
use crate::numbers::noise;
use crate::value::{Source, Value};
use bytes::{Bytes, BytesMut};

const LENGTH: usize = 64 << 10;

/// Random bytes that are others in every call: equal ones would be stored once.
#[derive(Clone)]
pub(crate) struct Blobs(Bytes);

impl Blobs {
    pub(crate) fn new() -> Self {
        Self(noise(LENGTH, 1).into())
    }
}

impl Source<Bytes> for Blobs {
    /// Stamps the bytes with the call: in place, unless somebody kept those of the call before.
    fn of(&mut self, call: u64) -> Result<(&Bytes, &Bytes)> {
        let kept = |bytes: Bytes| BytesMut::from(&bytes[..]);
        let mut bytes = std::mem::take(&mut self.0).try_into_mut().unwrap_or_else(kept);
        bytes.iter_mut().zip(call.to_le_bytes()).for_each(|(byte, stamp)| *byte = stamp);
        self.0 = bytes.freeze();
        Ok((&self.0, &self.0))
    }
}

impl Value for Bytes {
    const KEY: &'static str = "blob";
    const ENTRIES: u64 = 1000;
    const REPEATS: bool = false;

    type Source = Blobs;

    fn decoded(payload: Bytes) -> Result<Self> {
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_was_given_stays_as_it_was() {
        let mut blobs = Blobs::new();
        let one = blobs.of(1).unwrap().0.clone();
        let two = blobs.of(2).unwrap().0.clone();
        assert_eq!((one.len(), two.len()), (LENGTH, LENGTH));
        assert_eq!((&one[..8], &two[..8]), (&1_u64.to_le_bytes()[..], &2_u64.to_le_bytes()[..]));
    }
}
