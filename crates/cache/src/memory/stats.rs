//! What a memory layer counts.

/// What is in a memory layer, and what became of those who asked it since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Copies, those that are stale and were not asked for again too.
    pub entries: u64,
    /// What they take in bytes, about; never above the limit.
    pub bytes: u64,
    /// Lookups that found a fresh copy.
    pub hits: u64,
    /// Lookups that found none, or a stale one.
    pub misses: u64,
    /// Copies that made room for others.
    pub evictions: u64,
    /// Copies that were not taken in: too large, not worth what they would have displaced, or overtaken by a change or by
    /// another copy.
    pub refused: u64,
}
