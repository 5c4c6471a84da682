//! How often a hash was seen lately: a count-min sketch of 4-bit counters that age.

/// Words of a block: what one hash can touch, a cache line.
const BLOCK: usize = 8;

/// Counters that a hash touches.
const ROWS: u32 = 4;

/// Blocks at the beginning.
const BLOCKS: usize = 8;

/// How many times the number of entries is counted before everything is halved.
const SAMPLE: u64 = 10;

/// A count-min sketch (Cormode, Muthukrishnan, "An improved data stream summary", 2005) with the ageing of TinyLFU.
///
/// The four counters of a hash lie in one block, each in two words of its own, as in Putze, Sanders, Singler, "Cache-,
/// Hash- and Space-Efficient Bloom Filters" (2009). There are 16 counters or more for each entry, 8 to 16 bytes.
#[derive(Debug)]
pub(super) struct Sketch {
    /// A power of two of blocks.
    blocks: Vec<[u64; BLOCK]>,
    additions: u64,
    sample: u64,
}

impl Sketch {
    pub(super) fn new() -> Self {
        Self { blocks: vec![[0; BLOCK]; BLOCKS], additions: 0, sample: SAMPLE * (BLOCKS * BLOCK) as u64 }
    }

    /// Grows with the number of entries. Estimates stay: what shared a counter still finds its count, in a copy.
    pub(super) fn fit(&mut self, entries: usize) {
        while self.blocks.len() * BLOCK < entries {
            self.blocks.extend_from_within(..);
        }
        self.sample = self.sample.max(SAMPLE.saturating_mul(entries as u64));
    }

    /// Counts a hash once more, up to 15.
    pub(super) fn add(&mut self, hash: u64) {
        let block = self.block_of(hash);
        let Some(block) = self.blocks.get_mut(block) else { return };
        let mut added = 0;
        for (word, shift) in places(hash) {
            if let Some(word) = block.get_mut(word) {
                let count = u64::from((*word >> shift) & 15 < 15);
                *word += count << shift;
                added |= count;
            }
        }
        if added > 0 {
            self.additions += 1;
            if self.additions >= self.sample {
                self.age();
            }
        }
    }

    /// How often a hash was counted, halved with age: not less, seldom more, 15 at most.
    pub(super) fn estimate(&self, hash: u64) -> u64 {
        let Some(block) = self.blocks.get(self.block_of(hash)) else { return 0 };
        let counts = places(hash).map(|(word, shift)| block.get(word).map_or(0, |word| (word >> shift) & 15));
        counts.min().unwrap_or(0)
    }

    /// The low half of the hash chooses it.
    fn block_of(&self, hash: u64) -> usize {
        hash as u32 as usize & (self.blocks.len() - 1)
    }

    fn age(&mut self) {
        for word in self.blocks.as_flattened_mut() {
            *word = (*word >> 1) & 0x7777_7777_7777_7777;
        }
        self.additions /= 2;
    }
}

/// Where the counters of a hash are in its block: words, and their bits in them. Six bits for each row in the high half of
/// the hash choose them.
fn places(hash: u64) -> impl Iterator<Item = (usize, u32)> {
    (0..ROWS).map(move |row| {
        let bits = (hash >> (32 + 8 * row)) as u32;
        (2 * row as usize + (bits & 1) as usize, (bits >> 1 & 15) * 4)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any hash, well mixed.
    fn hash(number: u64) -> u64 {
        let bits = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[test]
    fn a_count_is_never_too_low_and_seldom_too_high() {
        let mut sketch = Sketch::new();
        sketch.fit(1000);
        for number in 0..1000 {
            (0..number % 8).for_each(|_| sketch.add(hash(number)));
        }
        let estimates = (0..1000).map(|number| (number % 8, sketch.estimate(hash(number))));
        let wrong: Vec<_> = estimates.filter(|(is, estimate)| is != estimate).collect();
        assert!(wrong.iter().all(|(is, estimate)| estimate > is), "{wrong:?}");
        assert!(wrong.len() < 20, "{wrong:?}");
    }

    #[test]
    fn a_count_ends_at_15_and_disturbs_no_neighbour() {
        let mut sketch = Sketch::new();
        let others: Vec<_> = (1..50).map(|number| sketch.estimate(hash(number))).collect();
        (0..100).for_each(|_| sketch.add(hash(0)));
        assert_eq!(sketch.estimate(hash(0)), 15);
        assert_eq!(sketch.blocks.as_flattened().iter().map(|word| word.count_ones()).sum::<u32>(), ROWS * 4);
        assert!(others.iter().all(|count| *count == 0));
    }

    #[test]
    fn counts_are_halved_after_ten_additions_for_each_entry() {
        let mut sketch = Sketch::new();
        (0..8).for_each(|_| sketch.add(hash(0)));
        (8..SAMPLE * (BLOCKS * BLOCK) as u64 - 1).for_each(|number| sketch.add(hash(number)));
        assert!(sketch.estimate(hash(0)) >= 8);
        sketch.add(hash(1 << 40));
        assert!((4..=8).contains(&sketch.estimate(hash(0))), "{}", sketch.estimate(hash(0)));
        assert_eq!(sketch.additions, SAMPLE * (BLOCKS * BLOCK) as u64 / 2);
    }

    #[test]
    fn growing_keeps_every_estimate() {
        let mut sketch = Sketch::new();
        (0..100).for_each(|number| (0..number % 5).for_each(|_| sketch.add(hash(number))));
        let before: Vec<_> = (0..100).map(|number| sketch.estimate(hash(number))).collect();
        sketch.fit(5000);
        assert_eq!(sketch.blocks.len() * BLOCK, 8192);
        assert_eq!((0..100).map(|number| sketch.estimate(hash(number))).collect::<Vec<_>>(), before);
    }
}
