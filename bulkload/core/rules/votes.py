"""The votes of the steps on the sign of current.

The sums of a step settle its vote, with three exceptions, in which the vendor's verdict hangs
on rounding or on the path of its solver: the current is a straight line over the state of
charge; a bound is broken at constant current; or the vote is worth nothing but rounding noise
and no other step votes. Such a step is fitted over its rows, as the vendor does it, but only
while its vote could still change the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from bulkload.core.frame import Bools, Floats, Indices, NotFiniteError
from bulkload.core.groups import Groups
from bulkload.core.rules.bounded_fit import fit
from bulkload.core.rules.moments import Means, Moments
from bulkload.core.rules.row_fit import fit_rows
from bulkload.core.rules.step_sums import II, IV, QI, QQ, QV, VV, Signals, StepSums, sum_up
from bulkload.core.terms import CURRENT, TIME

#: Share of the votes for "charge" from which the sign is reversed, and from which it is unclear.
REVERSED_FROM: Final = 0.75
UNCLEAR_FROM: Final = 0.25
#: Fewest rows with which three unknowns leave something to judge by.
MIN_ROWS: Final = 4
#: Smallest charge, slope and squared error that are told from zero.
SMALLEST_SPAN: Final = 1e-12
SMALLEST_FIT: Final = 1e-10
#: A doubt this close to 1 may be rounding.
NOISE: Final = 1e-9
#: Share of all votes that open votes may have without a word in the outcome.
NEGLIGIBLE: Final = 1e-5
#: Steps that are fitted over their rows at most, the weightiest first: a bound on time (a
#: second or so) for tables made of nothing but doubtful steps.
MAX_ROW_FITS: Final = 2_000
#: Steps that are fitted at a time: what is worked on stays in the cache.
PART_STEPS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of the steps are, for those that have to be fitted over their rows."""

    signals: Signals
    groups: Groups

    def of(self, step: int) -> tuple[Floats, Floats, Floats]:
        """Return time, current and voltage of a step."""
        first = int(self.groups.starts[step])
        return self.signals(first, first + int(self.groups.sizes[step]))


@dataclass(frozen=True, slots=True)
class Votes:
    """Of each step whether positive current charges it, the doubt (from 0), how settled that is."""

    is_charge: Bools
    doubt: Floats
    is_determined: Bools

    @property
    def most_weight(self) -> Floats:
        """The largest weight that an open vote may turn out to have; zero for a settled one."""
        open_weight = np.where(np.abs(self.doubt - 1.0) < NOISE, NOISE, 0.0)
        return np.where(self.is_determined, open_weight, 1.0)


@dataclass(frozen=True, slots=True)
class Ballot:
    """The votes that count: which steps, whether positive current charges them, what weight."""

    steps: Indices
    is_charge: Bools
    weights: Floats
    #: True where a missing or endless value leaves no verdict.
    is_void: bool = False

    @property
    def charge_share(self) -> float:
        """The share of the votes that read positive current as charge; NaN for no verdict."""
        total = float(self.weights.sum())
        if self.is_void or total <= 0:
            return np.nan
        return float(self.weights[self.is_charge].sum()) / total


def poll(sums: StepSums, active: Bools, rows: Rows) -> Ballot:
    """Let the ``active`` steps vote, those that are no rest and move charge."""
    span = sums.most_charge - sums.least_charge
    voting = active & (sums.rows >= MIN_ROWS) & ~is_flat(sums) & ~(span < SMALLEST_SPAN)
    if np.any(voting & ~np.isfinite(sums.moved)):
        raise NotFiniteError(CURRENT, TIME)
    steps = np.flatnonzero(voting)
    if not steps.size:
        return Ballot(steps, np.zeros(0, dtype=bool), np.zeros(0))
    votes = _join([cast(sums.take(part), span[part]) for part in _parts(steps)])
    moved = sums.moved[steps]
    weights = (1.0 - np.minimum(votes.doubt, 1.0)) * moved
    # A step without a vote has no weight; an endless charge leaves no verdict at all.
    nothing = float((0.0 * sums.moved[active]).sum())
    if np.isnan(votes.doubt).any() or np.isnan(nothing):
        return Ballot(steps, votes.is_charge, weights, is_void=True)
    _settle(votes, weights, moved, rows, steps)
    return Ballot(steps, votes.is_charge, weights)


def _parts(steps: Indices) -> list[Indices]:
    return [steps[first : first + PART_STEPS] for first in range(0, len(steps), PART_STEPS)]


def _join(parts: list[Votes]) -> Votes:
    if len(parts) == 1:
        return parts[0]
    return Votes(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Votes))
    )


def _settle(votes: Votes, weights: Floats, moved: Floats, rows: Rows, steps: Indices) -> None:
    """Fit open votes over their rows while they could matter; put the answers in place."""
    is_charge, most = votes.is_charge, votes.most_weight * moved
    is_open = most > 0
    for_charge = float(weights[is_charge & ~is_open].sum())
    against = float(weights[~is_charge & ~is_open].sum())
    left = float(most.sum())
    for step in np.argsort(-most)[: min(int(is_open.sum()), MAX_ROW_FITS)]:
        if not _matters(for_charge, against, left):
            return
        is_charge[step], doubt = judge_rows(*rows.of(steps[step]))
        weights[step] = (1.0 - doubt) * moved[step]
        left = max(left - most[step], 0.0)
        for_charge += weights[step] if is_charge[step] else 0.0
        against += 0.0 if is_charge[step] else weights[step]


def _matters(for_charge: float, against: float, left: float) -> bool:
    """Return whether open votes of this weight could change the verdict, or its figure."""
    settled = for_charge + against
    if settled <= 0:
        return left > 0
    if (for_charge + left) / (settled + left) < UNCLEAR_FROM:
        return False
    return left > NEGLIGIBLE * settled


def is_flat(sums: StepSums) -> Bools:
    """Return which steps have a voltage that does not move."""
    span = sums.most_voltage - sums.least_voltage
    largest = np.maximum(np.abs(sums.most_voltage), np.abs(sums.least_voltage))
    flat: Bools = span <= np.maximum(1e-9, 1e-6 * np.maximum(largest, 1.0))
    return flat


def cast(sums: StepSums, span: Floats) -> Votes:
    """Let each step vote. ``span`` is the charge between its emptiest and its fullest row."""
    products, charge, current, voltage = sums.products, *sums.means
    # A row for each reading of the current: positive is discharge, positive is charge.
    sign = np.array([[1.0], [-1.0]])
    moments = Moments(
        products[QQ] / (span * span),
        products[QI] / span,
        products[II],
        sign * (-products[QV] / span),
        sign * -products[IV],
        products[VV],
    )
    emptiness = (sums.most_charge - charge) / span
    soc = np.stack((emptiness, 1.0 - emptiness))
    low, high = sums.least_voltage, sums.most_voltage
    found = fit(moments, Means(sums.rows, soc, sign * -current, voltage, low, high))
    is_charge, doubt = _compare(found.slope, found.error)
    doubt[np.isnan(voltage)] = np.nan
    return Votes(is_charge, doubt, np.logical_and(*found.is_determined))


def _compare(slopes: Floats, errors: Floats) -> tuple[Bools, Floats]:
    """Return which reading has the steeper slope, and the doubt: 0 for none, 1 and more for all.

    The arrays have a row for each reading.
    """
    is_charge = slopes[1] > slopes[0]
    steeper = np.maximum(slopes[0], slopes[1])
    slope_ratio = np.minimum(slopes[0], slopes[1]) / np.maximum(steeper, SMALLEST_FIT)
    winner, loser = np.where(is_charge, errors[::-1], errors)
    is_told = loser > SMALLEST_FIT
    error_ratio = np.divide(winner, loser, out=np.zeros_like(loser), where=is_told)
    doubt = np.maximum(slope_ratio + error_ratio, 0.0)
    ambiguous = steeper < SMALLEST_FIT
    return is_charge | ambiguous, np.where(ambiguous, np.inf, doubt)


def judge_rows(time: Floats, current: Floats, voltage: Floats) -> tuple[bool, float]:
    """Fit one step over its rows; return whether positive current charges it, and the doubt."""
    halves = np.diff(time) * (-current[1:] + -current[:-1]) / 2.0
    charge = np.concatenate(([0.0], np.cumsum(halves)))
    fits = [fit_rows(charge, current, voltage), fit_rows(-charge, -current, voltage)]
    slopes, errors = np.array(fits).T[:, :, np.newaxis]
    is_charge, doubt = _compare(slopes, errors)
    return bool(is_charge[0]), min(float(doubt[0]), 1.0)


def judge_step(time: Floats, current: Floats, voltage: Floats) -> tuple[bool, float]:
    """Return for one step whether positive current charges the cell, and the doubt, from 0 to 1.

    Where there is too little to judge by the doubt is 1.
    """
    if len(time) < 2 or time.max() == time.min() or np.abs(current).max() < SMALLEST_SPAN:
        return False, 1.0
    if len(time) < MIN_ROWS:
        passed = (current[0] + current[1]) * (time[1] - time[0]) / 2
        return bool(passed != 0 and (voltage[1] - voltage[0]) / passed >= 0), 1.0
    one_step = Groups(np.zeros(1, dtype=np.intp), len(time))
    sums = sum_up(
        lambda low, high: (time[low:high], current[low:high], voltage[low:high]), one_step
    )
    if is_flat(sums)[0]:
        return True, 1.0
    if (sums.most_charge - sums.least_charge)[0] < SMALLEST_SPAN:
        return False, 1.0
    return judge_rows(time, current, voltage)
