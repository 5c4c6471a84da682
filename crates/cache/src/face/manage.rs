//! Removing, looking after, closing.

use crate::key::keys_of;
use crate::liveness::live;
use crate::{Key, Stats, future, sync};
use cacheness_core::faces;
use cacheness_storage::engine::{Async, Blocking};
use cacheness_storage::{EntryPage, Filter, Query, Swept, Verified};
use serde::Serialize;

faces! {
    sync [B] sync::Cache<B> as Blocking;
    future [B] future::Cache<B> as Async;

    /// Removes an entry; says whether there was a live one.
    ///
    /// # Errors
    ///
    /// As `metadata`.
    pub fn invalidate[](&self, key: impl Serialize) -> bool {
        prepare(_core, _face) { Key::of(key) }
        run(core, key) { core.invalidate(key).await }
    }

    /// The next live entries of a query, in the order of their keys. Nothing is locked between two pages.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`](crate::ErrorKind::InvalidQuery), [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn entries[](&self, query: &Query) -> EntryPage {
        prepare(_core, _face) { Ok(query.clone()) }
        run(core, query) { core.entries(query).await }
    }

    /// What is in the cache, and what this handle and its clones did with it.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn stats[](&self) -> Stats {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.stats().await }
    }

    /// Removes what crashes and interrupted puts left: blobs that no entry names, and files of killed processes, each
    /// after its grace. Any number of processes may sweep at once, beside any other work.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return; what was done before stays done.
    pub fn sweep[](&self) -> Swept {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.sweep().await }
    }

    /// Reads every entry, expired ones too, and compares it with its digest. It changes nothing; damage is no error but
    /// a finding.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn verify[](&self) -> Verified {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.verify().await }
    }

    /// Removes every entry; returns how many.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn clear[](&self) -> u64 {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.clear().await }
    }

    /// Closes the cache for every clone; later calls fail. A second close is no error.
    ///
    /// # Errors
    ///
    /// What the backends return.
    pub fn close[](&self) -> () {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.close().await }
    }

    /// Removes entries in one commit; returns how many of them were live.
    ///
    /// # Errors
    ///
    /// As `invalidate`; nothing is removed then.
    pub fn invalidate_many[K: Serialize](&self, keys: impl IntoIterator<Item = K>) -> u64 {
        prepare(_core, _face) { keys_of(keys) }
        run(core, keys) { core.invalidate_many(keys).await }
    }

    /// Removes the live entries that a filter means, batch by batch; returns how many.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`](crate::ErrorKind::InvalidQuery), [`Closed`](crate::ErrorKind::Closed),
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the index returns; what was removed before stays removed.
    pub fn invalidate_where[](&self, filter: &Filter) -> u64 {
        prepare(_core, _face) { Ok(filter.clone()) }
        run(core, filter) { core.engine.remove_where(&(filter & live())).await }
    }

    /// Removes expired entries; returns how many. Nothing does so by itself: they are invisible anyway, and take room.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the index returns.
    pub fn cleanup_expired[](&self) -> u64 {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.remove_expired().await }
    }
}
