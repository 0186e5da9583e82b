"""What the fit of the sign rule needs of each step: sums of products, means, bounds.

The model is ``V = v0 + d * soc + r * y`` where ``y`` is minus the current; see bounded_fit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from bulkload.core.frame import Bools, Floats

#: Least range of voltage that the bounds are built on, in volt.
LEAST_RANGE_V = 0.01


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of products over each step: s for soc, y for minus the current, v for voltage."""

    ss: Floats
    sy: Floats
    yy: Floats
    sv: Floats
    yv: Floats
    vv: Floats

    def take(self, index: Bools) -> Moments:
        """Return the moments of some of the steps."""
        return Moments(*(getattr(self, field.name)[index] for field in fields(self)))

    def mirrored(self) -> Moments:
        """Return the moments with soc and current of the other sign."""
        return Moments(self.ss, self.sy, self.yy, -self.sv, -self.yv, self.vv)

    def cost(self, d: Floats, r: Floats) -> Floats:
        """Return half the squared error at ``d`` and ``r``."""
        cost = self.vv - d * (2 * self.sv - d * self.ss)
        cost -= r * (2 * self.yv - 2 * d * self.sy - r * self.yy)
        return np.maximum(0.5 * cost, 0.0)


@dataclass(frozen=True, slots=True)
class Means:
    """Of each step: rows, means, and the extremes of the voltage."""

    rows: Floats
    s: Floats
    y: Floats
    v: Floats
    lowest: Floats
    highest: Floats

    def take(self, index: Bools) -> Means:
        """Return the means of some of the steps."""
        return Means(*(getattr(self, field.name)[index] for field in fields(self)))

    @property
    def reach(self) -> Floats:
        """The range of the voltage, or the least that is taken for it."""
        return np.maximum(self.highest - self.lowest, LEAST_RANGE_V)

    @property
    def lower(self) -> Floats:
        """Lower bounds of v0, d and r: a row each."""
        zero = np.zeros_like(self.s)
        return np.stack((self.lowest - self.reach, zero, zero))

    @property
    def upper(self) -> Floats:
        """Upper bounds of v0, d and r: a row each."""
        none = np.full_like(self.s, np.inf)
        return np.stack((self.highest + self.reach, 2 * self.reach, none))
