//! Eviction policies without I/O: which entries make room for another one, decided over small integer slots.

mod eviction;
mod fifo;
mod lfu;
mod list;
mod lru;
mod order;
mod random;
mod sketch;
mod slab;
#[cfg(test)]
mod tests;
mod w_tiny_lfu;

pub use eviction::{Eviction, Slot};

/// In what order entries make room for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Policy {
    /// The least recently used first.
    Lru,
    /// The least frequently used first; among equals, the one that came to its count longest ago.
    ///
    /// Exact counters in constant time after Shah, Mitra, Matani, "An O(1) algorithm for implementing the LFU cache
    /// eviction scheme" (2010). What was popular once does not stay for ever: as in LFU with dynamic ageing (Arlitt,
    /// Cherkasova, Dilley, Friedrich, Jin, "Evaluating content management techniques for Web proxy caches", 2000), an
    /// entry begins to count where the last evicted one ended.
    Lfu,
    /// The oldest first, however often it is used.
    Fifo,
    /// Any, each with the same chance.
    #[cfg_attr(feature = "serde", serde(alias = "rr"))]
    Random,
    /// By frequency, also of what is not kept, behind a small window by recency: it withstands scans, and follows
    /// changes of taste.
    ///
    /// Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy" (ACM Transactions on Storage,
    /// 2017): a window of 1 %, a main part in two segments, 80 % of it protected, and a sketch of 4-bit counters that
    /// are halved from time to time. What leaves the window enters the main part only if missing it would cost more
    /// than missing all that it displaces, after the aggregated victims of Einziger, Eytan, Friedman, Manes,
    /// "Lightweight Robust Size Aware Cache Management" (2022); a miss costs as much as reading its bytes and 16 KiB.
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "w-tinylfu"))]
    WTinyLfu,
}
