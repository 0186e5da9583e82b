"""Sums over each step that the sign rule needs, in one pass over the rows.

The rows are taken in blocks, so that what is worked on stays in the cache and the extra
memory is bounded. Within a block each step is summed about its own mean, which keeps the
digits of a voltage that moves by microvolts; a step that is cut by the bounds of blocks is
put together afterwards from its pieces, with the rule for the variance of joined samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

import numpy as np

from bulkload.core.frame import Bools, Floats, Indices
from bulkload.core.groups import BLOCK_ROWS, Groups, Stretch
from bulkload.core.rules.short_steps import MAX_ROWS as MAX_SHORT_ROWS
from bulkload.core.rules.short_steps import sum_short

#: Positions in ``StepSums.products``.
QQ, QI, II, QV, IV, VV = range(6)
#: Mean rows a step below which the steps are summed up row by row, in larger blocks.
SHORT_ROWS: Final = 32
SHORT_BLOCK_ROWS: Final = 4 * BLOCK_ROWS
#: How far the charge passed may stay behind the charge moved, by rounding, if it went one way.
ONE_WAY_TOLERANCE: Final = 1e-12
_FACTORS: Final = ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))


@dataclass(frozen=True, slots=True)
class StepSums:
    """Of each step: rows, means, extremes, and sums of products about the means.

    Three signals are followed: the charge that has passed (in A.s, from wherever), the current
    and the voltage; ``means`` and ``products`` hold a row for each signal, or pair of signals.
    """

    rows: Floats
    #: Integral of the magnitude of the current, in A.s.
    moved: Floats
    least_charge: Floats
    most_charge: Floats
    least_voltage: Floats
    most_voltage: Floats
    means: Floats
    products: Floats

    def take(self, steps: Indices) -> StepSums:
        """Return the sums of some of the steps."""
        return StepSums(*(getattr(self, field.name).take(steps, axis=-1) for field in fields(self)))


#: Gives time, current and voltage of the rows from the first number up to the second.
Signals: TypeAlias = Callable[[int, int], tuple[Floats, Floats, Floats]]


def sum_up(signals: Signals, groups: Groups, idle_a: float = 0.0) -> StepSums:
    """Sum up each step. A value that is not finite spoils the sums of its own step only.

    The extremes of the charge may be wrong for steps of a mean current below ``idle_a``.
    """
    pieces, owners, charge = [], [], 0.0
    size = SHORT_BLOCK_ROWS if groups.rows < SHORT_ROWS * len(groups) else BLOCK_ROWS
    for part in groups.stretches(size):
        owners.append(np.arange(part.steps.start, part.steps.stop))
        # With the row before, where the block goes on with a step.
        time, current, voltage = signals(part.low - part.is_cut, part.high)
        if size == SHORT_BLOCK_ROWS and not part.is_cut and part.sizes.max() <= MAX_SHORT_ROWS:
            found = sum_short(time, current, voltage, part.starts, part.sizes)
            pieces.append(StepSums(part.sizes.astype(np.float64), *found))
            continue
        flow = _flow(time, current, part)
        flow.run(charge if part.is_cut else 0.0)
        charge = float(flow.charge[-1])
        own = slice(int(part.is_cut), None)
        pieces.append(_piece(part.starts, flow, current[own], voltage[own], idle_a))
    joined = _side_by_side(pieces)
    return joined if len(joined.rows) == len(groups) else _join(joined, np.concatenate(owners))


@dataclass(slots=True)
class _Flow:
    """The charge that flows in a block of rows."""

    #: What each row adds to the integral of the current; after ``run``, that integral.
    charge: Floats
    #: What each row adds to the integral of the current's magnitude.
    moved: Floats
    is_forward: bool

    def run(self, start: float) -> None:
        """Add up the charge from ``start`` on; what is not finite counts as nothing."""
        added = self.charge
        added[0] += start
        self.charge = np.cumsum(added)
        if not np.isfinite(self.charge[-1]):
            added[~np.isfinite(added)] = 0.0
            self.charge = np.cumsum(added)


def _flow(near: Floats, around: Floats, part: Stretch) -> _Flow:
    """Take the trapezoid that ends at each row; none ends where a step starts.

    ``near`` is the time and ``around`` the current, with the row before in a part that is cut.
    """
    count, lead = part.high - part.low, 0 if part.is_cut else 1
    starts = part.starts[1:] if part.is_cut else part.starts
    size = np.abs(around)
    interval, charge, moved = np.empty(count), np.empty(count), np.empty(count)
    np.subtract(near[1:], near[:-1], out=interval[lead:])
    np.add(around[1:], around[:-1], out=charge[lead:])
    np.add(size[1:], size[:-1], out=moved[lead:])
    interval[:lead] = charge[:lead] = moved[:lead] = 0.0
    interval *= 0.5
    charge *= interval
    moved *= interval
    charge[starts] = 0.0
    moved[starts] = 0.0
    return _Flow(charge, moved, bool(interval.min() >= 0))


def _piece(
    starts: Indices, flow: _Flow, current: Floats, voltage: Floats, idle_a: float
) -> StepSums:
    sizes = np.diff(starts, append=len(current))
    rows = sizes.astype(np.float64)
    signals = (flow.charge, current, voltage)
    means = np.stack([np.add.reduceat(signal, starts) / rows for signal in signals])
    centred = []
    for signal, mean in zip(signals, means, strict=True):
        away = np.repeat(mean, sizes)
        centred.append(np.subtract(signal, away, out=away))
    work = np.empty(len(current))
    products = np.stack(
        [
            np.add.reduceat(np.multiply(centred[a], centred[b], out=work), starts)
            for a, b in _FACTORS
        ]
    )
    moved = np.add.reduceat(flow.moved, starts)
    least, most = _extremes(flow, starts, moved, np.abs(means[1]) < idle_a)
    lowest = np.minimum.reduceat(voltage, starts)
    return StepSums(
        rows, moved, least, most, lowest, np.maximum.reduceat(voltage, starts), means, products
    )


def _extremes(flow: _Flow, starts: Indices, moved: Floats, is_idle: Bools) -> tuple[Floats, Floats]:
    """Return the least and the greatest charge of each step.

    Where the current keeps its sign they are at the ends of the step, which saves a search.
    """
    ends = np.append(starts[1:], len(flow.charge)) - 1
    one, other = flow.charge[starts], flow.charge[ends]
    one_way = np.abs(other - one) >= moved * (1.0 - ONE_WAY_TOLERANCE)
    if flow.is_forward and np.all(one_way | is_idle):
        return np.minimum(one, other), np.maximum(one, other)
    return np.minimum.reduceat(flow.charge, starts), np.maximum.reduceat(flow.charge, starts)


def _side_by_side(pieces: list[StepSums]) -> StepSums:
    if len(pieces) == 1:
        return pieces[0]
    return StepSums(
        *(
            np.concatenate([getattr(piece, field.name) for piece in pieces], axis=-1)
            for field in fields(StepSums)
        )
    )


def _join(pieces: StepSums, owner: Indices) -> StepSums:
    """Join the pieces of each step."""
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    rows = np.add.reduceat(pieces.rows, starts)
    means = np.add.reduceat(pieces.rows * pieces.means, starts, axis=1) / rows
    away = pieces.means - means[:, owner]
    between = np.stack([pieces.rows * away[a] * away[b] for a, b in _FACTORS])
    return StepSums(
        rows,
        np.add.reduceat(pieces.moved, starts),
        np.minimum.reduceat(pieces.least_charge, starts),
        np.maximum.reduceat(pieces.most_charge, starts),
        np.minimum.reduceat(pieces.least_voltage, starts),
        np.maximum.reduceat(pieces.most_voltage, starts),
        means,
        np.add.reduceat(pieces.products + between, starts, axis=1),
    )
