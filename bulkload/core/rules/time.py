"""Rules on ``Time [s]``: it starts at zero, never runs back, and has no large gap.

Rows of an impedance sweep are measured against frequency and may have no time: they are
stepped over, so that what lies on both sides of them is compared.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Floats, Frame, Indices
from bulkload.core.groups import pairs
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
    untimed = np.isnan(frame.values(column))
    if FREQUENCY in frame:
        untimed &= np.isnan(frame.values(FREQUENCY))
    rows = np.flatnonzero(untimed)
    if not len(rows):
        return []
    first = int(rows[0])
    message = (
        f"{len(rows)} row(s) have no '{column}' and no '{FREQUENCY}' either, the first at index "
        f"{first}. Only impedance rows may go without a time: fill the time in from the raw "
        f"file, or drop these rows."
    )
    payload = {"row_index": first, "num_rows": len(rows)}
    return [ValidationIssue(IssueCode.TIME_MISSING_ON_NON_EIS_ROW, message, payload=payload)]


def starts_at_zero(frame: Frame, tolerance: float = START_TOLERANCE_S) -> list[ValidationIssue]:
    """Check that the first time is zero."""
    if TIME not in frame or not frame.rows:
        return []
    time = frame.values(TIME)
    if np.isnan(time[0]):
        timed = np.flatnonzero(~np.isnan(time))
        if not len(timed):
            return []
        first = float(time[timed[0]])
    else:
        first = float(time[0])
    if not abs(first) > tolerance:
        return []
    message = (
        f"'{TIME}' starts at {first}, not at 0. The transform reset_time subtracts the first "
        f"value; when the test began belongs into start_time."
    )
    payload = {"observed": first, "tolerance": tolerance}
    return [ValidationIssue(IssueCode.TIME_DOES_NOT_START_AT_ZERO, message, payload=payload)]


def runs_forward(
    frame: Frame, tolerance: float = BACKWARD_TOLERANCE_S, column: str = TIME
) -> list[ValidationIssue]:
    """Check that time never runs back from one row to the next."""
    found = _intervals(frame, column, below=-tolerance)
    if found is None:
        return []
    previous, row, count, _ = found
    time = frame.values(column)
    before, now = float(time[previous]), float(time[row])
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
    previous, row, count, gap = found
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


def _intervals(
    frame: Frame, column: str, *, below: float = -np.inf, above: float = np.inf
) -> tuple[int, int, int, float] | None:
    """Find the first interval out of bounds: its two rows, how many there are, its length."""
    if column not in frame or frame.rows < 2:
        return None
    time = frame.numbers(column)
    missing = np.isnan(time)
    timed: Indices | None = np.flatnonzero(~missing) if missing.any() else None
    count, first = _count_outside(time if timed is None else time[timed], below, above)
    if first is None:
        return None
    previous, row = (first, first + 1) if timed is None else map(int, timed[first : first + 2])
    return previous, row, count, float(time[row] - time[previous])


def _count_outside(time: Floats, below: float, above: float) -> tuple[int, int | None]:
    count, first = 0, None
    with np.errstate(invalid="ignore"):
        for low, high in pairs(len(time)):
            intervals = np.diff(time[low:high])
            if intervals.min() >= below and intervals.max() <= above:
                continue
            rows = np.flatnonzero((intervals < below) | (intervals > above))
            if len(rows) and first is None:
                first = low + int(rows[0])
            count += len(rows)
    return count, first
