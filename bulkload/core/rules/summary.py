"""Rules on the step summary: direction of the columns, full steps in a row, step capacity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bulkload.core.frame import AnyArray, Bools, Floats, Frame
from bulkload.core.issues import IssueCode, Severity, ValidationIssue
from bulkload.core.rules.step_count import plain
from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    STEP_COUNT,
)

#: A step that moves more than this many times the rated capacity is a full one.
FULL_STEP_FRACTION: Final = 2.0
#: No single step moves more than this many times the rated capacity.
MAX_RATIO: Final = 5.0
#: Steps that are named in a finding.
MAX_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class SummaryColumns:
    """The names of the columns of a step summary."""

    mean_current: str = "Mean current [A]"
    min_current: str = "Min current [A]"
    max_current: str = "Max current [A]"
    std_current: str = "Std current [A]"
    duration: str = "Duration [s]"
    step_count: str = STEP_COUNT
    step_type: str = "Step type"
    discharge_capacity: str = DISCHARGE_CAPACITY
    charge_capacity: str = CHARGE_CAPACITY
    discharge_energy: str = DISCHARGE_ENERGY
    charge_energy: str = CHARGE_ENERGY


@dataclass(frozen=True, slots=True)
class DirectionLimits:
    """When the direction of a step is clear enough for it to vote."""

    #: Least mean current, and how far the current may cross zero, in ampere.
    rest_tol: float = 1e-3
    min_duration_s: float = 60.0
    max_std_to_mean_ratio: float = 0.5
    #: How many times more one column must have gained than the other.
    dominance_ratio: float = 4.0
    #: Share of the votes (by amount moved) in the wrong column from which they are swapped.
    swapped_fraction_threshold: float = 0.75


def columns_fit_direction(
    steps: Frame, columns: SummaryColumns | None = None, limits: DirectionLimits | None = None
) -> list[ValidationIssue]:
    """Check that steps gain in the columns of their direction."""
    columns, limits = columns or SummaryColumns(), limits or DirectionLimits()
    if columns.mean_current not in steps or not steps.rows:
        return []
    with np.errstate(invalid="ignore"):
        clear = _clear_steps(steps, columns, limits)
        if not clear.any():
            return []
        return [
            issue
            for discharge, charge, quantity in (
                (columns.discharge_capacity, columns.charge_capacity, "capacity"),
                (columns.discharge_energy, columns.charge_energy, "energy"),
            )
            if discharge in steps and charge in steps
            for issue in _swapped(steps, columns, limits, clear, (discharge, charge, quantity))
        ]


def _clear_steps(steps: Frame, columns: SummaryColumns, limits: DirectionLimits) -> Bools:
    mean = steps.numbers(columns.mean_current)
    size = np.abs(mean)
    low, high = _or_nan(steps, columns.min_current), _or_nan(steps, columns.max_current)
    spread = _or_nan(steps, columns.std_current)
    one_signed = np.where(mean > 0, low >= -limits.rest_tol, high <= limits.rest_tol)
    one_signed &= np.isfinite(low) & np.isfinite(high)
    steady = np.isfinite(spread) & (spread <= limits.max_std_to_mean_ratio * size)
    clear: Bools = np.isfinite(mean) & (size >= limits.rest_tol) & (one_signed | steady)
    if columns.duration in steps:
        duration = steps.numbers(columns.duration)
        clear &= np.isfinite(duration) & (duration >= limits.min_duration_s)
    return clear


def _or_nan(steps: Frame, column: str) -> Floats:
    return steps.numbers(column) if column in steps else np.full(steps.rows, np.nan)


def _swapped(
    steps: Frame,
    columns: SummaryColumns,
    limits: DirectionLimits,
    clear: Bools,
    pair: tuple[str, str, str],
) -> list[ValidationIssue]:
    discharge_column, charge_column, quantity = pair
    discharge = np.nan_to_num(np.abs(steps.numbers(discharge_column)), nan=0.0)
    charge = np.nan_to_num(np.abs(steps.numbers(charge_column)), nan=0.0)
    moved, other = np.maximum(discharge, charge), np.minimum(discharge, charge)
    votes = clear & (moved > 0) & (moved >= limits.dominance_ratio * other)
    mean = steps.numbers(columns.mean_current)
    swapped = votes & np.where(mean > 0, charge > discharge, discharge > charge)
    total = float(moved[votes].sum())
    fraction = float(moved[swapped].sum()) / total if total > 0 else 0.0
    if not swapped.any() or fraction < limits.swapped_fraction_threshold:
        return []
    considered, wrong = int(votes.sum()), int(swapped.sum())
    numbers = _step_numbers(steps, columns.step_count)
    message = (
        f"'{discharge_column}' and '{charge_column}' are swapped: {wrong} of {considered} steps "
        f"of clear direction ({fraction:.0%} of the {quantity} moved) gain in the column of the "
        f"other direction; positive current discharges. The transform swap_charge_discharge "
        f"exchanges the columns."
    )
    payload = {
        "discharge_column": discharge_column,
        "charge_column": charge_column,
        "swapped_fraction": fraction,
        "n_steps_considered": considered,
        "n_steps_swapped": wrong,
        "example_steps": [plain(numbers[i]) for i in np.flatnonzero(swapped)[:MAX_EXAMPLES]],
        "threshold": limits.swapped_fraction_threshold,
    }
    code = IssueCode(f"charge_discharge_{quantity}_columns_swapped")
    return [ValidationIssue(code, message, payload=payload)]


def no_full_steps_in_a_row(
    steps: Frame,
    rated_capacity: float | None,
    columns: SummaryColumns | None = None,
    full_step_fraction: float = FULL_STEP_FRACTION,
) -> list[ValidationIssue]:
    """Check that full steps of one direction have one of the other between them."""
    columns = columns or SummaryColumns()
    needed = (columns.step_type, columns.discharge_capacity, columns.charge_capacity)
    if rated_capacity is None or rated_capacity <= 0 or not all(n in steps for n in needed):
        return []
    discharge = np.abs(np.nan_to_num(steps.numbers(columns.discharge_capacity), nan=0.0))
    charge = np.abs(np.nan_to_num(steps.numbers(columns.charge_capacity), nan=0.0))
    threshold = full_step_fraction * rated_capacity
    is_discharge, is_charge = _directions(steps.column(columns.step_type).values)
    full = (is_discharge & (discharge > threshold)) | (is_charge & (charge > threshold))
    rows = np.flatnonzero(full)
    again = np.flatnonzero(is_discharge[rows][1:] == is_discharge[rows][:-1])
    numbers = _step_numbers(steps, columns.step_count)
    return [
        _in_a_row(
            "discharge" if is_discharge[rows[i]] else "charge",
            (plain(numbers[rows[i]]), plain(numbers[rows[i + 1]])),
            rated_capacity,
            full_step_fraction,
        )
        for i in again
    ]


def _directions(types: AnyArray) -> tuple[Bools, Bools]:
    """Read the direction out of each word: two masks, for discharge and for charge."""
    known: dict[Any, tuple[bool, bool]] = {}
    for word in set(types.tolist()):
        text = word.lower() if isinstance(word, str) else ""
        is_discharge = "discharge" in text
        known[word] = (is_discharge, not is_discharge and "charge" in text)
    if not known:
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    both = np.array([known[word] for word in types.tolist()], dtype=bool)
    return both[:, 0], both[:, 1]


def _in_a_row(
    direction: str, steps: tuple[Any, Any], rated_capacity: float, fraction: float
) -> ValidationIssue:
    threshold = fraction * rated_capacity
    message = (
        f"Steps {steps[0]} and {steps[1]} both {direction} more than {fraction:.0%} of the rated "
        f"capacity ({threshold:.3f} A.h), with no such step of the other direction between them. "
        f"Several tests were probably joined: split them into measurements of their own, or "
        f"skip the check consecutive_same_direction_full_steps."
    )
    payload = {
        "direction": direction,
        "previous_step": steps[0],
        "current_step": steps[1],
        "threshold_capacity": float(threshold),
        "rated_capacity": float(rated_capacity),
    }
    code = IssueCode.CONSECUTIVE_SAME_DIRECTION_FULL_STEPS
    return ValidationIssue(code, message, payload=payload)


def within_rated_capacity(
    steps: Frame,
    rated_capacity: float | None,
    columns: SummaryColumns | None = None,
    max_ratio: float = MAX_RATIO,
) -> list[ValidationIssue]:
    """Warn of steps that move many times the rated capacity."""
    columns = columns or SummaryColumns()
    if rated_capacity is None or rated_capacity <= 0:
        return []
    threshold = max_ratio * rated_capacity
    count, first = 0, None
    with np.errstate(invalid="ignore"):
        for column in (columns.discharge_capacity, columns.charge_capacity):
            if column not in steps:
                continue
            moved = np.abs(steps.numbers(column))
            over = np.flatnonzero(moved > threshold)
            count += len(over)
            if first is None and len(over):
                number = plain(_step_numbers(steps, columns.step_count)[over[0]])
                first = (number, column, float(moved[over[0]]))
    if first is None:
        return []
    number, column, value = first
    more = f", and {count - 1} more" if count > 1 else ""
    message = (
        f"{count} step(s) move more than {max_ratio:.0%} of the rated capacity "
        f"({threshold:.3f} A.h); the first is step {number} with '{column}' = {value:.3f} "
        f"A.h{more}. Look at 'Step count', at gaps in the time, and at the unit of the rated "
        f"capacity."
    )
    payload = {
        "total_count": count,
        "first_step": number,
        "first_column": column,
        "first_value": value,
        "threshold_capacity": float(threshold),
        "rated_capacity": float(rated_capacity),
    }
    code = IssueCode.STEP_CAPACITY_EXCEEDS_RATED
    return [ValidationIssue(code, message, Severity.WARNING, payload)]


def _step_numbers(steps: Frame, column: str) -> AnyArray:
    return steps.column(column).visible() if column in steps else np.arange(steps.rows)
