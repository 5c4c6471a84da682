//! Many entries at once.

use crate::Key;
use crate::core::{Core, PreparedPut, Put};
use crate::degraded::Operation;
use crate::key::{Canonical, Encoding, Prepared};
use crate::options::CopyOptions;
use crate::owed::What;
use crate::read::Fallback;
use crate::sight::Seen;
use cacheness_core::{Error, ErrorKind, Result, Timestamp};
use cacheness_storage::engine::{Aliased, Source, Target};
use cacheness_storage::{Condition, Fields, Patch, Record};
use std::any::Any;
use std::time::Duration;

impl Core {
    pub(crate) async fn put_many(&self, puts: Vec<(PreparedPut, Source<'_>)>) -> Result<Vec<Key>> {
        let (mut keys, mut ready) = (Vec::with_capacity(puts.len()), Vec::with_capacity(puts.len()));
        for (put, source) in puts {
            let put = self.ready(put)?;
            keys.push(put.key);
            ready.push((put, source));
        }
        let written = self.write_many(&keys, ready).await;
        if self.unless_sick(Operation::Put, written)?.is_none() {
            self.owe(What::Keys(keys.clone()));
        }
        Ok(keys)
    }

    async fn write_many(&self, keys: &[Key], puts: Vec<(Put, Source<'_>)>) -> Result<()> {
        self.overtake(keys).await;
        self.settle().await?;
        let (mut entries, mut tags) = (Vec::with_capacity(puts.len()), Vec::with_capacity(puts.len()));
        for (put, source) in puts {
            tags.push(source.type_tag().to_owned());
            entries.push((source, self.entry(put, Condition::Always).await?));
        }
        let changing = self.changing(keys.iter().copied());
        let stored = self.engine.put_many(entries).await;
        drop(changing);
        if !stored? {
            return Err(Error::new(ErrorKind::Internal, "an unconditional put was refused"));
        }
        tags.iter().for_each(|tag| self.counters.put(tag));
        self.stored(keys).await;
        Ok(())
    }

    pub(crate) async fn get_many<T: Any + Send + Sync>(
        &self,
        keys: Vec<Key>,
        fallback: Fallback,
    ) -> Result<Vec<Option<T>>> {
        let mut wanted = Vec::with_capacity(keys.len());
        for (place, key) in keys.iter().enumerate() {
            if self.may_read(Operation::Get, *key).await {
                wanted.push((place, *key));
            }
        }
        let found = self.load_many(wanted.iter().map(|(_, key)| *key).collect(), fallback).await;
        let found = self.unless_sick(Operation::Get, found)?.unwrap_or_default();
        let mut values: Vec<_> = keys.iter().map(|_| None).collect();
        for ((place, _), value) in wanted.into_iter().zip(found) {
            if let Some(slot) = values.get_mut(place) {
                *slot = value;
            }
        }
        Ok(values)
    }

    async fn load_many<T: Any + Send + Sync>(&self, keys: Vec<Key>, fallback: Fallback) -> Result<Vec<Option<T>>> {
        let names: Vec<_> = keys.iter().map(Key::entry_key).collect();
        let Seen { judge, fields, records } = self.see(&names, Fields::VALUE).await?;
        let check = |place: usize, record: &_| match keys.get(place) {
            Some(key) => judge.check(*key, record),
            None => Ok(()),
        };
        let lookups = self.engine.open_values(records?, &names, fields, check).await?;
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
        let removed = self.remove_keys(&keys).await;
        Ok(self.unless_owed(removed, || What::Keys(keys))?.unwrap_or_default())
    }

    async fn remove_keys(&self, keys: &[Key]) -> Result<u64> {
        self.engine.check_open()?;
        self.overtake(keys).await;
        self.settle().await?;
        let names = keys.iter().map(Key::entry_key).collect();
        let _changing = self.changing(keys.iter().copied());
        keys.iter().for_each(|key| _ = self.uses.forget(*key));
        let broken = keys.iter().flat_map(|key| self.leases.broken(*key)).collect();
        self.remove_served(names, broken).await
    }

    /// Sets when live entries expire; says how many there were.
    pub(crate) async fn touch(&self, keys: Vec<Key>, ttl: Option<Duration>) -> Result<u64> {
        let touched = self.touch_all(keys, ttl).await;
        Ok(self.unless_sick(Operation::Touch, touched)?.unwrap_or_default())
    }

    async fn touch_all(&self, keys: Vec<Key>, ttl: Option<Duration>) -> Result<u64> {
        self.engine.check_open()?;
        self.settle().await?;
        let names: Vec<_> = keys.iter().map(Key::entry_key).collect();
        let Seen { judge, records, .. } = self.see(&names, Fields::LEAST).await?;
        let (records, until) = (records?, ttl.or(self.default_ttl).map(|ttl| judge.now.after(ttl)));
        let mut patches = Vec::with_capacity(keys.len());
        for (name, record) in names.into_iter().zip(records) {
            let mut patch = Patch::new(self.engine.mint_version()?, judge.now);
            patch.expires_at = Some(until);
            if let Some(record) = record {
                let expires_at = touched(&record, until, judge.now);
                patch.expires_at = Some(expires_at);
                // What may be served stale may be so for as long as before.
                let stale = record.drop_at.zip(record.expires_at).map(|(drop_at, expired)| drop_at.since(expired));
                patch.drop_at = stale.map(|stale| expires_at.map(|expires_at| expires_at.after(stale)));
            }
            patches.push((name, patch));
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
        let aliased = self.alias_key(from, to, options, renames).await;
        Ok(self.unless_sick(Operation::Copy, aliased)?.unwrap_or_default())
    }

    async fn alias_key(&self, from: Key, to: Canonical, options: CopyOptions, renames: bool) -> Result<bool> {
        self.engine.check_open()?;
        self.settle().await?;
        let key = to.key(self.namespace.as_ref());
        let judge = self.judge().await?;
        if options.overwrite && from == key {
            return Ok(self.record(key, Fields::LEAST).await?.is_some());
        }
        let target = Target {
            key: key.entry_key(),
            key_digest: key.full_digest(),
            namespace: self.namespace_of(key),
            parameters: self.parameters.text_of(&to)?,
            epoch: Some(judge.epochs.epoch),
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
            Aliased::Committed => {
                self.uses.forget(key);
                if renames {
                    self.uses.rename(from, key);
                }
                self.stored(&[key]).await;
                Ok(true)
            }
            Aliased::Absent => Ok(false),
            Aliased::Unmet => Err(Error::new(ErrorKind::Conflict, "there is a live entry under the other key")
                .key(key)
                .advice("invalidate it first, or allow the copy to overwrite it")),
        }
    }
}

/// When an entry expires that is touched now and lives until some time: a touch is a use, so one with an idle time expires
/// when that ends, if it is earlier.
fn touched(record: &Record, until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let Some(idle) = record.content.terms.idle else { return until };
    let idle = now.offset(i64::try_from(idle).unwrap_or(i64::MAX));
    // An end that an earlier touch went beyond counts no more.
    let end = until.or(record.content.terms.until.filter(|end| *end > now));
    Some(end.map_or(idle, |end| end.min(idle)))
}
