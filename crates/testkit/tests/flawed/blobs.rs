//! Which check finds which flaw of a blob backend.

use crate::flawed_blobs::{Flaw, Flaw::*, subject};
use crate::{blind, unproved};
use cacheness_core::runtime::{Runtime, ThreadPool};
use cacheness_testkit::{blob_suite, blobs};

/// Every check, and a flaw that it must find.
const PROOFS: &[(Flaw, &[&str])] = &[
    (ClaimsToBlock, &["futures_of_a_blocking_backend_are_ready_at_once"]),
    (CursorMustExist, &["a_list_goes_on_after_a_name_that_need_not_exist"]),
    (DeletesNothing, &["many_threads_put_and_delete_their_own_blobs", "racing_deletions_are_no_error"]),
    (DeletesSayYes, &["deleting_answers_each_name_in_its_place", "deleting_again_is_no_error"]),
    (DiscardsBlobs, &["discarding_remnants_takes_no_blob"]),
    (EndsPayloads, &["an_open_payload_outlives_its_blob"]),
    (ForgesDigests, &["what_is_put_beside_the_bytes_is_kept_or_ignored", "a_digest_is_never_made_up"]),
    (ForgetsOnReopen, &["what_was_put_is_there_when_it_is_opened_again", "two_openings_see_each_others_blobs"]),
    (IgnoresEntityTags, &["an_entity_tag_is_honoured_if_declared"]),
    (KeepsStagedFiles, &["a_staged_file_is_gone_after_the_put"]),
    (LimitsDeletes, &["many_blobs_are_deleted_at_once"]),
    (ListsBackwards, &["a_list_shows_each_blob_once_in_the_order_of_names"]),
    (ListsStagedFiles, &["what_is_staged_is_no_blob_yet"]),
    (MissingIsEmpty, &["a_missing_blob_is_none"]),
    (Overwrites, &["a_name_that_is_taken_keeps_its_blob", "only_one_of_many_puts_of_a_name_wins"]),
    (PutsNothing, &["every_durability_is_served"]),
    (RangesIncludeTheEnd, &["a_range_gives_its_bytes", "an_empty_range_gives_nothing"]),
    (ReadOnlyMakesStores, &["a_read_only_opening_makes_no_store"]),
    (
        ReadOnlySeesNothing,
        &["a_read_only_opening_reads_what_a_writable_one_reads", "a_read_only_opening_sees_what_others_put"],
    ),
    (ReadOnlyWrites, &["a_read_only_opening_refuses_every_change"]),
    (RefusesRangesBeyondTheEnd, &["what_lies_beyond_the_end_is_left_out"]),
    (RenamesItself, &["what_it_says_of_itself_is_constant"]),
    (SaysSizeOfPart, &["head_and_get_tell_what_put_told"]),
    (StaysOpen, &["closing_ends_it_and_closing_again_is_no_error"]),
    (Truncates, &["bytes_from_memory_come_back", "bytes_from_a_file_come_back"]),
    (TwoLines, &["it_prints_as_one_line"]),
];

#[test]
fn each_check_finds_its_flaw() {
    assert_eq!(blind(PROOFS, |check, flaw| blobs::run(check, &subject(flaw))), [""; 0]);
}

#[test]
fn every_check_is_proved() {
    assert_eq!(unproved(PROOFS, blobs::CHECKS.iter().map(|check| check.name)), [""; 0]);
}

mod without_a_flaw {
    use super::*;

    blob_suite!(subject(Flaw::Flawless).runner(|task| ThreadPool::global().block_on(task)));
}
