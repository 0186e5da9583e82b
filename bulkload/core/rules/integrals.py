"""Capacity and energy columns agree with the integral of current and power.

The integral is taken with the trapezoidal rule over the whole series and set back at each
step, in the same order of operations as the vendor's client: where two rows are equally far
off, the same one is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.frame import Floats, Frame
from bulkload.core.groups import Groups, blocks
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CURRENT,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    POWER,
    STEP_COUNT,
    TIME,
    VOLTAGE,
)

#: Largest deviation, as a share of the largest value that either series reaches.
TOLERANCE: Final = 0.10


@dataclass(frozen=True, slots=True)
class IntegralColumns:
    """The names of the columns that the rule reads."""

    step: str = STEP_COUNT
    time: str = TIME
    current: str = CURRENT
    voltage: str = VOLTAGE
    power: str = POWER
    discharge_capacity: str = DISCHARGE_CAPACITY
    charge_capacity: str = CHARGE_CAPACITY
    discharge_energy: str = DISCHARGE_ENERGY
    charge_energy: str = CHARGE_ENERGY


@dataclass(frozen=True, slots=True)
class _Task:
    column: str
    source: str
    is_charge: bool
    is_energy: bool
    code: IssueCode


@dataclass(slots=True)
class _Worst:
    """The row that is furthest off, and how large the values are."""

    row: int = 0
    deviation: float = -1.0
    reported: float = 0.0
    integrated: float = 0.0
    #: Largest magnitude on either side.
    scale: float = np.nan

    @property
    def relative(self) -> float:
        """Deviation as a share of the scale; zero where there is nothing to compare."""
        comparable = self.deviation >= 0 and np.isfinite(self.scale) and self.scale > 0
        return self.deviation / self.scale if comparable else 0.0


def match_columns(
    frame: Frame,
    groups: Groups | None = None,
    columns: IntegralColumns | None = None,
    tolerance: float = TOLERANCE,
) -> list[ValidationIssue]:
    """Check that each column is within a tenth of its integral. ``groups``: where known."""
    columns = columns or IntegralColumns()
    if columns.time not in frame or columns.step not in frame:
        return []
    timed = frame.without_missing(columns.time)
    if timed.rows < 2:
        return []
    if groups is None or timed is not frame:
        groups = Groups.in_column(timed, columns.step)
    issues = []
    for task in _tasks(timed, columns):
        with np.errstate(all="ignore"):
            worst = _furthest_off(_compared(timed, columns, groups, task))
        if np.isfinite(worst.relative) and worst.relative > tolerance:
            issues.append(_issue(task, worst, tolerance))
    return issues


def _tasks(frame: Frame, columns: IntegralColumns) -> list[_Task]:
    current = columns.current if columns.current in frame else None
    power = columns.power if columns.power in frame else None
    if power is None and current is not None and columns.voltage in frame:
        power = f"{columns.voltage} * {columns.current}"
    tasks = []
    for column, source, is_charge, is_energy, code in (
        (columns.discharge_capacity, current, False, False, "discharge_capacity"),
        (columns.charge_capacity, current, True, False, "charge_capacity"),
        (columns.discharge_energy, power, False, True, "discharge_energy"),
        (columns.charge_energy, power, True, True, "charge_energy"),
    ):
        if column in frame and source is not None:
            full_code = IssueCode(f"{code}_integral_mismatch")
            tasks.append(_Task(column, source, is_charge, is_energy, full_code))
    return tasks


def _compared(
    frame: Frame, columns: IntegralColumns, groups: Groups, task: _Task
) -> Iterator[tuple[int, Floats, Floats]]:
    """Yield blocks: their first row, what is reported, what the integral gives."""
    running = base = flow_before = time_before = 0.0
    for low, high in blocks(frame.rows):
        time = frame.numbers_in(columns.time, low, high)
        flow = _flow(frame, columns, task, (low, high))
        steps = np.empty(high - low)
        np.subtract(time[1:], time[:-1], out=steps[1:])
        steps[0] = time[0] - time_before if low else 0.0
        added = np.empty(high - low)
        np.add(flow[1:], flow[:-1], out=added[1:])
        added[0] = flow[0] + flow_before
        added *= steps
        added /= 2.0
        added[0] = running + added[0] if low else 0.0
        integral = np.cumsum(added, out=added)
        running, flow_before, time_before = (
            float(integral[-1]),
            float(flow[-1]),
            float(time[-1]),
        )
        integral /= 3600.0
        base = _set_back(integral, groups, low, high, base)
        yield low, frame.numbers_in(task.column, low, high), integral


def _set_back(integral: Floats, groups: Groups, low: int, high: int, base: float) -> float:
    """Subtract from each row the value at the start of its step; return the last such value."""
    first, last = np.searchsorted(groups.starts, (low, high))
    starts = groups.starts[first:last] - low
    bases = np.concatenate(([base], integral[starts]))
    integral -= np.repeat(bases, np.diff(starts, prepend=0, append=high - low))
    return float(bases[-1])


def _flow(frame: Frame, columns: IntegralColumns, task: _Task, rows: tuple[int, int]) -> Floats:
    """Return the half of the current (or power) that the column accumulates."""
    if not task.is_energy:
        signed = frame.numbers_in(columns.current, *rows)
    elif columns.power in frame:
        signed = frame.numbers_in(columns.power, *rows)
    else:
        voltage = frame.numbers_in(columns.voltage, *rows)
        signed = voltage * frame.numbers_in(columns.current, *rows)
    half: Floats = np.maximum(-signed if task.is_charge else signed, 0.0)
    return half


def _furthest_off(compared: Iterator[tuple[int, Floats, Floats]]) -> _Worst:
    worst = _Worst()
    for low, reported, integral in compared:
        largest = [
            abs(float(extreme.reduce(values)))
            for values in (reported, integral)
            for extreme in (np.fmax, np.fmin)
        ]
        worst.scale = float(np.fmax.reduce([worst.scale, *largest]))
        deviation = np.subtract(reported, integral)
        np.abs(deviation, out=deviation)
        row = int(np.argmax(deviation))
        if np.isnan(deviation[row]):
            if np.isnan(deviation).all():
                continue
            row = int(np.nanargmax(deviation))
        if deviation[row] > worst.deviation:
            worst.row, worst.deviation = low + row, float(deviation[row])
            worst.reported, worst.integrated = float(reported[row]), float(integral[row])
    return worst


def _issue(task: _Task, worst: _Worst, tolerance: float) -> ValidationIssue:
    unit = "W.h" if task.is_energy else "A.h"
    half = "charging" if task.is_charge else "discharging"
    message = (
        f"'{task.column}' is up to {worst.relative:.1%} away from the integral of the {half} part "
        f"of '{task.source}' ({tolerance:.0%} is the limit); worst at row {worst.row}: reported "
        f"{worst.reported:.4f} {unit}, integrated {worst.integrated:.4f} {unit}. Look at units "
        f"and dropped rows; the transforms set_capacity and set_energy compute the columns anew."
    )
    payload = {
        "column": task.column,
        "source_column": task.source,
        "unit": unit,
        "worst_row_index": worst.row,
        "reported_at_worst": worst.reported,
        "integrated_at_worst": worst.integrated,
        "max_scale": worst.scale,
        "relative_error": worst.relative,
        "tolerance": tolerance,
    }
    return ValidationIssue(task.code, message, payload=payload)
