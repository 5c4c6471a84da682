//! Whether an entry is live: the one place that says so, for records at hand and as a filter.

use crate::Key;
use crate::stats::MissReason;
use crate::tags::Epochs;
use cacheness_core::Timestamp;
use cacheness_storage::{Field, Fields, Filter, Operand, Record};
use std::sync::Arc;

/// What is known at a moment about what lives: the time, and the tags that were invalidated.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    pub(crate) now: Timestamp,
    pub(crate) epochs: Arc<Epochs>,
}

impl Judge {
    /// Refuses a record that is expired or invalidated, or belongs to other parameters.
    pub(crate) fn check(&self, key: Key, record: &Record) -> Result<(), MissReason> {
        self.check_use(key, record)?;
        if is_past(record.expires_at, self.now) { Err(MissReason::Expired) } else { Ok(()) }
    }

    /// Refuses a record that is of no use whatever its age: invalidated, to be dropped, or of other parameters.
    pub(crate) fn check_use(&self, key: Key, record: &Record) -> Result<(), MissReason> {
        if is_past(record.expires_at, self.now) && is_past(record.drop_at, self.now) {
            return Err(MissReason::Expired);
        }
        if self.epochs.is_dead(record) {
            return Err(MissReason::Invalidated);
        }
        if is_of_others(key, record) { Err(MissReason::OtherType) } else { Ok(()) }
    }

    /// Means the records that are live at the time of the index.
    pub(crate) fn live(&self) -> Filter {
        let unexpired = !Filter::exists(Field::ExpiresAt) | Filter::gt(Field::ExpiresAt, Operand::Now(0));
        match self.epochs.dead() {
            Some(dead) => unexpired & !dead,
            None => unexpired,
        }
    }

    /// Means the records that are served to somebody, stale or not.
    pub(crate) fn served(&self) -> Filter {
        !self.dead()
    }

    /// As [`served`](Self::served) of an entry without tags, whatever tags were invalidated.
    pub(crate) fn served_without_tags() -> Filter {
        !unneeded() & !Filter::exists(Field::Epoch)
    }

    /// What to read so that a record can be judged, besides `fields`.
    pub(crate) fn fields(&self, fields: Fields) -> Fields {
        self.epochs.fields(fields)
    }

    /// Means the records that are of no use to anybody any more: invalidated, or past the time for which they may be
    /// served, stale or not.
    pub(crate) fn dead(&self) -> Filter {
        match self.epochs.dead() {
            Some(dead) => unneeded() | dead,
            None => unneeded(),
        }
    }
}

/// Means the records that are past the time for which they may be served, stale or not.
fn unneeded() -> Filter {
    let past = |field: Field| Filter::le(field, Operand::Now(0));
    past(Field::ExpiresAt) & (past(Field::DropAt) | !Filter::exists(Field::DropAt))
}

/// Whether a record is live whatever tags were invalidated: one without tags.
#[inline]
pub(crate) fn is_live_without_tags(key: Key, record: &Record, now: Timestamp) -> bool {
    record.content.terms.epoch.is_none() && !is_past(record.expires_at, now) && !is_of_others(key, record)
}

/// Whether the record belongs to other parameters that share the 128 bits of the key.
#[inline]
pub(crate) fn is_of_others(key: Key, record: &Record) -> bool {
    record.content.key_digest.as_ref().is_some_and(|digest| key.is_known_to_differ_from(digest))
}

/// Past means now or earlier, everywhere.
#[inline]
fn is_past(time: Option<Timestamp>, now: Timestamp) -> bool {
    time.is_some_and(|time| now >= time)
}
