"""The sign of current: positive is discharge.

Each step that moves charge votes. Its voltage is fitted twice, with the current read as
discharge and as charge; the reading in which voltage rises more steeply with the state of
charge wins. The vote weighs the charge that the step moved times how clear the fit is. A step
of three rows or fewer, or of flat voltage, says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.frame import Bools, Floats, Frame
from bulkload.core.groups import Groups, blocks, extremes
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.rules.percentile import Blocks, percentile
from bulkload.core.rules.step_sums import StepSums, sum_up
from bulkload.core.rules.votes import REVERSED_FROM, UNCLEAR_FROM, Ballot, Rows, poll
from bulkload.core.terms import CURRENT, STEP_COUNT, TIME, VOLTAGE

#: Mean current below which a step is a rest, in ampere; less for small cells:
REST_TOLERANCE_A: Final = 1e-3
#: ... this share of the 95th percentile of the current, so that a coin cell is not all rest.
RELATIVE_REST_TOLERANCE: Final = 0.02
REST_PERCENTILE: Final = 95.0
SMALLEST_REST_TOLERANCE_A: Final = 1e-12

#: Relative distance at which two floats that should be equal are taken for equal.
TIE: Final = 1e-9

WAY_OUT = "The transform set_sign puts it right"


@dataclass(frozen=True, slots=True)
class SignColumns:
    """The names of the columns that the rule reads. ``step`` None: steps follow the sign."""

    current: str = CURRENT
    voltage: str = VOLTAGE
    time: str = TIME
    step: str | None = STEP_COUNT


@dataclass(frozen=True, slots=True)
class RestTolerance:
    """How small a current counts as rest."""

    absolute_a: float = REST_TOLERANCE_A
    relative: float = RELATIVE_REST_TOLERANCE
    percentile: float = REST_PERCENTILE

    def of(self, magnitudes: Blocks, count: int) -> float:
        """Return the tolerance for ``count`` magnitudes of current, which come in blocks."""
        # The percentile needs a partial sort. It is not needed where it is certain to exceed
        # what makes the absolute tolerance the smaller one.
        bar = self.absolute_a / self.relative if self.relative > 0 else np.inf
        large = sum(np.count_nonzero(block >= bar) for block in magnitudes())
        if large >= count - int(self.percentile / 100 * (count - 1)):
            return self.absolute_a
        relative = self.relative * percentile(magnitudes, count, self.percentile)
        # Python's min and max, in this order: a NaN leaves the absolute tolerance standing,
        # as it does for the vendor's client.
        return min(self.absolute_a, max(relative, SMALLEST_REST_TOLERANCE_A))


def positive_is_discharge(
    frame: Frame,
    groups: Groups | None = None,
    columns: SignColumns | None = None,
    tolerance: RestTolerance | None = None,
) -> list[ValidationIssue]:
    """Check that positive current discharges the cell. ``groups`` are the steps, where known."""
    count = count_votes(frame, groups, columns, tolerance)
    return [] if count is None else _verdict(count)


@dataclass(frozen=True, slots=True)
class Count:
    """The votes on the sign of a current, and what they were cast on."""

    ballot: Ballot
    #: The rows that have a time, and their steps.
    timed: Frame
    groups: Groups
    column: str
    #: Below this a current is no current.
    rest_a: float

    @property
    def is_unsigned(self) -> bool:
        """True where all that is no rest is positive."""
        least, most = extremes(self.timed, self.column)
        return most > self.rest_a and least >= -self.rest_a


def count_votes(
    frame: Frame,
    groups: Groups | None = None,
    columns: SignColumns | None = None,
    tolerance: RestTolerance | None = None,
) -> Count | None:
    """Let the steps vote on the sign of the current; None where there is nothing to vote on."""
    columns, tolerance = columns or SignColumns(), tolerance or RestTolerance()
    if not all(name in frame for name in (columns.current, columns.voltage, columns.time)):
        return None
    names = (columns.time, columns.current, columns.voltage)
    for name in names:
        frame.numbers_in(name, 0, 0)  # Raises for a column that holds no numbers.
    step = columns.step if columns.step and columns.step in frame else None
    if step is not None:
        frame.values_in(step, 0, 0)
    timed = frame.without_missing(columns.time)
    if not timed.rows:
        return None

    def magnitudes() -> Iterator[Floats]:
        for low, high in blocks(timed.rows):
            yield np.abs(timed.numbers_in(columns.current, low, high))

    def signals(low: int, high: int) -> tuple[Floats, Floats, Floats]:
        time, current, voltage = (timed.numbers_in(name, low, high) for name in names)
        return time, current, voltage

    with np.errstate(all="ignore"):
        rest = tolerance.of(magnitudes, timed.rows)
        if step is None:
            groups = _by_sign(timed, columns.current, magnitudes, rest)
        elif groups is None or timed is not frame:
            groups = Groups.in_column(timed, step)
        sums = sum_up(signals, groups, idle_a=rest / 2)
        active = _is_active(sums, timed, columns.current, groups, rest)
        ballot = poll(sums, active, Rows(signals, groups))
    return Count(ballot, timed, groups, columns.current, rest)


def _by_sign(frame: Frame, column: str, magnitudes: Blocks, rest: float) -> Groups:
    """Make steps of the sign of the current, where no step number is known."""
    largest = np.max([block.max() for block in magnitudes()])
    if largest == 0:
        return Groups(np.zeros(1, dtype=np.intp), frame.rows)

    def labels(low: int, high: int) -> Floats:
        relative = frame.numbers_in(column, low, high) / largest
        signs: Floats = np.sign(relative * (np.abs(relative) > rest))
        return signs

    return Groups.of(labels, frame.rows)


def _is_active(sums: StepSums, frame: Frame, column: str, groups: Groups, rest: float) -> Bools:
    """Return which steps have a mean current that is no rest, and move charge."""
    mean = np.abs(sums.means[1])
    if np.any(np.abs(mean - rest) < TIE * rest) or np.isnan(mean).any():
        # On the edge the last digit decides, and it depends on the order of summation: sum
        # up row by row, as the vendor's client does. An infinity stays one that way too.
        mean = np.abs(_sums_row_by_row(frame, column, groups) / sums.rows)
    active: Bools = (mean >= rest) & (sums.rows >= 2) & ~(sums.moved <= 0)
    return active


def _sums_row_by_row(frame: Frame, column: str, groups: Groups) -> Floats:
    """Return the sum of each step, its rows added one after the other."""
    sums = np.zeros(len(groups))
    for part in groups.stretches():
        values = frame.numbers_in(column, part.low, part.high)
        owner = np.repeat(np.arange(len(part.starts)), part.sizes)
        # What is known of the first step goes first: the order of the terms stays.
        owner = np.concatenate((np.zeros(1, dtype=owner.dtype), owner))
        weights = np.concatenate((sums[part.first : part.first + 1], values))
        sums[part.steps] = np.bincount(owner, weights=weights)
    return sums


def _verdict(count: Count) -> list[ValidationIssue]:
    share = count.ballot.charge_share
    if not share >= UNCLEAR_FROM - TIE:
        return []
    payload = {"charge_fraction": share}
    if share >= REVERSED_FROM - TIE:
        code = IssueCode.CURRENT_SIGN_REVERSED
        message = (
            f"The sign of the current is reversed: in {share:.0%} of the votes (by charge moved) "
            f"the voltage rises with positive current, which should discharge the cell. {WAY_OUT}."
        )
    elif count.is_unsigned:
        code = IssueCode.CURRENT_SIGN_UNSIGNED
        message = (
            f"The current has no sign: it is positive throughout, but {share:.0%} of the votes "
            f"(by charge moved) are for charge. {WAY_OUT}, step by step."
        )
    else:
        code = IssueCode.CURRENT_SIGN_INDETERMINATE
        message = (
            f"The sign of the current is unclear: {share:.0%} of the votes (by charge moved) read "
            f"positive as charge, the others as discharge. Check whether all currents have one "
            f"sign, and sign them with the cycler's mode column."
        )
    return [ValidationIssue(code, message, payload=payload)]
