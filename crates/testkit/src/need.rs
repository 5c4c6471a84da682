//! What a test needs and cannot have.

use std::panic::panic_any;

/// Fails the test that calls this.
#[track_caller]
#[expect(clippy::panic, reason = "that is how a test fails")]
pub(crate) fn fail(reason: String) -> ! {
    panic_any(reason)
}
