"""The bounded least squares of the sign rule, in closed form and for all steps at a time.

Each step is fitted with ``V = v0 + d * soc + r * y`` where ``y`` is minus the current, ``soc``
runs from 0 to 1, and

    lowest V - range <= v0 <= highest V + range,    0 <= d <= 2 * range,    r >= 0.

Only sums of products over a step matter, so the fit costs the same whatever the step's length.

- With ``v0`` free, it is eliminated by taking moments about the means. What is left is a
  quadratic in two unknowns over a strip. Its minimum is the free one where that lies in the
  strip; otherwise it lies on an edge of the strip (d = 0, d = top, r = 0), and the minimum
  along each edge is that of a parabola, clipped. The best of the three is the answer.
- Where the ``v0`` that follows breaks its bounds, the answer has ``v0`` on the bound it broke
  (the minimum over the other two is convex in ``v0``). Then the moments are taken about that
  bound instead of the means, and the same quadratic is solved again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from bulkload.core.frame import Bools, Floats

#: Below this relative spread a current counts as constant: it then explains nothing that
#: ``v0`` does not, since ``v0`` bounds the drop over the resistance to a few times the range.
CONSTANT_SPREAD = 1e-9
#: Below this share of its greatest value a determinant is rounding noise.
SINGULAR = 1e-13


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


@dataclass(frozen=True, slots=True)
class StepMeans:
    """What the bounds on ``v0`` need of each step: rows, means, and the extremes of voltage."""

    rows: Floats
    s: Floats
    y: Floats
    v: Floats
    lowest: Floats
    highest: Floats


def fit(moments: Moments, means: StepMeans) -> tuple[Floats, Floats]:
    """Return of each step the slope ``d`` and half the squared error of the best fit.

    ``moments`` are taken about the means.
    """
    reach = np.maximum(means.highest - means.lowest, 0.01)
    slope, drop, cost = _in_strip(moments, 2 * reach, means.y)
    offset = means.v - slope * means.s - drop * means.y
    low, high = means.lowest - reach, means.highest + reach
    broken = (offset < low) | (offset > high)
    if broken.any():
        bound = np.where(offset < low, low, high)[broken]
        about = _about(moments.take(broken), means, broken, bound)
        slope[broken], _, cost[broken] = _in_strip(about, 2 * reach[broken], means.y[broken])
    return slope, cost


def _about(moments: Moments, means: StepMeans, steps: Bools, bound: Floats) -> Moments:
    """Return moments about zero for soc and current, and about ``bound`` for voltage."""
    rows, s, y, v = means.rows[steps], means.s[steps], means.y[steps], means.v[steps] - bound
    return Moments(
        moments.ss + rows * s * s,
        moments.sy + rows * s * y,
        moments.yy + rows * y * y,
        moments.sv + rows * s * v,
        moments.yv + rows * y * v,
        moments.vv + rows * v * v,
    )


def _in_strip(m: Moments, top: Floats, mean_y: Floats) -> tuple[Floats, Floats, Floats]:
    """Minimise over 0 <= d <= top, r >= 0; return d, r and half the squared error."""
    varies = m.yy > (CONSTANT_SPREAD * mean_y) ** 2
    per_yy = np.divide(1.0, m.yy, out=np.zeros_like(m.yy), where=varies)
    # The three edges: r = 0, d = 0, d = top.
    d = np.clip(m.sv / m.ss, 0.0, top)
    r = np.zeros_like(d)
    cost = _cost(m, d, r)
    for edge in (np.zeros_like(top), top):
        drop = np.maximum((m.yv - edge * m.sy) * per_yy, 0.0)
        other = _cost(m, edge, drop)
        better = other < cost
        d, r, cost = np.where(better, edge, d), np.where(better, drop, r), np.minimum(cost, other)
    # The free minimum, where it is inside.
    scale = m.ss * m.yy
    determinant = scale - m.sy * m.sy
    solvable = varies & (determinant > SINGULAR * scale)
    per_det = np.divide(1.0, determinant, out=np.zeros_like(scale), where=solvable)
    free_d = (m.sv * m.yy - m.yv * m.sy) * per_det
    free_r = (m.yv * m.ss - m.sv * m.sy) * per_det
    inside = solvable & (free_d >= 0) & (free_d <= top) & (free_r >= 0)
    d, r = np.where(inside, free_d, d), np.where(inside, free_r, r)
    return d, r, np.where(inside, np.maximum(_cost(m, free_d, free_r), 0.0), cost)


def _cost(m: Moments, d: Floats, r: Floats) -> Floats:
    """Half the squared error at ``d`` and ``r``."""
    cost = m.vv - d * (2 * m.sv - d * m.ss) - r * (2 * m.yv - 2 * d * m.sy - r * m.yy)
    return np.maximum(0.5 * cost, 0.0)
