//! The suite of the index: what every [`MetadataBackend`] must do.

mod batches;
mod coherence;
mod concurrency;
mod conditions;
mod filters;
mod lifecycle;
mod paging;
mod population;
mod random;
mod read_only;
mod reading;
mod reclaiming;
mod references;
mod steps;
mod time;
mod totals;
mod using;
mod writing;

use crate::suite::{self, Check, suite};
use crate::{MetadataSubject, Result};
use cacheness_storage::MetadataBackend;

suite! {
    $ metadata, dyn MetadataBackend;
    /// Makes a `#[test]` of each check of the index contract. The expression makes a
    /// [`MetadataSubject`](crate::MetadataSubject) at a new place; it is evaluated once a test.
    metadata_suite;
    async reading {
        a_missing_key_has_no_record,
        a_record_comes_back_whole,
        any_text_is_a_key_of_its_own,
        a_get_answers_every_key_in_its_place,
        many_keys_are_read_at_once,
        fields_say_what_is_read_of_a_record,
        every_number_of_the_metadata_comes_back_exactly,
        nested_metadata_comes_back,
        every_part_of_the_terms_comes_back,
        times_at_the_ends_of_the_range_come_back,
    }
    async writing {
        overwriting_replaces_every_field,
        a_put_tells_the_version_it_replaced,
        a_patch_changes_what_it_names_and_nothing_else,
        annotations_that_could_not_be_read_back_are_refused,
        a_patch_of_an_absent_record_is_never_met,
        a_removed_record_is_gone_and_nothing_else_is,
    }
    async conditions {
        a_put_obeys_every_condition_in_every_state,
        a_patch_obeys_every_condition_in_every_state,
        a_removal_obeys_every_condition_in_every_state,
        a_version_is_met_once,
        conditions_see_the_terms_of_a_record,
    }
    async batches {
        an_empty_commit_changes_nothing,
        changes_apply_in_order_and_see_each_other,
        an_unmet_change_aborts_the_whole_commit,
        the_first_unmet_change_decides,
        skipping_applies_every_change_on_its_own_condition,
        a_commit_may_hold_many_changes,
    }
    async references {
        overwriting_condemns_the_old_blob,
        removing_condemns_the_blob,
        a_shared_blob_is_condemned_with_its_last_record,
        putting_the_same_blob_again_keeps_it,
        a_blob_moves_between_keys_within_a_commit,
        a_blob_that_comes_and_goes_within_a_commit_is_condemned,
        a_put_that_names_a_condemned_blob_is_refused,
        condemning_is_met_only_without_references,
        forgetting_is_met_only_by_condemned_blobs,
        condemned_blobs_are_named_by_time_and_in_batches,
        blobs_are_told_by_their_names,
        a_blob_is_found_by_its_content_while_records_name_it,
        requiring_is_met_only_while_records_name_the_blob,
        a_system_record_holds_its_blob_too,
    }
    async using {
        a_use_is_noted_and_changes_nothing_else,
        the_latest_use_counts_and_hits_add_up,
        a_use_of_an_absent_record_is_never_met,
        uses_and_other_changes_of_a_commit_see_each_other,
        an_aborted_commit_takes_its_uses_back,
        puts_and_patches_keep_the_usage_that_is_there,
        a_key_that_is_put_again_begins_anew,
        usage_is_read_with_the_annotations,
        usage_is_there_when_it_is_opened_again,
    }
    async coherence {
        a_copy_is_stale_after_every_change_of_its_record,
        a_copy_stays_fresh_when_its_record_is_used,
        reading_and_changing_others_leaves_most_copies_fresh,
    }
    async totals {
        totals_follow_every_change,
        totals_leave_system_records_out,
        totals_follow_batches_and_reclaims,
        the_totals_of_large_blobs_are_exact,
    }
    async paging {
        an_empty_store_has_one_empty_page,
        pages_follow_the_bytes_of_the_keys,
        a_limit_of_zero_counts_as_one,
        a_prefix_means_bytes,
        a_cursor_is_a_place_not_a_record,
        pages_go_on_rightly_when_the_store_changes_between_them,
        pages_pass_over_system_records,
        pages_read_the_fields_asked_for,
        a_filter_that_few_records_meet_still_ends,
    }
    async filters {
        every_comparison_of_every_field_means_the_same,
        composed_filters_mean_the_same,
        conditions_mean_the_same_as_filters,
        filters_may_be_wide,
        a_filter_nested_too_deep_is_refused,
        a_reclaim_means_the_same_as_filters,
    }
    async reclaiming {
        reclaiming_an_empty_store_gives_nothing_back,
        each_order_says_which_record_goes_first,
        a_limit_ends_a_reclaim_and_says_so,
        any_order_means_all_records,
        uses_decide_which_record_goes_first,
        a_reclaim_stops_at_the_bytes_asked_for,
        a_reclaim_stops_at_the_entries_asked_for,
        a_reclaim_with_two_bounds_goes_on_until_both_are_kept,
        a_shared_blob_gives_its_bytes_back_with_its_last_record,
        records_without_bytes_are_reclaimed_too,
        reclaimed_blobs_are_condemned_once,
        a_reclaim_spares_what_its_filter_does_not_mean,
        system_records_survive_every_reclaim,
    }
    async time {
        the_store_goes_by_the_clock_it_was_given,
        now_in_a_query_is_the_time_of_the_store,
        now_in_a_condition_is_the_time_of_the_store,
        now_in_a_reclaim_is_the_time_of_the_store,
        a_blob_is_condemned_at_the_time_of_the_store,
    }
    async lifecycle {
        it_prints_as_one_line,
        what_it_says_of_itself_is_constant,
        closing_ends_it_and_closing_again_is_no_error,
        futures_of_a_blocking_backend_are_ready_at_once,
        what_was_committed_is_there_when_it_is_opened_again,
        what_was_committed_is_there_without_a_close,
        two_openings_see_each_others_commits,
    }
    async read_only {
        a_read_only_opening_reads_what_a_writable_one_reads,
        a_read_only_opening_sees_what_others_commit,
        a_read_only_opening_refuses_every_change,
        a_read_only_opening_makes_no_store,
    }
    async random {
        commits_made_by_chance_agree_with_the_store_in_memory,
    }
    threads concurrency {
        only_one_of_many_puts_of_an_absent_key_is_applied,
        each_version_is_replaced_by_one_thread_only,
        totals_and_references_stay_right_when_many_commit,
        uses_of_many_threads_add_up,
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
pub fn run(check: &str, subject: &MetadataSubject) -> Result<()> {
    suite::run(CHECKS, check, subject)
}
