//! The suite of bytes at rest: what every [`BlobBackend`] must do.

mod concurrency;
mod lifecycle;
mod naming;
mod read_only;
mod reading;
mod steps;
mod storing;

use crate::suite::{self, Check, suite};
use crate::{BlobSubject, Result};
use cacheness_storage::BlobBackend;

pub(crate) use steps::{bytes_of, noise};

suite! {
    $ blobs, dyn BlobBackend;
    /// Makes a `#[test]` of each check of the blob contract. The expression makes a
    /// [`BlobSubject`](crate::BlobSubject) at a new place; it is evaluated once a test.
    blob_suite;
    async storing {
        a_missing_blob_is_none,
        bytes_from_memory_come_back,
        bytes_from_a_file_come_back,
        a_staged_file_is_gone_after_the_put,
        head_and_get_tell_what_put_told,
        what_is_put_beside_the_bytes_is_kept_or_ignored,
        a_digest_is_never_made_up,
        a_name_that_is_taken_keeps_its_blob,
        every_durability_is_served,
    }
    async reading {
        a_range_gives_its_bytes,
        what_lies_beyond_the_end_is_left_out,
        an_empty_range_gives_nothing,
        an_open_payload_outlives_its_blob,
        an_entity_tag_is_honoured_if_declared,
    }
    async naming {
        deleting_answers_each_name_in_its_place,
        deleting_again_is_no_error,
        many_blobs_are_deleted_at_once,
        a_list_shows_each_blob_once_in_the_order_of_names,
        a_list_goes_on_after_a_name_that_need_not_exist,
        what_is_staged_is_no_blob_yet,
        discarding_remnants_takes_no_blob,
    }
    async lifecycle {
        it_prints_as_one_line,
        what_it_says_of_itself_is_constant,
        closing_ends_it_and_closing_again_is_no_error,
        futures_of_a_blocking_backend_are_ready_at_once,
        what_was_put_is_there_when_it_is_opened_again,
        two_openings_see_each_others_blobs,
    }
    async read_only {
        a_read_only_opening_reads_what_a_writable_one_reads,
        a_read_only_opening_sees_what_others_put,
        a_read_only_opening_refuses_every_change,
        a_read_only_opening_makes_no_store,
    }
    threads concurrency {
        many_threads_put_and_delete_their_own_blobs,
        only_one_of_many_puts_of_a_name_wins,
        racing_deletions_are_no_error,
    }
}

/// Runs the check of that name.
///
/// # Errors
///
/// As [`Check::run`], and [`ErrorKind::Config`](cacheness_core::ErrorKind::Config) for an unknown name.
///
/// # Panics
///
/// As [`Check::run`].
pub fn run(check: &str, subject: &BlobSubject) -> Result<()> {
    suite::run(CHECKS, check, subject)
}
