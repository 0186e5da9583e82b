"""Columns that follow from others: time from zero, step and cycle counts, capacity, energy, power.

The rules are the vendor's, so that a file gives the same columns whoever reads it: duplicate
times are set apart by a microsecond, a step begins where the cycler's step number changes
(or, without one, the sign of the current), and capacities and energies restart at each step.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bulkload.core import terms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.generic]

#: What a repeated time is moved by, in seconds.
DUPLICATE_OFFSET_S: Final = 1e-6

#: Passes after which times that still repeat are given up.
MAX_OFFSET_PASSES: Final = 100

#: Share of the largest current below which the current counts as zero when steps are cut by it.
ZERO_CURRENT_SHARE: Final = 1e-2

#: Frequencies above this are of an impedance sweep, in Hz.
SWEEP_HZ: Final = 1e-8

FRAME: Final = "Frame"
ENERGY: Final = "Energy [W.h]"


def apart(time: Floats) -> tuple[Floats, int]:
    """Set repeated times apart; return them and how many were moved."""
    if time.size < 2 or bool(np.all(np.diff(time) > 0)):
        return time, 0
    moved = time.copy()
    for _ in range(MAX_OFFSET_PASSES):
        rank = _rank_among_equals(moved)
        if not rank.any():
            return moved, int(np.count_nonzero(moved != time))
        moved = moved + rank * DUPLICATE_OFFSET_S
    return time, 0


def _rank_among_equals(values: Floats) -> Ints:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    fresh = np.empty(ordered.size, dtype=bool)
    fresh[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    begin = np.flatnonzero(fresh)
    rank = np.arange(ordered.size) - np.repeat(begin, np.diff(np.append(begin, ordered.size)))
    result = np.empty_like(rank)
    result[order] = rank
    return result


def step_count(columns: Mapping[str, Values]) -> Ints:
    """Count the steps from zero, from the cycler's step number or the sign of the current."""
    current = columns.get(terms.CURRENT)
    if terms.STEP_FROM_CYCLER in columns:
        begins = _changes(columns[terms.STEP_FROM_CYCLER])
    else:
        begins = _changes(_direction(np.asarray(current, dtype=np.float64)))
    if terms.FREQUENCY in columns:
        frequency = np.nan_to_num(np.asarray(columns[terms.FREQUENCY], dtype=np.float64))
        sweep = frequency > SWEEP_HZ
        begins = np.where(sweep, False, begins) | _changes(sweep)
    if FRAME in columns:
        begins = begins | _changes(columns[FRAME])
    return np.cumsum(begins, dtype=np.int64)


def cycle_count(columns: Mapping[str, Values]) -> Ints:
    """Count the cycles from zero; all zero where the cycler numbers none."""
    if terms.CYCLE_FROM_CYCLER not in columns:
        rows = len(columns[terms.VOLTAGE])
        return np.zeros(rows, dtype=np.int64)
    return np.cumsum(_changes(columns[terms.CYCLE_FROM_CYCLER]), dtype=np.int64)


def _changes(labels: Values) -> npt.NDArray[np.bool_]:
    """Tell where a label differs from the one before; a gap in the labels changes nothing."""
    changed = np.zeros(len(labels), dtype=bool)
    changed[1:] = labels[1:] != labels[:-1]
    if np.issubdtype(labels.dtype, np.floating):
        gaps = np.isnan(labels.astype(np.float64))
        changed[1:] &= ~(gaps[1:] | gaps[:-1])
    return changed


def _direction(current: Floats) -> Floats:
    largest = np.nanmax(np.abs(current), initial=0.0)
    # Beside an infinity every finite current is small: it counts as none.
    share = current / largest if 0 < largest < np.inf else np.zeros_like(current)
    return np.sign(share * (np.abs(share) > ZERO_CURRENT_SHARE))


def complete(columns: MutableMapping[str, Values]) -> None:
    """Add step and cycle counts, capacities, energies and power, in place."""
    columns[terms.STEP_COUNT] = step_count(columns)
    columns[terms.CYCLE_COUNT] = cycle_count(columns)
    begin = _step_begin(columns[terms.STEP_COUNT])
    current = np.asarray(columns[terms.CURRENT], dtype=np.float64)
    _split(columns, begin, current, _CAPACITY)
    if terms.POWER in columns:
        power = np.asarray(columns[terms.POWER], dtype=np.float64)
    else:
        power = np.asarray(columns[terms.VOLTAGE], dtype=np.float64) * current
    _split(columns, begin, power, _ENERGY)
    columns[terms.POWER] = power


def _step_begin(step: Values) -> Ints:
    """For each row, the index of the first row of its step."""
    begins = np.flatnonzero(np.concatenate(([True], step[1:] != step[:-1])))
    return np.repeat(begins, np.diff(np.append(begins, len(step))))


class _Totals(NamedTuple):
    """The columns of one quantity that a step accumulates."""

    discharge: str
    charge: str
    #: Both directions in one.
    single: str


_CAPACITY: Final = _Totals(terms.DISCHARGE_CAPACITY, terms.CHARGE_CAPACITY, terms.CAPACITY)
_ENERGY: Final = _Totals(terms.DISCHARGE_ENERGY, terms.CHARGE_ENERGY, ENERGY)


def _split(
    columns: MutableMapping[str, Values], begin: Ints, flow: Floats, totals: _Totals
) -> None:
    """Fill a discharge and a charge column, from the file's own where it has them."""
    discharge, charge, single = totals
    if discharge in columns and charge in columns:
        for name in (discharge, charge):
            values = np.asarray(columns[name], dtype=np.float64)
            columns[name] = np.abs(values - values[begin])
    elif single in columns:
        total = np.asarray(columns[single], dtype=np.float64)
        delta = np.diff(total, prepend=0.0)
        columns[discharge] = _restarted(np.where(flow > 0, delta, 0.0), begin)
        columns[charge] = _restarted(np.where(flow < 0, np.abs(delta), 0.0), begin)
    else:
        time = np.asarray(columns[terms.TIME], dtype=np.float64)
        columns[discharge] = _integral(np.maximum(flow, 0.0), time, begin)
        columns[charge] = _integral(np.maximum(-flow, 0.0), time, begin)
    columns.pop(single, None)


def _restarted(deltas: Floats, begin: Ints) -> Floats:
    running = np.cumsum(deltas)
    return np.abs(running - running[begin])


def _integral(flow: Floats, time: Floats, begin: Ints) -> Floats:
    """Trapezoids from the first row of each step on, in hours."""
    running = np.zeros_like(flow)
    np.cumsum(np.diff(time) * (flow[1:] + flow[:-1]) / 2.0, out=running[1:])
    running /= 3600.0
    return running - running[begin]
