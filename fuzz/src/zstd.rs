//! What a zstd frame says about itself.

/// Whether a frame asks for a window beyond the 128 MiB that a stream grants. Read in one go, from memory, it needs no
/// window and is taken; nothing that we write has one as large.
///
/// Source: RFC 8878, sections 3.1.1.1.1 and 3.1.1.1.2.
pub fn asks_for_too_much(stored: &[u8]) -> bool {
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, window, ..] = *stored else { return false };
    let is_single_segment = descriptor & 0x20 != 0;
    let (exponent, mantissa) = (10 + u32::from(window >> 3), u64::from(window & 7));
    !is_single_segment && (1_u64 << exponent) / 8 * (8 + mantissa) > 1 << 27
}
