//! The byte-shuffle filter: it puts the first bytes of all elements of an array together, then the second bytes, and
//! so on, which makes the array far easier to compress.
//!
//! A payload is shuffled in blocks of [`block_length`] bytes, the last one shorter. A block of `n` bytes and elements
//! of `w` bytes holds `e = n / w` whole elements:
//!
//! ```text
//! before   a0 a1 … aw-1   b0 b1 … bw-1   …   rest                 element after element
//! after    a0 b0 …   a1 b1 …   …   aw-1 bw-1 …   rest             plane 0 (e bytes), …, plane w-1 (e bytes)
//! ```
//!
//! The `n % w` bytes of the rest are copied as they are. The idea is Blosc's (F. Alted, *Why modern CPUs are starving
//! and what can be done about it*, Computing in Science & Engineering 12(2), 2010).

/// The raw bytes of a shuffled block, before they are rounded down to whole elements.
const BLOCK: usize = 256 * 1024;

/// How many raw bytes a shuffled block has: 256 KiB, rounded down to a multiple of `width`.
///
/// ```
/// assert_eq!(cacheness_handlers::shuffle::block_length(8), 262_144);
/// assert_eq!(cacheness_handlers::shuffle::block_length(12), 262_140);
/// ```
pub const fn block_length(width: u8) -> usize {
    if width < 2 { BLOCK } else { BLOCK - BLOCK % width as usize }
}

/// Shuffles one block of elements of `width` bytes into `target`; a width of 0 or 1 copies it.
///
/// Both slices should have the same length: what the longer one has beyond the other is left alone.
///
/// ```
/// let mut shuffled = [0; 7];
/// cacheness_handlers::shuffle::shuffle(2, b"aAbBcC!", &mut shuffled);
/// assert_eq!(&shuffled, b"abcABC!");
/// ```
pub fn shuffle(width: u8, source: &[u8], target: &mut [u8]) {
    let (source, target) = copy_rest(width, source, target);
    match width {
        2 => shuffle_tiles::<2>(source, target),
        4 => shuffle_tiles::<4>(source, target),
        8 => shuffle_tiles::<8>(source, target),
        16 => shuffle_tiles::<16>(source, target),
        _ => shuffle_from(0, usize::from(width), source, target),
    }
}

/// Undoes [`shuffle`].
///
/// ```
/// let mut elements = [0; 7];
/// cacheness_handlers::shuffle::unshuffle(2, b"abcABC!", &mut elements);
/// assert_eq!(&elements, b"aAbBcC!");
/// ```
pub fn unshuffle(width: u8, source: &[u8], target: &mut [u8]) {
    let (source, target) = copy_rest(width, source, target);
    match width {
        2 => unshuffle_tiles::<2>(source, target),
        4 => unshuffle_tiles::<4>(source, target),
        8 => unshuffle_tiles::<8>(source, target),
        16 => unshuffle_tiles::<16>(source, target),
        _ => unshuffle_from(0, usize::from(width), source, target),
    }
}

/// Copies the bytes beyond whole elements, all of them when there is nothing to shuffle, and returns the elements.
fn copy_rest<'s, 't>(width: u8, source: &'s [u8], target: &'t mut [u8]) -> (&'s [u8], &'t mut [u8]) {
    let length = source.len().min(target.len());
    let whole = if width < 2 { 0 } else { length - length % usize::from(width) };
    let (source, rest) = source.split_at(whole);
    let (target, target_rest) = target.split_at_mut(whole);
    target_rest.iter_mut().zip(rest).for_each(|(target, byte)| *target = *byte);
    (source, target)
}

/// The bytes that are turned at once: few enough that the rounds stay in vector registers.
const TILE: usize = 256;

type Tile = [u8; TILE];

/// Puts the even bytes before the odd ones: the index of every byte is rotated right by one bit, so log2(`W`) rounds
/// turn elements of `W` bytes into planes. The compiler makes vector instructions of it.
fn part(source: &Tile) -> Tile {
    let mut target = [0; TILE];
    let (even, odd) = target.split_at_mut(TILE / 2);
    for ((pair, even), odd) in source.as_chunks::<2>().0.iter().zip(even).zip(odd) {
        let pair = u16::from_le_bytes(*pair);
        (*even, *odd) = (pair as u8, (pair >> 8) as u8);
    }
    target
}

/// Undoes [`part`].
fn join(source: &Tile) -> Tile {
    let mut target = [0; TILE];
    let (even, odd) = source.split_at(TILE / 2);
    for ((pair, even), odd) in target.as_chunks_mut::<2>().0.iter_mut().zip(even).zip(odd) {
        *pair = [*even, *odd];
    }
    target
}

fn shuffle_tiles<const W: usize>(source: &[u8], target: &mut [u8]) {
    let (elements, chunk) = (source.len() / W, TILE / W);
    let tiles = source.as_chunks::<TILE>().0;
    for (number, tile) in tiles.iter().enumerate() {
        let mut turned = part(tile);
        for _ in 1..W.trailing_zeros() {
            turned = part(&turned);
        }
        for (plane, turned) in target.chunks_exact_mut(elements).zip(turned.chunks_exact(chunk)) {
            if let Some(plane) = plane.get_mut(number * chunk..(number + 1) * chunk) {
                plane.copy_from_slice(turned);
            }
        }
    }
    shuffle_from(tiles.len() * chunk, W, source, target);
}

fn unshuffle_tiles<const W: usize>(source: &[u8], target: &mut [u8]) {
    let (elements, chunk) = (source.len() / W, TILE / W);
    let tiles = target.as_chunks_mut::<TILE>().0;
    let done = tiles.len() * chunk;
    for (number, tile) in tiles.iter_mut().enumerate() {
        let mut turned = [0; TILE];
        for (plane, turned) in source.chunks_exact(elements).zip(turned.chunks_exact_mut(chunk)) {
            if let Some(plane) = plane.get(number * chunk..(number + 1) * chunk) {
                turned.copy_from_slice(plane);
            }
        }
        for _ in 1..W.trailing_zeros() {
            turned = join(&turned);
        }
        *tile = join(&turned);
    }
    unshuffle_from(done, W, source, target);
}

/// Shuffles the elements from number `first` on, byte by byte.
fn shuffle_from(first: usize, width: usize, source: &[u8], target: &mut [u8]) {
    let elements = source.len() / width.max(1);
    for (byte, plane) in target.chunks_exact_mut(elements.max(1)).enumerate() {
        let from = source.iter().skip(first * width + byte).step_by(width.max(1));
        plane.iter_mut().skip(first).zip(from).for_each(|(target, byte)| *target = *byte);
    }
}

/// Unshuffles the elements from number `first` on, byte by byte.
fn unshuffle_from(first: usize, width: usize, source: &[u8], target: &mut [u8]) {
    let elements = source.len() / width.max(1);
    for (byte, plane) in source.chunks_exact(elements.max(1)).enumerate() {
        let to = target.iter_mut().skip(first * width + byte).step_by(width.max(1));
        to.zip(plane.iter().skip(first)).for_each(|(target, byte)| *target = *byte);
    }
}
