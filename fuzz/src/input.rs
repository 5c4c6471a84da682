//! The bytes of one fuzz input, taken from the front; when there are no more, they are zero.

/// What is left of an input.
#[derive(Debug, Clone, Copy)]
pub struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    /// All of an input.
    pub fn new(bytes: &'i [u8]) -> Self {
        Self(bytes)
    }

    /// So many bytes, or all that are left.
    pub fn bytes(&mut self, count: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'i [u8] {
        std::mem::take(&mut self.0)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An array, filled up with zeros.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let bytes = self.bytes(N);
        array[..bytes.len()].copy_from_slice(bytes);
        array
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// True or false.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// 64 bits, little-endian.
    pub fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// A size: small and likely to be right, or so large that nothing could bear it out.
    pub fn size(&mut self, small: u64) -> u64 {
        match u32::from_le_bytes(self.array()) {
            size if u64::from(size) <= small => u64::from(size),
            size => u64::from(size) << 32,
        }
    }

    /// A short text; what is no UTF-8 is replaced.
    pub fn text(&mut self) -> String {
        let length = self.below(24);
        String::from_utf8_lossy(self.bytes(length)).into_owned()
    }
}
