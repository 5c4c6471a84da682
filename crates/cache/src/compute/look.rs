//! Looking once more at a key, without counting.

use crate::core::{Core, OnInvalid};
use crate::degraded::Operation;
use crate::liveness::Judge;
use crate::{GetOptions, Key, MissReason};
use cacheness_core::{ErrorKind, Result};
use cacheness_handlers::Value;
use cacheness_storage::engine::{Found, Lookup};
use cacheness_storage::{Condition, Fields, Record, Version};
use std::time::Duration;

/// What asking for something came to.
pub(crate) enum Sought<T> {
    Found(T),
    Absent,
    /// A sick backend says nothing, and that is no reason to fail.
    Sick,
}

/// What is there right now.
pub(crate) struct Look<T> {
    pub(crate) value: Option<(T, Version)>,
    pub(crate) before: Before,
}

/// What was there before something was computed.
pub(crate) struct Before {
    /// What the key must be like later so that nobody put anything since.
    pub(crate) unchanged: Condition,
    /// How many times tags had been invalidated.
    pub(crate) epoch: u64,
}

impl Core {
    /// The value of a key with its record, counted.
    pub(crate) async fn seek_value<T: Value>(&self, key: Key) -> Result<Sought<(T, Record)>> {
        if !self.may_read(Operation::Get, key).await {
            return Ok(Sought::Sick);
        }
        let read = self.read(key, Fields::VALUE, T::fallback(), GetOptions::new()).await;
        Ok(match self.unless_sick(Operation::Get, read)? {
            Some(Some(found)) => Sought::Found(found),
            Some(None) => Sought::Absent,
            None => Sought::Sick,
        })
    }

    pub(crate) async fn look<T: Value>(&self, key: Key) -> Result<Look<T>> {
        self.settle().await?;
        self.look_by(key, |judge, record| judge.check(key, record)).await
    }

    /// The value of a key that may still be served so long after its expiry. What cannot be read is none.
    pub(crate) async fn stale<T: Value>(&self, key: Key, window: Duration) -> Result<Option<T>> {
        let check = |judge: &Judge, record: &Record| {
            judge.check_use(key, record)?;
            let is_kept = record.drop_at.is_some();
            let is_good = record.expires_at.is_some_and(|expires_at| judge.now < expires_at.after(window));
            if is_kept && is_good { Ok(()) } else { Err(MissReason::Expired) }
        };
        let look = self.look_by(key, check).await;
        Ok(look.ok().and_then(|look| look.value).map(|(value, _)| value))
    }

    async fn look_by<T: Value>(
        &self,
        key: Key,
        check: impl Fn(&Judge, &Record) -> Result<(), MissReason>,
    ) -> Result<Look<T>> {
        let judged = |judge: &Judge, record: &Record| check(judge, record).map_err(|reason| (reason, record.version));
        let (judge, lookup) = self.find(key, Fields::VALUE, judged).await?;
        let epoch = judge.epochs.epoch;
        let missing = |unchanged| Ok(Look { value: None, before: Before { unchanged, epoch } });
        let (unchanged, error) = match lookup {
            Ok(Lookup::Absent | Lookup::Refused((MissReason::Expired, _))) => {
                return missing(Condition::AbsentUnless(judge.live()));
            }
            Ok(Lookup::Refused((_, version))) => return missing(Condition::Version(version)),
            Ok(Lookup::Found(Found { record, stored })) => {
                let (version, unchanged) = (record.version, Condition::Version(record.version));
                match self.engine.decode(&record, stored, T::fallback()).await {
                    Ok(value) => {
                        return Ok(Look { value: Some((value, version)), before: Before { unchanged, epoch } });
                    }
                    Err(error) => (unchanged, error),
                }
            }
            Ok(Lookup::Lost(record, error)) => (Condition::Version(record.version), error),
            // Nobody can tell the version of a record that cannot be read.
            Err(error) => (Condition::Always, error),
        };
        match error.kind() {
            ErrorKind::TypeMismatch | ErrorKind::SchemaMismatch | ErrorKind::FormatTooNew | ErrorKind::Corrupt
                if self.on_invalid == OnInvalid::Miss =>
            {
                missing(unchanged)
            }
            _ => Err(error),
        }
    }
}
