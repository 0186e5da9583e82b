"""The bounded least squares of the sign rule, in closed form and for all steps at a time.

Each step is fitted with ``V = v0 + d * soc + r * y`` where ``y`` is minus the current, ``soc``
runs from 0 to 1, and

    lowest V - range <= v0 <= highest V + range,    0 <= d <= 2 * range,    r >= 0.

Only sums of products over a step matter, so the fit costs the same whatever the step's length.
With ``v0`` free, it is eliminated by taking moments about the means. What is left is a
quadratic in two unknowns over a strip. Its minimum is the free one where that lies in the
strip; otherwise it lies on an edge of the strip (r = 0, d = 0, d = top), and the minimum along
each edge is that of a parabola, clipped. The best of the three is the answer, unless a ``v0``
breaks its bounds on the way: those steps are solved again as the vendor's solver walks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.frame import Bools, Floats
from bulkload.core.rules.bounded_walk import PRECISION, walk
from bulkload.core.rules.moments import Means, Moments

#: Below this relative spread a current counts as constant: it then explains nothing that
#: ``v0`` does not, since ``v0`` bounds the drop over the resistance to a few times the range.
CONSTANT_SPREAD: Final = 1e-9
#: Below this share of its greatest value the determinant says that current and state of charge
#: are one straight line: many answers fit, and the sums cannot tell which one is returned.
COLLINEAR: Final = 1e-8


@dataclass(frozen=True, slots=True)
class Fit:
    """Of each step the slope ``d``, half the squared error, and whether ``d`` is determined."""

    slope: Floats
    error: Floats
    is_determined: Bools


def fit(moments: Moments, means: Means) -> Fit:
    """Fit each step. ``moments`` are taken about the means."""
    top = 2 * means.reach
    slope = np.minimum(np.maximum(moments.sv / moments.ss, 0.0), top)
    error = np.maximum(0.5 * (moments.vv - slope * (2 * moments.sv - slope * moments.ss)), 0.0)
    is_determined = ~_breaks_bounds(means, slope, 0.0)
    varies = moments.yy > means.rows * (CONSTANT_SPREAD * means.y) ** 2
    steps = np.flatnonzero(varies)
    if steps.size:
        # The current explains something beside the state of charge: r counts.
        some = _fit_varying(moments.take(steps), means.take(steps), slope.flat[steps])
        slope.flat[steps], error.flat[steps], is_determined.flat[steps] = some
    return Fit(slope, error, is_determined)


def _fit_varying(m: Moments, means: Means, slope: Floats) -> tuple[Floats, Floats, Bools]:
    """Return slope, half the squared error, and what is determined. ``slope``: with r = 0."""
    top = 2 * means.reach
    scale = m.ss * m.yy
    determinant = scale - m.sy * m.sy
    solvable = determinant > COLLINEAR * scale
    per_det = np.divide(1.0, determinant, out=np.zeros_like(scale), where=solvable)
    free_d = (m.sv * m.yy - m.yv * m.sy) * per_det
    free_r = (m.yv * m.ss - m.sv * m.sy) * per_det
    d, r, cost = _on_edges(m, slope, top)
    inside = solvable & (free_d >= 0) & (free_d <= top) & (free_r >= 0)
    d, r = np.where(inside, free_d, d), np.where(inside, free_r, r)
    cost = np.where(inside, m.cost(free_d, free_r), cost)
    astray = _breaks_bounds(means, d, r) | _breaks_bounds(means, free_d, free_r)
    steps = np.flatnonzero(astray & solvable)
    if steps.size:
        start = np.stack((means.v - free_d * means.s - free_r * means.y, free_d, free_r))
        d[steps], cost[steps] = walk(m.take(steps), means.take(steps), start[:, steps])
    # A resistance that pulls less than the solver's precision off zero stays there, or not.
    is_felt = (r == 0) | (np.abs(m.yv - slope * m.sy) >= PRECISION)
    return d, cost, solvable & is_felt


def _breaks_bounds(means: Means, d: Floats, r: Floats | float) -> Bools:
    """Return where the ``v0`` that belongs to ``d`` and ``r`` is out of bounds."""
    offset = means.v - d * means.s - r * means.y
    broken: Bools = (offset < means.lowest - means.reach) | (offset > means.highest + means.reach)
    return broken


def _on_edges(m: Moments, slope: Floats, top: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the best d and r on the edges of the strip, and half the squared error there."""
    d, r = slope, np.zeros_like(slope)
    cost = m.vv - d * (2 * m.sv - d * m.ss)
    for edge, yv, vv in (
        (0.0, m.yv, m.vv),
        (top, m.yv - top * m.sy, m.vv - top * (2 * m.sv - top * m.ss)),
    ):
        drop = np.maximum(yv / m.yy, 0.0)
        other = vv - drop * (2 * yv - drop * m.yy)
        better = other < cost
        d, r, cost = np.where(better, edge, d), np.where(better, drop, r), np.minimum(cost, other)
    return d, r, np.maximum(0.5 * cost, 0.0)
