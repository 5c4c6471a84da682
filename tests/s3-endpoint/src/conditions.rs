//! The conditions of RFC 9110, section 13, that s3s-fs does not look at when it reads.

use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Result, s3_error};

/// What a read may ask of the object's ETag.
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl ReadConditions {
    /// # Errors
    ///
    /// `PreconditionFailed` (412) when another ETag is wanted, `NotModified` (304) when the client has this one.
    pub(crate) fn hold(&self, found: Option<&ETag>) -> S3Result<()> {
        let is = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(wanted) => found.is_some_and(|found| found.weak_cmp(wanted)),
        };
        if self.if_match.as_ref().is_some_and(|condition| !is(condition)) {
            return Err(s3_error!(PreconditionFailed));
        }
        if self.if_none_match.as_ref().is_some_and(is) {
            return Err(s3_error!(NotModified));
        }
        Ok(())
    }
}
