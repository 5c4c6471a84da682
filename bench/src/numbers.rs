//! Numbers that look random and are the same in every run.

/// Mixes a number: the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
/// 2014). One to one, so different numbers stay different.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One of the numbers below `below` for each call, without an order.
pub(crate) fn spread(call: u64, below: u64) -> u64 {
    mixed(call) % below.max(1)
}

/// The key of a number where keys are 16 bytes: what a hash of parameters looks like.
pub(crate) fn key_of(number: u64) -> [u8; 16] {
    let halves = u128::from(mixed(number)) << 64 | u128::from(mixed(!number));
    halves.to_be_bytes()
}

/// Bytes that no codec makes smaller.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let words = (0..).flat_map(|word: u64| mixed(seed ^ mixed(word)).to_le_bytes());
    words.take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn different_numbers_have_different_keys() {
        assert_eq!((0..10_000).map(key_of).collect::<BTreeSet<_>>().len(), 10_000);
    }

    #[test]
    fn calls_reach_nearly_everything() {
        let reached: BTreeSet<u64> = (0..10_000).map(|call| spread(call, 1000)).collect();
        assert!(reached.len() > 990 && reached.iter().all(|number| *number < 1000), "{}", reached.len());
    }
}
