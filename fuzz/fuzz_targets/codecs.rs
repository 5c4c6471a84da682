//! Codecs: what is stored gives exactly the raw bytes it was made of, or an error, whole and in pieces alike.
#![no_main]

use cacheness_core::{Error, ErrorKind};
use cacheness_fuzz::{Input, bounded, zstd};
use cacheness_handlers::{Codec, CodecId, Decoder, Encoder, Encoding, Level, decompress};
use libfuzzer_sys::fuzz_target;
use std::io::{BufRead, BufReader, Read, Write};

/// Raw bytes up to which a claimed size may be true.
const MOST: u64 = 3 << 19;

/// Raw bytes that are stored at most: beyond the 256 KiB of a block.
const STORED: usize = 320 << 10;

/// Decoders hold a block or two of 256 KiB, and first steps of 1 MiB; zstd's windows are not counted.
const HELD: usize = 4 << 20;

const WIDTHS: [u8; 8] = [1, 0, 2, 3, 4, 8, 16, 255];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (codec, width, forth) = (input.below(4), WIDTHS[input.below(8)], input.flag());
    match forth {
        true => forth_and_back(codec, width, input),
        false => back(codec, width, input),
    }
});

/// Arbitrary bytes as a stored payload.
fn back(codec: usize, width: u8, mut input: Input<'_>) {
    let encoding = Encoding { codec: CodecId::try_from(codec as u8).expect("four codecs are known"), shuffle: width };
    let raw_size = input.size(MOST);
    let piece = 1 + usize::from(input.byte());
    let stored = input.rest();
    let most = if raw_size > MOST { HELD + stored.len() } else { HELD + 2 * raw_size as usize };
    let whole = bounded(most, || decompress(encoding, stored, raw_size));
    let pieces = bounded(most, || in_pieces(encoding, stored, raw_size, piece));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole.len() as u64, raw_size);
            assert_eq!(whole, pieces);
        }
        (Err(whole), Err(pieces)) => {
            for error in [whole, pieces] {
                assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge), "{error:?}");
            }
        }
        (Ok(_), Err(_)) if encoding.codec == CodecId::Zstd && zstd::asks_for_too_much(stored) => {}
        (whole, pieces) => {
            panic!("whole: {:?}, in pieces: {:?}", whole.map(|raw| raw.len()), pieces.map(|raw| raw.len()))
        }
    }
}

/// Reads a payload from a source with a small buffer, by turns with `read` and `fill_buf`.
fn in_pieces(encoding: Encoding, stored: &[u8], raw_size: u64, piece: usize) -> Result<Vec<u8>, Error> {
    let mut decoder = Decoder::new(encoding, BufReader::with_capacity(piece, stored), raw_size)?;
    let (mut raw, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        let before = raw.len();
        let count = decoder.read(&mut buffer)?;
        raw.extend_from_slice(&buffer[..count]);
        let held = decoder.fill_buf()?;
        let taken = held.len().min(1 + 64 * piece);
        raw.extend_from_slice(&held[..taken]);
        decoder.consume(taken);
        assert_eq!(decoder.remaining(), raw_size - raw.len() as u64, "more was given than declared");
        if raw.len() == before {
            return Ok(raw);
        }
    }
}

/// Arbitrary bytes as a raw payload, written in pieces and at once.
fn forth_and_back(codec: usize, width: u8, mut input: Input<'_>) {
    let level = Level::try_from(1 + input.byte() % 9).expect("the levels are 1 to 9");
    let codec = [Codec::None, Codec::Lz4, Codec::Zstd(level), Codec::Gzip(level)][codec];
    let piece = 1 + usize::from(input.byte());
    let times = if input.byte() < 8 { 16 * input.below(256) } else { 1 };
    let raw = input.rest();
    let raw = raw.repeat(times.clamp(1, 1 + STORED / raw.len().max(1)));
    let piece = if raw.len() > 4096 { 61 * piece } else { piece };
    let stored = encode(codec, width, raw.chunks(piece));
    assert_eq!(stored, encode(codec, width, std::iter::once(&raw[..])), "stored bytes depend on how they were written");
    let size = raw.len() as u64;
    let encoding = codec.encoding(width);
    assert_eq!(decompress(encoding, &stored, size).expect("what was stored is read"), raw);
    assert_eq!(in_pieces(encoding, &stored, size, piece).expect("what was stored is read in pieces"), raw);
    for other in [size.wrapping_sub(1), size + 1] {
        assert!(decompress(encoding, &stored, other).is_err(), "{size} bytes are read as {other}");
    }
    assert!(decompress(encoding, &[&stored[..], &[0]].concat(), size).is_err(), "a byte behind the end is overlooked");
    if !stored.is_empty() {
        let cut = &stored[..stored.len() - 1];
        assert!(decompress(encoding, cut, size).is_err(), "a missing byte is overlooked");
    }
}

fn encode<'r>(codec: Codec, width: u8, pieces: impl Iterator<Item = &'r [u8]>) -> Vec<u8> {
    let mut encoder = Encoder::new(codec, width, Vec::new()).expect("codecs can be set up");
    for piece in pieces {
        encoder.write_all(piece).expect("memory takes everything");
    }
    encoder.finish().expect("memory takes everything")
}
