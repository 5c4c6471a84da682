//! What a user could pick instead. Each is used as its documentation shows, and says how durable its puts are.

#[cfg(feature = "peers")]
pub(crate) mod quick_cache;
#[cfg(feature = "peers")]
mod redb;

use crate::Result;
use crate::store::Store;
use std::path::Path;

/// A store on disk, or why it cannot take part.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) store: Result<Box<dyn Store>>,
}

/// Why peers are missing from a build without them.
#[cfg(not(feature = "peers"))]
pub(crate) const NOT_BUILT: &str = "built without the feature `peers`";

#[cfg(feature = "peers")]
pub(crate) fn on_disk(place: &Path) -> Vec<Peer> {
    vec![Peer { name: "redb", store: redb::open(&place.join("redb")) }]
}

#[cfg(not(feature = "peers"))]
pub(crate) fn on_disk(_place: &Path) -> Vec<Peer> {
    ["redb"].map(|name| Peer { name, store: Err(NOT_BUILT.into()) }).into()
}
