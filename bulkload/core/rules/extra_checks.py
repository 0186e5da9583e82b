"""What the vendor's rules cannot see: checks of our own, under names of their own.

Warnings unless errors are asked for, and never part of the vendor's verdict. They look for
files that were misread (millivolts taken for volts, a decimal comma dropped, hours taken for
seconds), for rows that are missing or there twice, and for what silently keeps the vendor's
rules from judging (missing values, missing columns, no rows).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from bulkload.core.frame import Bools, Floats, Frame, NotNumericError
from bulkload.core.groups import Groups, Stretch, blocks, extremes
from bulkload.core.issues import ExtraCode, Severity, ValidationIssue
from bulkload.core.rules.magnitude import usual_size
from bulkload.core.rules.repeated import repeated_rows
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
        f"Check whether the reader knows the column under its name in the file."
    )
    return [_finding(ExtraCode.COLUMN_MISSING, message, missing=missing)]


def _values_present(frame: Frame) -> list[ValidationIssue]:
    """Find measured columns without a value, and holes in those that the sign rule needs."""
    issues = []
    for name in (*MEASURED, *ACCUMULATED):
        if name not in frame:
            continue
        count, first = _missing(frame, name)
        if count == frame.rows:
            message = f"'{name}' has no value in any row. Leave the column out, or read it."
            issues.append(_finding(ExtraCode.COLUMN_ALL_NULL, message, column=name))
        elif count and name in {VOLTAGE, CURRENT}:
            message = (
                f"'{name}' has no value in {count} row(s), the first at index {first}. The sign "
                f"of the current is not judged where a value is missing."
            )
            found = {"column": name, "num_rows": count, "row_index": first}
            issues.append(_finding(ExtraCode.VALUES_MISSING, message, **found))
    return issues


def _missing(frame: Frame, name: str) -> tuple[int, int]:
    """Return how many rows have no value in a column, and the first of them."""
    count = first = 0
    for low, high in blocks(frame.rows):
        missing = np.isnan(frame.values_in(name, low, high))
        if missing.any():
            first = first if count else low + int(np.argmax(missing))
            count += int(np.count_nonzero(missing))
    return count, first


def _voltage_plausible(frame: Frame, window: tuple[float, float] | None) -> list[ValidationIssue]:
    if VOLTAGE not in frame:
        return []
    usual = usual_size(frame, VOLTAGE)
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
    usual = usual_size(frame, CURRENT)
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
    groups = Groups.in_column(frame, STEP_COUNT)

    def current(low: int, high: int) -> Floats:
        measured = frame.numbers_in(CURRENT, low, high)
        return np.where(np.isnan(measured), 0.0, measured)

    def magnitudes() -> Iterator[Floats]:
        for low, high in blocks(frame.rows):
            yield np.abs(current(low, high))

    mean, size = np.zeros(len(groups)), np.zeros(len(groups))
    for part in groups.stretches():
        values = current(part.low, part.high)
        mean[part.steps] += np.add.reduceat(values, part.starts)
        size[part.steps] += np.add.reduceat(np.abs(values, out=values), part.starts)
    mean /= groups.sizes
    size /= groups.sizes
    rest = RestTolerance().of(magnitudes, frame.rows)
    return _Active(groups, np.abs(mean) >= rest, size)


def _time_plausible(
    frame: Frame, active: _Active | None, rated_capacity: float | None
) -> list[ValidationIssue]:
    """Find steps in which current flows for too long, or moves far too much."""
    if active is None:
        return []
    time = frame.numbers_at(TIME, active.groups.ends())
    hours = np.where(active.carries, time[1::2] - time[::2], 0.0) / 3600
    moved = hours * active.size
    most = float(np.fmax.reduce(moved))
    longest = float(np.fmax.reduce(hours))
    too_much = bool(rated_capacity and most > 100 * rated_capacity)
    if not too_much and not longest > MAX_ACTIVE_STEP_H:
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
    frame.numbers_in(VOLTAGE, 0, 0)  # Raises for a column that holds no numbers.
    least, most = extremes(frame, VOLTAGE)
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
    repeated = repeated_rows(frame, TIME, (VOLTAGE, CURRENT))
    total, first, length = repeated.rows, repeated.first, repeated.longest
    if length < MIN_REPEATED_ROWS:
        return []
    message = (
        f"{total} row(s) repeat the time, voltage and current of an earlier row, {length} of "
        f"them in succession from index {first}. Was an export appended twice?"
    )
    found = {"num_rows": total, "row_index": first, "longest_block": length}
    return [_finding(ExtraCode.ROWS_REPEATED, message, **found)]


def _steps_sampled(frame: Frame, active: _Active | None) -> list[ValidationIssue]:
    """Find steps under current in which the recording stops for a while."""
    if active is None or frame.rows < 2:
        return []
    groups = active.groups
    longest, lasted = np.zeros(len(groups)), np.zeros(len(groups))
    for part in groups.stretches():
        interval = _intervals(frame, part)
        longest[part.steps] = np.maximum(
            longest[part.steps], np.maximum.reduceat(interval, part.starts)
        )
        lasted[part.steps] += np.add.reduceat(interval, part.starts)
    usual = (lasted - longest) / np.maximum(groups.sizes - 2, 1)
    holes = active.carries & (groups.sizes >= MIN_GAP_ROWS) & (longest >= MIN_GAP_S)
    holes &= (longest >= GAP_FACTOR * usual) & (longest >= MIN_GAP_SHARE * lasted)
    steps = np.flatnonzero(holes)
    if not len(steps):
        return []
    step = int(steps[0])
    row = _row_of(frame, groups, step, float(longest[step]))
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


def _intervals(frame: Frame, part: Stretch) -> Floats:
    """Return the time since the row before; zero where a step starts, or nothing is known."""
    before = int(part.is_cut)
    time = frame.numbers_in(TIME, part.low - before, part.high)
    interval = np.empty(part.high - part.low)
    np.subtract(time[1:], time[:-1], out=interval[1 - before :])
    interval[part.starts[before:]] = 0.0
    interval[np.isnan(interval)] = 0.0
    return interval


def _row_of(frame: Frame, groups: Groups, step: int, longest: float) -> int:
    """Return the row before which the longest interval of a step lies."""
    for part in groups.stretches():
        if part.steps.start <= step < part.steps.stop:
            at = step - part.first
            piece = slice(int(part.starts[at]), int(part.starts[at] + part.sizes[at]))
            rows = np.flatnonzero(_intervals(frame, part)[piece] == longest)
            if len(rows):
                return part.low + piece.start + int(rows[0])
    raise AssertionError(step)
