"""Rules on ``Time [s]``: it starts at zero, never runs back, and has no large gap.

Rows of an impedance sweep are measured against frequency and may have no time: they are
stepped over, so that what lies on both sides of them is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.frame import Floats, Frame, Indices
from bulkload.core.groups import blocks
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import FREQUENCY, TIME

#: How far from zero the first time may be, in seconds.
START_TOLERANCE_S: Final = 1e-6
#: How far time may run back between two rows, in seconds: float noise, not an order.
BACKWARD_TOLERANCE_S: Final = 1e-12
#: Longest interval between two rows, in seconds.
MAX_GAP_S: Final = 5 * 3600.0


def missing_time(frame: Frame, column: str = TIME) -> list[ValidationIssue]:
    """Check that only rows with a frequency are without a time."""
    if column not in frame or not frame.rows:
        return []
    has_frequency = FREQUENCY in frame
    count, first = 0, 0
    for low, high in blocks(frame.rows):
        untimed = np.isnan(frame.values_in(column, low, high))
        if has_frequency:
            untimed &= np.isnan(frame.values_in(FREQUENCY, low, high))
        if not untimed.any():
            continue
        first = first if count else low + int(np.argmax(untimed))
        count += int(np.count_nonzero(untimed))
    if not count:
        return []
    message = (
        f"{count} row(s) have no '{column}' and no '{FREQUENCY}' either, the first at index "
        f"{first}. Only impedance rows may go without a time: fill the time in from the raw "
        f"file, or drop these rows."
    )
    payload = {"row_index": first, "num_rows": count}
    return [ValidationIssue(IssueCode.TIME_MISSING_ON_NON_EIS_ROW, message, payload=payload)]


def starts_at_zero(frame: Frame, tolerance: float = START_TOLERANCE_S) -> list[ValidationIssue]:
    """Check that the first time is zero."""
    if TIME not in frame or not frame.rows:
        return []
    first = _first_time(frame)
    if first is None or not abs(first) > tolerance:
        return []
    message = (
        f"'{TIME}' starts at {first}, not at 0. The transform reset_time subtracts the first "
        f"value; the time at which the test began belongs in start_time."
    )
    payload = {"observed": first, "tolerance": tolerance}
    return [ValidationIssue(IssueCode.TIME_DOES_NOT_START_AT_ZERO, message, payload=payload)]


def _first_time(frame: Frame) -> float | None:
    for low, high in blocks(frame.rows):
        time = frame.values_in(TIME, low, high)
        if not np.isnan(time[0]):
            return float(time[0])
        timed = np.flatnonzero(~np.isnan(time))
        if len(timed):
            return float(time[timed[0]])
    return None


def runs_forward(
    frame: Frame, tolerance: float = BACKWARD_TOLERANCE_S, column: str = TIME
) -> list[ValidationIssue]:
    """Check that time never runs back from one row to the next."""
    found = _intervals(frame, column, below=-tolerance)
    if found is None:
        return []
    row, count = found.row, found.count
    before, now = found.before, found.now
    message = (
        f"'{column}' runs back at index {row}: {now:.6f} s after {before:.6f} s "
        f"({count} such row(s)). If the rows are out of order, the transform sort_time puts "
        f"them right; if the clock restarts at each step, read the total time instead."
    )
    payload = {
        "row_index": row,
        "previous_time": before,
        "current_time": now,
        "num_violations": count,
    }
    return [ValidationIssue(IssueCode.TIME_NOT_MONOTONIC, message, payload=payload)]


def no_large_gap(
    frame: Frame, max_gap_s: float = MAX_GAP_S, column: str = TIME
) -> list[ValidationIssue]:
    """Check that no interval is so long that rows must be missing."""
    found = _intervals(frame, column, above=max_gap_s)
    if found is None:
        return []
    previous, row, count = found.previous, found.row, found.count
    gap = found.now - found.before
    more = f", and {count - 1} more such gap(s)" if count > 1 else ""
    message = (
        f"{gap / 3600:.2f} h pass between rows {previous} and {row}, over the limit of "
        f"{max_gap_s / 3600:.1f} h{more}. Rows were probably dropped: read the raw file without "
        f"a filter, or split the measurement at the gap; where the gap is real, skip the check "
        f"time_gaps."
    )
    payload = {
        "row_index": previous,
        "gap_seconds": gap,
        "max_gap_seconds": float(max_gap_s),
        "num_violations": count,
    }
    return [ValidationIssue(IssueCode.TIME_GAP_TOO_LARGE, message, payload=payload)]


@dataclass(slots=True)
class _Outside:
    """The intervals that are out of bounds: how many, and the two rows of the first."""

    count: int = 0
    previous: int = 0
    row: int = 0
    before: float = 0.0
    now: float = 0.0

    def add(self, count: int, rows: tuple[int, int], times: tuple[float, float]) -> None:
        """Count some more, of which the first lies between these rows."""
        if not self.count:
            self.previous, self.row = rows
            self.before, self.now = times
        self.count += count


def _intervals(
    frame: Frame, column: str, *, below: float = -np.inf, above: float = np.inf
) -> _Outside | None:
    """Find the intervals out of bounds between neighbouring rows that have a time."""
    if column not in frame or frame.rows < 2:
        return None
    found = _Outside()
    last_row, last = -1, 0.0
    with np.errstate(invalid="ignore"):
        for low, high in blocks(frame.rows):
            time = frame.numbers_in(column, low, high)
            missing = np.isnan(time)
            timed = np.flatnonzero(~missing) if missing.any() else None
            if timed is not None:
                time = time[timed]
            if not len(time):
                continue
            first = low if timed is None else low + int(timed[0])
            edge = float(time[0]) - last
            if last_row >= 0 and (edge < below or edge > above):
                found.add(1, (last_row, first), (last, float(time[0])))
            _count_outside(found, time, timed, low, (below, above))
            last_row = high - 1 if timed is None else low + int(timed[-1])
            last = float(time[-1])
    return found if found.count else None


def _count_outside(
    found: _Outside, time: Floats, timed: Indices | None, low: int, bounds: tuple[float, float]
) -> None:
    """Count the intervals out of bounds within a block, whose timed rows may be some only."""
    below, above = bounds
    intervals = np.diff(time)
    if not len(intervals) or (intervals.min() >= below and intervals.max() <= above):
        return
    outside = np.flatnonzero((intervals < below) | (intervals > above))
    if len(outside):
        first = int(outside[0])
        pair = np.array([first, first + 1]) if timed is None else timed[first : first + 2]
        rows = (low + int(pair[0]), low + int(pair[1]))
        found.add(len(outside), rows, (float(time[first]), float(time[first + 1])))
