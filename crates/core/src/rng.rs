//! Injected randomness: blob names and versions are minted from it.

use crate::{Error, ErrorKind, Result};
use std::fmt::Debug;

/// A source of random bytes.
pub trait Rng: Debug + Send + Sync + 'static {
    /// Fills `bytes` with bytes that no other process or thread will see.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the operating system gives no randomness.
    fn fill(&self, bytes: &mut [u8]) -> Result<()>;
}

/// The operating system's generator. It keeps no state in the process, so a `fork` repeats nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes)
            .map_err(|source| Error::new(ErrorKind::Internal, "the system gives no randomness").source(source))
    }
}

/// `N` random bytes.
///
/// # Errors
///
/// As [`Rng::fill`].
pub fn random<const N: usize>(rng: &dyn Rng) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    rng.fill(&mut bytes)?;
    Ok(bytes)
}
