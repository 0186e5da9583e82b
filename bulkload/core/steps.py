"""Step and cycle summaries of a time series: what Studio derives, and three rules judge by.

The columns, and the rules by which a step gets its type, are those of the vendor's own
summary. A step is a run of equal ``Step count``. Missing values are left out of statistics;
a column that cannot be computed holds nulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.accumulate import capacity_gains
from bulkload.core.frame import AnyArray, Column, Floats, Frame, Indices
from bulkload.core.groups import Groups, changes, extremes, pairs
from bulkload.core.terms import (
    CAPACITY,
    CHARGE_CAPACITY,
    CHARGE_ENERGY,
    CUMULATIVE_COLUMNS,
    CURRENT,
    CYCLE_COUNT,
    CYCLE_FROM_CYCLER,
    DISCHARGE_CAPACITY,
    DISCHARGE_ENERGY,
    FREQUENCY,
    SOC,
    STEP_COUNT,
    STEP_FROM_CYCLER,
    STOICHIOMETRY,
    TIME,
    VOLTAGE,
)

#: Below this mean current a step is a rest, and below this spread a constant current, in A.
REST_TOLERANCE_A: Final = 1e-3
CURRENT_TOLERANCE_A: Final = 1e-2
#: Both are capped for small cells: at these shares of the rated capacity (C/1000, C/200),
#: or, without one, at this share of the largest current.
REST_SHARE_OF_CAPACITY: Final = 1 / 1000
CURRENT_SHARE_OF_CAPACITY: Final = 1 / 200
SHARE_OF_LARGEST_CURRENT: Final = 1 / 100
#: Below this spread a voltage (in V) or a power (in W) is constant.
VOLTAGE_TOLERANCE_V: Final = 1e-2
POWER_TOLERANCE_W: Final = 1e-2
#: Above this mean frequency, in Hz, a step is an impedance sweep.
EIS_FREQUENCY_HZ: Final = 1e-8

#: What a step table needs beside ``Step count`` and voltage: one of these.
X_AXES: Final = (TIME, CAPACITY, STOICHIOMETRY, SOC)


class NotSummarisableError(ValueError):
    """A table lacks a column without which there are no steps."""


def summarise_steps(frame: Frame, rated_capacity: float | None = None) -> Frame:
    """Return one row for each step. Raise NotSummarisableError where a column is missing.

    ``rated_capacity`` in A.h scales what counts as rest and as constant current.
    """
    for needed in (STEP_COUNT, VOLTAGE):
        if needed not in frame:
            raise NotSummarisableError(f"there are no steps without {needed!r}")
    if not any(name in frame for name in X_AXES):
        raise NotSummarisableError(f"there are no steps without one of {', '.join(X_AXES)}")
    groups = Groups.in_column(frame, STEP_COUNT)
    with np.errstate(all="ignore"):
        table = {**_bounds(frame, groups), **_gains(frame, groups), **_statistics(frame, groups)}
        table.update(_numbers(frame, groups))
        largest = _largest(frame)
        table["Step type"] = Column(_types(table, rated_capacity, largest, len(groups)))
        table.update(_per_cycle(table))
    return Frame.of(table)


def summarise_cycles(steps: Frame) -> Frame:
    """Return one row for each cycle of a step table: sums, efficiencies, extremes."""
    cycles, owner = np.unique(steps.values(CYCLE_COUNT), return_inverse=True)
    table: dict[str, Column] = {CYCLE_COUNT: Column(cycles)}
    sums = {
        name: _sum_by(owner, steps.numbers(name), len(cycles))
        for name in CUMULATIVE_COLUMNS
        if name in steps
    }
    table.update({name: Column(values) for name, values in sums.items()})
    for name, reduce in (("Min voltage [V]", np.fmin), ("Max voltage [V]", np.fmax)):
        extremes = np.full(len(cycles), np.nan)
        reduce.at(extremes, owner, steps.numbers(name))
        table[name] = nullable(extremes)
    starts = np.full(len(cycles), np.nan)
    np.fmin.at(starts, owner, steps.numbers("Start time [s]"))
    table["Start time [s]"] = nullable(starts)
    duration = _sum_by(owner, steps.numbers("Duration [s]"), len(cycles))
    table["Cycle duration [s]"] = Column(duration)
    with np.errstate(all="ignore"):
        for name, out, into in (
            ("Coulombic efficiency", DISCHARGE_CAPACITY, CHARGE_CAPACITY),
            ("Energy efficiency", DISCHARGE_ENERGY, CHARGE_ENERGY),
        ):
            table[name] = nullable(np.where(sums[into] > 0, sums[out] / sums[into], np.nan))
        for word, out in (("Capacity", DISCHARGE_CAPACITY), ("Energy", DISCHARGE_ENERGY)):
            first = sums[out][0] if len(cycles) and sums[out][0] > 0 else np.nan
            table[f"{word} retention"] = nullable(sums[out] / first)
            table[f"{word} fade"] = nullable(1.0 - sums[out] / first)
        for word, sign in (("discharge", 1), ("charge", -1)):
            table.update(_by_current(steps, owner, len(cycles), word, sign))
    moved = sums[DISCHARGE_CAPACITY] + sums[CHARGE_CAPACITY]
    table["Capacity throughput [A.h]"] = Column(np.cumsum(moved))
    spent = sums[DISCHARGE_ENERGY] + sums[CHARGE_ENERGY]
    table["Energy throughput [W.h]"] = Column(np.cumsum(spent))
    return Frame.of(table)


def nullable(values: Floats) -> Column:
    """Return a column in which each NaN is a null."""
    return Column(values, np.isnan(values))


def _by_current(
    steps: Frame, owner: AnyArray, count: int, word: str, sign: int
) -> dict[str, Column]:
    """Return mean current, weighted by duration, and duration of the steps of one direction."""
    mean, duration = steps.numbers("Mean current [A]"), steps.numbers("Duration [s]")
    of_sign = sign * mean > 0
    lasted = _sum_by(owner[of_sign], duration[of_sign], count)
    passed = _sum_by(owner[of_sign], mean[of_sign] * duration[of_sign], count)
    lasted[np.bincount(owner[of_sign], minlength=count) == 0] = np.nan
    return {
        f"Mean {word} current [A]": nullable(passed / lasted),
        f"{word.capitalize()} duration [s]": nullable(lasted),
    }


def _sum_by(owner: AnyArray, values: Floats, count: int) -> Floats:
    known = np.where(np.isnan(values), 0.0, values)
    return np.bincount(owner, weights=known, minlength=count).astype(np.float64)


def _bounds(frame: Frame, groups: Groups) -> dict[str, Column]:
    ends = groups.ends()
    table = {"Start index": Column(ends[::2]), "End index": Column(ends[1::2])}
    time = frame.numbers_at(TIME, ends) if TIME in frame else np.full(len(ends), np.nan)
    voltage = frame.numbers_at(VOLTAGE, ends)
    return table | {
        "Start time [s]": nullable(time[::2]),
        "End time [s]": nullable(time[1::2]),
        "Duration [s]": nullable(time[1::2] - time[::2]),
        "Start voltage [V]": nullable(voltage[::2]),
        "End voltage [V]": nullable(voltage[1::2]),
    }


def _gains(frame: Frame, groups: Groups) -> dict[str, Column]:
    """Return what each cumulative column gained from the first to the last row of each step."""
    known: dict[str, Floats] = {}
    if CAPACITY in frame and CURRENT in frame:
        known = capacity_gains(frame, groups)
    is_pair = DISCHARGE_CAPACITY in frame and CHARGE_CAPACITY in frame
    has_capacity = bool(known) or is_pair
    table = {}
    for name in CUMULATIVE_COLUMNS:
        is_capacity = name in (DISCHARGE_CAPACITY, CHARGE_CAPACITY)
        if name in known:
            gain = known[name]
        elif name in frame and (has_capacity or not is_capacity):
            values = frame.numbers_at(name, groups.ends())
            gain = values[1::2] - values[::2]
        else:
            gain = np.full(len(groups), 0.0 if has_capacity else np.nan)
        table[name] = nullable(gain)
    return table


def _statistics(frame: Frame, groups: Groups) -> dict[str, Column]:
    table: dict[str, Column] = {}
    for name, columns in (
        ("voltage [V]", (VOLTAGE,)),
        ("current [A]", (CURRENT,)),
        ("power [W]", (VOLTAGE, CURRENT)),
        ("frequency [Hz]", (FREQUENCY,)),
    ):
        is_frequency = columns == (FREQUENCY,)
        if all(column in frame for column in columns):
            found = _describe(_Signal(frame, columns), groups, is_trimmed=not is_frequency)
        else:
            # No frequency column means no sweep: zero, not unknown.
            fill = np.full(len(groups), 0.0 if is_frequency else np.nan)
            found = dict.fromkeys(("Min", "Max", "Std", "Mean"), fill)
        table.update({f"{word} {name}": nullable(column) for word, column in found.items()})
    return table


@dataclass(frozen=True, slots=True)
class _Signal:
    """A column, or the product of several."""

    frame: Frame
    columns: tuple[str, ...]

    def within(self, low: int, high: int) -> Floats:
        """Return a stretch of rows."""
        parts = [self.frame.numbers_in(name, low, high) for name in self.columns]
        return parts[0] if len(parts) == 1 else parts[0] * parts[1]

    def at(self, rows: Indices) -> Floats:
        """Return some rows."""
        parts = [self.frame.numbers_at(name, rows) for name in self.columns]
        return parts[0] if len(parts) == 1 else parts[0] * parts[1]


def _describe(signal: _Signal, groups: Groups, *, is_trimmed: bool) -> dict[str, Floats]:
    """Least, greatest, spread and mean of each step.

    The spread leaves out the first and last row of a step: they can carry the set point of
    the step before or after. Three rows lose the first only, fewer none.
    """
    count, total = groups.sizes.astype(np.float64), np.zeros(len(groups))
    least, most = np.full(len(groups), np.nan), np.full(len(groups), np.nan)
    for part in groups.stretches():
        values = signal.within(part.low, part.high)
        least[part.steps] = np.fmin(least[part.steps], np.fmin.reduceat(values, part.starts))
        most[part.steps] = np.fmax(most[part.steps], np.fmax.reduceat(values, part.starts))
        missing = np.isnan(values)
        if missing.any():
            values = np.where(missing, 0.0, values)
            count[part.steps] -= np.add.reduceat(missing, part.starts, dtype=np.float64)
        total[part.steps] += np.add.reduceat(values, part.starts)
    mean = total / count
    about = np.where(count > 0, mean, 0.0)
    rest, squares = _about(signal, groups, about)
    kept = count.copy()
    if is_trimmed:
        ends = signal.at(groups.ends())
        for long, values in ((groups.sizes > 2, ends[::2]), (groups.sizes > 3, ends[1::2])):
            away = np.where(np.isnan(values), 0.0, values - about)[long]
            kept[long] -= ~np.isnan(values[long])
            rest[long] -= away
            squares[long] -= away**2
    variance = np.maximum(squares - rest * rest / kept, 0.0) / (kept - 1)
    spread = np.where(kept > 1, np.sqrt(variance), 0.0)
    return {"Min": least, "Max": most, "Std": spread, "Mean": mean}


def _about(signal: _Signal, groups: Groups, about: Floats) -> tuple[Floats, Floats]:
    """Return of each step the sums of the distances from a value, and of their squares."""
    rest, squares = np.zeros(len(groups)), np.zeros(len(groups))
    for part in groups.stretches():
        values = signal.within(part.low, part.high)
        away = values - np.repeat(about[part.steps], part.sizes)
        missing = np.isnan(values)
        if missing.any():
            away[missing] = 0.0
        rest[part.steps] += np.add.reduceat(away, part.starts)
        away *= away
        squares[part.steps] += np.add.reduceat(away, part.starts)
    return rest, squares


def _numbers(frame: Frame, groups: Groups) -> dict[str, Column]:
    """Return the names of each step: its count, the cycler's numbers, its cycle."""
    table = {STEP_COUNT: frame.column_at(STEP_COUNT, groups.starts)}
    nothing = nullable(np.full(len(groups), np.nan))
    for name in (STEP_FROM_CYCLER, CYCLE_FROM_CYCLER):
        table[name] = frame.column_at(name, groups.starts) if name in frame else nothing
    table[CYCLE_COUNT] = Column(_cycles(frame, groups.starts))
    return table


def _cycles(frame: Frame, rows: Indices) -> AnyArray:
    """Return at these rows the number of changes of the cycler's cycle so far."""
    found = np.zeros(len(rows), dtype=np.int64)
    if CYCLE_FROM_CYCLER not in frame:
        return found
    count = 0
    for low, high in pairs(frame.rows):
        labels = frame.column_in(CYCLE_FROM_CYCLER, low, high).visible()
        changed = changes(labels) + (low + 1)
        inside = slice(*np.searchsorted(rows, (low + 1, high)))
        found[inside] = count + np.searchsorted(changed, rows[inside], side="right")
        count += len(changed)
    return found


def _largest(frame: Frame) -> float:
    if CURRENT not in frame or not frame.rows:
        return 0.0
    return float(np.fmax.reduce(np.abs(extremes(frame, CURRENT))))


def _types(
    table: Mapping[str, Column], rated_capacity: float | None, largest: float, steps: int
) -> AnyArray:
    rest, steady = REST_TOLERANCE_A, CURRENT_TOLERANCE_A
    if rated_capacity:
        rest = min(rest, rated_capacity * REST_SHARE_OF_CAPACITY)
        steady = min(steady, rated_capacity * CURRENT_SHARE_OF_CAPACITY)
    elif largest > 0:
        rest = min(rest, largest * SHARE_OF_LARGEST_CURRENT)
        steady = min(steady, largest * SHARE_OF_LARGEST_CURRENT)
    mean = table["Mean current [A]"].values
    tests = (
        (table["Mean frequency [Hz]"].values > EIS_FREQUENCY_HZ, "EIS"),
        (np.abs(mean) < rest, "Rest"),
        (table["Std current [A]"].values < steady, "Constant current"),
        (table["Std voltage [V]"].values < VOLTAGE_TOLERANCE_V, "Constant voltage"),
        (table["Std power [W]"].values < POWER_TOLERANCE_W, "Constant power"),
    )
    types = np.full(steps, "Unknown step type", dtype=object)
    open_steps = np.ones(steps, dtype=bool)
    for holds, word in tests:
        chosen = open_steps & holds
        open_steps &= ~holds
        if word.startswith("Constant"):
            types[chosen & (mean > 0)] = f"{word} discharge"
            types[chosen & ~(mean > 0)] = f"{word} charge"
        else:
            types[chosen] = word
    return types


def _per_cycle(table: Mapping[str, Column]) -> dict[str, Column]:
    """Return the sums over each step's cycle; nulls where nothing is known."""
    cycles, owner = np.unique(table[CYCLE_COUNT].values, return_inverse=True)
    found = {}
    for name in (CHARGE_CAPACITY, DISCHARGE_CAPACITY, CHARGE_ENERGY, DISCHARGE_ENERGY):
        values = table[name].values
        total = _sum_by(owner, values, len(cycles))[owner]
        if np.isnan(values).all():
            total[:] = np.nan
        found[f"Cycle {name[0].lower()}{name[1:]}"] = nullable(total)
    return found
