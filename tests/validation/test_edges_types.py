"""Edges of the rules on other data types and on times; skipping; what cannot be judged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from bulkload.core.frame import Frame
from bulkload.core.issues import ExtraCode, IssueCode, Severity
from bulkload.core.rule_names import STRICT_CHECK_NAMES
from bulkload.core.rules import check
from bulkload.core.terms import (
    CURRENT,
    DISCHARGE_CAPACITY,
    FREQUENCY,
    SOC,
    STEP_COUNT,
    TIME,
    VOLTAGE,
    Z_IM,
    Z_RE,
)
from tests.validation.tables import ROWS, changed, good, summary


def codes(frame: Frame, **options: Any) -> set[str]:
    return {str(issue.code) for issue in check(frame, **options)}


def test_ocp_columns() -> None:
    steps = np.zeros(3, dtype=int)
    empty = Frame.of({STEP_COUNT: steps})
    assert codes(empty, data_type="ocp") == {
        IssueCode.OCP_VOLTAGE_COLUMN_MISSING,
        IssueCode.OCP_X_AXIS_COLUMN_MISSING,
    }
    full = Frame.of({STEP_COUNT: steps, VOLTAGE: np.ones(3), SOC: np.ones(3)})
    assert codes(full, data_type="ocp", strict=True) == set()


def _spectrum(imaginary: list[float], resistance: float = 0.05) -> Frame:
    points = len(imaginary)
    return Frame.of(
        {
            FREQUENCY: np.logspace(0, 3, points)[::-1],
            Z_RE: resistance * (1 + np.arange(points, dtype=float)),
            Z_IM: np.array(imaginary),
        }
    )


def test_eis_columns() -> None:
    assert codes(Frame.of({Z_RE: np.ones(3)}), data_type="eis") == {IssueCode.EIS_COLUMNS_MISSING}
    assert codes(_spectrum([-1, -1, -1]), data_type="eis", strict=True) == set()


@pytest.mark.parametrize(
    ("imaginary", "fires"),
    [([3, 0, -1], True), ([2.99, 0, -1], False), ([3, -1], False), ([0, 0, 0], False)],
)
def test_eis_sign(imaginary: list[float], fires: bool) -> None:  # noqa: FBT001
    found = codes(_spectrum(imaginary), data_type="eis", strict=True)
    assert (IssueCode.EIS_ZIM_SIGN_REVERSED in found) is fires


@pytest.mark.parametrize(
    ("resistance", "fires"), [(5.0, False), (5.01, True), (0.0005, False), (0.00049, True)]
)
def test_eis_magnitude(resistance: float, fires: bool) -> None:  # noqa: FBT001
    options: dict[str, Any] = {"data_type": "eis", "strict": True, "rated_capacity": 1.0}
    found = codes(_spectrum([-1, -1, -1], resistance), **options)
    assert (IssueCode.EIS_IMPEDANCE_MAGNITUDE_IMPLAUSIBLE in found) is fires


# --- timing ---

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _timing(start: str | None, end: str | None) -> set[str]:
    span = Frame.of({TIME: np.array([0.0, 2000.0])})
    found = check(span, data_type="ocp", start_time=start, end_time=end, now=NOW)
    return {str(issue.code) for issue in found if issue.severity == Severity.WARNING}


def test_times_in_the_future() -> None:
    assert _timing("2026-01-01T00:00:01+00:00", None) == {IssueCode.START_TIME_IN_FUTURE}
    assert _timing(None, "2026-01-01T00:00:01+00:00") == {IssueCode.END_TIME_IN_FUTURE}
    assert _timing("2026-01-01T00:00:00+00:00", None) == set()
    assert _timing(None, "2026-01-01T00:00:00+00:00") == set()
    assert _timing("2027-01-01T00:00:00", None) == set()  # without a zone nobody knows


def test_end_before_start() -> None:
    assert _timing("2025-01-02T00:00:00", "2025-01-01T00:00:00") == {
        IssueCode.END_TIME_BEFORE_START_TIME
    }
    # The span is 2000 s, the tolerance 5 % of it.
    assert _timing("2025-01-01T00:00:00", "2025-01-01T00:35:00") == set()
    assert _timing("2025-01-01T00:00:00", "2025-01-01T00:35:01") == {IssueCode.DURATION_MISMATCH}


def test_duration_of_a_short_test_has_a_minute() -> None:
    span = Frame.of({TIME: np.array([0.0, 100.0])})
    for seconds, fires in ((160, False), (161, True)):
        end = datetime.fromtimestamp(seconds, UTC)
        start = datetime.fromtimestamp(0, UTC)
        found = check(span, data_type="ocp", start_time=start, end_time=end, now=NOW)
        assert (IssueCode.DURATION_MISMATCH in {i.code for i in found}) is fires


# --- skipping, and what the vendor's client breaks off at ---


def test_unknown_names_are_refused_even_when_not_strict() -> None:
    with pytest.raises(ValueError, match="time_gap'"):
        check(Frame.of(good()), skip_checks={"time_gap"})
    with pytest.raises(ValueError, match="unknown name"):
        check(Frame.of(good()), skip_checks="time_gaps")  # a bare text is split into letters


def test_every_strict_check_can_be_skipped() -> None:
    spoiled = changed(TIME, slice(40, None), 1e6)
    steps = summary(discharge=np.array([0.0, 6.0]), charge=np.array([9.0, 0.0]))
    options: dict[str, Any] = {"strict": True, "steps": steps, "rated_capacity": 1.0}
    assert codes(spoiled, **options)
    assert codes(spoiled, skip_checks=STRICT_CHECK_NAMES, **options) == set()


@pytest.mark.parametrize("name", [TIME, VOLTAGE, CURRENT, STEP_COUNT, DISCHARGE_CAPACITY])
def test_a_text_column_is_named_once(name: str) -> None:
    table: dict[str, Any] = {**good(), name: np.array(["1,5"] * 4 * ROWS, dtype=object)}
    found = check(Frame.of(table), strict=True, voltage_window=(3.0, 4.2))
    told = [issue for issue in found if issue.code == ExtraCode.COLUMN_NOT_NUMERIC]
    assert [issue.payload for issue in told] == [{"column": name}]


def test_an_infinity_is_named() -> None:
    found = check(changed(CURRENT, 5, np.inf))
    assert [str(issue.code) for issue in found] == [ExtraCode.VALUE_NOT_FINITE]


def test_an_empty_table_passes() -> None:
    assert check(Frame.of({name: values[:0] for name, values in good().items()}), strict=True) == []
