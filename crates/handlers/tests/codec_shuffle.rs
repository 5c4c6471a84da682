//! The byte-shuffle filter: its layout, and that it is undone.

use cacheness_handlers::shuffle::{block_length, shuffle, unshuffle};
use proptest::collection::vec;
use proptest::prelude::*;

/// The layout as the documentation has it, byte by byte.
fn planes(width: usize, raw: &[u8]) -> Vec<u8> {
    let elements = raw.len() / width;
    let byte = |index: usize| match index {
        _ if index >= elements * width => raw[index],
        _ => raw[index % elements * width + index / elements],
    };
    (0..raw.len()).map(byte).collect()
}

#[test]
fn every_width_and_length_has_the_documented_layout() {
    let raw: Vec<u8> = (0..4100).map(|index| (index * 31 % 251) as u8).collect();
    for width in 1..=255 {
        for length in [0, 1, 2, 15, 16, 17, 255, 256, 257, 511, 512, 1000, 4095, 4096, 4100] {
            let raw = &raw[..length];
            let (mut shuffled, mut back) = (vec![1; length], vec![2; length]);
            shuffle(width, raw, &mut shuffled);
            assert_eq!(shuffled, planes(width.into(), raw), "{width} {length}");
            unshuffle(width, &shuffled, &mut back);
            assert_eq!(back, raw, "{width} {length}");
        }
    }
}

#[test]
fn blocks_hold_whole_elements() {
    for width in 0..=255 {
        let length = block_length(width);
        assert!(length <= 262_144 && length > 262_144 - 255);
        assert_eq!(length % usize::from(width.max(1)), 0);
    }
}

#[test]
fn slices_of_different_lengths_are_harmless() {
    let mut short = [9; 4];
    shuffle(2, b"aAbBcC", &mut short);
    assert_eq!(&short, b"abAB");
    let mut long = [9; 6];
    unshuffle(2, b"abAB", &mut long);
    assert_eq!(&long, b"aAbB\x09\x09");
}

proptest! {
    #[test]
    fn unshuffling_undoes_shuffling(width: u8, raw in vec(any::<u8>(), 0..3000)) {
        let (mut shuffled, mut back) = (vec![0; raw.len()], vec![0; raw.len()]);
        shuffle(width, &raw, &mut shuffled);
        unshuffle(width, &shuffled, &mut back);
        prop_assert_eq!(back, raw);
    }
}
