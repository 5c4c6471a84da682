//! Cuts what is written into blocks of one size, however it comes.

use std::io;

/// Collects bytes until a block is full. What comes in whole blocks is passed on without a copy.
pub(super) struct Blocks {
    size: usize,
    held: Vec<u8>,
}

impl Blocks {
    /// Blocks of `size` bytes, which must not be 0.
    pub(super) fn new(size: usize) -> Self {
        Self { size, held: Vec::new() }
    }

    /// Takes some of `bytes`, passes a block to `emit` when it is full, and returns how many it took.
    pub(super) fn write(&mut self, bytes: &[u8], mut emit: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<usize> {
        if let (true, Some(block)) = (self.held.is_empty(), bytes.get(..self.size)) {
            emit(block)?;
            return Ok(block.len());
        }
        let free = self.size.saturating_sub(self.held.len());
        let taken = bytes.get(..free).unwrap_or(bytes);
        self.held.extend_from_slice(taken);
        if taken.len() == free {
            self.finish(emit)?;
        }
        Ok(taken.len())
    }

    /// Passes on what is held, if there is any.
    pub(super) fn finish(&mut self, mut emit: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if !self.held.is_empty() {
            emit(&self.held)?;
            self.held.clear();
        }
        Ok(())
    }
}
