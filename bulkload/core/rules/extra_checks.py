"""What the vendor's rules cannot see: checks of our own, under names of their own.

Warnings unless errors are asked for, and never part of the vendor's verdict. They look for
files that were misread (millivolts taken for volts, a decimal comma dropped, hours taken for
seconds), for rows that are missing or there twice, and for what silently keeps the vendor's
rules from judging (missing values, missing columns, no rows).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from bulkload.core.frame import Bools, Floats, Frame, Indices, NotNumericError
from bulkload.core.groups import Groups
from bulkload.core.issues import ExtraCode, Severity, ValidationIssue
from bulkload.core.rules.magnitude import usual_size
from bulkload.core.rules.sign import RestTolerance
from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    POWER,
    STEP_COUNT,
    TEMPERATURE,
    TIME,
    VOLTAGE,
)

#: Times outside the rated voltage window that no measurement of the cell can be.
VOLTAGE_FACTOR: Final = 10.0
#: Voltage that no cell has, in volt, where no window is given: modules are below, millivolts
#: and dropped decimal commas above.
MAX_CELL_VOLTAGE_V: Final = 100.0
#: Rates, in multiples of the capacity an hour, that no test reaches: fast pulses end near
#: 100 C, the slowest tests near C/1000.
MAX_RATE: Final = 300.0
MIN_RATE: Final = 1e-5
#: Longest that current flows in one step, in hours. C/1000 ends before; hours read as seconds
#: do not.
MAX_ACTIVE_STEP_H: Final = 2_000.0
#: Rows from which a voltage that never changes is a stuck sensor, not a short rest.
MIN_CONSTANT_ROWS: Final = 100
#: Rows in succession that must be there twice to count as a repeated block.
MIN_REPEATED_ROWS: Final = 10
#: An interval this many times the step's usual one, this long (s), and this share of the step
#: at least, is a hole in the recording.
GAP_FACTOR: Final = 50.0
MIN_GAP_S: Final = 600.0
MIN_GAP_SHARE: Final = 0.2
#: Steps shorter than this have no usual interval.
MIN_GAP_ROWS: Final = 10

MEASURED: Final = (TIME, VOLTAGE, CURRENT, TEMPERATURE, POWER)
ACCUMULATED: Final = (DISCHARGE_CAPACITY, CHARGE_CAPACITY, DISCHARGE_ENERGY, CHARGE_ENERGY)


def check_extra(
    frame: Frame,
    *,
    data_type: str | None = None,
    rated_capacity: float | None = None,
    voltage_window: tuple[float, float] | None = None,
    as_errors: bool = False,
) -> list[ValidationIssue]:
    """Return what the extra checks find. They concern cycler data; other types have none."""
    if data_type in {"ocp", "eis"}:
        return []
    if not frame.rows:
        return _graded(
            [_finding(ExtraCode.TABLE_EMPTY, "The table has no rows.")], as_errors=as_errors
        )
    active = _active_steps(frame)
    checks: tuple[Callable[[], list[ValidationIssue]], ...] = (
        lambda: _columns_present(frame),
        lambda: _values_present(frame),
        lambda: _voltage_plausible(frame, voltage_window),
        lambda: _current_plausible(frame, rated_capacity),
        lambda: _time_plausible(frame, active, rated_capacity),
        lambda: _voltage_moves(frame),
        lambda: _rows_once(frame),
        lambda: _steps_sampled(frame, active),
    )
    issues = []
    with np.errstate(all="ignore"):
        for check in checks:
            try:
                issues += check()
            except NotNumericError:
                continue  # told by the rules already
    return _graded(issues, as_errors=as_errors)


def _graded(issues: list[ValidationIssue], *, as_errors: bool) -> list[ValidationIssue]:
    severity = Severity.ERROR if as_errors else Severity.WARNING
    return [replace(issue, severity=severity) for issue in issues]


def _finding(code: ExtraCode, message: str, **payload: Any) -> ValidationIssue:
    return ValidationIssue(code, message, Severity.WARNING, payload)


def _columns_present(frame: Frame) -> list[ValidationIssue]:
    missing = [name for name in (TIME, VOLTAGE, CURRENT) if name not in frame]
    if not missing:
        return []
    message = (
        f"There is no {' and no '.join(map(repr, missing))}: most rules had nothing to judge. "
        f"Look whether the reader knows the column under its name in the file."
    )
    return [_finding(ExtraCode.COLUMN_MISSING, message, missing=missing)]


def _values_present(frame: Frame) -> list[ValidationIssue]:
    """Find measured columns without a value, and holes in those that the sign rule needs."""
    issues = []
    for name in (*MEASURED, *ACCUMULATED):
        if name not in frame:
            continue
        missing = np.isnan(frame.values(name))
        count = int(np.count_nonzero(missing))
        if count == frame.rows:
            message = f"'{name}' has no value in any row. Leave the column out, or read it."
            issues.append(_finding(ExtraCode.COLUMN_ALL_NULL, message, column=name))
        elif count and name in {VOLTAGE, CURRENT}:
            first = int(np.argmax(missing))
            message = (
                f"'{name}' has no value in {count} row(s), the first at index {first}. The sign "
                f"of the current is not judged where a value is missing."
            )
            found = {"column": name, "num_rows": count, "row_index": first}
            issues.append(_finding(ExtraCode.VALUES_MISSING, message, **found))
    return issues


def _voltage_plausible(frame: Frame, window: tuple[float, float] | None) -> list[ValidationIssue]:
    if VOLTAGE not in frame:
        return []
    usual = usual_size(frame.numbers(VOLTAGE))
    high = MAX_CELL_VOLTAGE_V if window is None else VOLTAGE_FACTOR * abs(window[1])
    low = 0.0 if window is None else max(window[0], 0.0) / VOLTAGE_FACTOR
    if usual == 0 or low <= usual <= high:
        return []
    message = (
        f"'{VOLTAGE}' is usually near {usual:.4g} V; {low:.3g} to {high:.3g} V is what this cell "
        f"can have. Millivolts read as volts, or decimal commas dropped?"
    )
    found = {"column": VOLTAGE, "usual": usual, "low": low, "high": high}
    return [_finding(ExtraCode.VOLTAGE_OUTSIDE_RATINGS, message, **found)]


def _current_plausible(frame: Frame, rated_capacity: float | None) -> list[ValidationIssue]:
    if CURRENT not in frame or not rated_capacity or rated_capacity <= 0:
        return []
    usual = usual_size(frame.numbers(CURRENT))
    low, high = MIN_RATE * rated_capacity, MAX_RATE * rated_capacity
    if usual == 0 or low <= usual <= high:
        return []
    message = (
        f"'{CURRENT}' is usually near {usual:.4g} A: {usual / rated_capacity:.3g} times the rated "
        f"capacity of {rated_capacity:g} A.h an hour. Milliampere read as ampere, or a rated "
        f"capacity in mA.h?"
    )
    found = {"column": CURRENT, "usual": usual, "low": low, "high": high}
    return [_finding(ExtraCode.CURRENT_OUTSIDE_RATINGS, message, **found)]


@dataclass(frozen=True, slots=True)
class _Active:
    """The steps of a table, and which of them carry current."""

    groups: Groups
    carries: Bools
    #: Mean magnitude of the current of each step, in ampere.
    size: Floats


def _active_steps(frame: Frame) -> _Active | None:
    if not all(frame.is_numeric(name) for name in (TIME, CURRENT, STEP_COUNT)):
        return None
    measured = frame.numbers(CURRENT)
    current = np.where(np.isnan(measured), 0.0, measured)
    groups = Groups.by(frame.values(STEP_COUNT))
    mean = np.add.reduceat(current, groups.starts) / groups.sizes
    np.abs(current, out=current)
    size = np.add.reduceat(current, groups.starts) / groups.sizes
    return _Active(groups, np.abs(mean) >= RestTolerance().of(current), size)


def _time_plausible(
    frame: Frame, active: _Active | None, rated_capacity: float | None
) -> list[ValidationIssue]:
    """Find steps in which current flows for too long, or moves far too much."""
    if active is None:
        return []
    groups, time = active.groups, frame.numbers(TIME)
    last = groups.starts + groups.sizes - 1
    hours = np.where(active.carries, time[last] - time[groups.starts], 0.0) / 3600
    moved = hours * active.size
    most = float(np.fmax.reduce(moved))
    longest = float(np.fmax.reduce(hours))
    too_much = bool(rated_capacity and most > 100 * rated_capacity)
    if not too_much and longest <= MAX_ACTIVE_STEP_H:
        return []
    step = int(np.nanargmax(moved if too_much else hours))
    message = (
        f"Current flows for {hours[step]:.4g} h in step {step}, {moved[step]:.4g} A.h in all. "
        f"'{TIME}' is probably in another unit (hours or milliseconds read as seconds)."
    )
    payload = {"step_index": step, "hours": float(hours[step]), "capacity": float(moved[step])}
    return [_finding(ExtraCode.TIME_SCALE_IMPLAUSIBLE, message, **payload)]


def _voltage_moves(frame: Frame) -> list[ValidationIssue]:
    if VOLTAGE not in frame or frame.rows < MIN_CONSTANT_ROWS:
        return []
    voltage = frame.numbers(VOLTAGE)
    least, most = float(np.fmin.reduce(voltage)), float(np.fmax.reduce(voltage))
    if least != most:
        return []
    message = (
        f"'{VOLTAGE}' is {least:g} V in all {frame.rows} rows: a stuck sensor, or a wrong column?"
    )
    return [_finding(ExtraCode.COLUMN_CONSTANT, message, column=VOLTAGE, value=least)]


def _rows_once(frame: Frame) -> list[ValidationIssue]:
    """Find blocks of rows that are there twice: same time, voltage and current."""
    if not all(name in frame for name in (TIME, VOLTAGE, CURRENT)):
        return []
    time = frame.numbers(TIME)
    if np.all(np.diff(time) > 0):
        return []
    columns = [frame.numbers(name) for name in (CURRENT, VOLTAGE, TIME)]
    # The last key counts first; the order is stable, so of equal rows the earlier comes first.
    order = np.lexsort(columns)
    again = np.ones(len(order) - 1, dtype=bool)
    for column in columns:
        again &= column[order[1:]] == column[order[:-1]]
    repeated = np.zeros(frame.rows, dtype=bool)
    repeated[order[1:][again]] = True
    first, length = _longest_run(repeated)
    if length < MIN_REPEATED_ROWS:
        return []
    total = int(np.count_nonzero(repeated))
    message = (
        f"{total} row(s) are there before with the same time, voltage and current, {length} of "
        f"them in succession from index {first}. Was an export appended twice?"
    )
    found = {"num_rows": total, "row_index": first, "longest_block": length}
    return [_finding(ExtraCode.ROWS_REPEATED, message, **found)]


def _longest_run(mask: Bools) -> tuple[int, int]:
    edges: Indices = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    if not len(edges):
        return 0, 0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    longest = int(np.argmax(lengths))
    return int(starts[longest]), int(lengths[longest])


def _steps_sampled(frame: Frame, active: _Active | None) -> list[ValidationIssue]:
    """Find steps under current in which the recording stops for a while."""
    if active is None or frame.rows < 2:
        return []
    groups, time = active.groups, frame.numbers(TIME)
    interval = np.empty(len(time))
    np.subtract(time[1:], time[:-1], out=interval[1:])
    interval[groups.starts] = 0.0
    interval[np.isnan(interval)] = 0.0
    longest = np.maximum.reduceat(interval, groups.starts)
    lasted = np.add.reduceat(interval, groups.starts)
    usual = (lasted - longest) / np.maximum(groups.sizes - 2, 1)
    holes = active.carries & (groups.sizes >= MIN_GAP_ROWS) & (longest >= MIN_GAP_S)
    holes &= (longest >= GAP_FACTOR * usual) & (longest >= MIN_GAP_SHARE * lasted)
    steps = np.flatnonzero(holes)
    if not len(steps):
        return []
    step = int(steps[0])
    start = int(groups.starts[step])
    row = start + int(np.argmax(interval[start : start + groups.sizes[step]]))
    message = (
        f"The recording stops for {longest[step]:.0f} s within step {step}, before row {row}, "
        f"while current flows ({len(steps)} such step(s)); rows there are usually "
        f"{usual[step]:.3g} s apart. Were rows dropped?"
    )
    payload = {
        "step_index": step,
        "row_index": row,
        "gap_seconds": float(longest[step]),
        "num_steps": len(steps),
    }
    return [_finding(ExtraCode.SAMPLING_STOPS_IN_STEP, message, **payload)]
