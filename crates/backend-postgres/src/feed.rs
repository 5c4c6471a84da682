//! What commits tell other machines, by `NOTIFY`: which keys they changed.
//!
//! A message is the sender's name in sixteen characters, then `*` for any keys, or a JSON array of keys.

use crate::tables::Tables;
use cacheness_core::Rng;
use cacheness_storage::{EntryKey, FeedSource, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How long a message may be: the server takes less than 8000 bytes.
const MAX_MESSAGE: usize = 7900;

/// How many messages a commit sends at most; one that changed more keys says `*`.
const MAX_MESSAGES: usize = 8;

/// How long the sender's name is.
const NAME: usize = 16;

/// The name of the channel of a store: FNV-1a of what it is called, since channels have short names.
pub(crate) fn channel(tables: &Tables) -> String {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("cacheness_{:016x}", tables.scope("changes").bytes().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// The name under which an opening announces what it commits. Its own announcements tell it nothing new, as long as it
/// knows which of its commits happened.
#[derive(Debug)]
pub(crate) struct Announcer {
    name: AtomicU64,
    rng: Arc<dyn Rng>,
}

impl Announcer {
    pub(crate) fn new(rng: Arc<dyn Rng>) -> Result<Self> {
        let name = u64::from_le_bytes(cacheness_core::rng::random(&*rng)?);
        Ok(Self { name: AtomicU64::new(name), rng })
    }

    /// A commit came to an unknown end: what it announces, perhaps only later, is news. It gets another name to tell by.
    pub(crate) fn rename(&self) {
        let fresh = cacheness_core::rng::random(&*self.rng).map(u64::from_le_bytes);
        let next = fresh.unwrap_or_else(|_| self.name.load(Ordering::Relaxed).wrapping_add(1));
        self.name.store(next, Ordering::Release);
    }

    /// The messages that tell of changed keys.
    pub(crate) fn messages<'k>(&self, keys: impl Iterator<Item = &'k EntryKey>) -> Vec<String> {
        let name = format!("{:016x}", self.name.load(Ordering::Acquire));
        let mut messages = Vec::new();
        let mut current = String::new();
        for key in keys {
            let key = serde_json::Value::from(key.as_str()).to_string();
            if !current.is_empty() && current.len() + key.len() > MAX_MESSAGE {
                messages.push(finished(&mut current));
            }
            if messages.len() == MAX_MESSAGES || key.len() + NAME + 2 > MAX_MESSAGE {
                return vec![format!("{name}*")];
            }
            current.push_str(if current.is_empty() { &name } else { "," });
            if current.len() == NAME {
                current.push('[');
            }
            current.push_str(&key);
        }
        if !current.is_empty() {
            messages.push(finished(&mut current));
        }
        messages
    }

    /// Marks what a message tells of, unless it is one of ours.
    pub(crate) fn hear(&self, message: &str, source: &FeedSource) {
        let (name, keys) = message.split_at_checked(NAME).unwrap_or_default();
        if u64::from_str_radix(name, 16) == Ok(self.name.load(Ordering::Acquire)) {
            return;
        }
        match serde_json::from_str::<Vec<String>>(keys) {
            Ok(keys) => drop(source.generations().change(keys.iter().map(String::as_bytes))),
            Err(_) => drop(source.generations().change_all()),
        }
    }
}

fn finished(message: &mut String) -> String {
    message.push(']');
    std::mem::take(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cacheness_core::SystemRng;

    fn announcer() -> Announcer {
        Announcer::new(Arc::new(SystemRng)).unwrap()
    }

    fn is_fresh_after(messages: &[String], hearer: &Announcer, key: &str) -> bool {
        let source = FeedSource::default();
        source.up();
        let stamp = source.feed().stamp(key.as_bytes()).unwrap();
        messages.iter().for_each(|message| hearer.hear(message, &source));
        source.feed().is_fresh(stamp)
    }

    #[test]
    fn others_learn_of_every_key_and_the_sender_of_none() {
        let (one, other) = (announcer(), announcer());
        for count in [1, 2, 500, 100_000] {
            let keys: Vec<EntryKey> = (0..count).map(|n| EntryKey::new(format!("\0 key \" {n}"))).collect();
            let messages = one.messages(keys.iter());
            assert!(messages.len() <= MAX_MESSAGES && messages.iter().all(|message| message.len() < 8000));
            for key in [keys.first(), keys.last()].into_iter().flatten() {
                assert!(!is_fresh_after(&messages, &other, key.as_str()));
                assert!(is_fresh_after(&messages, &one, key.as_str()), "it knows what it did");
            }
        }
        let long = EntryKey::new("\0".repeat(2600));
        assert!(!is_fresh_after(&one.messages([&long].into_iter()), &other, long.as_str()));
        assert!(one.messages([].into_iter()).is_empty());
    }

    #[test]
    fn what_came_to_an_unknown_end_is_news_to_the_sender_too() {
        let one = announcer();
        let messages = one.messages([&EntryKey::new("key")].into_iter());
        one.rename();
        assert!(!is_fresh_after(&messages, &one, "key"));
    }

    #[test]
    fn what_cannot_be_read_may_mean_any_key() {
        for message in ["", "x", "0000000000000000", "0000000000000000[1]", "é"] {
            assert!(!is_fresh_after(&[message.to_owned()], &announcer(), "key"), "{message:?}");
        }
    }
}
