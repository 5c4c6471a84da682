//! Reading canonical bytes, which may be anything.

/// What remains of some bytes. Every step is `None` when less remains than it needs.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'b>(pub(super) &'b [u8]);

impl<'b> Cursor<'b> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Bytes behind their length.
    pub(super) fn prefixed(&mut self) -> Option<&'b [u8]> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).ok()?)
    }

    /// The magnitude of a whole number.
    pub(super) fn magnitude(&mut self) -> Option<u128> {
        let count = self.byte()?;
        let significant = self.take(usize::from(count))?;
        let mut bytes = [0; 16];
        let start = bytes.len().checked_sub(significant.len())?;
        bytes.get_mut(start..)?.copy_from_slice(significant);
        Some(u128::from_be_bytes(bytes))
    }
}
