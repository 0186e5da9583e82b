"""Step and cycle summaries of a time series: what Studio derives, and three rules judge by.

The columns, and the rules by which a step gets its type, are those of the vendor's own
summary. A step is a run of equal ``Step count``. Missing values are left out of statistics;
a column that cannot be computed holds nulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from bulkload.core.accumulate import capacities
from bulkload.core.frame import AnyArray, Column, Floats, Frame
from bulkload.core.groups import Groups, changes
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
    if CAPACITY in frame and CURRENT in frame:
        frame = frame.replace(capacities(frame))
    groups = Groups.by(frame.values(STEP_COUNT))
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
    first, last = groups.starts, groups.starts + groups.sizes - 1
    table = {"Start index": Column(first), "End index": Column(last)}
    nothing = np.full(len(groups), np.nan)
    time = frame.numbers(TIME) if TIME in frame else None
    start, end = (nothing, nothing) if time is None else (time[first], time[last])
    voltage = frame.numbers(VOLTAGE)
    return table | {
        "Start time [s]": nullable(start),
        "End time [s]": nullable(end),
        "Duration [s]": nullable(end - start),
        "Start voltage [V]": nullable(voltage[first]),
        "End voltage [V]": nullable(voltage[last]),
    }


def _gains(frame: Frame, groups: Groups) -> dict[str, Column]:
    """Return what each cumulative column gained from the first to the last row of each step."""
    has_capacity = DISCHARGE_CAPACITY in frame and CHARGE_CAPACITY in frame
    table = {}
    for name in CUMULATIVE_COLUMNS:
        is_capacity = name in (DISCHARGE_CAPACITY, CHARGE_CAPACITY)
        if name in frame and (has_capacity or not is_capacity):
            values = frame.numbers(name)
            gain = values[groups.starts + groups.sizes - 1] - values[groups.starts]
        else:
            gain = np.full(len(groups), 0.0 if has_capacity else np.nan)
        table[name] = nullable(gain)
    return table


def _statistics(frame: Frame, groups: Groups) -> dict[str, Column]:
    voltage = frame.numbers(VOLTAGE)
    current = frame.numbers(CURRENT) if CURRENT in frame else None
    frequency = frame.numbers(FREQUENCY) if FREQUENCY in frame else None
    signals = {
        "voltage [V]": voltage,
        "current [A]": current,
        "power [W]": None if current is None else voltage * current,
        "frequency [Hz]": frequency,
    }
    table: dict[str, Column] = {}
    for name, values in signals.items():
        is_frequency = name.startswith("frequency")
        if values is None:
            # No frequency column means no sweep: zero, not unknown.
            fill = np.full(len(groups), 0.0 if is_frequency else np.nan)
            found = dict.fromkeys(("Min", "Max", "Std", "Mean"), fill)
        else:
            found = _describe(values, groups, is_trimmed=not is_frequency)
        table.update({f"{word} {name}": nullable(column) for word, column in found.items()})
    return table


def _describe(values: Floats, groups: Groups, *, is_trimmed: bool) -> dict[str, Floats]:
    """Least, greatest, spread and mean of each step.

    The spread leaves out the first and last row of a step: they can carry the set point of
    the step before or after. Three rows lose the first only, fewer none.
    """
    starts, sizes = groups.starts, groups.sizes
    if not len(starts):
        return dict.fromkeys(("Min", "Max", "Std", "Mean"), np.empty(0))
    missing = np.isnan(values)
    is_whole = not missing.any()
    filled = values if is_whole else np.where(missing, 0.0, values)
    count = sizes.astype(np.float64)
    if not is_whole:
        count -= np.add.reduceat(missing, starts, dtype=np.float64)
    mean = np.add.reduceat(filled, starts) / count
    away = filled - np.repeat(np.where(count > 0, mean, 0.0), sizes)
    if not is_whole:
        away[missing] = 0.0
    kept, total = count.copy(), np.add.reduceat(away, starts)
    squares = np.add.reduceat(away * away, starts)
    if is_trimmed:
        for long, rows in ((sizes > 2, starts), (sizes > 3, starts + sizes - 1)):
            left_out = rows[long]
            kept[long] -= ~missing[left_out]
            total[long] -= away[left_out]
            squares[long] -= away[left_out] ** 2
    variance = np.maximum(squares - total * total / kept, 0.0) / (kept - 1)
    spread = np.where(kept > 1, np.sqrt(variance), 0.0)
    return {
        "Min": np.fmin.reduceat(values, starts),
        "Max": np.fmax.reduceat(values, starts),
        "Std": spread,
        "Mean": mean,
    }


def _numbers(frame: Frame, groups: Groups) -> dict[str, Column]:
    """Return the names of each step: its count, the cycler's numbers, its cycle."""
    table = {STEP_COUNT: frame.column(STEP_COUNT).take(groups.starts)}
    nothing = nullable(np.full(len(groups), np.nan))
    for name in (STEP_FROM_CYCLER, CYCLE_FROM_CYCLER):
        table[name] = frame.column(name).take(groups.starts) if name in frame else nothing
    table[CYCLE_COUNT] = Column(_cycle_of_rows(frame)[groups.starts])
    return table


def _cycle_of_rows(frame: Frame) -> AnyArray:
    counted = np.zeros(frame.rows, dtype=np.int64)
    if CYCLE_FROM_CYCLER in frame:
        labels = frame.column(CYCLE_FROM_CYCLER).visible()
        counted[changes(labels) + 1] = 1
    return np.cumsum(counted)


def _largest(frame: Frame) -> float:
    if CURRENT not in frame or not frame.rows:
        return 0.0
    return float(np.fmax.reduce(np.abs(frame.numbers(CURRENT))))


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
