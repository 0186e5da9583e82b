"""Fewer points for a plot, so that no spike is lost: of each bin its lowest and highest value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from bulkload.core.frame import Floats, Indices
from bulkload.core.groups import BLOCK_ROWS

#: Returns the values of a signal from one row up to another.
Signal = Callable[[int, int], Floats]


def min_max(signals: Sequence[Signal], rows: int, bins: int) -> Indices:
    """Return the rows to plot of signals that have ``rows`` rows each, in increasing order.

    The rows are cut into ``bins`` bins of equal size. Of each bin, and each signal, the rows of
    the lowest and of the highest value are kept, so that the plot reaches as far as the data;
    also a row without a value, where the bin has one, so that a gap stays a gap; and the first
    and the last row. At most ``3 * bins * len(signals) + 2`` rows; all of them where there are
    no more than that. At most ``BLOCK_ROWS`` of one signal are looked at at a time.
    """
    if rows <= 3 * bins * len(signals) + 2:
        return np.arange(rows)
    kept = {0, rows - 1}
    for low, high in pairwise(np.linspace(0, rows, bins + 1).astype(np.intp).tolist()):
        for signal in signals:
            kept.update(_extremes(signal, low, high))
    return np.array(sorted(kept), dtype=np.intp)


def _extremes(signal: Signal, low: int, high: int) -> set[int]:
    """Return the rows of the lowest, the highest and the first missing value of a bin."""
    missing: int | None = None
    ends: dict[int, float] = {}
    for first in range(low, high, BLOCK_ROWS):
        values = signal(first, min(first + BLOCK_ROWS, high))
        absent = np.isnan(values)
        if missing is None and absent.any():
            missing = first + int(absent.argmax())
        if not absent.all():
            for row in (int(np.nanargmin(values)), int(np.nanargmax(values))):
                ends[first + row] = float(values[row])
    found = set() if missing is None else {missing}
    if ends:
        found |= {min(ends, key=ends.__getitem__), max(ends, key=ends.__getitem__)}
    return found
