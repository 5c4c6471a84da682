//! Arrays of many blocks that are read at once, where threads decode them side by side on machines of several cores.
#![allow(clippy::unwrap_used)]

use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::codec::{Codec, Decoder, Encoder};
use std::io::{self, BufReader, Read, Write};

const BLOCK: usize = 256 * 1024;
const WIDTH: u8 = 8;

/// Numbers of which no two blocks are equal. The third block of each four is noise, so it is stored as it is.
fn numbers(length: usize) -> Vec<u8> {
    let mut noise = 1_u64;
    let number = |index: usize| {
        noise = noise.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        if index * 8 / BLOCK % 4 == 2 { noise.rotate_left(29) ^ noise } else { index as u64 * 3 }
    };
    (0..length.div_ceil(8)).map(number).flat_map(u64::to_le_bytes).take(length).collect()
}

fn stored(raw: &[u8], width: u8) -> Vec<u8> {
    let mut encoder = Encoder::new(Codec::Lz4, width, Vec::new()).unwrap();
    encoder.write_all(raw).unwrap();
    encoder.finish().unwrap()
}

fn decoder<R: Read + Send>(source: R, raw_size: usize) -> Result<Decoder<BufReader<R>>> {
    Decoder::new(Codec::Lz4.encoding(WIDTH), BufReader::with_capacity(64 * 1024, source), raw_size as u64)
}

/// Where the blocks of a frame begin.
fn blocks(frame: &[u8]) -> Vec<usize> {
    let mut starts = vec![7];
    loop {
        let start = *starts.last().unwrap();
        let size = u32::from_le_bytes(frame[start..start + 4].try_into().unwrap()) & 0x7fff_ffff;
        if size == 0 {
            starts.pop();
            return starts;
        }
        starts.push(start + 4 + size as usize);
    }
}

#[test]
fn many_blocks_read_at_once_come_to_their_places() {
    for length in [8 * BLOCK, 17 * BLOCK + 12_345] {
        let raw = numbers(length);
        for width in [2, 4, 8, 12, 16] {
            let (stored, mut back) = (stored(&raw, width), vec![0; length]);
            let mut decoder = Decoder::new(Codec::Lz4.encoding(width), &stored[..], length as u64).unwrap();
            decoder.read_exact(&mut back).unwrap();
            assert!(back == raw, "{width} {length}");
            assert_eq!((decoder.remaining(), decoder.read(&mut [0; 9]).unwrap()), (0, 0));
        }
    }
}

#[test]
fn large_reads_go_on_where_small_ones_ended() {
    let raw = numbers(20 * BLOCK);
    let stored = stored(&raw, WIDTH);
    for first in [1, BLOCK - 1, BLOCK, BLOCK + 1] {
        let mut decoder = decoder(&stored[..], raw.len()).unwrap();
        let mut back = vec![0; raw.len()];
        let (small, large) = back.split_at_mut(first);
        decoder.read_exact(small).unwrap();
        let (large, rest) = large.split_at_mut(12 * BLOCK + 3);
        decoder.read_exact(large).unwrap();
        decoder.read_exact(rest).unwrap();
        assert!(back == raw, "{first}");
    }
}

#[test]
fn damage_in_any_of_many_blocks_is_corrupt_and_nothing_follows_it() {
    let raw = numbers(9 * BLOCK);
    let stored = stored(&raw, WIDTH);
    for start in blocks(&stored) {
        let mut damaged = stored.clone();
        damaged[start..start + 4].copy_from_slice(&0x0012_3456_u32.to_le_bytes());
        let mut decoder = decoder(&damaged[..], raw.len()).unwrap();
        let error = Error::from(decoder.read_exact(&mut vec![0; raw.len()]).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{start}: {error}");
        let error = Error::from(decoder.read(&mut vec![0; raw.len()]).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{start}: {error}");
    }
}

#[test]
fn after_a_block_that_cannot_be_decoded_none_takes_its_place() {
    let raw = numbers(17 * BLOCK);
    let stored = stored(&raw, WIDTH);
    for start in blocks(&stored).into_iter().take(2) {
        let mut damaged = stored.clone();
        damaged[start + 4..start + 400].fill(0xff);
        let mut decoder = decoder(&damaged[..], raw.len()).unwrap();
        for length in [raw.len(), BLOCK] {
            let error = Error::from(decoder.read_exact(&mut vec![0; length]).unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{start} {length}: {error}");
        }
    }
}

/// A source that fails where its bytes end.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(Error::new(ErrorKind::Unavailable, "the line is dead").into()),
            count => Ok(count),
        }
    }
}

#[test]
fn errors_of_the_source_between_many_blocks_are_not_taken_for_damage() {
    let raw = numbers(9 * BLOCK);
    let stored = stored(&raw, WIDTH);
    for start in blocks(&stored) {
        for cut in [start, start + 2, start + 400] {
            let read = |source: &mut dyn Read| source.read_exact(&mut vec![0; raw.len()]).map_err(Error::from);
            let failed = read(&mut decoder(Failing(&stored[..cut]), raw.len()).unwrap()).unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::Unavailable, "{cut}: {failed}");
            let cut_off = read(&mut decoder(&stored[..cut], raw.len()).unwrap()).unwrap_err();
            assert_eq!(cut_off.kind(), ErrorKind::Corrupt, "{cut}: {cut_off}");
        }
    }
}
