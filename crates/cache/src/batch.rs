//! Many entries at once.

use crate::Key;
use crate::core::{Core, Put};
use crate::liveness::{judge, live};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::ErasedHandler;
use cacheness_storage::engine::{Aliased, Source, Target};
use cacheness_storage::{Condition, Fields, Patch};
use std::any::Any;
use std::time::Duration;

impl Core {
    pub(crate) async fn put_many(&self, puts: Vec<(Put, Source<'_>)>) -> Result<Vec<Key>> {
        let keys: Vec<_> = puts.iter().map(|(put, _)| put.key).collect();
        self.overtake(&keys).await;
        let entries = puts.into_iter().map(|(put, source)| (source, self.entry(put, Condition::Always))).collect();
        if !self.engine.put_many(entries).await? {
            return Err(Error::new(ErrorKind::Internal, "an unconditional put was refused"));
        }
        keys.iter().for_each(|_| self.counters.put());
        Ok(keys)
    }

    pub(crate) async fn get_many<T: Any + Send + Sync>(
        &self,
        keys: Vec<Key>,
        fallback: Option<&'static dyn ErasedHandler>,
    ) -> Result<Vec<Option<T>>> {
        let now = self.now();
        let names: Vec<_> = keys.iter().map(Key::entry_key).collect();
        let judge = |place: usize, record: &_| match keys.get(place) {
            Some(key) => judge(*key, record, now),
            None => Ok(()),
        };
        let lookups = self.engine.find_many(&names, Fields::VALUE, judge).await?;
        let mut values = Vec::with_capacity(keys.len());
        for (key, lookup) in keys.iter().zip(lookups) {
            values.push(match self.found(*key, Ok(lookup)).await? {
                Some(found) => self.decode(*key, found, fallback).await?.map(|(value, _)| value),
                None => None,
            });
        }
        Ok(values)
    }

    pub(crate) async fn invalidate_many(&self, keys: Vec<Key>) -> Result<u64> {
        self.overtake(&keys).await;
        let names = keys.iter().map(Key::entry_key).collect();
        self.engine.remove_many(names, &Condition::Present(live())).await
    }

    /// Sets when live entries expire; says how many there were.
    pub(crate) async fn touch(&self, keys: Vec<Key>, ttl: Option<Duration>) -> Result<u64> {
        let expires_at = self.expiry(ttl.or(self.default_ttl));
        let mut patches = Vec::with_capacity(keys.len());
        for key in keys {
            let mut patch = Patch::new(self.engine.mint_version()?, self.now());
            patch.expires_at = Some(expires_at);
            patches.push((key.entry_key(), patch));
        }
        self.engine.patch_many(patches, &Condition::Present(live())).await
    }

    /// Copies or renames a live entry; says whether there was one.
    pub(crate) async fn alias(&self, from: Key, to: Key, renames: bool) -> Result<bool> {
        let now = self.now();
        let (key, key_digest) = (to.entry_key(), to.full_digest());
        let target = Target { key, key_digest, condition: Condition::AbsentUnless(live()) };
        let is_live = |record: &_| judge(from, record, now).is_ok();
        self.flights.overtake(&to).await;
        let aliased = match renames {
            true => self.engine.rename(&from.entry_key(), target, is_live).await?,
            false => self.engine.copy(&from.entry_key(), target, is_live).await?,
        };
        match aliased {
            Aliased::Committed(_) => Ok(true),
            Aliased::Absent => Ok(false),
            Aliased::Unmet => Err(Error::new(ErrorKind::Conflict, "there is a live entry under the other key")
                .key(to)
                .advice("invalidate it first")),
        }
    }
}
