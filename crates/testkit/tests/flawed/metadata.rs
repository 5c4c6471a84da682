//! Which check finds which flaw of an index.

use crate::flaw::Flaw::{self, *};
use crate::flawed_metadata::subject;
use crate::{blind, unproved};
use cacheness_core::runtime::{Runtime, ThreadPool};
use cacheness_testkit::{metadata, metadata_suite};

/// Every check, and a flaw that it must find.
const PROOFS: &[(Flaw, &[&str])] = &[
    (AcceptsDeepAnnotations, &["annotations_that_could_not_be_read_back_are_refused"]),
    (AcceptsDeepFilters, &["a_filter_nested_too_deep_is_refused"]),
    (AlwaysAborts, &["skipping_applies_every_change_on_its_own_condition"]),
    (BringsNoUsage, &["puts_and_patches_keep_the_usage_that_is_there"]),
    (ClaimsToBlock, &["futures_of_a_blocking_backend_are_ready_at_once"]),
    (CondemnsAnything, &["condemning_is_met_only_without_references"]),
    (CountsEveryReference, &["totals_follow_every_change", "totals_follow_batches_and_reclaims"]),
    (CountsSystemRecords, &["totals_leave_system_records_out", "a_reclaim_stops_at_the_entries_asked_for"]),
    (CursorMustExist, &["a_cursor_is_a_place_not_a_record", "pages_go_on_rightly_when_the_store_changes_between_them"]),
    (EitherBoundEnds, &["a_reclaim_with_two_bounds_goes_on_until_both_are_kept"]),
    (EmptyPageLeadsOn, &["an_empty_store_has_one_empty_page"]),
    (EmptyTermsAreNone, &["every_part_of_the_terms_comes_back"]),
    (FindsCondemned, &["a_blob_is_found_by_its_content_while_records_name_it"]),
    (FloatTotals, &["the_totals_of_large_blobs_are_exact"]),
    (FoldsCase, &["a_missing_key_has_no_record", "any_text_is_a_key_of_its_own"]),
    (ForgetsAnything, &["forgetting_is_met_only_by_condemned_blobs"]),
    (ForgetsCursor, &["pages_follow_the_bytes_of_the_keys"]),
    (
        ForgetsOnReopen,
        &[
            "what_was_committed_is_there_when_it_is_opened_again",
            "what_was_committed_is_there_without_a_close",
            "two_openings_see_each_others_commits",
            "usage_is_there_when_it_is_opened_again",
        ],
    ),
    (
        ForgetsPrevious,
        &["a_put_tells_the_version_it_replaced", "commits_made_by_chance_agree_with_the_store_in_memory"],
    ),
    (
        ForgetsToCondemn,
        &[
            "overwriting_condemns_the_old_blob",
            "removing_condemns_the_blob",
            "a_shared_blob_is_condemned_with_its_last_record",
            "a_blob_that_comes_and_goes_within_a_commit_is_condemned",
            "a_put_that_names_a_condemned_blob_is_refused",
            "reclaimed_blobs_are_condemned_once",
            "totals_and_references_stay_right_when_many_commit",
        ],
    ),
    (
        ForgetsUses,
        &[
            "a_use_is_noted_and_changes_nothing_else",
            "uses_of_many_threads_add_up",
            "usage_is_there_when_it_is_opened_again",
            "two_openings_see_each_others_commits",
        ],
    ),
    (
        IgnoresConditions,
        &[
            "a_put_obeys_every_condition_in_every_state",
            "a_patch_obeys_every_condition_in_every_state",
            "a_removal_obeys_every_condition_in_every_state",
            "only_one_of_many_puts_of_an_absent_key_is_applied",
        ],
    ),
    (IgnoresFields, &["fields_say_what_is_read_of_a_record", "pages_read_the_fields_asked_for"]),
    (IgnoresReclaimFilter, &["a_reclaim_spares_what_its_filter_does_not_mean"]),
    (IgnoresReclaimLimit, &["a_limit_ends_a_reclaim_and_says_so", "condemned_blobs_are_named_by_time_and_in_batches"]),
    (IgnoresReclaimOrder, &["each_order_says_which_record_goes_first"]),
    (
        IgnoresReclaimTarget,
        &[
            "a_reclaim_stops_at_the_entries_asked_for",
            "a_reclaim_stops_at_the_bytes_asked_for",
            "a_shared_blob_gives_its_bytes_back_with_its_last_record",
        ],
    ),
    (IgnoresVersions, &["a_version_is_met_once", "each_version_is_replaced_by_one_thread_only"]),
    (KeepsRemoved, &["a_removed_record_is_gone_and_nothing_else_is"]),
    (KnowsAlwaysMore, &["reclaiming_an_empty_store_gives_nothing_back"]),
    (LastUseWins, &["the_latest_use_counts_and_hits_add_up"]),
    (LikePrefix, &["a_prefix_means_bytes"]),
    (LimitsCommits, &["a_commit_may_hold_many_changes"]),
    (LimitsFilters, &["filters_may_be_wide"]),
    (LimitsReads, &["many_keys_are_read_at_once"]),
    (LosesDepth, &["nested_metadata_comes_back"]),
    (LosesSignature, &["a_record_comes_back_whole"]),
    (
        MarksEverything,
        &["reading_and_changing_others_leaves_most_copies_fresh", "a_copy_stays_fresh_when_its_record_is_used"],
    ),
    (MarksNothing, &["a_copy_is_stale_after_every_change_of_its_record"]),
    (MergesPuts, &["overwriting_replaces_every_field"]),
    (MillisecondTimes, &["times_at_the_ends_of_the_range_come_back"]),
    (NeverAborts, &["an_unmet_change_aborts_the_whole_commit", "the_first_unmet_change_decides"]),
    (
        NullsAreUnknown,
        &[
            "every_comparison_of_every_field_means_the_same",
            "composed_filters_mean_the_same",
            "conditions_mean_the_same_as_filters",
            "a_reclaim_means_the_same_as_filters",
        ],
    ),
    (
        OwnClock,
        &[
            "the_store_goes_by_the_clock_it_was_given",
            "now_in_a_query_is_the_time_of_the_store",
            "now_in_a_condition_is_the_time_of_the_store",
            "now_in_a_reclaim_is_the_time_of_the_store",
            "a_blob_is_condemned_at_the_time_of_the_store",
        ],
    ),
    (PatchesAbsent, &["a_patch_of_an_absent_record_is_never_met"]),
    (PatchesCannotClear, &["a_patch_changes_what_it_names_and_nothing_else"]),
    (RandomKnowsNoMore, &["any_order_means_all_records"]),
    (ReadOnlyMakesStores, &["a_read_only_opening_makes_no_store"]),
    (
        ReadOnlySeesNothing,
        &["a_read_only_opening_reads_what_a_writable_one_reads", "a_read_only_opening_sees_what_others_commit"],
    ),
    (ReadOnlyWrites, &["a_read_only_opening_refuses_every_change"]),
    (ReclaimsSystemRecords, &["system_records_survive_every_reclaim"]),
    (RefusesEmptyCommits, &["an_empty_commit_changes_nothing"]),
    (RemovesFirst, &["putting_the_same_blob_again_keeps_it", "puts_and_patches_keep_the_usage_that_is_there"]),
    (RenamesItself, &["what_it_says_of_itself_is_constant"]),
    (RequiresNothing, &["requiring_is_met_only_while_records_name_the_blob"]),
    (
        ReversesChanges,
        &[
            "changes_apply_in_order_and_see_each_other",
            "uses_and_other_changes_of_a_commit_see_each_other",
            "a_blob_moves_between_keys_within_a_commit",
        ],
    ),
    (RoundsFloats, &["every_number_of_the_metadata_comes_back_exactly"]),
    (ShowsSystemRecords, &["pages_pass_over_system_records"]),
    (ShowsUsage, &["usage_is_read_with_the_annotations"]),
    (SkipsEmptyRecords, &["records_without_bytes_are_reclaimed_too"]),
    (SortsAnswers, &["a_get_answers_every_key_in_its_place"]),
    (StaysOpen, &["closing_ends_it_and_closing_again_is_no_error"]),
    (StopsAtShortPages, &["a_filter_that_few_records_meet_still_ends"]),
    (SystemHoldsNothing, &["a_system_record_holds_its_blob_too"]),
    (TellsOnlyCounts, &["blobs_are_told_by_their_names"]),
    (
        TermsAreUnknown,
        &[
            "conditions_see_the_terms_of_a_record",
            "every_comparison_of_every_field_means_the_same",
            "composed_filters_mean_the_same",
            "a_reclaim_means_the_same_as_filters",
            "conditions_mean_the_same_as_filters",
        ],
    ),
    (TouchesWhatIsUsed, &["a_use_is_noted_and_changes_nothing_else"]),
    (TwoLines, &["it_prints_as_one_line"]),
    (UsageOutlivesRecords, &["a_key_that_is_put_again_begins_anew"]),
    (UsedIsCreated, &["each_order_says_which_record_goes_first", "uses_decide_which_record_goes_first"]),
    (UsesMeetAnything, &["a_use_of_an_absent_record_is_never_met"]),
    (UsesStay, &["an_aborted_commit_takes_its_uses_back"]),
    (ZeroIsNone, &["a_limit_of_zero_counts_as_one"]),
];

#[test]
fn each_check_finds_its_flaw() {
    assert_eq!(blind(PROOFS, |check, flaw| metadata::run(check, &subject(flaw))), [""; 0]);
}

#[test]
fn every_check_is_proved() {
    assert_eq!(unproved(PROOFS, metadata::CHECKS.iter().map(|check| check.name)), [""; 0]);
}

mod without_a_flaw {
    use super::*;

    metadata_suite!(subject(Flaw::Flawless).runner(|task| ThreadPool::global().block_on(task)));
}
