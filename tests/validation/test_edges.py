"""Each rule fires at its edge, and is silent just inside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bulkload.core.frame import Frame
from bulkload.core.issues import IssueCode, Severity
from bulkload.core.rules import check
from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CURRENT,
    CYCLE_COUNT,
    DISCHARGE_CAPACITY,
    FREQUENCY,
    STEP_COUNT,
    TIME,
    VOLTAGE,
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
