"""Columns that follow from others: time from zero, step and cycle counts, capacity, energy, power.

The rules are the vendor's, so that a file gives the same columns in either reader: duplicate
times are set apart by a microsecond, a step begins where the cycler's step number changes
(or, without one, the sign of the current), and capacities and energies restart at each step.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final, NamedTuple

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
    return Completer().step_count(columns)


def complete(columns: MutableMapping[str, Values]) -> None:
    """Add step and cycle counts, capacities, energies and power, in place."""
    Completer().complete(columns)


class _Totals(NamedTuple):
    """The columns of one quantity that a step accumulates."""

    discharge: str
    charge: str
    #: Both directions in one.
    single: str


_CAPACITY: Final = _Totals(terms.DISCHARGE_CAPACITY, terms.CHARGE_CAPACITY, terms.CAPACITY)
_ENERGY: Final = _Totals(terms.DISCHARGE_ENERGY, terms.CHARGE_ENERGY, ENERGY)


class Completer:
    """Adds the columns that follow from others to the chunks of a table, one after the other.

    What a chunk needs of those before it is kept: the last row's values, the counts and sums so
    far, and what they were where the step began. The sums are added up row by row, so that it
    does not matter where the table is cut.
    """

    def __init__(self, largest_current: float | None = None) -> None:
        """``largest_current`` is the magnitude in A; None where one chunk is the whole table."""
        self._largest_current = largest_current
        #: Value of the last row, sum so far, and value where the step began, by what it is of.
        self._last: dict[str, npt.NDArray[Any]] = {}
        self._sums: dict[str, float] = {}
        self._bases: dict[str, float] = {}
        self._starts = np.zeros(0, dtype=np.intp)
        #: Rows that go on with the step of the chunk before, and those of each step here.
        self._lengths = np.zeros(1, dtype=np.intp)

    def complete(self, columns: MutableMapping[str, Values]) -> None:
        """Add step and cycle counts, capacities, energies and power, in place."""
        columns[terms.STEP_COUNT] = self.step_count(columns)
        columns[terms.CYCLE_COUNT] = self._cycle_count(columns)
        current = np.asarray(columns[terms.CURRENT], dtype=np.float64)
        time = np.asarray(columns.get(terms.TIME, current), dtype=np.float64)
        intervals = np.diff(np.concatenate((self._last.get(terms.TIME, time[:1]), time)))
        self._last[terms.TIME] = time[-1:]
        self._split(columns, intervals, current, _CAPACITY)
        if terms.POWER in columns:
            power = np.asarray(columns[terms.POWER], dtype=np.float64)
        else:
            power = np.asarray(columns[terms.VOLTAGE], dtype=np.float64) * current
        self._split(columns, intervals, power, _ENERGY)
        columns[terms.POWER] = power

    def step_count(self, columns: Mapping[str, Values]) -> Ints:
        """Count the steps; a chunk has at least one row."""
        if terms.STEP_FROM_CYCLER in columns:
            begins = self._changes(terms.STEP_FROM_CYCLER, columns[terms.STEP_FROM_CYCLER])
        else:
            current = np.asarray(columns.get(terms.CURRENT), dtype=np.float64)
            begins = self._changes("direction", _direction(current, self._largest_current))
        if terms.FREQUENCY in columns:
            frequency = np.nan_to_num(np.asarray(columns[terms.FREQUENCY], dtype=np.float64))
            sweep = frequency > SWEEP_HZ
            begins = np.where(sweep, False, begins) | self._changes("sweep", sweep)
        if FRAME in columns:
            begins = begins | self._changes(FRAME, columns[FRAME])
        starts = begins.copy()
        starts[:1] |= not self._sums
        self._starts = np.flatnonzero(starts)
        self._lengths = np.diff(self._starts, prepend=0, append=len(starts))
        return self._counted(terms.STEP_COUNT, begins)

    def since_step(self, name: str, values: Floats) -> Floats:
        """Return values less what they were where their step began; ``name`` is the column's."""
        bases = np.concatenate(([self._bases.get(name, 0.0)], values[self._starts]))
        self._bases[name] = float(bases[-1])
        is_one = len(bases) == 2 and self._lengths[0] == 0
        since: Floats = values - (bases[1] if is_one else np.repeat(bases, self._lengths))
        return since

    def _cycle_count(self, columns: Mapping[str, Values]) -> Ints:
        if terms.CYCLE_FROM_CYCLER not in columns:
            return np.zeros(len(columns[terms.VOLTAGE]), dtype=np.int64)
        labels = columns[terms.CYCLE_FROM_CYCLER]
        return self._counted(terms.CYCLE_COUNT, self._changes(terms.CYCLE_FROM_CYCLER, labels))

    def _counted(self, name: str, begins: npt.NDArray[np.bool_]) -> Ints:
        count: Ints = np.cumsum(begins, dtype=np.int64)
        count += int(self._sums.get(name, 0))
        self._sums[name] = int(count[-1]) if len(count) else 0
        return count

    def _changes(self, name: str, labels: Values) -> npt.NDArray[np.bool_]:
        """Return where a label differs from the one before; a gap in the labels changes nothing."""
        before = self._last.get(name, labels[:1])
        self._last[name] = labels[-1:]
        labels = np.concatenate((before, labels))
        changed: npt.NDArray[np.bool_] = labels[1:] != labels[:-1]
        if np.issubdtype(labels.dtype, np.floating):
            gaps = np.isnan(labels.astype(np.float64))
            changed &= ~(gaps[1:] | gaps[:-1])
        return changed

    def _split(
        self,
        columns: MutableMapping[str, Values],
        intervals: Floats,
        flow: Floats,
        totals: _Totals,
    ) -> None:
        """Fill a discharge and a charge column, from the file's own where it has them."""
        discharge, charge, single = totals
        if discharge in columns and charge in columns:
            for name in (discharge, charge):
                values = np.asarray(columns[name], dtype=np.float64)
                columns[name] = np.abs(self.since_step(name, values))
        elif single in columns:
            total = np.asarray(columns[single], dtype=np.float64)
            delta = np.diff(np.concatenate((self._last.get(single, np.zeros(1)), total)))
            self._last[single] = total[-1:]
            for name, added in (
                (discharge, np.where(flow > 0, delta, 0.0)),
                (charge, np.where(flow < 0, np.abs(delta), 0.0)),
            ):
                columns[name] = np.abs(self.since_step(name, self._running(name, added)))
        else:
            for name, half in (
                (discharge, np.maximum(flow, 0.0)),
                (charge, np.maximum(-flow, 0.0)),
            ):
                columns[name] = self._integral(name, half, intervals)
        columns.pop(single, None)

    def _integral(self, name: str, flow: Floats, intervals: Floats) -> Floats:
        """Return the trapezoids from the first row of each step on, in hours."""
        added = np.empty_like(flow)
        np.add(flow[1:], flow[:-1], out=added[1:])
        added[:1] = flow[:1] + self._last.get(f"flow of {name}", flow[:1])
        self._last[f"flow of {name}"] = flow[-1:]
        added *= intervals
        added /= 2.0
        if name not in self._sums:
            added[:1] = 0.0
        running = self._running(name, added)
        running /= 3600.0
        return self.since_step(name, running)

    def _running(self, name: str, added: Floats) -> Floats:
        """Return the running sum; the first row of a table adds to nothing."""
        if name in self._sums:
            running = np.cumsum(np.concatenate(([self._sums[name]], added)))[1:]
        else:
            running = np.cumsum(added)
        self._sums[name] = float(running[-1]) if len(running) else 0.0
        return running


def _direction(current: Floats, largest: float | None) -> Floats:
    largest = largest_current(current) if largest is None else largest
    # Beside an infinity every finite current is small: it counts as none.
    share = current / largest if 0 < largest < np.inf else np.zeros_like(current)
    signs: Floats = np.sign(share * (np.abs(share) > ZERO_CURRENT_SHARE))
    return signs


def largest_current(current: Floats) -> float:
    """Return the largest magnitude of a current; zero for an empty one."""
    return float(np.nanmax(np.abs(current), initial=0.0))
