//! Codecs: what goes in comes out, and nothing else does.
#![allow(clippy::panic, clippy::unwrap_used)]

use cacheness_core::{Error, ErrorKind};
use cacheness_handlers::codec::{Codec, CodecId, Decoder, Encoder, Encoding, Level, decompress, looks_random};
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::{self, BufRead, BufReader, Read, Write};

const WIDTHS: [u8; 5] = [0, 1, 8, 12, 255];

/// The codecs of this build.
fn codecs() -> impl Iterator<Item = Codec> {
    [Codec::None, Codec::Lz4, Codec::ZSTD, Codec::GZIP].into_iter().filter(is_built)
}

fn is_built(codec: &Codec) -> bool {
    cfg!(feature = "gzip") || codec.id() != CodecId::Gzip
}

fn encodings() -> impl Iterator<Item = (Codec, u8)> {
    codecs().flat_map(|codec| WIDTHS.map(|width| (codec, width)))
}

fn encode(codec: Codec, shuffle: u8, raw: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(codec, shuffle, Vec::new()).unwrap();
    encoder.write_all(raw).unwrap();
    encoder.finish().unwrap()
}

fn kind_of(result: Result<impl Sized, impl Into<Error>>) -> Option<ErrorKind> {
    result.err().map(|error| error.into().kind())
}

/// Reads as a handler does that knows how much it wants, and never asks for more.
fn read_exactly(encoding: Encoding, stored: &[u8], raw_size: usize) -> cacheness_core::Result<Vec<u8>> {
    let mut raw = vec![0; raw_size];
    Decoder::new(encoding, stored, raw_size as u64)?.read_exact(&mut raw)?;
    Ok(raw)
}

/// Reads through the buffer of the decoder, from a source that lends few bytes at a time.
fn read_buffered(encoding: Encoding, stored: &[u8], raw_size: u64, step: usize) -> cacheness_core::Result<Vec<u8>> {
    let mut decoder = Decoder::new(encoding, BufReader::with_capacity(step, stored), raw_size)?;
    let mut raw = Vec::new();
    loop {
        let bytes = decoder.fill_buf()?;
        let taken = bytes.len().min(step * 7);
        if taken == 0 {
            return Ok(raw);
        }
        raw.extend_from_slice(&bytes[..taken]);
        decoder.consume(taken);
    }
}

/// Compressible, but not all the same.
fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index / 3 % 251) as u8 ^ (index % 8) as u8).collect()
}

#[test]
fn payloads_around_the_block_size_come_back() {
    const BLOCK: usize = 256 * 1024;
    for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5] {
        let raw = sample(length);
        for (codec, width) in encodings().filter(|(_, width)| [1, 8, 12].contains(width)) {
            let stored = encode(codec, width, &raw);
            let encoding = codec.encoding(width);
            assert!(decompress(encoding, &stored, length as u64).unwrap() == raw, "{codec} {width} {length}");
            assert!(read_exactly(encoding, &stored, length).unwrap() == raw, "{codec} {width} {length}");
            assert!(read_buffered(encoding, &stored, length as u64, 8192).unwrap() == raw, "{codec} {width} {length}");
        }
    }
}

#[test]
fn incompressible_payloads_hardly_grow() {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(600_000)
    .collect();
    for (codec, width) in encodings() {
        let stored = encode(codec, width, &noise);
        assert!(stored.len() < noise.len() + 300, "{codec} {width}: {}", stored.len());
        assert!(decompress(codec.encoding(width), &stored, noise.len() as u64).unwrap() == noise);
    }
}

#[test]
fn stored_bytes_do_not_depend_on_how_they_were_written() {
    let raw = sample(700_000);
    for (codec, width) in encodings() {
        let mut encoder = Encoder::new(codec, width, Vec::new()).unwrap();
        for piece in raw.chunks(9_973) {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
        }
        assert!(encoder.finish().unwrap() == encode(codec, width, &raw), "{codec} {width}");
    }
}

#[test]
fn another_raw_size_is_corrupt() {
    for length in [1, 1000, 300_000] {
        let raw = sample(length);
        for (codec, width) in encodings() {
            let (stored, encoding) = (encode(codec, width, &raw), codec.encoding(width));
            for wrong in [0, length - 1, length + 1, length * 2 + 8, 262_144] {
                let context = format!("{codec} {width}: {wrong} instead of {length}");
                assert_eq!(kind_of(read_exactly(encoding, &stored, wrong)), Some(ErrorKind::Corrupt), "{context}");
                let buffered = read_buffered(encoding, &stored, wrong as u64, 8192);
                assert_eq!(kind_of(buffered), Some(ErrorKind::Corrupt), "{context}");
                let whole = decompress(encoding, &stored, wrong as u64);
                assert_eq!(kind_of(whole), Some(ErrorKind::Corrupt), "{context}");
            }
        }
    }
}

#[test]
fn bytes_behind_the_stream_are_corrupt() {
    for (codec, width) in encodings() {
        for raw in [sample(0), sample(100)] {
            let frame = encode(codec, width, &raw);
            for behind in [&b"x"[..], &[0; 64], &frame] {
                let stored = [&frame, behind].concat();
                let result = decompress(codec.encoding(width), &stored, raw.len() as u64);
                let expected = (!behind.is_empty()).then_some(ErrorKind::Corrupt);
                assert_eq!(kind_of(result), expected, "{codec} {width} {behind:?}");
            }
        }
    }
}

#[test]
fn the_end_is_checked_when_the_last_bytes_are_lent() {
    for length in [100, 300_000] {
        let raw = sample(length);
        for (codec, width) in encodings().filter(|(codec, width)| *codec != Codec::None || *width > 1) {
            let stored = [&encode(codec, width, &raw)[..], b"x"].concat();
            let mut decoder = Decoder::new(codec.encoding(width), &stored[..], length as u64).unwrap();
            let error = loop {
                assert_ne!(decoder.remaining(), 0, "{codec} {width}: everything was lent");
                match decoder.fill_buf().map(<[u8]>::len) {
                    Ok(lent) => decoder.consume(lent),
                    Err(error) => break error,
                }
            };
            assert_eq!(Error::from(error).kind(), ErrorKind::Corrupt);
        }
    }
}

#[test]
fn an_lz4_frame_of_another_kind_is_corrupt() {
    let stored = encode(Codec::Lz4, 1, b"short");
    for place in (0..7).chain(stored.len() - 4..stored.len()) {
        let mut damaged = stored.clone();
        damaged[place] ^= 1;
        assert_eq!(kind_of(decompress(Codec::Lz4.encoding(1), &damaged, 5)), Some(ErrorKind::Corrupt), "byte {place}");
    }
}

#[test]
fn a_truncated_stream_is_corrupt_wherever_it_ends() {
    let raw = sample(500);
    for (codec, width) in encodings() {
        let stored = encode(codec, width, &raw);
        for length in 0..stored.len() {
            let result = decompress(codec.encoding(width), &stored[..length], raw.len() as u64);
            assert_eq!(kind_of(result), Some(ErrorKind::Corrupt), "{codec} {width}: {length} of {}", stored.len());
        }
    }
}

#[test]
fn an_empty_payload_is_checked_too() {
    for codec in codecs().filter(|codec| *codec != Codec::None) {
        assert_eq!(kind_of(decompress(codec.encoding(1), b"", 0)), Some(ErrorKind::Corrupt), "{codec}");
    }
    assert_eq!(kind_of(Decoder::new(Encoding::NONE, &b"x"[..], 0)), Some(ErrorKind::Corrupt));
}

#[test]
fn a_bomb_is_stopped_at_the_recorded_size() {
    let zeros = vec![0; 10 << 20];
    for (codec, width) in encodings().filter(|(codec, _)| *codec != Codec::None) {
        let stored = encode(codec, width, &zeros);
        assert!(stored.len() < 100_000, "{codec}");
        let result = decompress(codec.encoding(width), &stored, 100);
        assert_eq!(kind_of(result), Some(ErrorKind::Corrupt), "{codec} {width}");
    }
}

#[test]
fn a_huge_recorded_size_allocates_nothing_of_that_size() {
    for (codec, width) in encodings() {
        let stored = encode(codec, width, b"small");
        for claimed in [1 << 45, isize::MAX as u64, u64::MAX] {
            let result = decompress(codec.encoding(width), &stored, claimed);
            assert_eq!(kind_of(result), Some(ErrorKind::Corrupt), "{codec} {width} {claimed}");
        }
    }
}

#[test]
fn a_zstd_window_beyond_the_bound_is_refused() {
    for (window_log, expected) in [(27, None), (28, Some(ErrorKind::Corrupt))] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(b"tiny").unwrap();
        encoder.flush().unwrap();
        let stored = encoder.finish().unwrap();
        assert_eq!(kind_of(read_exactly(Codec::ZSTD.encoding(1), &stored, 4)), expected);
    }
}

#[test]
fn several_frames_or_members_are_not_one_payload() {
    for codec in codecs().filter(|codec| *codec != Codec::None) {
        let stored = [encode(codec, 1, b"one"), encode(codec, 1, b"two")].concat();
        assert_eq!(kind_of(decompress(codec.encoding(1), &stored, 6)), Some(ErrorKind::Corrupt), "{codec}");
    }
}

#[test]
fn other_tools_read_the_frames() {
    let raw = sample(600_000);
    let mut lz4 = Vec::new();
    let stored = encode(Codec::Lz4, 1, &raw);
    lz4_flex::frame::FrameDecoder::new(&stored[..]).read_to_end(&mut lz4).unwrap();
    assert!(lz4 == raw);
    assert!(zstd::decode_all(&encode(Codec::ZSTD, 1, &raw)[..]).unwrap() == raw);
    if is_built(&Codec::GZIP) {
        let mut gzip = Vec::new();
        flate2::read::GzDecoder::new(&encode(Codec::GZIP, 1, &raw)[..]).read_to_end(&mut gzip).unwrap();
        assert!(gzip == raw);
    }
}

#[test]
fn lz4_frames_of_the_same_kind_are_read() {
    use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
    let raw = sample(600_000);
    let mut encoder = FrameEncoder::with_frame_info(FrameInfo::new().block_size(BlockSize::Max256KB), Vec::new());
    encoder.write_all(&raw).unwrap();
    let stored = encoder.finish().unwrap();
    assert!(decompress(Codec::Lz4.encoding(1), &stored, raw.len() as u64).unwrap() == raw);
}

struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::PermissionDenied.into()),
            count => Ok(count),
        }
    }
}

#[test]
fn errors_of_the_source_are_not_taken_for_damage() {
    let raw = sample(300_000);
    for (codec, width) in encodings() {
        let stored = encode(codec, width, &raw);
        for cut in [0, 3, stored.len() / 2, stored.len() - 1] {
            let source = BufReader::with_capacity(1000, Failing(&stored[..cut]));
            let mut decoder = Decoder::new(codec.encoding(width), source, raw.len() as u64).unwrap();
            let error = io::copy(&mut decoder, &mut io::sink()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{codec} {width} {cut}: {error}");
        }
    }
}

/// Is interrupted before every read.
struct Interrupted<'a>(&'a [u8], bool);

impl Read for Interrupted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 { Err(io::ErrorKind::Interrupted.into()) } else { self.0.read(buffer) }
    }
}

#[test]
fn an_interrupted_source_is_read_on() {
    let raw = sample(300_000);
    for (codec, width) in encodings() {
        let stored = encode(codec, width, &raw);
        let source = BufReader::with_capacity(1000, Interrupted(&stored, false));
        let mut decoder = Decoder::new(codec.encoding(width), source, raw.len() as u64).unwrap();
        let mut back = Vec::new();
        decoder.read_to_end(&mut back).unwrap();
        assert!(back == raw, "{codec} {width}");
    }
}

struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn errors_of_the_output_reach_the_writer() {
    for (codec, width) in encodings() {
        let mut encoder = Encoder::new(codec, width, Full(10)).unwrap();
        let result = encoder.write_all(&sample(1000)).map_err(Error::from).and_then(|()| encoder.finish());
        assert_eq!(kind_of(result), Some(ErrorKind::OutOfSpace), "{codec} {width}");
    }
}

#[test]
fn without_a_codec_bytes_pass_straight_through() {
    let raw = sample(100);
    let mut decoder = Decoder::new(Encoding::NONE, &raw[..], 100).unwrap();
    assert_eq!(decoder.fill_buf().unwrap().as_ptr(), raw.as_ptr());

    let mut encoder = Encoder::new(Codec::None, 1, Full(100)).unwrap();
    encoder.write_all(&raw).unwrap();
    assert!(encoder.write_all(b"x").is_err(), "it was held back");
}

#[test]
#[cfg(not(feature = "gzip"))]
fn without_its_feature_gzip_is_an_error_that_names_it() {
    let errors = [
        Encoder::new(Codec::GZIP, 1, Vec::new()).unwrap_err(),
        Decoder::new(Codec::GZIP.encoding(1), &b""[..], 10).unwrap_err(),
        Decoder::new(Codec::GZIP.encoding(8), &b""[..], 0).unwrap_err(),
        decompress(Codec::GZIP.encoding(1), b"", u64::MAX).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("feature `gzip`"), "{error}");
    }
}

#[test]
fn a_gzip_member_with_every_optional_field_is_read_and_its_checksum_counts() {
    if !is_built(&Codec::GZIP) {
        return;
    }
    let raw = sample(1000);
    let builder = flate2::GzBuilder::new().extra(vec![7; 60_000]).filename("name").comment("comment").mtime(1);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::best());
    encoder.write_all(&raw).unwrap();
    let stored = encoder.finish().unwrap();
    assert!(decompress(Codec::GZIP.encoding(1), &stored, 1000).unwrap() == raw);
    for place in stored.len() - 8..stored.len() {
        let mut damaged = stored.clone();
        damaged[place] ^= 1;
        let result = decompress(Codec::GZIP.encoding(1), &damaged, 1000);
        assert_eq!(kind_of(result), Some(ErrorKind::Corrupt), "byte {place}");
    }
}

#[test]
fn a_higher_level_stores_fewer_bytes() {
    let mut state = 1_u32;
    let text: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ["so ", "much ", "depends ", "upon ", "a ", "red ", "wheel ", "barrow "][(state >> 29) as usize]
    })
    .take(40_000)
    .collect();
    let size = |codec: Codec| encode(codec, 1, text.as_bytes()).len();
    let level = |level: u8| Level::try_from(level).unwrap();
    assert!(size(Codec::Zstd(level(9))) < size(Codec::Zstd(level(1))));
    if is_built(&Codec::GZIP) {
        assert!(size(Codec::Gzip(level(9))) < size(Codec::Gzip(level(1))));
    }
}

#[test]
fn noise_is_told_from_bytes_that_can_be_made_smaller() {
    let mut state = 1_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        let next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    };
    for length in [4096, 4097, 65_536, 1_000_000] {
        assert!((0..50).all(|_| looks_random(&noise(length))), "{length}");
        assert!(!looks_random(&sample(length)), "{length}");
        let half_text = [noise(length / 2), b"half of it is text ".repeat(length / 38)].concat();
        assert!(!looks_random(&half_text), "{length}");
        let letters: Vec<u8> = noise(length).iter().map(|byte| byte % 64).collect();
        assert!(!looks_random(&letters), "{length}");
    }
    let cycle = std::iter::successors(Some(1_u8), |byte| Some(byte.wrapping_mul(5).wrapping_add(3)));
    assert!(!looks_random(&cycle.take(65_536).collect::<Vec<_>>()), "each value once in 256, in a wild order");
    assert!(!looks_random(&[7; 4096]), "all the same");
    assert!(!looks_random(&noise(4095)), "too few to tell");
    let compressed = encode(Codec::ZSTD, 1, &noise(200_000).iter().map(|byte| byte % 97).collect::<Vec<_>>());
    assert!(looks_random(&compressed));
}

#[test]
fn a_misspelt_codec_is_an_error_that_names_the_one_that_was_meant() {
    for (wrong, meant) in [
        ("ZSTD", "zstd"),
        ("zst", "zstd"),
        ("zsdt:3", "zstd"),
        ("lz", "lz4"),
        ("LZ4", "lz4"),
        ("gz", "gzip"),
        ("gzp:6", "gzip"),
        ("non", "none"),
    ] {
        let error = wrong.parse::<Codec>().unwrap_err().to_string();
        assert!(error.contains(&format!("did you mean {meant}?")), "{error}");
    }
    for wrong in ["", "brotli", "z", "blosclz", "ünïcode", &"zstd".repeat(100_000)] {
        let error = wrong.parse::<Codec>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("did you mean"), "{error:.200}");
    }
}

#[test]
fn a_level_outside_1_to_9_cannot_be_made() {
    let made: Vec<u8> = (0..=u8::MAX).filter(|number| Level::try_from(*number).is_ok()).collect();
    assert_eq!(made, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for words in ["zstd:0", "zstd:10", "zstd:22", "gzip:10", "gzip:-1", "zstd:300", "gzip:5.5"] {
        let error = words.parse::<Codec>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{words}");
        assert!(error.to_string().contains("1 to 9"), "{error}");
    }
}

#[test]
fn codecs_are_named_in_words() {
    for (words, codec) in [
        ("none", Codec::None),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd(Level::try_from(3).unwrap())),
        ("zstd:5", Codec::Zstd(Level::try_from(5).unwrap())),
        ("gzip", Codec::Gzip(Level::try_from(6).unwrap())),
        ("gzip:9", Codec::Gzip(Level::try_from(9).unwrap())),
    ] {
        let parsed: Codec = words.parse().unwrap();
        assert_eq!(parsed, codec);
        assert_eq!(parsed.to_string().parse::<Codec>().unwrap(), codec);
    }
    for wrong in ["", "ZSTD", "brotli", "zstd:", "zstd:0", "gzip:10", "zstd:x", "lz4:3", "none:1", "zstd:3:3"] {
        let error = wrong.parse::<Codec>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
    }
    let error = "brotli".parse::<Codec>().unwrap_err().to_string();
    assert!(["none", "lz4", "zstd", "gzip"].iter().all(|name| error.contains(name)), "{error}");
    let error = Level::try_from(0).unwrap_err().to_string();
    assert!(error.contains("1 to 9"), "{error}");
}

#[test]
fn codec_numbers_never_change() {
    for (number, id) in [(0, CodecId::None), (1, CodecId::Lz4), (2, CodecId::Zstd), (3, CodecId::Gzip)] {
        assert_eq!(CodecId::try_from(number).unwrap(), id);
        assert_eq!(id as u8, number);
    }
    assert_eq!(CodecId::try_from(4).unwrap_err().kind(), ErrorKind::FormatTooNew);
}

#[test]
fn stored_forms_never_change() {
    let raw = b"abcabcabcabcabcabcabcabcabcabcabc";
    let lz4 = b"\x04\x22\x4d\x18\x60\x50\xfb\x0d\0\0\0\x3fabc\x03\0\x06\x50bcabc\0\0\0\0";
    assert_eq!(decompress(Codec::Lz4.encoding(1), lz4, 33).unwrap(), raw);
    let zstd = b"\x28\xb5\x2f\xfd\x04\x58\x4d\0\0\x18abc\x01\0\x8a\x6e\x08\x3a\xfa\x61\xeb";
    assert_eq!(decompress(Codec::ZSTD.encoding(1), zstd, 33).unwrap(), raw);
    let gzip: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\x4b\x4c\x4a\x4e\xc4\x8b\0\x96\x1d\xbc\xd1\x21\0\0\0";
    let result = decompress(Codec::GZIP.encoding(1), gzip, 33);
    match cfg!(feature = "gzip") {
        true => assert_eq!(result.unwrap(), raw),
        false => assert_eq!(kind_of(result), Some(ErrorKind::Unsupported)),
    }
    let raw: Vec<u8> = (0..10).collect();
    assert_eq!(encode(Codec::None, 4, &raw), [0, 4, 1, 5, 2, 6, 3, 7, 8, 9]);
}

fn any_codec() -> impl Strategy<Value = Codec> {
    (0..4_usize, 1..=9_u8)
        .prop_map(|(choice, level)| {
            let level = Level::try_from(level).unwrap();
            [Codec::None, Codec::Lz4, Codec::Zstd(level), Codec::Gzip(level)][choice]
        })
        .prop_filter("not in this build", is_built)
}

proptest! {
    #[test]
    fn any_bytes_come_back(
        codec in any_codec(),
        width: u8,
        raw in vec(any::<u8>(), 0..3000),
        repeat in 1..30_usize,
        step in 1..5000_usize,
    ) {
        let raw = raw.repeat(repeat);
        let (stored, encoding) = (encode(codec, width, &raw), codec.encoding(width));
        prop_assert!(decompress(encoding, &stored, raw.len() as u64).unwrap() == raw);
        prop_assert!(read_buffered(encoding, &stored, raw.len() as u64, step).unwrap() == raw);
    }

    #[test]
    fn arbitrary_bytes_never_panic(codec in any_codec(), width: u8, stored in vec(any::<u8>(), 0..300), size: u64) {
        for size in [size, size % 1000] {
            if let Ok(raw) = decompress(codec.encoding(width), &stored, size) {
                prop_assert_eq!(raw.len() as u64, size);
            }
        }
    }

    #[test]
    fn damaged_streams_never_panic(
        codec in any_codec(),
        width: u8,
        raw in vec(any::<u8>(), 1..500),
        hits in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        step in 1..100_usize,
    ) {
        let raw = raw.repeat(20);
        let mut stored = encode(codec, width, &raw);
        for (place, byte) in hits {
            *place.get_mut(&mut stored) = byte;
        }
        let whole = decompress(codec.encoding(width), &stored, raw.len() as u64);
        let buffered = read_buffered(codec.encoding(width), &stored, raw.len() as u64, step);
        prop_assert_eq!(whole.is_ok(), buffered.is_ok());
        if let Err(error) = whole {
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
}
