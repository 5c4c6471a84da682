//! The stripes, and the order in which they are read and changed.
//!
//! Notation: a commit `C` stands between its mark `B` ([`Table::begin`]) and `E` ([`Table::end`]) on the stripe of its
//! key; a reader takes a stamp `S`, then reads the record, `R`, and asks later with `F` whether its copy is fresh.
//! `→` is *happens before*. Of the index we only need what every index promises: a read after a commit, or after
//! another read that saw the commit, sees it.
//!
//! Let `F` find the word that `S` found, not busy. A word never takes a value again: each `B` is answered by one `E`,
//! and each `E` raises the generation, which wraps after 2^44. So between `S` and `F` there is no `B` and no `E` in
//! the modification order of the word, and not being busy, every `B` before `S` had its `E` before `S`. Then for each
//! commit `C` of the key one of two holds.
//!
//! 1. `E` is before the value of `S`. All changes of a word are read-modify-writes, so that value belongs to the release
//!    sequence of `E`; `S` acquires it: `C → E → S → R`, and the copy has `C` or what came later.
//! 2. `B` is after the value of `F`. Then nothing of which `C` is a part happened before `F`: if the writer's
//!    acknowledgement or a read that saw `C` were `→ F`, so were `B`, and `F` would have to find `B` or later (coherence
//!    of one word). The copy is served at a point in time before `C`.
//!
//! So `S` is an acquire and `E` a release. `F` may be relaxed: it relies on coherence alone, and a later value could
//! only make it say no. `B` needs to be no more than sequenced before `C`, but the index publishes `C` by means that the
//! language knows nothing of (system calls, mappings of its own), so a full fence follows the marks. Beside a commit
//! its price does not show.
//!
//! Loads are relaxed, with a fence where they acquire: only relaxed loads of at most a machine word are defined on
//! memory that is mapped read-only (`std::sync::atomic`, *Atomic accesses to read-only memory*).

use std::fmt;
use std::fs::File;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::format::{STRIPES, stripe_of};
use crate::mapped::Mapping;
use crate::word;

/// The state of a stripe in which nothing was being changed; later proof that nothing was changed since.
///
/// It is good for the handle that gave it and for the clones of that; for every other one it is stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    table: u32,
    stripe: u32,
    word: u64,
}

/// The stripes of one opening.
pub(crate) struct Table {
    number: u32,
    words: Words,
}

enum Words {
    Heap(Box<[AtomicU64]>),
    /// The file for its lock.
    Mapped(Mapping, File),
}

/// Some of the stripes.
#[derive(Debug)]
pub(crate) enum Stripes {
    All,
    /// Each once.
    Few(Vec<u32>),
}

impl Stripes {
    pub(crate) fn of<'k>(keys: impl IntoIterator<Item = &'k [u8]>) -> Self {
        let mut stripes: Vec<u32> = keys.into_iter().map(stripe_of).collect();
        stripes.sort_unstable();
        stripes.dedup();
        Self::Few(stripes)
    }
}

impl Table {
    pub(crate) fn on_heap() -> Self {
        Self::new(Words::Heap((0..STRIPES).map(|_| AtomicU64::new(0)).collect()))
    }

    pub(crate) fn mapped(memory: Mapping, locked: File) -> Self {
        Self::new(Words::Mapped(memory, locked))
    }

    fn new(words: Words) -> Self {
        static OPENED: AtomicU32 = AtomicU32::new(0);
        Self { number: OPENED.fetch_add(1, Ordering::Relaxed), words }
    }

    #[inline]
    fn words(&self) -> &[AtomicU64] {
        match &self.words {
            Words::Heap(words) => words,
            Words::Mapped(memory, _) => memory.words(),
        }
    }

    #[inline]
    fn load(&self, stripe: u32) -> Option<u64> {
        self.words().get(stripe as usize).map(|word| word.load(Ordering::Relaxed))
    }

    pub(crate) fn stamp(&self, key: &[u8]) -> Option<Stamp> {
        let stripe = stripe_of(key);
        let word = self.load(stripe).filter(|word| !word::is_busy(*word))?;
        fence(Ordering::Acquire);
        Some(Stamp { table: self.number, stripe, word })
    }

    #[inline]
    pub(crate) fn is_fresh(&self, stamp: Stamp) -> bool {
        stamp.table == self.number && self.load(stamp.stripe) == Some(stamp.word)
    }

    pub(crate) fn begin(&self, stripes: &Stripes) {
        self.add(stripes, word::BEGIN);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn end(&self, stripes: &Stripes) {
        self.add(stripes, word::END);
    }

    fn add(&self, stripes: &Stripes, change: u64) {
        let words = self.words();
        let add = |word: &AtomicU64| {
            word.fetch_add(change, Ordering::AcqRel);
        };
        match stripes {
            Stripes::All => words.iter().for_each(add),
            Stripes::Few(few) => few.iter().filter_map(|stripe| words.get(*stripe as usize)).for_each(add),
        }
    }
}

/// Ends what killed processes left under way. Only for who is alone.
pub(crate) fn settle(words: &[AtomicU64]) {
    for word in words {
        let left = word.load(Ordering::Relaxed);
        if word::is_busy(left) {
            word.store(word::settled(left), Ordering::Release);
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place: &dyn fmt::Debug = match &self.words {
            Words::Heap(_) => &"on the heap",
            Words::Mapped(_, file) => file,
        };
        f.debug_struct("Table").field("number", &self.number).field("words", place).finish()
    }
}
