"""The bounded fit of one step over its rows, for the steps where the closed form is not enough.

Where the current is (nearly) a straight line over the state of charge, as when it dies away
exponentially without noise, many answers fit equally well, and which of them the vendor's
client returns depends on the path that its solver takes. This is that path: the bounded-
variable least squares of Stark and Parker, started from the free solution, with the vendor's
limits on steps and precision. It is hundreds of times slower than the closed form.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Bools, Floats

#: Gradient, and relative gain of a step, at which the solver stops.
PRECISION: Final = 1e-10
#: Moves of a variable off its bound that the solver may make.
MAX_MOVES: Final = 3
#: Singular values below this share of the greatest count as zero in the free solution.
FREE_CUTOFF: Final = -1.0  # numpy: machine precision


def fit_rows(charge: Floats, current: Floats, voltage: Floats) -> tuple[float, float]:
    """Return slope and half the squared error; ``charge`` is the running integral of -current."""
    least = charge.min()
    soc = (charge - least) / (charge.max() - least)
    low, high = float(voltage.min()), float(voltage.max())
    reach = max(high - low, 0.01)
    lower = np.array([low - reach, 0.0, 0.0])
    upper = np.array([high + reach, 2.0 * reach, np.inf])
    model = np.column_stack((np.ones_like(soc), soc, -current))
    free = np.linalg.lstsq(model, voltage, rcond=FREE_CUTOFF)[0]
    if np.all((free >= lower) & (free <= upper)):
        return float(free[1]), _cost(model @ free - voltage)
    found = _Solver(model, voltage, lower, upper, free).solve()
    return float(found[1]), _cost(model.dot(found) - voltage)


def _cost(residual: Floats) -> float:
    return float(0.5 * np.dot(residual, residual))


class _Solver:
    """Variables are free (0) or on their lower (-1) or upper (1) bound."""

    def __init__(
        self, model: Floats, target: Floats, lower: Floats, upper: Floats, start: Floats
    ) -> None:
        self.model, self.target = model, target
        self.lower, self.upper = lower, upper
        self.at = np.zeros(len(start))
        self.x = start.copy()
        self._bind(self.x <= lower, self.x >= upper)

    def solve(self) -> Floats:
        """Return the variables once no move gains enough."""
        moves = self._make_feasible()
        cost, gradient = self._state()
        for _ in range(moves, moves + MAX_MOVES):
            if self._optimality(gradient) < PRECISION:
                break
            self.at[np.argmax(gradient * self.at)] = 0
            self._walk_to_free_solution()
            before = cost
            cost, gradient = self._state()
            if before - cost < PRECISION * before:
                break
        return self.x

    def _bind(self, below: Bools, above: Bools) -> None:
        self.x[below], self.at[below] = self.lower[below], -1
        self.x[above], self.at[above] = self.upper[above], 1

    def _state(self) -> tuple[float, Floats]:
        residual = self.model.dot(self.x) - self.target
        gradient: Floats = self.model.T.dot(residual)
        return _cost(residual), gradient

    def _optimality(self, gradient: Floats) -> float:
        """Return by how much the conditions of a minimum are violated."""
        violation = np.where(self.at == 0, np.abs(gradient), gradient * self.at)
        return float(np.max(violation))

    def _free_solution(self) -> Floats:
        bound = self.at != 0
        rest = self.target - self.model.dot(self.x * bound)
        solution: Floats = np.linalg.lstsq(self.model[:, ~bound], rest, rcond=None)[0]
        return solution

    def _make_feasible(self) -> int:
        """Bind what the free solution puts out of bounds until nothing is; count the rounds."""
        rounds = 0
        while (free := np.flatnonzero(self.at == 0)).size:
            rounds += 1
            solution = self._free_solution()
            below, above = solution < self.lower[free], solution > self.upper[free]
            self.x[free] = solution
            outside = np.zeros((2, len(self.x)), dtype=bool)
            outside[0, free], outside[1, free] = below, above
            self._bind(outside[0], outside[1])
            if not outside.any():
                break
        return rounds

    def _walk_to_free_solution(self) -> None:
        """Go towards the free solution; bind the variable that hits its bound first, repeat."""
        while True:
            free = np.flatnonzero(self.at == 0)
            solution = self._free_solution()
            x, lower, upper = self.x[free], self.lower[free], self.upper[free]
            below, above = np.flatnonzero(solution < lower), np.flatnonzero(solution > upper)
            hits = np.concatenate((below, above))
            if not hits.size:
                self.x[free] = solution
                return
            to_bound = np.concatenate((lower[below] - x[below], upper[above] - x[above]))
            share = to_bound / (solution[hits] - x[hits])
            first = int(np.argmin(share))
            self.x[free] = x * (1 - share[first]) + share[first] * solution
            self.at[free[hits[first]]] = -1 if first < len(below) else 1
