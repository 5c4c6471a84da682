//! Removing, looking after, closing.

use super::super::bundled::{future, sync};
use super::super::key;
use crate::engine::{Async, Blocking, Engine, Face, Migration};
use crate::{Condition, Filter, MetadataStats, MigrateOptions, Migrated, Swept, Verified};
use cacheness_core::faces;

faces! {
    sync [B] sync::BlobStore<B> as Blocking;
    future [B] future::BlobStore<B> as Async;

    /// Removes the value under `key`; says whether there was one.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn delete[](&self, at: impl AsRef<str>) -> bool {
        prepare(_core, _face) { key(at) }
        run(core, key) { core.engine.remove(&key, Condition::Always).await }
    }

    /// Removes every value; returns how many.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn clear[](&self) -> u64 {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.remove_where(&Filter::All).await }
    }

    /// Removes what crashes and interrupted puts left: blobs that no value names, and files of killed processes, each
    /// after its grace. Any number of processes may sweep at once, beside any other work.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return; what was done before stays done.
    pub fn sweep[](&self) -> Swept {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.sweep().await }
    }

    /// Reads every value and compares it with its digest. It changes nothing; damage is no error but a finding.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the backends return.
    pub fn verify[](&self) -> Verified {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.verify().await }
    }

    /// Copies every value with all that is known of it to another store, on whatever backends, each verified on the way.
    /// Called again after an interruption it goes on; called again later it brings what was put since. What was changed at
    /// the destination later than here stays, and what was removed here meanwhile is not removed there: let nobody write,
    /// or open this one read-only, for the last call.
    ///
    /// ```
    /// use cacheness_storage::{MigrateOptions, sync::BlobStore};
    ///
    /// let open = || BlobStore::builder().metadata("memory:").blobs("memory:").open();
    /// let (old, new) = (open()?, open()?);
    /// old.put("best", &vec![0.25, 0.75])?;
    /// let options = MigrateOptions::new().on_progress(|so_far| println!("{} of {}", so_far.examined, so_far.total));
    /// assert_eq!(old.migrate_to(&new, options)?.copied, 1);
    /// assert_eq!(new.get::<Vec<f64>>("best")?, Some(vec![0.25, 0.75]));
    /// # Ok::<(), cacheness_storage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) when both are the same store, [`Closed`](crate::ErrorKind::Closed), and what the
    /// backends of either return; what was copied before stays.
    pub fn migrate_to[](&self, to: &Self, options: MigrateOptions) -> Migrated {
        prepare(_core, face) { face.admit(&to.core().engine).map(|()| (to.core().clone(), options)) }
        run(core, (to, options)) {
            let migrate = move |from: Engine, to: Engine| async move {
                from.migrate_to(&to, &Migration::new(options)).await
            };
            core.engine.beside(&to.engine, migrate).await
        }
    }

    /// Totals.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and what the index returns.
    pub fn stats[](&self) -> MetadataStats {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.stats().await }
    }

    /// Closes the store for every clone; later calls fail. A second close is no error.
    ///
    /// # Errors
    ///
    /// What the backends return.
    pub fn close[](&self) -> () {
        prepare(_core, _face) { Ok(()) }
        run(core, ()) { core.engine.close().await }
    }

    /// Removes the values under some keys in one commit; returns how many there were.
    ///
    /// # Errors
    ///
    /// As `delete`; nothing is removed then.
    pub fn delete_many[K: AsRef<str>](&self, keys: impl IntoIterator<Item = K>) -> u64 {
        prepare(_core, _face) { keys.into_iter().map(key).collect::<cacheness_core::Result<Vec<_>>>() }
        run(core, keys) { core.engine.remove_many(keys, &Condition::Always).await }
    }

    /// Removes the values that a filter means, batch by batch; returns how many.
    ///
    /// # Errors
    ///
    /// [`InvalidQuery`](crate::ErrorKind::InvalidQuery), otherwise as `delete`; what was removed before stays removed.
    pub fn delete_where[](&self, filter: &Filter) -> u64 {
        prepare(_core, _face) { Ok(filter.clone()) }
        run(core, filter) { core.engine.remove_where(&filter).await }
    }
}
