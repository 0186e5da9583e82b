"""Each rule fires at its edge, and is silent just inside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from bulkload.core.frame import Frame
from bulkload.core.issues import ExtraCode, IssueCode, Severity
from bulkload.core.rules import STRICT_CHECK_NAMES, check
from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CURRENT,
    CYCLE_COUNT,
    DISCHARGE_CAPACITY,
    FREQUENCY,
    SOC,
    STEP_COUNT,
    TIME,
    VOLTAGE,
    Z_IM,
    Z_RE,
)
from tests.validation.tables import ROWS, changed, good, summary, with_columns


def codes(frame: Frame, **options: Any) -> set[str]:
    return {str(issue.code) for issue in check(frame, **options)}


def above(value: float) -> float:
    return float(np.nextafter(value, np.inf))


def test_the_good_table_passes_everything() -> None:
    assert check(Frame.of(good()), strict=True, voltage_window=(3.0, 4.2), steps=summary()) == []


# --- time ---


@pytest.mark.parametrize(("first", "fires"), [(1e-6, False), (above(1e-6), True), (-2e-6, True)])
def test_time_starts_at_zero(first: float, fires: bool) -> None:  # noqa: FBT001
    found = codes(changed(TIME, 0, first))
    assert (IssueCode.TIME_DOES_NOT_START_AT_ZERO in found) is fires


@pytest.mark.parametrize(("back", "fires"), [(0.0, False), (1e-12, False), (2e-12, True)])
def test_time_runs_forward(back: float, fires: bool) -> None:  # noqa: FBT001
    table = good()
    time = table[TIME] / 1e6  # small numbers, so that a float can tell 1e-12 apart
    time[1] = time[0] - back
    found = codes(Frame.of({**table, TIME: time}))
    assert (IssueCode.TIME_NOT_MONOTONIC in found) is fires


@pytest.mark.parametrize(("gap", "fires"), [(18000.0, False), (above(18000.0), True)])
def test_time_gap(gap: float, fires: bool) -> None:  # noqa: FBT001
    time = np.array([0.0, gap, gap + 1, gap + 2])
    frame = Frame.of({TIME: time, STEP_COUNT: np.zeros(4, dtype=int)})
    assert (IssueCode.TIME_GAP_TOO_LARGE in codes(frame, strict=True)) is fires
    assert IssueCode.TIME_GAP_TOO_LARGE not in codes(frame)
    assert codes(frame, strict=True, skip_checks={"time_gaps"}) == set()


@pytest.mark.parametrize(("frequency", "fires"), [(1000.0, False), (np.nan, True)])
def test_only_a_sweep_may_lack_a_time(frequency: float, fires: bool) -> None:  # noqa: FBT001
    table = {name: values.astype(float) for name, values in good().items()}
    table[TIME][5] = np.nan
    table[FREQUENCY] = np.full(len(table[TIME]), np.nan)
    table[FREQUENCY][5] = frequency
    found = codes(Frame.of(table))
    assert (IssueCode.TIME_MISSING_ON_NON_EIS_ROW in found) is fires


# --- step count ---


@pytest.mark.parametrize(("first", "fires"), [(0, False), (1, True), (-1, True)])
def test_step_count_starts_at_zero(first: int, fires: bool) -> None:  # noqa: FBT001
    found = codes(with_columns(step=good()[STEP_COUNT] + first))
    assert (IssueCode.STEP_COUNT_DOES_NOT_START_AT_ZERO in found) is fires


@pytest.mark.parametrize(
    ("steps", "fires"),
    [([0, 0, 1, 2], False), ([0, 0, 1, 3], True), ([0, 1, 0, 1], True), ([0, 0.5, 1, 1], True)],
)
def test_step_count_goes_up_by_one(steps: list[float], fires: bool) -> None:  # noqa: FBT001
    for kind in (float, int, np.uint8) if all(s == int(s) for s in steps) else (float,):
        found = codes(Frame.of({STEP_COUNT: np.array(steps, dtype=kind)}))
        assert (IssueCode.STEP_COUNT_NON_SEQUENTIAL in found) is fires


def test_step_count_missing() -> None:
    table = good()
    table.pop(STEP_COUNT)
    assert codes(Frame.of(table)) == {IssueCode.STEP_COUNT_MISSING}


@pytest.mark.parametrize(("rows", "fires"), [(2, False), (1, True)])
def test_step_has_points(rows: int, fires: bool) -> None:  # noqa: FBT001
    steps = np.concatenate([np.zeros(3, dtype=int), np.ones(rows, dtype=int)])
    found = codes(Frame.of({STEP_COUNT: steps}), strict=True)
    assert (IssueCode.STEP_TOO_FEW_POINTS in found) is fires


@pytest.mark.parametrize(("row", "fires"), [(ROWS, False), (ROWS - 1, True), (ROWS + 1, True)])
def test_cycle_changes_with_the_step(row: int, fires: bool) -> None:  # noqa: FBT001
    found = codes(changed(CYCLE_COUNT, slice(row, None), 1), strict=True)
    assert (IssueCode.CYCLE_CHANGES_WITHIN_STEP in found) is fires


# --- capacity columns ---


@pytest.mark.parametrize(("start", "fires"), [(1e-6, False), (above(1e-6), True)])
def test_capacity_restarts(start: float, fires: bool) -> None:  # noqa: FBT001
    found = codes(changed(CHARGE_CAPACITY, slice(0, ROWS), start))
    assert (IssueCode.CUMULATIVE_VALUE_NOT_RESET in found) is fires


@pytest.mark.parametrize(("fall", "fires"), [(1e-6, False), (1.1e-6, True)])
def test_capacity_never_falls(fall: float, fires: bool) -> None:  # noqa: FBT001
    found = codes(changed(CHARGE_CAPACITY, 3, -fall))
    assert (IssueCode.CUMULATIVE_VALUE_DECREASED in found) is fires


@pytest.mark.parametrize(("factor", "fires"), [(0.9001, False), (0.8999, True)])
def test_capacity_is_the_integral(factor: float, fires: bool) -> None:  # noqa: FBT001
    for name, code in (
        (DISCHARGE_CAPACITY, IssueCode.DISCHARGE_CAPACITY_INTEGRAL_MISMATCH),
        (CHARGE_CAPACITY, IssueCode.CHARGE_CAPACITY_INTEGRAL_MISMATCH),
    ):
        table = good()
        frame = Frame.of({**table, name: table[name] * factor})
        assert (code in codes(frame, strict=True)) is fires


@pytest.mark.parametrize(("factor", "fires"), [(0.9001, False), (0.8999, True)])
@pytest.mark.parametrize("has_power", [True, False])
def test_energy_is_the_integral(
    factor: float,
    fires: bool,  # noqa: FBT001
    has_power: bool,  # noqa: FBT001
) -> None:
    table = good()
    power = table[VOLTAGE] * table[CURRENT]
    if has_power:
        table["Power [W]"] = power
    for word, sign in (("Discharge", 1), ("Charge", -1)):
        half = np.maximum(sign * power, 0)
        energy = np.zeros(len(half))
        energy[1:] = np.cumsum(10.0 * (half[1:] + half[:-1]) / 2) / 3600
        energy -= np.repeat(energy[::ROWS], ROWS)
        frame = Frame.of({**table, f"{word} energy [W.h]": energy * factor})
        expected = f"{word.lower()}_energy_integral_mismatch"
        assert (expected in codes(frame, strict=True)) is fires


# --- voltage ---


@pytest.mark.parametrize(("jumps", "fires"), [(5, False), (6, True)])
def test_voltage_continuity_five_percent(jumps: int, fires: bool) -> None:  # noqa: FBT001
    found = codes(_jumping(jumps, 1.0), strict=True, voltage_window=(3.0, 4.0))
    assert (IssueCode.VOLTAGE_CONTINUITY in found) is fires
    assert codes(_jumping(6, 1.0), strict=True) == set()


@pytest.mark.parametrize(("size", "fires"), [(0.75, False), (0.75 + 2**-20, True)])
def test_voltage_continuity_eighty_percent(size: float, fires: bool) -> None:  # noqa: FBT001
    # A window of 0.9375 V makes the limit 0.75 V, which a float holds exactly.
    found = codes(_jumping(6, size), strict=True, voltage_window=(3.0, 3.9375))
    assert (IssueCode.VOLTAGE_CONTINUITY in found) is fires


def _jumping(jumps: int, size: float) -> Frame:
    """101 rows, 100 pairs, of which so many jump."""
    up = np.zeros(101)
    up[1 : 2 * jumps : 2] = size
    up[jumps + 1 :] = up[jumps]
    up = np.zeros(101)
    for jump in range(1, jumps + 1):
        up[jump:] = size * (jump % 2)
    return Frame.of({VOLTAGE: 3.0 + up, STEP_COUNT: np.zeros(101, dtype=int)})


# --- sign of current ---


def _votes(*blocks: tuple[int, int]) -> Frame:
    """Steps of ten rows: sign of the current, and whether the voltage falls (1) or rises (-1)."""
    k = np.arange(10)
    current = np.concatenate([np.full(10, float(sign)) for sign, _ in blocks])
    voltage = np.concatenate([3.7 - 0.01 * k * fall for _, fall in blocks])
    steps = np.repeat(np.arange(len(blocks)), 10)
    time = 10.0 * np.arange(len(steps))
    return Frame.of({TIME: time, VOLTAGE: voltage, CURRENT: current, STEP_COUNT: steps})


def test_sign_reversed_from_three_quarters() -> None:
    # Of four equal votes, three for charge are exactly three quarters.
    assert codes(_votes((1, -1), (-1, 1), (1, -1), (1, 1))) == {IssueCode.CURRENT_SIGN_REVERSED}
    five = _votes((1, -1), (-1, 1), (1, -1), (1, 1), (-1, -1))
    assert codes(five) == {IssueCode.CURRENT_SIGN_INDETERMINATE}


def test_sign_unclear_from_one_quarter() -> None:
    quarter = _votes((1, 1), (-1, -1), (1, 1), (-1, 1))
    assert codes(quarter) == {IssueCode.CURRENT_SIGN_INDETERMINATE}
    assert codes(_votes((1, 1), (-1, -1), (1, 1), (-1, -1), (-1, 1))) == set()


def test_sign_unsigned_when_all_is_positive() -> None:
    unsigned = _votes((1, 1), (1, -1))
    assert codes(unsigned) == {IssueCode.CURRENT_SIGN_UNSIGNED}
    current = unsigned.numbers(CURRENT).copy()
    current[0] = -0.01  # one negative value, and it has a sign
    assert codes(unsigned.replace({CURRENT: current})) == {IssueCode.CURRENT_SIGN_INDETERMINATE}


@pytest.mark.parametrize(("rows", "fires"), [(3, False), (4, True)])
def test_sign_needs_four_rows(rows: int, fires: bool) -> None:  # noqa: FBT001
    k = np.arange(rows)
    frame = Frame.of(
        {
            TIME: 10.0 * k,
            VOLTAGE: 3.7 + 0.01 * k,
            CURRENT: np.ones(rows),
            STEP_COUNT: np.zeros(rows, dtype=int),
        }
    )
    assert (IssueCode.CURRENT_SIGN_REVERSED in codes(frame)) is fires


@pytest.mark.parametrize(("rise", "fires"), [(3.69e-6, False), (3.8e-6, True)])
def test_sign_needs_a_voltage_that_moves(rise: float, fires: bool) -> None:  # noqa: FBT001
    # Flat is what moves by less than a millionth of its largest value.
    voltage = 3.7 + rise * np.arange(10) / 9
    frame = Frame.of(
        {
            TIME: 10.0 * np.arange(10),
            VOLTAGE: voltage,
            CURRENT: np.ones(10),
            STEP_COUNT: np.zeros(10, dtype=int),
        }
    )
    assert (IssueCode.CURRENT_SIGN_REVERSED in codes(frame)) is fires


def test_a_rest_has_no_vote() -> None:
    frame = _votes((1, 1), (1, -1))
    current = frame.numbers(CURRENT).copy()
    current[10:] = 0.00099  # below a milliampere
    assert codes(frame.replace({CURRENT: current})) == set()
    # So small against the first step it weighs nothing; alone, above the limit, it speaks.
    alone = frame.take(np.arange(10, 20)).replace({STEP_COUNT: np.zeros(10, dtype=int)})
    assert IssueCode.CURRENT_SIGN_REVERSED in codes(
        alone.replace({TIME: 10.0 * np.arange(10), CURRENT: np.full(10, 0.001)})
    )


# --- step summary ---


@pytest.mark.parametrize(
    ("amounts", "kinds", "fires"),
    [
        ([2.01, 2.01], ["d", "d"], True),
        ([2.0, 2.01], ["d", "d"], False),
        ([2.01, 2.01, 2.01], ["d", "c", "d"], False),
        ([2.01, 2.0, 2.01], ["d", "c", "d"], True),
        ([2.01, 0.0, 2.01], ["c", "r", "c"], True),
    ],
)
def test_full_steps_in_a_row(amounts: list[float], kinds: list[str], fires: bool) -> None:  # noqa: FBT001
    words = {"d": "Constant current discharge", "c": "Constant current charge", "r": "Rest"}
    steps = summary(
        kind=np.array([words[kind] for kind in kinds], dtype=object),
        discharge=np.where(np.array(kinds) == "d", amounts, 0.0),
        charge=np.where(np.array(kinds) == "c", amounts, 0.0),
        mean=np.where(np.array(kinds) == "d", 1.0, -1.0),
    )
    found = codes(Frame.of(good()), strict=True, steps=steps, rated_capacity=1.0)
    assert (IssueCode.CONSECUTIVE_SAME_DIRECTION_FULL_STEPS in found) is fires
    assert codes(Frame.of(good()), strict=True, rated_capacity=1.0) == set()


@pytest.mark.parametrize(("amount", "fires"), [(5.0, False), (5.01, True)])
def test_step_capacity_within_rated(amount: float, fires: bool) -> None:  # noqa: FBT001
    steps = summary(discharge=amount)
    found = check(Frame.of(good()), strict=True, steps=steps, rated_capacity=1.0)
    assert [issue.code for issue in found] == [IssueCode.STEP_CAPACITY_EXCEEDS_RATED] * fires
    assert all(issue.severity == Severity.WARNING for issue in found)


@pytest.mark.parametrize(
    ("spoiled", "fires"),
    [
        ({}, True),
        ({"mean": 0.00099}, False),
        ({"duration": 59.9}, False),
        ({"duration": 60.0}, True),
        ({"least": -0.002, "spread": 0.51}, False),
        ({"least": -0.001, "spread": 0.51}, True),
        ({"least": -5.0, "spread": 0.5}, True),
        ({"discharge": 0.25}, True),
        ({"discharge": 0.2501}, False),
    ],
)
def test_columns_fit_direction(spoiled: dict[str, float], fires: bool) -> None:  # noqa: FBT001
    steps = summary(**{"discharge": 0.0, "charge": 1.0, **spoiled})
    found = codes(Frame.of(good()), strict=True, steps=steps)
    assert (IssueCode.CHARGE_DISCHARGE_CAPACITY_COLUMNS_SWAPPED in found) is fires


@pytest.mark.parametrize(("wrong", "fires"), [(3.0, True), (2.99, False)])
def test_columns_fit_direction_by_amount(wrong: float, fires: bool) -> None:  # noqa: FBT001
    steps = summary(discharge=np.array([1.0, 0.0]), charge=np.array([0.0, wrong]))
    found = codes(Frame.of(good()), strict=True, steps=steps)
    assert (IssueCode.CHARGE_DISCHARGE_CAPACITY_COLUMNS_SWAPPED in found) is fires


# --- other data types ---


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
