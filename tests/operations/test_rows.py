"""Every one of the 65 situations that were tried has a test that holds it, or a reason why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: Number of a situation and the names of its tests; or why there is none.
TABLE = """
 1 test_a_bare_environment_and_closed_streams
 2 test_a_name_that_is_no_text_is_told_as_escapes
   test_no_locale_changes_a_name
 3 test_no_locale_changes_a_name
 4 test_output_that_nobody_takes_changes_nothing_else
 5 test_output_that_nobody_takes_changes_nothing_else
 6 test_a_signal_ends_a_run_whose_terminal_is_gone
 7 test_a_signal_ends_a_run_whose_terminal_is_gone
 8 test_output_that_nobody_takes_changes_nothing_else
   test_dropped_output_is_noted_in_the_log
 9 test_a_hangup_that_nohup_ignores_ends_nothing
10 test_a_terminal_that_vanishes_costs_nothing
11 test_a_hangup_ends_a_run_in_order
12 test_a_paused_terminal_does_not_pause_the_work
13 test_a_signal_ends_the_run_with_its_code_and_the_last_line_resumes_it
   test_a_child_ends_with_its_parent_even_in_the_midst_of_a_file
14 test_a_second_signal_ends_at_once
15 test_a_run_that_was_suspended_goes_on
16 no test: the clock of the machine is everybody's, and a preloaded library that moves that of a
   process breaks time.sleep too (EINVAL). Waits and rates are taken from the monotonic clock,
   which test_virtual_clock.py drives
17 test_the_umask_is_obeyed
18 test_a_place_of_another_user_is_a_sentence
   test_a_job_folder_that_cannot_be_made
19 test_an_output_that_cannot_be_written_is_found_first
20 test_a_disk_that_fills_up_stops_the_run_and_the_next_one_goes_on
21 test_a_full_disk_for_the_log_ends_the_run
   test_a_disk_that_fills_up_stops_the_run_and_the_next_one_goes_on
22 test_one_archive_by_any_path_is_one_job
23 test_an_archive_that_was_moved_or_copied_is_the_same
24 test_one_archive_by_any_path_is_one_job
25 test_two_archives_of_one_name_have_job_folders_of_their_own
   test_a_job_folder_refuses_another_archive
   test_rollback_lists_each_run_and_undoes_one
26 test_two_runs_on_one_archive_bring_each_measurement_once
27 test_a_second_run_of_a_job_folder_is_refused
28 test_an_empty_folder_is_no_success
   test_a_manifest_of_headers_is_no_success
   test_a_share_that_is_not_mounted_changes_nothing
29 test_nothing_to_compare_is_no_success
30 test_what_left_the_plan_is_named
31 test_a_source_that_changed_after_its_upload_fails_and_studio_keeps_what_it_has
32 test_a_folder_without_permission_is_told_and_the_walk_goes_on
   test_a_misfit_a_photo_and_a_copy_do_not_hold_up_the_good_files
33 test_links
   test_a_name_that_is_a_pipe_is_left_out_with_its_rule
34 test_a_file_that_never_answers_costs_itself
   test_a_pipe_where_metadata_should_be_is_named
   test_the_second_signal_ends_a_plan_that_waits_for_a_source
35 test_twins_of_two_unicode_forms_are_told_apart
36 test_parents_that_differ_in_case_are_reported_once_and_sent
37 test_an_invisible_character_is_warned_about
38 test_a_job_folder_that_cannot_be_made
   test_a_folder_that_is_too_deep_is_told
39 test_which_variable_names_the_proxy
   test_what_is_reached_directly
40 test_what_is_reached_directly
41 test_a_proxy_that_is_not_there_is_named
   test_a_proxy_that_cannot_be_used_is_refused
42 test_an_answer_that_is_not_studios_ends_the_run_at_once
43 test_the_authority_of_an_organization_is_taken_from_ssl_cert_file
44 test_a_certificate_that_is_not_trusted
   test_https_to_a_port_that_speaks_http
45 test_the_base_url_loses_its_slashes_and_has_a_default
46 test_an_answer_that_is_not_studios_ends_the_run_at_once
   test_a_redirect_is_not_followed
47 test_an_answer_that_is_not_studios_ends_the_run_at_once
   test_a_page_in_the_way_is_no_health
48 test_an_answer_that_is_not_studios_ends_the_run_at_once
49 test_a_kept_alive_connection_reset_in_mid_body_cannot_cut_the_retried_put
   test_a_broken_connection_is_one_lost_answer_and_no_second_request
50 test_a_name_that_nobody_knows_is_out_of_reach
   test_a_name_that_led_astray_is_looked_up_again
   test_ten_minutes_without_a_server_lose_nothing_and_cost_one_request_a_second
51 test_an_address_of_ipv6
52 test_memory_does_not_grow_with_the_measurements_of_a_plan
53 test_forty_open_files_are_enough
54 test_a_measurement_takes_what_the_manual_says
   test_a_full_log_goes_on_in_a_new_file
55 test_a_job_with_nothing_to_do_starts_no_process
   test_the_guard_sees_an_upload_and_a_finished_job_asks_nothing
56 test_status_lists_the_entries_of_one_cause
57 test_delimiters_and_encodings
58 test_hidden_rows_are_named_and_planned
   test_rows_that_a_filter_hides_are_named
   test_a_further_sheet_with_the_same_columns_is_named
   test_a_hidden_first_sheet_is_not_what_is_read
59 test_cells_that_hold_no_value_are_not_called_empty
   test_a_sheet_may_begin_below_empty_rows_and_rows_keep_their_numbers
60 test_paths_that_lead_nowhere_are_told
61 test_good_files_are_created_in_a_small_control_group
   test_affinity_and_ulimit_of_a_real_process
   test_a_reader_that_the_system_kills_twice_speaks_of_memory_first
62 test_a_studio_does_not_outlive_a_killed_run
   test_a_folder_in_use_names_the_process
63 test_a_line_of_a_log_is_one_line
   test_without_a_terminal_there_is_a_whole_line_each_30_s
64 test_a_key_that_cannot_be_a_header_is_refused_without_being_shown
65 test_a_file_that_was_not_read_is_not_missing
"""
ROWS = {
    int(found[1]): " ".join(found[2].split())
    for found in re.finditer(r"^ ?(\d+) (.*(?:\n   .*)*)$", TABLE, re.MULTILINE)
}


@pytest.fixture(scope="module")
def names() -> set[str]:
    """The names of all tests."""
    texts = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {
        name
        for text in texts
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE)
    }


@pytest.mark.parametrize("number", ROWS)
def test_a_situation_has_its_tests(number: int, names: set[str]) -> None:
    if not ROWS[number].startswith("no test: "):
        assert set(ROWS[number].split()) - names == set()


def test_no_situation_is_left_out(shared_data: Path) -> None:
    table = shared_data.parent / "reference" / "operations.md"
    if not table.exists():
        pytest.skip(f"the table of situations is not at {table}")
    numbers = re.findall(r"^\| (\d+) \|", table.read_text("utf-8"), re.MULTILINE)
    assert sorted(ROWS) == sorted(map(int, numbers))
