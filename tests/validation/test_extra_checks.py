"""The extra checks: each at its edge, and silent just inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bulkload.core.frame import Frame
from bulkload.core.issues import ExtraCode, Severity
from bulkload.core.rules.extra_checks import check_extra
from bulkload.core.terms import CURRENT, STEP_COUNT, TEMPERATURE, TIME, VOLTAGE
from tests.validation.tables import ROWS, changed, good

Table = dict[str, Any]


def codes(table: Table | Frame, **options: Any) -> set[str]:
    frame = table if isinstance(table, Frame) else Frame.of(table)
    return {str(issue.code) for issue in check_extra(frame, **options)}


def test_a_good_table_has_nothing_extra() -> None:
    assert codes(good(), rated_capacity=1.0, voltage_window=(3.0, 4.2)) == set()


def test_warnings_unless_errors_are_asked_for() -> None:
    empty = Frame.of({TIME: np.empty(0)})
    assert [i.severity for i in check_extra(empty)] == [Severity.WARNING]
    assert [i.severity for i in check_extra(empty, as_errors=True)] == [Severity.ERROR]
    assert check_extra(empty, data_type="eis") == []


def test_missing_columns() -> None:
    assert codes({STEP_COUNT: np.zeros(3)}) == {ExtraCode.COLUMN_MISSING}


def test_missing_values() -> None:
    assert codes(changed(CURRENT, 3, np.nan)) == {ExtraCode.VALUES_MISSING}
    assert codes(changed(VOLTAGE, 3, np.nan)) == {ExtraCode.VALUES_MISSING}
    warm = np.full(4 * ROWS, 25.0)
    warm[3] = np.nan
    assert codes({**good(), TEMPERATURE: warm}) == set()
    assert codes({**good(), TEMPERATURE: warm * np.nan}) == {ExtraCode.COLUMN_ALL_NULL}


@pytest.mark.parametrize(("factor", "fires"), [(1.0, False), (24.0, False), (26.0, True)])
def test_voltage_without_a_window(factor: float, fires: bool) -> None:  # noqa: FBT001
    found = codes({**good(), VOLTAGE: good()[VOLTAGE] * factor})
    assert (ExtraCode.VOLTAGE_OUTSIDE_RATINGS in found) is fires


@pytest.mark.parametrize(
    ("factor", "fires"), [(10.0, False), (10.6, True), (0.076, False), (0.074, True), (1000, True)]
)
def test_voltage_with_a_window(factor: float, fires: bool) -> None:  # noqa: FBT001
    table = {**good(), VOLTAGE: np.full(4 * ROWS, 4.0) * factor}
    found = codes(table, voltage_window=(3.0, 4.2))
    assert (ExtraCode.VOLTAGE_OUTSIDE_RATINGS in found) is fires


@pytest.mark.parametrize(
    ("capacity", "fires"),
    [(1 / 300, False), (1 / 301, True), (1e5, False), (1.01e5, True), (None, False)],
)
def test_current_against_capacity(capacity: float | None, fires: bool) -> None:  # noqa: FBT001
    found = codes(good(), rated_capacity=capacity)
    assert (ExtraCode.CURRENT_OUTSIDE_RATINGS in found) is fires


@pytest.mark.parametrize(("hours", "fires"), [(1999.9, False), (2000.1, True)])
def test_time_scale(hours: float, fires: bool) -> None:  # noqa: FBT001
    table = good()
    table[TIME] = np.arange(4 * ROWS) * hours * 3600 / (ROWS - 1)
    assert (ExtraCode.TIME_SCALE_IMPLAUSIBLE in codes(table)) is fires


def test_time_scale_against_capacity() -> None:
    table = good()
    table[TIME] = table[TIME] * 3600  # hours, taken for seconds
    assert ExtraCode.TIME_SCALE_IMPLAUSIBLE in codes(table, rated_capacity=1.0)
    assert ExtraCode.TIME_SCALE_IMPLAUSIBLE not in codes(table, rated_capacity=2.0)


@pytest.mark.parametrize(("rows", "fires"), [(99, False), (100, True)])
def test_a_stuck_voltage(rows: int, fires: bool) -> None:  # noqa: FBT001
    table = {
        TIME: np.arange(rows) * 1.0,
        VOLTAGE: np.full(rows, 3.7),
        CURRENT: np.zeros(rows),
        STEP_COUNT: np.zeros(rows),
    }
    assert (ExtraCode.COLUMN_CONSTANT in codes(table)) is fires
    table[VOLTAGE][5] = 3.7001
    assert codes(table) == set()


@pytest.mark.parametrize(("rows", "fires"), [(9, False), (10, True)])
def test_repeated_rows(rows: int, fires: bool) -> None:  # noqa: FBT001
    table = {name: np.concatenate([v, v[3 : 3 + rows]]) for name, v in good().items()}
    assert (ExtraCode.ROWS_REPEATED in codes(table)) is fires
    # The same values at other times are a cycle, not a copy.
    later = {name: np.concatenate([v, v]) for name, v in good().items()}
    later[TIME] = np.arange(len(later[TIME])) * 10.0
    assert codes(later) == set()


@pytest.mark.parametrize(("gap", "fires"), [(599.0, False), (600.0, True)])
def test_sampling_stops(gap: float, fires: bool) -> None:  # noqa: FBT001
    table = good()
    time = table[TIME].copy()
    time[5:] += gap - 10
    assert (ExtraCode.SAMPLING_STOPS_IN_STEP in codes({**table, TIME: time})) is fires
    # At rest nothing is lost.
    time = table[TIME].copy()
    time[ROWS + 5 :] += 5 * gap
    assert codes({**table, TIME: time}) == set()


def test_text_is_left_to_the_rules() -> None:
    assert codes({**good(), CURRENT: np.array(["x"] * 4 * ROWS, dtype=object)}) == set()
