"""Sums over many short steps: row by row within the steps, all steps at a time.

Where steps have a handful of rows, calling a sum for each of them costs more than the sums.
Here the first rows of all steps are taken together, then the second rows, and so on; a step
that has ended drops out. What it costs depends on the rows, not on the steps.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Floats, Indices

#: Rows up to which a step is short: each takes a round of some thirty operations.
MAX_ROWS: Final = 64


def sum_short(
    time: Floats, current: Floats, voltage: Floats, starts: Indices, sizes: Indices
) -> tuple[Floats, ...]:
    """Return moved charge, extremes of charge and voltage, means, products: see ``StepSums``.

    The means and products are those of charge, current and voltage.
    """
    order = None
    if sizes.min() < sizes.max():
        # The longest first: the steps that go on are then a leading part of all.
        order = np.argsort(-sizes, kind="stable")
        starts, sizes = starts[order], sizes[order]
    sums = _Sums(time, current, voltage, starts)
    going = len(starts) - np.searchsorted(sizes[::-1], np.arange(1, int(sizes.max())), side="right")
    for count in going:
        sums.add_row(int(count))
    found = sums.finish(sizes.astype(np.float64))
    if order is None:
        return found
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return tuple(part.take(back, axis=-1) for part in found)


class _Sums:
    """Running sums, taken about the first row of each step to keep the digits."""

    def __init__(self, time: Floats, current: Floats, voltage: Floats, starts: Indices) -> None:
        self.signals = (time, current, voltage)
        self.rows = starts.copy()
        self.last = [signal.take(starts) for signal in self.signals]
        self.first = [signal.copy() for signal in self.last]
        self.size = np.abs(self.last[1])
        steps = len(starts)
        self.work = np.empty(steps)
        self.moved = np.zeros(steps)
        self.charge = np.zeros(steps)
        self.least_charge, self.most_charge = np.zeros(steps), np.zeros(steps)
        self.low, self.high = self.first[2].copy(), self.first[2].copy()
        self.sums = np.zeros((3, steps))
        self.products = np.zeros((6, steps))

    def add_row(self, going: int) -> None:
        """Add the next row of the steps that go on: the first ``going`` ones."""
        part = slice(going)
        rows = self.rows[part]
        rows += 1
        time, current, voltage = (signal.take(rows) for signal in self.signals)
        half = time - self.last[0][part]
        half *= 0.5
        size, charge, work = np.abs(current), self.charge[part], self.work[part]
        np.add(current, self.last[1][part], out=work)
        work *= half
        charge += work
        np.add(size, self.size[part], out=work)
        work *= half
        self.moved[part] += work
        self.size = size
        for extreme, kept, value in (
            (np.minimum, self.least_charge, charge),
            (np.maximum, self.most_charge, charge),
            (np.minimum, self.low, voltage),
            (np.maximum, self.high, voltage),
        ):
            extreme(kept[part], value, out=kept[part])
        self.last[0], self.last[1] = time, current
        voltage -= self.first[2][part]
        self._add_products(charge, current - self.first[1][part], voltage)

    def _add_products(self, charge: Floats, current: Floats, voltage: Floats) -> None:
        part = slice(len(charge))
        work = self.work[part]
        for kept, signal in zip(self.sums, (charge, current, voltage), strict=True):
            kept[part] += signal
        for kept, one, other in zip(
            self.products,
            (charge, charge, current, charge, current, voltage),
            (charge, current, current, voltage, voltage, voltage),
            strict=True,
        ):
            np.multiply(one, other, out=work)
            kept[part] += work

    def finish(self, rows: Floats) -> tuple[Floats, ...]:
        """Return the sums, the products now taken about the means."""
        means = self.sums / rows
        q, i, v = means
        self.products -= rows * np.stack((q * q, q * i, i * i, q * v, i * v, v * v))
        # A sum of squares is never negative but by rounding.
        for square in (0, 2, 5):
            np.maximum(self.products[square], 0.0, out=self.products[square])
        means[1] += self.first[1]
        means[2] += self.first[2]
        extremes = self.least_charge, self.most_charge, self.low, self.high
        return self.moved, *extremes, means, self.products
