"""The walk of the vendor's solver (bounded-variable least squares of Stark and Parker) on sums.

The solver starts from the free solution, binds what is out of bounds, and may then free three
variables, one after the other. From a ``v0`` out of bounds that is sometimes too few to reach
the minimum, and its verdict stands on where it stopped. So for these steps we walk the same
way, all steps at a time: every quantity that the walk needs follows from the sums of a step.

Variables are v0, d and r, a row each; a column is a step. ``at`` is 0 where a variable is
free, -1 on its lower bound, 1 on its upper one.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Bools, Floats
from bulkload.core.rules.moments import Means, Moments

#: Gradient, and relative gain of a move, at which the solver stops.
PRECISION: Final = 1e-10
#: Variables that the solver may free before it gives up.
MAX_MOVES: Final = 3


def walk(moments: Moments, means: Means, start: Floats) -> tuple[Floats, Floats]:
    """Return slope and half the squared error of each step, from these free solutions on."""
    walker = _Walker.start(moments, means, start)
    walker.make_feasible()
    x, cost = walker.x.copy(), walker.cost()
    steps = np.arange(len(cost))
    for _ in range(MAX_MOVES):
        going = walker.is_pulled()
        if not going.any():
            break
        steps, walker = steps[going], walker.take(going)
        walker.free_hardest_pulled()
        walker.walk()
        before, now = cost[steps], walker.cost()
        x[:, steps], cost[steps] = walker.x, now
        gained = ~(before - now < PRECISION * before)
        steps, walker = steps[gained], walker.take(gained)
    return x[1], cost


class _Walker:
    def __init__(
        self,
        moments: Moments,
        means: Means,
        bounds: tuple[Floats, Floats],
        x: Floats,
        at: Floats,
    ) -> None:
        self.m, self.means = moments, means
        self.lower, self.upper = bounds
        self.x, self.at = x, at

    @classmethod
    def start(cls, moments: Moments, means: Means, free_solution: Floats) -> _Walker:
        """Bind what is out of bounds in the free solution."""
        bounds = means.bounds()
        walker = cls(moments, means, bounds, free_solution, np.zeros(free_solution.shape))
        walker._bind(free_solution <= bounds[0], free_solution >= bounds[1])
        return walker

    def take(self, chosen: Bools) -> _Walker:
        """Return the walk of some of the steps."""
        if chosen.all():
            return self
        steps = np.flatnonzero(chosen)
        m, means = self.m.take(steps), self.means.take(steps)
        bounds = self.lower[:, steps], self.upper[:, steps]
        return _Walker(m, means, bounds, self.x[:, steps], self.at[:, steps])

    def make_feasible(self) -> None:
        """Bind what the solution of the free variables puts out of bounds, until nothing is."""
        for _ in range(len(self.x)):
            free = self.at == 0
            solution = self._solution()
            self.x = np.where(free, solution, self.x)
            below, above = free & (solution < self.lower), free & (solution > self.upper)
            if not (below.any() or above.any()):
                return
            self._bind(below, above)

    def is_pulled(self) -> Bools:
        """Return which steps are not at a minimum."""
        pull = self._gradient()
        violation = np.where(self.at == 0, np.abs(pull), pull * self.at)
        pulled: Bools = ~(violation.max(axis=0) < PRECISION)
        return pulled

    def free_hardest_pulled(self) -> None:
        """Free the bound variable that pulls hardest off its bound."""
        hardest = (self._gradient() * self.at).argmax(axis=0)
        self.at[hardest, np.arange(len(hardest))] = 0

    def walk(self) -> None:
        """Go towards the free solution; bind what hits its bound first; repeat until there."""
        for _ in range(len(self.x)):
            free = self.at == 0
            solution = self._solution()
            below, above = free & (solution < self.lower), free & (solution > self.upper)
            outside = below | above
            bound = np.where(below, self.lower, np.where(above, self.upper, 0.0))
            way = np.where(outside, solution - self.x, 1.0)
            share = np.where(outside, (bound - self.x) / way, 1.0)
            least = np.where(outside.any(axis=0), share.min(axis=0), 1.0)
            self.x = np.where(free, self.x + least * (solution - self.x), self.x)
            steps = np.flatnonzero(outside.any(axis=0))
            if not steps.size:
                return
            first = np.where(outside, share, np.inf).argmin(axis=0)[steps]
            self.at[first, steps] = np.where(below[first, steps], -1, 1)

    def cost(self) -> Floats:
        """Return half the squared error where each step stands."""
        v0, d, r = self.x
        away = v0 + d * self.means.s + r * self.means.y - self.means.v
        cost: Floats = self.m.cost(d, r) + 0.5 * self.means.rows * away * away
        return cost

    def _bind(self, below: Bools, above: Bools) -> None:
        self.x = np.where(below, self.lower, np.where(above, self.upper, self.x))
        self.at = np.where(below, -1.0, np.where(above, 1.0, self.at))

    def _gradient(self) -> Floats:
        m, means = self.m, self.means
        v0, d, r = self.x
        pull = means.rows * (v0 + d * means.s + r * means.y - means.v)
        return np.stack(
            (
                pull,
                d * m.ss + r * m.sy - m.sv + means.s * pull,
                d * m.sy + r * m.yy - m.yv + means.y * pull,
            )
        )

    def _solution(self) -> Floats:
        """Return the least squares of the free variables, the others where they are."""
        m, means = self.m, self.means
        v0, d, r = self.x
        v0_free, d_free, r_free = self.at == 0
        # With v0 free moments are about the means, with v0 bound about that bound.
        rows = np.where(v0_free, 0.0, means.rows)
        v = means.v - v0
        ss, sy = m.ss + rows * means.s * means.s, m.sy + rows * means.s * means.y
        yy = m.yy + rows * means.y * means.y
        sv, yv = m.sv + rows * means.s * v, m.yv + rows * means.y * v
        determinant = ss * yy - sy * sy
        both = d_free & r_free
        new_d = np.where(both, (sv * yy - yv * sy) / determinant, (sv - r * sy) / ss)
        new_r = np.where(both, (yv * ss - sv * sy) / determinant, (yv - d * sy) / yy)
        new_d, new_r = np.where(d_free, new_d, d), np.where(r_free, new_r, r)
        new_v0 = means.v - new_d * means.s - new_r * means.y
        return np.stack((np.where(v0_free, new_v0, v0), new_d, new_r))
