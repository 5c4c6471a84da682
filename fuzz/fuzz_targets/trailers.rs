//! Trailers at the end of blobs: damaged bytes are refused, what is read is written as it was read.
#![no_main]

use cacheness_core::ErrorKind;
use cacheness_fuzz::{Input, bounded};
use cacheness_storage::Trailer;
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8] = b"\x89CBLOB\r\n";

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mode = input.byte();
    let body = input.rest();
    let blob = match mode % 4 {
        // As it is; no mutation finds a checksum.
        0 => body.to_vec(),
        // With a right end.
        _ => sealed(body, mode),
    };
    let read = bounded(64 * blob.len() + 4096, || Trailer::from_end_of(&blob));
    let trailer = match read {
        Ok(trailer) => trailer,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew), "{error:?}");
            return;
        }
    };
    let written = trailer.to_bytes();
    assert_eq!(Trailer::from_end_of(&written).expect("a trailer that was written is read"), trailer);
    let behind = [&b"payload"[..], &written].concat();
    assert_eq!(Trailer::from_end_of(&behind).expect("a payload before it does not matter"), trailer);
    let at = usize::from(mode) % written.len();
    let mut changed = written;
    changed[at] ^= 1 << (mode >> 5);
    assert!(Trailer::from_end_of(&changed).is_err(), "the byte {at} is not covered");
});

/// A blob whose trailer is `body`, or a part of it, with the footer that belongs to it.
fn sealed(body: &[u8], mode: u8) -> Vec<u8> {
    let mut blob = body.to_vec();
    let length = body.len().saturating_sub(usize::from(mode >> 5));
    blob.extend_from_slice(&(length as u32).to_le_bytes());
    blob.extend_from_slice(&[1, u8::from(mode & 4 != 0), 0, 0]);
    let checksum = xxh3_64(&blob[body.len() - length..]);
    blob.extend_from_slice(&checksum.to_le_bytes());
    blob.extend_from_slice(MAGIC);
    blob
}
