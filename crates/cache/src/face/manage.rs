//! Removing, looking after, closing.

use crate::core::resolved;
use crate::{Ages, Stats, future, sync};
use cacheness_core::faces;
use cacheness_storage::engine::{Async, Blocking, Face};
use cacheness_storage::{Entry, EntryPage, Filter, MigrateOptions, Migrated, Query, Swept, Verified};
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
        prepare(core, _face) { core.wanted(key) }
        run(core, key) { core.invalidate(key.resolve()?).await }
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

    /// Copies the entries that this handle means to another cache, on whatever backends, each verified on the way; expired
    /// and invalidated ones are left. Called again after an interruption it goes on; called again later it brings what
    /// was put since. What was changed at the destination later than here stays, and what was removed here meanwhile is not
    /// removed there: let nobody write, or open this one read-only, for the last call.
    ///
    /// ```
    /// use cacheness_cache::{Bare, MigrateOptions, sync::Cache};
    ///
    /// let open = || Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open();
    /// let (old, new) = (open()?, open()?);
    /// old.put("answer", &42)?;
    /// let options = MigrateOptions::new().on_progress(|so_far| println!("{} of {}", so_far.examined, so_far.total));
    /// assert_eq!(old.migrate_to(&new, options)?.copied, 1);
    /// assert_eq!(new.get::<i32>("answer")?, Some(42));
    /// # Ok::<(), cacheness_cache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) when both are the same store, [`Closed`](crate::ErrorKind::Closed),
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the backends of either return; what was copied before stays.
    pub fn migrate_to[](&self, to: &Self, options: MigrateOptions) -> Migrated {
        prepare(_core, face) { face.admit(&to.core().engine).map(|()| (to.core().clone(), options)) }
        run(core, (to, options)) { core.migrate_to(&to, options).await }
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

    /// When the oldest and the newest live entry were put; `None` without any. It looks at every entry, page by page.
    ///
    /// # Errors
    ///
    /// As `entries`.
    pub fn ages[](&self) -> Option<Ages> {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.ages().await }
    }

    /// Removes the live entries for which the predicate is true; returns how many. It looks at every entry, page by page;
    /// an entry that changes meanwhile stays. What a filter can say, `invalidate_where` does where the index is.
    ///
    /// ```
    /// use cacheness_cache::{Bare, sync::Cache};
    ///
    /// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open()?;
    /// cache.put("small", &1)?;
    /// cache.put("large", &vec![0_u8; 1000])?;
    /// assert_eq!(cache.invalidate_if(|entry| entry.raw_size() > 100)?, 1);
    /// # Ok::<(), cacheness_cache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As `entries` and `invalidate`; what was removed before stays removed.
    pub fn invalidate_if[](&self, is_meant: impl FnMut(&Entry) -> bool + Send + 'static) -> u64 {
        prepare(_core, _face) { Ok(is_meant) }
        run(core, is_meant) { core.invalidate_if(is_meant).await }
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
        run(core, ()) { core.close().await }
    }

    /// Removes entries in one commit; returns how many of them were live.
    ///
    /// # Errors
    ///
    /// As `invalidate`; nothing is removed then.
    pub fn invalidate_many[K: Serialize](&self, keys: impl IntoIterator<Item = K>) -> u64 {
        prepare(core, _face) { core.all_wanted(keys) }
        run(core, keys) { core.invalidate_many(resolved(keys)?).await }
    }

    /// Removes the live entries that a filter means, batch by batch; returns how many.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`](crate::ErrorKind::InvalidQuery), [`Closed`](crate::ErrorKind::Closed),
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the index returns; what was removed before stays removed.
    pub fn invalidate_where[](&self, filter: &Filter) -> u64 {
        prepare(_core, _face) { Ok(filter.clone()) }
        run(core, filter) { core.invalidate_where(filter).await }
    }

    /// Invalidates every entry that has the tag, however many there are, by one small commit. They count as absent from
    /// now on; `cleanup_expired` and evictions remove them.
    ///
    /// A handle of a namespace means the entries of its namespace.
    ///
    /// ```
    /// use cacheness_cache::{Bare, PutOptions, sync::Cache};
    ///
    /// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open()?;
    /// cache.put_with("a", &1, PutOptions::new().tags(["nightly"]))?;
    /// cache.invalidate_tag("nightly")?;
    /// assert_eq!(cache.get::<i32>("a")?, None);
    /// # Ok::<(), cacheness_cache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the index returns.
    pub fn invalidate_tag[](&self, tag: &str) -> () {
        prepare(_core, _face) { Ok(tag.to_owned()) }
        run(core, tag) { core.invalidate_tag(&tag).await }
    }

    /// Tells the index which entries were used and when. Puts, evictions and closing do so by themselves from time to time,
    /// and gets have it done elsewhere after a minute.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn flush[](&self) -> () {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.flush().await }
    }

    /// Removes expired and invalidated entries of the whole cache; returns how many. Nothing does so by itself: they are invisible anyway, and take room.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), [`ReadOnly`](crate::ErrorKind::ReadOnly), and what the index returns.
    pub fn cleanup_expired[](&self) -> u64 {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.cleanup_expired().await }
    }
}
