//! What a user could pick instead. Each is used as its documentation shows, and says how durable its puts are.

#[cfg(feature = "peers")]
mod cacache;
#[cfg(feature = "peers")]
mod cached;
mod diskcache;
#[cfg(feature = "peers")]
mod foyer;
pub(crate) mod python;
#[cfg(feature = "peers")]
pub(crate) mod quick_cache;
#[cfg(feature = "peers")]
mod redb;

use crate::Result;
use crate::store::Contender;
use std::path::Path;

/// A store on disk, or why it cannot take part.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) contender: Result<Box<dyn Contender>>,
    /// How many times fewer calls it makes in a turn, so that nobody waits for it.
    pub(crate) slower: u64,
}

/// Why peers are missing from a build without them.
#[cfg(not(feature = "peers"))]
pub(crate) const NOT_BUILT: &str = "built without the feature `peers`";

pub(crate) fn on_disk(place: &Path) -> Vec<Peer> {
    let mut peers = built(place);
    peers.push(Peer { name: "diskcache", contender: diskcache::open(&place.join("diskcache")), slower: 5 });
    peers
}

#[cfg(feature = "peers")]
fn built(place: &Path) -> Vec<Peer> {
    vec![
        Peer { name: "redb", contender: redb::open(&place.join("redb")), slower: 10 },
        Peer { name: "cached, durable", contender: cached::open(&place.join("durable"), true), slower: 20 },
        Peer { name: "cached", contender: cached::open(&place.join("cached"), false), slower: 1 },
        Peer { name: "foyer", contender: foyer::open(&place.join("foyer")), slower: 5 },
        Peer { name: "cacache", contender: cacache::open(place.join("cacache")), slower: 5 },
    ]
}

#[cfg(not(feature = "peers"))]
fn built(_place: &Path) -> Vec<Peer> {
    let missing = |name| Peer { name, contender: Err(NOT_BUILT.into()), slower: 1 };
    ["redb", "cached, durable", "cached", "foyer", "cacache"].map(missing).into()
}
