"""What the fit of the sign rule needs of each step: sums of products, means, bounds.

The model is ``V = v0 + d * soc + r * y`` where ``y`` is minus the current; see bounded_fit.
The arrays are a row for each of the two readings of the current, or one row for both.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from bulkload.core.frame import Floats, Indices

#: Least range of voltage that the bounds are built on, in volt.
LEAST_RANGE_V = 0.01


@dataclass(frozen=True)
class Moments:
    """Sums of products over each step: s for soc, y for minus the current, v for voltage."""

    ss: Floats
    sy: Floats
    yy: Floats
    sv: Floats
    yv: Floats
    vv: Floats

    def take(self, steps: Indices) -> Moments:
        """Return the moments of some of the steps, counted over the rows, in one row."""
        return Moments(*(_taken(getattr(self, field.name), steps) for field in fields(self)))

    def cost(self, d: Floats, r: Floats) -> Floats:
        """Return half the squared error at ``d`` and ``r``."""
        cost = self.vv - d * (2 * self.sv - d * self.ss)
        cost -= r * (2 * self.yv - 2 * d * self.sy - r * self.yy)
        return np.maximum(0.5 * cost, 0.0)


@dataclass(frozen=True)
class Means:
    """Of each step: rows, means, and the extremes of the voltage."""

    rows: Floats
    s: Floats
    y: Floats
    v: Floats
    lowest: Floats
    highest: Floats

    def take(self, steps: Indices) -> Means:
        """Return the means of some of the steps, counted over the rows, in one row."""
        return Means(*(_taken(getattr(self, field.name), steps) for field in fields(self)))

    @cached_property
    def reach(self) -> Floats:
        """The range of the voltage, or the least that is taken for it."""
        return np.maximum(self.highest - self.lowest, LEAST_RANGE_V)

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the lower and the upper bounds of v0, d and r: a row each."""
        zero, none = np.zeros_like(self.reach), np.full_like(self.reach, np.inf)
        lower = np.stack((self.lowest - self.reach, zero, zero))
        return lower, np.stack((self.highest + self.reach, 2 * self.reach, none))


def _taken(values: Floats, steps: Indices) -> Floats:
    # An array of one row stands for both rows: it is counted through twice.
    return values.ravel().take(steps, mode="wrap")
