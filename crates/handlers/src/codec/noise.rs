//! Tells bytes that no codec makes smaller from the others, by a sample.

/// How many samples are taken, evenly spread, and how long each is.
const SAMPLES: usize = 16;
const LENGTH: usize = 256;

/// The greatest that Pearson's statistic is for random bytes, whose mean is 255 and whose standard deviation √510 = 22.6:
/// eight of them above the mean.
const GREATEST: u64 = 435;

/// Whether `bytes` look as if they were compressed, encrypted or random already: at least 4 KiB, and in a sample of as many
/// all values, and all differences of neighbours, are about equally frequent. Repetitions farther apart than the samples
/// reach are not seen.
///
/// Source: Pearson's chi-squared test, as D. E. Knuth has it in *The Art of Computer Programming*, vol. 2, section 3.3.1.
///
/// ```
/// use cacheness_handlers::codec::looks_random;
///
/// assert!(!looks_random(&b"to be or not to be ".repeat(1000)));
/// assert!(!looks_random(&[7; 4095]));
/// ```
pub fn looks_random(bytes: &[u8]) -> bool {
    if bytes.len() < SAMPLES * LENGTH {
        return false;
    }
    let samples = || bytes.chunks_exact(bytes.len() / SAMPLES).take(SAMPLES).filter_map(|part| part.get(..LENGTH));
    let neighbours = samples().flat_map(|sample| sample.iter().zip(sample.iter().skip(1)));
    statistic(samples().flatten().copied()) <= GREATEST
        && statistic(neighbours.map(|(left, right)| right.wrapping_sub(*left))) <= GREATEST
}

/// Σ (count − e)² / e over all values, where e of each are expected; the same as Σ count² / e − n.
fn statistic(bytes: impl Iterator<Item = u8>) -> u64 {
    let mut counts = [0_u64; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total: u64 = counts.iter().sum();
    let squares: u64 = counts.iter().map(|count| count * count).sum();
    (squares * 256 / total.max(1)).saturating_sub(total)
}
