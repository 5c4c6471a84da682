//! Copies in memory that are proven fresh by what the store tells of changes.

use cacheness_generations::{Generations, Reader as GenerationReader, Stamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The reading half of a feed of changes: counters that are good for as long as the store's messages arrive.
///
/// A copy whose stamp is fresh is what the index answered when the last message was sent; a change of another machine
/// that is on its way is not seen yet. While the feed is down, nothing is fresh, and copies are proven by asking for
/// the record's version.
#[derive(Debug, Clone)]
pub struct Feed {
    reader: GenerationReader,
    up: Arc<AtomicBool>,
}

/// The writing half of a [`Feed`], for the backend that receives the messages. It begins down.
#[derive(Debug)]
pub struct FeedSource {
    generations: Generations,
    up: Arc<AtomicBool>,
}

impl Feed {
    /// Whether messages arrive.
    #[inline]
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// The state of the key's stripe, to be taken before its record is read; `None` while it is being changed here.
    pub fn stamp(&self, key: &[u8]) -> Option<Stamp> {
        self.reader.stamp(key)
    }

    /// Whether messages arrive, and since the stamp was taken did so without a gap and told of no change of its stripe.
    #[inline]
    pub fn is_fresh(&self, stamp: Stamp) -> bool {
        self.is_up() && self.is_untold(stamp)
    }

    /// Whether no change of the stripe was told since the stamp was taken, even if nothing can be told now.
    #[inline]
    pub fn is_untold(&self, stamp: Stamp) -> bool {
        self.reader.is_fresh(stamp)
    }
}

impl Default for FeedSource {
    fn default() -> Self {
        Self { generations: Generations::in_process(), up: Arc::default() }
    }
}

impl FeedSource {
    /// The half for the memory layer.
    pub fn feed(&self) -> Feed {
        Feed { reader: self.generations.reader().clone(), up: self.up.clone() }
    }

    /// The counters: this process's own commits mark their keys from before they begin until after they ended, and a
    /// message of another's marks the keys that it names.
    pub fn generations(&self) -> &Generations {
        &self.generations
    }

    /// Messages arrive from now on. Every stamp of before is stale: what was changed meanwhile was not told.
    pub fn up(&self) {
        drop(self.generations.change_all());
        self.up.store(true, Ordering::Release);
    }

    /// Messages may be lost from now on.
    pub fn down(&self) {
        self.up.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stamped_before_an_interruption_is_stale_after_it() {
        let source = FeedSource::default();
        let feed = source.feed();
        let early = feed.stamp(b"k").unwrap();
        assert!(!feed.is_fresh(early), "a feed begins down");
        source.up();
        assert!(!feed.is_fresh(early));
        let stamp = feed.stamp(b"k").unwrap();
        assert!(feed.is_fresh(stamp));
        source.down();
        assert!(!feed.is_fresh(stamp));
        source.up();
        assert!(!feed.is_fresh(stamp));
    }

    #[test]
    fn a_message_makes_the_copies_of_its_keys_stale() {
        let source = FeedSource::default();
        source.up();
        let feed = source.feed();
        let stamp = feed.stamp(b"k").unwrap();
        drop(source.generations().change([&b"k"[..]]));
        assert!(!feed.is_fresh(stamp));
    }
}
