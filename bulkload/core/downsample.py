"""Fewer points for a plot, so that no spike is lost: of each bin its lowest and highest value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bulkload.core.frame import Floats, Indices


def min_max(signals: Sequence[Floats], bins: int) -> Indices:
    """Return the rows to plot of signals of equal length, in increasing order.

    The rows are cut into ``bins`` bins of equal size. Of each bin, and each signal, the rows of
    the lowest and of the highest value are kept, so that the plot reaches as far as the data;
    also a row without a value, where the bin has one, so that a gap stays a gap; and the first
    and the last row. At most ``3 * bins * len(signals) + 2`` rows; all of them where there are
    no more than that.
    """
    rows = len(signals[0]) if signals else 0
    if rows <= 3 * bins * len(signals) + 2:
        return np.arange(rows)
    edges = np.linspace(0, rows, bins + 1).astype(np.intp)
    kept = {0, rows - 1}
    for signal in signals:
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            kept.update(low + row for row in _extremes(signal[low:high]))
    return np.array(sorted(kept), dtype=np.intp)


def _extremes(values: Floats) -> set[int]:
    """Return the rows of the lowest, the highest and the first missing value."""
    missing = np.isnan(values)
    found = {int(missing.argmax())} if missing.any() else set()
    if not missing.all():
        found |= {int(np.nanargmin(values)), int(np.nanargmax(values))}
    return found
