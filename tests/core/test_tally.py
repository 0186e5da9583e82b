"""The account of a run: what counts as what, and which exit code follows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkload.core.lifecycle import FINAL, JobState
from bulkload.core.outcome import OutcomeKind
from bulkload.core.tally import (
    NOT_AWAITED,
    NOT_REACHED,
    ExitCode,
    RowLedger,
    RunReport,
    exit_code,
    outcome_of,
)

COUNTS = st.dictionaries(st.sampled_from(OutcomeKind), st.integers(0, 1000))


@pytest.mark.parametrize(
    ("state", "gave_up", "waiting"), list(itertools.product(JobState, (True, False), (True, False)))
)
def test_each_state_counts_as_one_thing(state: JobState, *, gave_up: bool, waiting: bool) -> None:
    kind, cause = outcome_of(state, has_given_up=gave_up, is_waiting=waiting)
    if state in FINAL:
        assert kind is not None
        assert cause == ""
    elif state is JobState.CONFIRMED and not waiting:
        assert (kind, cause) == (OutcomeKind.CREATED, NOT_AWAITED)
    elif gave_up:
        assert (kind, cause) == (OutcomeKind.FAILED, "")
    else:
        assert (kind, cause) == (None, NOT_REACHED)


def test_confirmed_is_no_success_where_the_run_waits() -> None:
    kind, _ = outcome_of(JobState.CONFIRMED, has_given_up=False, is_waiting=True)
    assert kind is not OutcomeKind.CREATED


LEDGERS = st.builds(RowLedger, read=st.integers(0, 20), left_out=st.integers(0, 9), ended=COUNTS)


@given(COUNTS, st.integers(0, 5000), LEDGERS | st.just(RowLedger()), st.integers(0, 2000))
def test_a_finished_run_whose_sums_do_not_add_up_is_a_defect(
    counts: dict[OutcomeKind, int], planned: int, ledger: RowLedger, accepted: int
) -> None:
    code = exit_code(planned=planned, counts=counts, accepted=accepted, ledger=ledger, stopped=None)
    lost = counts.get(OutcomeKind.REJECTED, 0) + counts.get(OutcomeKind.FAILED, 0)
    rows = sum(ledger.ended.values()) + ledger.left_out
    if sum(counts.values()) != planned or rows != ledger.read or accepted > lost:
        assert code is ExitCode.DEFECT
    elif accepted < lost:
        assert code is ExitCode.PARTIAL
    else:
        assert code is ExitCode.ARRIVED


@given(COUNTS, st.integers(0, 5000), st.sampled_from(ExitCode))
def test_why_a_run_stopped_goes_before_what_it_counted(
    counts: dict[OutcomeKind, int], planned: int, stopped: ExitCode
) -> None:
    ledger = RowLedger(read=1)
    code = exit_code(planned=planned, counts=counts, accepted=0, ledger=ledger, stopped=stopped)
    assert code is stopped


def test_what_is_known_and_accepted_wakes_nobody_and_the_rest_does() -> None:
    lost = {OutcomeKind.REJECTED: 7, OutcomeKind.FAILED: 3, OutcomeKind.CREATED: 90}
    codes = [
        exit_code(planned=100, counts=lost, accepted=known, ledger=RowLedger(), stopped=None)
        for known in (0, 9, 10)
    ]
    assert codes == [ExitCode.PARTIAL, ExitCode.PARTIAL, ExitCode.ARRIVED]


@given(COUNTS, st.integers(0, 5000), LEDGERS | st.just(RowLedger()))
def test_the_summary_has_fixed_keys_and_a_number_for_each_outcome(
    counts: dict[OutcomeKind, int], planned: int, ledger: RowLedger
) -> None:
    report = RunReport(
        job="job",
        planned=planned,
        counts=counts,
        causes={"b": 1, "c": 2, "a": 1},
        accepted={"a": 1},
        ledger=ledger,
        bytes_read=2,
        bytes_sent=3,
        requests=4,
        retries=5,
        elapsed_s=6.12349,
        bottleneck="none",
        exit_code=ExitCode.ARRIVED,
    )
    summary = report.as_json()
    assert list(summary) == [
        *("job", "planned", "counts", "causes", "accepted", "rows", "bytes_read", "bytes_sent"),
        *("requests", "retries", "elapsed_s", "bottleneck", "exit_code", "this_run"),
    ]
    assert list(summary["counts"]) == [kind.value for kind in OutcomeKind]
    assert list(summary["causes"]) == ["c", "a", "b"]
    assert summary["accepted"] == {"a": 1}
    assert summary["elapsed_s"] == 6.123
    assert report.adds_up == (sum(counts.values()) == planned and ledger.adds_up)


def test_an_outcome_that_did_not_happen_is_counted_as_none() -> None:
    report = RunReport(
        job="job", planned=3, counts={OutcomeKind.CREATED: 3}, causes={}, ledger=RowLedger(),
        bytes_read=0, bytes_sent=0, requests=0, retries=0, elapsed_s=0.0, bottleneck="none",
        exit_code=ExitCode.ARRIVED, this_run={"new": 2, "newly_rejected": 1},
    )  # fmt: skip
    assert report.as_json()["counts"] == {
        "created": 3, "existing": 0, "rejected": 0, "failed": 0, "skipped": 0,
    }  # fmt: skip
    assert report.as_json()["this_run"] == {
        "new": 2, "grown": 0, "changed": 0, "gone": 0, "unchanged": 0,
        "newly_rejected": 1, "newly_failed": 0, "recovered": 0, "newly_accepted": 0,
    }  # fmt: skip


def test_ledgers_of_parts_add_up_to_one() -> None:
    one = RowLedger(
        read=10,
        left_out=1,
        ended={OutcomeKind.CREATED: 7, OutcomeKind.REJECTED: 2},
        unknown={OutcomeKind.REJECTED: 1},
    )
    other = RowLedger(
        read=5,
        left_out=2,
        ended={OutcomeKind.CREATED: 3},
        unknown={OutcomeKind.REJECTED: 1, OutcomeKind.EXISTING: 4},
    )
    both = RowLedger.total([one, other])
    assert (both.read, both.left_out) == (15, 3)
    assert dict(both.ended) == {OutcomeKind.CREATED: 10, OutcomeKind.REJECTED: 2}
    assert dict(both.unknown) == {OutcomeKind.REJECTED: 2, OutcomeKind.EXISTING: 4}
    assert both.adds_up
    assert RowLedger.total([]) == RowLedger()
