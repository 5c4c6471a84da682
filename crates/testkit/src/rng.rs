//! Chance that repeats itself.

use cacheness_core::{Result, Rng};
use std::sync::atomic::{AtomicU64, Ordering};

/// The step between two states: 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A generator that gives the same bytes for the same seed, so that a failure can be seen again: SplitMix64 (Steele,
/// Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
///
/// Not cryptographic: whoever sees some bytes knows all others. Two of the same seed mint the same names. For tests.
///
/// ```
/// use cacheness_storage::BlobId;
/// use cacheness_testkit::SeededRng;
///
/// assert_eq!(BlobId::mint(&SeededRng::new(7))?, BlobId::mint(&SeededRng::new(7))?);
/// # Ok::<(), cacheness_testkit::Error>(())
/// ```
#[derive(Debug)]
pub struct SeededRng(AtomicU64);

impl SeededRng {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next 64 bits.
    pub fn next_u64(&self) -> u64 {
        let mut bits = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`; zero for the bound zero.
    pub fn below(&self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// One of these; `None` when there are none.
    pub fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        from.get(usize::try_from(self.below(from.len() as u64)).ok()?)
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(self.next_u64().to_le_bytes().split_at(part.len()).0);
        }
        Ok(())
    }
}
