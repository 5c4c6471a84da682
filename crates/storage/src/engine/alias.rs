//! Copying and renaming: one more reference to the same bytes, in one commit.

use super::Engine;
use super::write::UPLOADS;
use crate::{Change, Condition, EntryKey, Fields, Outcome, Record, Usage, Version};
use cacheness_core::{Error, ErrorKind, Result};

/// Where a copied or renamed record goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its key.
    pub key: EntryKey,
    /// The full digest of the parameters that the key was made of.
    pub key_digest: Option<[u8; 32]>,
    /// The namespace that the key was made in.
    pub namespace: Option<Box<str>>,
    /// The parameters that the key was made of, as JSON.
    pub parameters: Option<Box<str>>,
    /// How many times tags were invalidated so far, for a record that has tags.
    pub epoch: Option<u64>,
    /// What the key must be like before.
    pub condition: Condition,
}

/// What became of a copy or a renaming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aliased {
    /// It is committed.
    Committed,
    /// There is nothing to copy.
    Absent,
    /// The target did not meet its condition; nothing was changed.
    Unmet,
}

impl Engine {
    /// Copies a record that meets `judge`, sharing its blob. The copy was not used yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::ReadOnly`], [`ErrorKind::Conflict`] for a record that changes again and again,
    /// and what the index returns.
    pub async fn copy(&self, from: &EntryKey, to: Target, judge: impl Fn(&Record) -> bool) -> Result<Aliased> {
        let unused = |record: &mut Record| record.usage = Usage::default();
        self.alias(from, &to, &judge, unused, |_| None).await
    }

    /// Gives a record that meets `judge` another key, at once.
    ///
    /// # Errors
    ///
    /// As [`copy`](Self::copy).
    pub async fn rename(&self, from: &EntryKey, to: Target, judge: impl Fn(&Record) -> bool) -> Result<Aliased> {
        let remove = |version| Change::Remove { key: from.clone(), condition: Condition::Version(version) };
        self.alias(from, &to, &judge, |_| {}, |version| Some(remove(version))).await
    }

    async fn alias(
        &self,
        from: &EntryKey,
        to: &Target,
        judge: &impl Fn(&Record) -> bool,
        change: impl Fn(&mut Record),
        afterwards: impl Fn(Version) -> Option<Change>,
    ) -> Result<Aliased> {
        self.check_writable()?;
        from.check_user()?;
        to.key.check_user()?;
        for _ in 0..UPLOADS {
            let Some(source) = self.record(from, Fields::ALL).await?.filter(judge) else { return Ok(Aliased::Absent) };
            let (version, now) = (self.mint_version()?, self.clock().now());
            let afterwards = afterwards(source.version);
            let mut record = Record { key: to.key.clone(), version, created_at: now, updated_at: now, ..source };
            record.content.key_digest = to.key_digest;
            record.content.terms.namespace.clone_from(&to.namespace);
            record.content.terms.parameters.clone_from(&to.parameters);
            // Where the tags were last invalidated it is live, which was judged; elsewhere it is new.
            record.content.terms.epoch = record.content.terms.epoch.map(|epoch| to.epoch.unwrap_or(epoch));
            change(&mut record);
            let required = record.blob().map(|blob| Change::Require { blob });
            let put = Change::Put { record: Box::new(record), condition: to.condition.clone() };
            let place = usize::from(required.is_some());
            let changes = required.into_iter().chain([put]).chain(afterwards).collect();
            let outcomes = self.commit_all(changes).await?;
            if outcomes.iter().all(Outcome::is_applied) {
                return Ok(Aliased::Committed);
            }
            if let Some(Outcome::Unmet { .. }) = outcomes.get(place) {
                return Ok(Aliased::Unmet);
            }
            // The source changed in between.
        }
        Err(Error::new(ErrorKind::Conflict, "the entry changes too often to be copied").key(from).retryable(true))
    }
}
