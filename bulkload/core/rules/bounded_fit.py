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
from bulkload.core.rules.bounded_walk import walk
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
    varies = moments.yy > means.rows * (CONSTANT_SPREAD * means.y) ** 2
    scale = moments.ss * moments.yy
    determinant = scale - moments.sy * moments.sy
    solvable = varies & (determinant > COLLINEAR * scale)
    per_det = np.divide(1.0, determinant, out=np.zeros(varies.shape), where=solvable)
    free_d = (moments.sv * moments.yy - moments.yv * moments.sy) * per_det
    free_r = (moments.yv * moments.ss - moments.sv * moments.sy) * per_det
    inside = solvable & (free_d >= 0) & (free_d <= 2 * means.reach) & (free_r >= 0)
    d, r, cost = _on_edges(moments, 2 * means.reach, varies)
    d, r = np.where(inside, free_d, d), np.where(inside, free_r, r)
    cost = np.where(inside, moments.cost(free_d, free_r), cost)
    is_out = _breaks_bounds(means, d, r)
    astray = solvable & (is_out | _breaks_bounds(means, free_d, free_r))
    if astray.any():
        start = np.stack((means.v - free_d * means.s - free_r * means.y, free_d, free_r))
        d[astray], cost[astray] = walk(moments.take(astray), means.take(astray), start[:, astray])
    return Fit(d, cost, solvable | ~varies & ~is_out)


def _breaks_bounds(means: Means, d: Floats, r: Floats) -> Bools:
    """Tell where the ``v0`` that belongs to ``d`` and ``r`` is out of bounds."""
    offset = means.v - d * means.s - r * means.y
    broken: Bools = (offset < means.lowest - means.reach) | (offset > means.highest + means.reach)
    return broken


def _on_edges(m: Moments, top: Floats, varies: Bools) -> tuple[Floats, Floats, Floats]:
    """Return the best d and r on the edges of the strip, and half the squared error there."""
    per_yy = np.divide(1.0, m.yy, out=np.zeros(varies.shape), where=varies)
    d = np.minimum(np.maximum(m.sv / m.ss, 0.0), top)
    r = np.zeros_like(d)
    cost = m.vv - d * (2 * m.sv - d * m.ss)
    for edge, yv, vv in (
        (0.0, m.yv, m.vv),
        (top, m.yv - top * m.sy, m.vv - top * (2 * m.sv - top * m.ss)),
    ):
        drop = np.maximum(yv * per_yy, 0.0)
        other = vv - drop * (2 * yv - drop * m.yy)
        better = other < cost
        d, r, cost = np.where(better, edge, d), np.where(better, drop, r), np.minimum(cost, other)
    return d, r, np.maximum(0.5 * cost, 0.0)
