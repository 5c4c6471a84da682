//! What the 64 bits of a stripe mean: the low 20 count the commits under way, the upper 44 are the generation.

const BUSY_BITS: u32 = 20;
const BUSY: u64 = (1 << BUSY_BITS) - 1;

/// Added when a commit begins: one more is under way.
pub(crate) const BEGIN: u64 = 1;

/// Added when a commit ended: one fewer is under way, and the generation is the next one.
pub(crate) const END: u64 = (1 << BUSY_BITS) - 1;

/// Whether a commit is under way.
pub(crate) fn is_busy(word: u64) -> bool {
    word & BUSY != 0
}

/// The word of a stripe whose commits all ended, however many were under way: no stamp of before equals it.
pub(crate) fn settled(word: u64) -> u64 {
    (word | BUSY).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_ends_every_commit_and_begins_a_generation() {
        assert_eq!(settled(BEGIN), 1 << 20);
        assert_eq!(settled((7 << 20) + 3 * BEGIN), 8 << 20);
        assert_eq!(settled(u64::MAX), 0);
    }

    #[test]
    fn a_commit_that_ends_leaves_the_next_generation() {
        assert_eq!((7_u64 << 20).wrapping_add(BEGIN).wrapping_add(END), 8 << 20);
        assert_eq!((u64::MAX - BUSY).wrapping_add(BEGIN).wrapping_add(END), 0);
    }
}
