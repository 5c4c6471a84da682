//! Whether an entry is live: the one place that says so, for records at hand and as a filter.

use crate::Key;
use crate::stats::MissReason;
use cacheness_core::Timestamp;
use cacheness_storage::{Field, Filter, Operand, Record};

/// Refuses a record that is expired at `now` or belongs to other parameters.
pub(crate) fn judge(key: Key, record: &Record, now: Timestamp) -> Result<(), MissReason> {
    if record.expires_at.is_some_and(|expires_at| now >= expires_at) {
        return Err(MissReason::Expired);
    }
    match (key.full_digest(), record.content.key_digest) {
        (Some(asked), Some(stored)) if asked != stored => Err(MissReason::OtherType),
        _ => Ok(()),
    }
}

/// Means the records that are not expired at the time of the index.
pub(crate) fn live() -> Filter {
    !Filter::exists(Field::ExpiresAt) | Filter::gt(Field::ExpiresAt, Operand::Now(0))
}
