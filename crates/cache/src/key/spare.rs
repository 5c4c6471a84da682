//! The buffer that a thread encodes parameters into, over and over: making a key allocates nothing then.

use std::cell::Cell;

/// What a buffer may hold that is kept, in bytes.
const CAPACITY: usize = 4 << 10;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer. Who encodes parameters while others are being encoded gets a new one.
#[inline]
pub(super) fn take() -> Vec<u8> {
    SPARE.try_with(Cell::take).unwrap_or_default()
}

/// Keeps a buffer that nobody needs any more, unless it is large.
#[inline]
pub(super) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() <= CAPACITY {
        buffer.clear();
        // A thread that is ending keeps nothing.
        _ = SPARE.try_with(|spare| spare.set(buffer));
    }
}
