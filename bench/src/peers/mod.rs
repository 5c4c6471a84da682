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
use crate::race::Race;
use crate::store::{Action, Manner, Opened, Store, stretch};
use crate::value::Value;
use diskcache::Diskcache;
use std::path::Path;

/// A store on disk, or why it cannot take part.
pub(crate) struct Peer<V> {
    name: &'static str,
    kept: Result<Kept<V>>,
}

enum Kept<V> {
    Here(Box<dyn Store<V> + Sync>),
    InPython(Diskcache),
}

/// How many times fewer calls a slow peer makes in a turn, so that nobody waits for it.
fn slow(manner: Manner) -> u64 {
    if manner == Manner::AtOnce { 10 } else { 5 }
}

/// Why peers are missing from a build without them.
#[cfg(not(feature = "peers"))]
pub(crate) const NOT_BUILT: &str = "built without the feature `peers`";

/// All of them, without anything in them.
#[cfg(feature = "peers")]
pub(crate) fn on_disk<V: Value>(place: &Path) -> Vec<Peer<V>> {
    vec![
        Peer::here("redb", redb::open(&place.join("redb"))),
        Peer::here("cached, durable", cached::open(&place.join("durable"), true)),
        Peer::here("cached", cached::open(&place.join("cached"), false)),
        Peer::here("foyer", foyer::open(&place.join("foyer"))),
        Peer::here("cacache", cacache::open(place.join("cacache"))),
        Peer::in_python(place),
    ]
}

/// All of them, most of which are missing.
#[cfg(not(feature = "peers"))]
pub(crate) fn on_disk<V: Value>(place: &Path) -> Vec<Peer<V>> {
    let names = ["redb", "cached, durable", "cached", "foyer", "cacache"];
    let missing = names.map(|name| Peer::here(name, Err(NOT_BUILT.into())));
    missing.into_iter().chain([Peer::in_python(place)]).collect()
}

impl<V: Value> Peer<V> {
    fn here(name: &'static str, store: Opened<V>) -> Self {
        Self { name, kept: store.map(Kept::Here) }
    }

    fn in_python(place: &Path) -> Self {
        Self { name: "diskcache", kept: Diskcache::open::<V>(&place.join("diskcache")).map(Kept::InPython) }
    }

    /// The same with what is there when it is measured, as far as it says.
    pub(crate) fn filled(self, source: &V::Source) -> Self {
        let filled = |kept| {
            match &kept {
                Kept::Here(store) => store.fill(0..store.entries(), source.clone())?,
                Kept::InPython(diskcache) => diskcache.fill()?,
            }
            Ok(kept)
        };
        Self { kept: self.kept.and_then(filled), ..self }
    }

    /// Has it take part in a race, or be named as missing.
    pub(crate) fn join<'s>(&'s self, race: Race<'s>, action: Action, manner: Manner, source: &V::Source) -> Race<'s> {
        let part = match &self.kept {
            Ok(Kept::Here(store)) => Ok((store.slower(manner), stretch(&**store, action, manner, source))),
            Ok(Kept::InPython(diskcache)) => diskcache.stretch(action, manner).map(|part| (slow(manner), part)),
            Err(reason) => Err(reason.to_string().into()),
        };
        match part {
            Ok((slower, stretch)) => race.slow_subject(self.name, slower, stretch),
            Err(reason) => race.absent(self.name, &reason.to_string()),
        }
    }
}
