//! Records and what they are judged by, in one round trip: where the list of invalidated tags has to be read, it is read
//! with them.

use crate::Key;
use crate::core::Core;
use crate::liveness::Judge;
use crate::manage::is_unreadable;
use crate::tags::Tags;
use cacheness_core::Result;
use cacheness_storage::engine::{Lookup, SystemRecord};
use cacheness_storage::{EntryKey, Fields, Record};

/// Records, in the order of their keys, and what they are judged by.
pub(crate) struct Seen {
    pub(crate) judge: Judge,
    /// What was read of them.
    pub(crate) fields: Fields,
    /// An error of the index, or a record that cannot be read.
    pub(crate) records: Result<Vec<Option<Record>>>,
}

impl Core {
    /// Looks at the records of some keys.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), a list of tags that cannot be read, and a shared index that does not say what
    /// time it is.
    pub(crate) async fn see(&self, keys: &[EntryKey], fields: Fields) -> Result<Seen> {
        self.check_time().await?;
        match self.tags.known() {
            Ok(epochs) => {
                let judge = Judge { now: self.now(), epochs };
                let fields = judge.fields(fields);
                let records = self.engine.records(keys, fields).await;
                Ok(Seen { judge, fields, records })
            }
            Err(changes) => self.see_with_tags(changes, keys, fields).await,
        }
    }

    /// Looks a key up, and says what it was judged by.
    ///
    /// # Errors
    ///
    /// As [`see`](Self::see); those of the lookup itself are inside.
    pub(crate) async fn find<J>(
        &self,
        key: Key,
        fields: Fields,
        check: impl Fn(&Judge, &Record) -> Result<(), J>,
    ) -> Result<(Judge, Result<Lookup<J>>)> {
        self.check_time().await?;
        let name = key.entry_key();
        let Seen { judge, fields, records } = match self.tags.known() {
            Ok(epochs) => {
                let judge = Judge { now: self.now(), epochs };
                let check = |record: &Record| check(&judge, record);
                let lookup = self.engine.find(&name, judge.fields(fields), check).await;
                return Ok((judge, lookup));
            }
            Err(changes) => self.see_with_tags(changes, std::slice::from_ref(&name), fields).await?,
        };
        let lookup = match records {
            Ok(mut records) => {
                let check = |record: &Record| check(&judge, record);
                self.engine.open_value(records.pop().flatten(), &name, fields, check).await
            }
            Err(error) => Err(error),
        };
        Ok((judge, lookup))
    }

    /// As [`see`](Self::see), where the list of tags is not known: it comes with the records.
    async fn see_with_tags(&self, changes: u64, keys: &[EntryKey], fields: Fields) -> Result<Seen> {
        let reading = self.tags.begin(changes);
        let now = self.now();
        let mut fields = reading.fields(fields);
        let all: Vec<_> = keys.iter().cloned().chain([Tags::key()]).collect();
        let mut records = match self.engine.records(&all, fields).await {
            Ok(records) => records,
            // Whether it is a record or the list that cannot be read, the list tells.
            Err(error) if is_unreadable(&error) => {
                let judge = Judge { now, epochs: self.tags.current(&self.engine).await? };
                return Ok(Seen { judge, fields, records: Err(error) });
            }
            Err(error) => {
                let judge = Judge { now, epochs: Default::default() };
                return Ok(Seen { judge, fields, records: Err(error) });
            }
        };
        let list = records.pop().flatten().map(SystemRecord::from);
        let version = list.as_ref().map(|list| list.version);
        let epochs = match fields.payload || list.is_none() || self.tags.is_same(&reading, version) {
            true => self.tags.finish(reading, list.as_ref())?,
            false => self.tags.current(&self.engine).await?,
        };
        let judge = Judge { now, epochs };
        let needed = judge.fields(fields);
        let has_tags = |record: &Record| record.content.terms.epoch.is_some();
        if needed != fields && records.iter().flatten().any(has_tags) {
            fields = needed;
            let records = self.engine.records(keys, fields).await;
            return Ok(Seen { judge, fields, records });
        }
        Ok(Seen { judge, fields, records: Ok(records) })
    }
}
