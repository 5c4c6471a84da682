//! Many entries at once.

use crate::Key;
use crate::core::{Core, PreparedPut};
use crate::key::{Encoding, Prepared};
use crate::options::CopyOptions;
use crate::read::Fallback;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::engine::{Aliased, Source, Target};
use cacheness_storage::{Condition, Fields, Patch};
use std::any::Any;
use std::time::Duration;

impl Core {
    pub(crate) async fn put_many(&self, puts: Vec<(PreparedPut, Source<'_>)>) -> Result<Vec<Key>> {
        let (mut keys, mut entries) = (Vec::with_capacity(puts.len()), Vec::with_capacity(puts.len()));
        let mut tags = Vec::with_capacity(puts.len());
        for (put, source) in puts {
            let put = self.ready(put)?;
            keys.push(put.key);
            tags.push(source.type_tag().to_owned());
            entries.push((source, self.entry(put, Condition::Always).await?));
        }
        self.overtake(&keys).await;
        let changing = self.changing(keys.iter().copied());
        let stored = self.engine.put_many(entries).await;
        drop(changing);
        let Some(size) = stored? else {
            return Err(Error::new(ErrorKind::Internal, "an unconditional put was refused"));
        };
        tags.iter().for_each(|tag| self.counters.put(tag));
        self.stored(size, keys.len() as u64).await;
        Ok(keys)
    }

    pub(crate) async fn get_many<T: Any + Send + Sync>(
        &self,
        keys: Vec<Key>,
        fallback: Fallback,
    ) -> Result<Vec<Option<T>>> {
        let judge = self.judge().await?;
        let names: Vec<_> = keys.iter().map(Key::entry_key).collect();
        let check = |place: usize, record: &_| match keys.get(place) {
            Some(key) => judge.check(*key, record),
            None => Ok(()),
        };
        let lookups = self.engine.find_many(&names, judge.fields(Fields::VALUE), check).await?;
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
        let live = self.judge().await?.live();
        let _changing = self.changing(keys);
        self.engine.remove_many(names, &Condition::Present(live)).await
    }

    /// Sets when live entries expire; says how many there were.
    pub(crate) async fn touch(&self, keys: Vec<Key>, ttl: Option<Duration>) -> Result<u64> {
        let judge = self.judge().await?;
        let expires_at = ttl.or(self.default_ttl).map(|ttl| judge.now.after(ttl));
        let mut patches = Vec::with_capacity(keys.len());
        for key in &keys {
            let mut patch = Patch::new(self.engine.mint_version()?, judge.now);
            patch.expires_at = Some(expires_at);
            patches.push((key.entry_key(), patch));
        }
        let _changing = self.changing(keys);
        self.engine.patch_many(patches, &Condition::Present(judge.live())).await
    }

    /// Copies or renames a live entry; says whether there was one.
    pub(crate) async fn alias(
        &self,
        from: Prepared,
        to: Encoding,
        options: CopyOptions,
        renames: bool,
    ) -> Result<bool> {
        let (from, to) = (from.resolve()?, to.resolve()?);
        let key = to.key(self.namespace.as_ref());
        let judge = self.judge().await?;
        if options.overwrite && from == key {
            return Ok(self.record(key, Fields::LEAST).await?.is_some());
        }
        let target = Target {
            key: key.entry_key(),
            key_digest: key.full_digest(),
            namespace: self.namespace.as_ref().map(|namespace| namespace.name().into()),
            parameters: self.parameters.text_of(&to)?,
            condition: if options.overwrite { Condition::Always } else { Condition::AbsentUnless(judge.live()) },
        };
        let is_live = |record: &_| judge.check(from, record).is_ok();
        self.flights.overtake(&key).await;
        let changing = self.changing([from, key]);
        let aliased = match renames {
            true => self.engine.rename(&from.entry_key(), target, is_live).await?,
            false => self.engine.copy(&from.entry_key(), target, is_live).await?,
        };
        drop(changing);
        match aliased {
            Aliased::Committed { stored_size } => {
                // Bytes in blobs are shared.
                self.stored(stored_size, 1).await;
                Ok(true)
            }
            Aliased::Absent => Ok(false),
            Aliased::Unmet => Err(Error::new(ErrorKind::Conflict, "there is a live entry under the other key")
                .key(key)
                .advice("invalidate it first, or allow the copy to overwrite it")),
        }
    }
}
