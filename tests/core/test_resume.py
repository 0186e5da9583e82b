"""When a job that an earlier run knows begins again, case by case."""

from __future__ import annotations

import itertools

import pytest

from bulkload.core.lifecycle import FINAL, JobState
from bulkload.core.resume import Known, restart_reason

NOW, OTHER = (100, 1), (100, 2)
RECIPE = "options_digest"


def known(state: JobState, **given: object) -> Known:
    values: dict[str, object] = {
        "state": state,
        "cause": "",
        "options_digest": RECIPE,
        "stamp": NOW,
        "stored_stamp": None,
    }
    return Known(**(values | given))  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [JobState.PLANNED, JobState.CONFIRMED])
def test_what_is_planned_or_confirmed_goes_on_as_it_is(state: JobState) -> None:
    assert restart_reason(known(state), options_digest="other", stamp=OTHER) is None


@pytest.mark.parametrize("state", sorted(set(JobState) - FINAL))
def test_what_was_interrupted_begins_again(state: JobState) -> None:
    if state in {JobState.PLANNED, JobState.CONFIRMED}:
        return
    assert restart_reason(known(state), options_digest=RECIPE, stamp=NOW) == "interrupted"


@pytest.mark.parametrize("stamp", [NOW, OTHER, None])
def test_what_was_there_before_us_stays_so(stamp: tuple[int, int] | None) -> None:
    assert restart_reason(known(JobState.EXISTING), options_digest="other", stamp=stamp) is None


@pytest.mark.parametrize(
    ("stored", "stamp", "reason"),
    [
        (NOW, NOW, None),
        (NOW, OTHER, "source_changed"),
        # A source that is gone takes nothing back: Studio has what it held.
        (NOW, None, None),
        # Nothing was stored by us (properties): there is nothing to compare with.
        (None, OTHER, None),
    ],
)
def test_what_arrived_begins_again_only_when_its_source_changed(
    stored: tuple[int, int] | None, stamp: tuple[int, int] | None, reason: str | None
) -> None:
    state = known(JobState.READY, stored_stamp=stored)
    assert restart_reason(state, options_digest=RECIPE, stamp=stamp) == reason
    # Other settings do not bring back what has arrived.
    assert restart_reason(state, options_digest="other", stamp=stamp) == reason


@pytest.mark.parametrize("state", [JobState.REJECTED, JobState.FAILED])
def test_what_did_not_arrive_begins_again_with_another_source_or_settings(
    state: JobState,
) -> None:
    ended = known(state, cause="processing_failed")
    assert restart_reason(ended, options_digest=RECIPE, stamp=NOW) is None
    assert restart_reason(ended, options_digest=RECIPE, stamp=OTHER) == "source_changed"
    assert restart_reason(ended, options_digest=RECIPE, stamp=None) == "source_changed"
    assert restart_reason(ended, options_digest="other", stamp=NOW) == "settings_changed"


@pytest.mark.parametrize(
    ("state", "cause", "reason"),
    [
        (JobState.FAILED, "permission", "failed_before"),
        (JobState.FAILED, "conflict", "failed_before"),
        (JobState.FAILED, "processing_failed", None),
        (JobState.FAILED, "source_changed", None),
        (JobState.REJECTED, "empty_file", None),
        (JobState.REJECTED, "time_limit", None),
        # The bytes were never the reason: a right, a package, a program was missing.
        (JobState.REJECTED, "io_error", "failed_before"),
        (JobState.REJECTED, "missing_extra", "failed_before"),
        (JobState.REJECTED, "missing_program", "failed_before"),
        (JobState.REJECTED, "no_permission", "failed_before"),
        (JobState.REJECTED, "reader_died", "failed_before"),
        (JobState.REJECTED, "source_changing", "failed_before"),
        (JobState.REJECTED, "unreadable_file", "failed_before"),
        (JobState.REJECTED, "vanished", "failed_before"),
        # Finding these out again costs as much as the first time: left to a retry.
        (JobState.REJECTED, "memory_limit", None),
        (JobState.REJECTED, "unreadable", None),
        # The cause of a rejection says nothing of a delivery that failed, and the reverse.
        (JobState.FAILED, "vanished", "failed_before"),
        (JobState.REJECTED, "processing_failed", None),
    ],
)
def test_the_same_bytes_are_tried_again_only_where_they_are_not_the_reason(
    state: JobState, cause: str, reason: str | None
) -> None:
    assert restart_reason(known(state, cause=cause), options_digest=RECIPE, stamp=NOW) == reason


def test_the_answer_depends_on_what_it_is_given_alone() -> None:
    for state, cause in itertools.product(JobState, ("", "conflict")):
        one, other = known(state, cause=cause), known(state, cause=cause)
        assert restart_reason(one, options_digest=RECIPE, stamp=NOW) == restart_reason(
            other, options_digest=RECIPE, stamp=NOW
        )
