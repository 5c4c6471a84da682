//! What a commit does, on which condition, and what became of it.

use crate::{Annotations, BlobId, EntryKey, Filter, Record, Version};
use bytes::Bytes;
use cacheness_core::{Result, Timestamp};

/// One change of a commit. Changes apply in order and see each other's effects.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Change {
    /// Writes a record in the place of the one under its key. A blob that it names gains a reference; the blob of
    /// the replaced record loses one. The usage of the replaced record stays; a new key begins with the record's.
    Put {
        /// The record to write. Its payload is not [`Location::Omitted`](crate::Location::Omitted).
        record: Box<Record>,
        /// What the key must be like before.
        condition: Condition,
    },
    /// Changes some fields of a record; its value stays.
    Patch {
        /// The record's key.
        key: EntryKey,
        /// What to change.
        patch: Box<Patch>,
        /// What the record must be like before. An absent record never meets it.
        condition: Condition,
    },
    /// Removes a record. Its blob loses a reference.
    Remove {
        /// The record's key.
        key: EntryKey,
        /// What the key must be like before.
        condition: Condition,
    },
    /// Notes that a record was used. Nothing else of it changes: it keeps its version, and copies in memory stay fresh.
    /// Met by any record.
    Use {
        /// The record's key.
        key: EntryKey,
        /// When it was used last.
        at: Timestamp,
        /// How often it was used.
        hits: u64,
    },
    /// Condemns a blob that no record names: from now on a commit that names it fails. Met only without references.
    Condemn {
        /// The blob.
        blob: BlobId,
    },
    /// Changes nothing. Met only while records name the blob, otherwise [`Outcome::Condemned`]: put before the change that
    /// names a blob once more, in a commit with [`OnUnmet::Abort`], it makes sure that there is something to share.
    Require {
        /// The blob.
        blob: BlobId,
    },
    /// Forgets a condemned blob after it was deleted. Met only when it is condemned.
    Forget {
        /// The blob.
        blob: BlobId,
    },
}

impl Change {
    /// Refuses what no backend takes: a filter that is nested too deep, annotations that could not be read back.
    ///
    /// # Errors
    ///
    /// As [`Filter::check`] and [`Annotations::check`].
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Put { record, condition } => {
                condition.check()?;
                record.annotations.check().map_err(|error| error.key(&record.key))
            }
            Self::Patch { key, patch, condition } => {
                condition.check()?;
                patch.annotations.iter().try_for_each(Annotations::check).map_err(|error| error.key(key))
            }
            Self::Remove { condition, .. } => condition.check(),
            Self::Use { .. } | Self::Condemn { .. } | Self::Require { .. } | Self::Forget { .. } => Ok(()),
        }
    }

    /// The key of the record that it gives another version; `None` for a change of a blob, and for a use.
    pub fn key(&self) -> Option<&EntryKey> {
        match self {
            Self::Put { record, .. } => Some(&record.key),
            Self::Patch { key, .. } | Self::Remove { key, .. } => Some(key),
            Self::Use { .. } | Self::Condemn { .. } | Self::Require { .. } | Self::Forget { .. } => None,
        }
    }
}

/// What a key must be like for a change to apply.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Condition {
    /// Anything.
    #[default]
    Always,
    /// No record.
    Absent,
    /// No record, or none that the filter matches.
    AbsentUnless(Filter),
    /// A record that the filter matches.
    Present(Filter),
    /// A record of exactly this version.
    Version(Version),
}

/// What happens to a commit when a change's condition is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub enum OnUnmet {
    /// Nothing of the commit is applied: all or nothing.
    Abort,
    /// The other changes are applied: each on its own condition.
    Skip,
}

/// New values of a record's fields; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Patch {
    /// The record's version from now on.
    pub version: Version,
    /// When this change was made.
    pub updated_at: Timestamp,
    /// The new expiry; `Some(None)` removes it.
    pub expires_at: Option<Option<Timestamp>>,
    /// The new end of use; `Some(None)` removes it.
    pub drop_at: Option<Option<Timestamp>>,
    /// The new annotations, in the place of all old ones.
    pub annotations: Option<Annotations>,
    /// The new signature; `Some(None)` removes it.
    pub signature: Option<Option<Bytes>>,
}

impl Patch {
    /// A patch that gives the record a new version and changes nothing else.
    pub fn new(version: Version, updated_at: Timestamp) -> Self {
        Self { version, updated_at, expires_at: None, drop_at: None, annotations: None, signature: None }
    }

    /// Applies the patch to a record.
    pub fn apply(&self, record: &mut Record) {
        record.version = self.version;
        record.updated_at = self.updated_at;
        if let Some(expires_at) = self.expires_at {
            record.expires_at = expires_at;
        }
        if let Some(drop_at) = self.drop_at {
            record.drop_at = drop_at;
        }
        if let Some(annotations) = &self.annotations {
            record.annotations = annotations.clone();
        }
        if let Some(signature) = &self.signature {
            record.signature = signature.clone();
        }
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Outcome {
    /// It was applied.
    Applied {
        /// The version that the key had before; `None` when there was no record.
        previous: Option<Version>,
        /// Blobs that lost their last reference by it. They are condemned now; the engine deletes them.
        condemned: Vec<BlobId>,
    },
    /// Its condition was not met.
    Unmet {
        /// The version that the key has; `None` when there is no record.
        current: Option<Version>,
    },
    /// The blob that the record names is condemned, or the required one is not there to be shared: upload it again under
    /// a new name.
    Condemned,
    /// Another change of the commit was not met, so nothing was applied.
    Aborted,
}

impl Outcome {
    /// Whether the change was applied.
    pub fn is_applied(&self) -> bool {
        matches!(self, Self::Applied { .. })
    }
}

impl Condition {
    fn check(&self) -> Result<()> {
        match self {
            Self::AbsentUnless(filter) | Self::Present(filter) => filter.check(),
            Self::Always | Self::Absent | Self::Version(_) => Ok(()),
        }
    }

    /// Whether `record`, the one under the key now, meets the condition at the time `now`.
    pub fn is_met(&self, record: Option<&Record>, now: Timestamp) -> bool {
        match (self, record) {
            (Self::Always, _) | (Self::Absent | Self::AbsentUnless(_), None) => true,
            (Self::Absent, Some(_)) | (Self::Present(_) | Self::Version(_), None) => false,
            (Self::AbsentUnless(filter), Some(record)) => !filter.matches(record, now),
            (Self::Present(filter), Some(record)) => filter.matches(record, now),
            (Self::Version(version), Some(record)) => record.version == *version,
        }
    }
}
