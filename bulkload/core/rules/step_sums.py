"""Sums over each step that the sign rule needs, in one pass over the rows.

The rows are taken in blocks, so that what is worked on stays in the cache and the extra
memory is bounded. Within a block each step is summed about its own mean, which keeps the
digits of a voltage that moves by microvolts; a step that is cut by the bounds of blocks is
put together afterwards from its pieces, with the rule for the variance of joined samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.frame import Bools, Floats, Indices
from bulkload.core.rules.groups import Groups, blocks

#: Positions in ``StepSums.products``.
QQ, QI, II, QV, IV, VV = range(6)
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

    def take(self, index: Bools) -> StepSums:
        """Return the sums of some of the steps."""
        return StepSums(
            self.rows[index],
            self.moved[index],
            self.least_charge[index],
            self.most_charge[index],
            self.least_voltage[index],
            self.most_voltage[index],
            self.means[:, index],
            self.products[:, index],
        )


def sum_up(time: Floats, current: Floats, voltage: Floats, groups: Groups) -> StepSums:
    """Sum up each step. A value that is not finite spoils the sums of its own step only."""
    pieces, owners, charge = [], [], 0.0
    for low, high in blocks(groups.rows):
        first, last = np.searchsorted(groups.starts, (low, high))
        starts = groups.starts[first:last] - low
        continued = not len(starts) or starts[0] > 0
        if continued:
            starts = np.concatenate(([0], starts))
        owners.append(np.arange(first - continued, last))
        before = max(low - 1, 0)
        interval = np.diff(time[low:high], prepend=time[before])
        around = (
            current[before : high - 1]
            if low
            else np.concatenate((current[:1], current[: high - 1]))
        )
        interval[starts[1:] if continued else starts] = 0.0
        passed, moved = _charge(interval, around, current[low:high], charge if continued else 0.0)
        charge = float(passed[-1])
        pieces.append(_piece(starts, passed, moved, current[low:high], voltage[low:high]))
    joined = _side_by_side(pieces)
    owner = np.concatenate(owners)
    return joined if len(owner) == len(groups) else _join(joined, owner)


def _charge(
    interval: Floats, before: Floats, current: Floats, start: float
) -> tuple[Floats, Floats]:
    """Return the running integral of the current, and what each row adds to its magnitude's."""
    moved = interval * (np.abs(current) + np.abs(before)) / 2
    passed = interval * (current + before) / 2
    passed[0] += start
    running = np.cumsum(passed)
    if not np.isfinite(running[-1]):
        passed[~np.isfinite(passed)] = 0.0
        running = np.cumsum(passed)
    return running, moved


def _piece(
    starts: Indices, charge: Floats, moved: Floats, current: Floats, voltage: Floats
) -> StepSums:
    sizes = np.diff(starts, append=len(charge))
    rows = sizes.astype(np.float64)
    signals = (charge, current, voltage)
    means = np.stack([np.add.reduceat(signal, starts) / rows for signal in signals])
    centred = [signal - np.repeat(mean, sizes) for signal, mean in zip(signals, means, strict=True)]
    products = np.stack([np.add.reduceat(centred[a] * centred[b], starts) for a, b in _FACTORS])
    return StepSums(
        rows,
        np.add.reduceat(moved, starts),
        np.minimum.reduceat(charge, starts),
        np.maximum.reduceat(charge, starts),
        np.minimum.reduceat(voltage, starts),
        np.maximum.reduceat(voltage, starts),
        means,
        products,
    )


def _side_by_side(pieces: list[StepSums]) -> StepSums:
    if len(pieces) == 1:
        return pieces[0]
    return StepSums(
        np.concatenate([piece.rows for piece in pieces]),
        np.concatenate([piece.moved for piece in pieces]),
        np.concatenate([piece.least_charge for piece in pieces]),
        np.concatenate([piece.most_charge for piece in pieces]),
        np.concatenate([piece.least_voltage for piece in pieces]),
        np.concatenate([piece.most_voltage for piece in pieces]),
        np.concatenate([piece.means for piece in pieces], axis=1),
        np.concatenate([piece.products for piece in pieces], axis=1),
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
