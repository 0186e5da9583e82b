"""The sign of current: positive is discharge.

Each step that moves charge votes. Its voltage is fitted twice, with the current read as
discharge and as charge; the reading in which voltage rises more steeply with the state of
charge wins. The vote weighs the charge that the step moved times how clear the fit is. A step
of three rows or fewer, or of flat voltage, says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.frame import Bools, Floats, Frame, Indices
from bulkload.core.groups import Groups
from bulkload.core.issues import IssueCode, ValidationIssue
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

    def of(self, magnitude: Floats) -> float:
        """Return the tolerance for these magnitudes of current."""
        count = len(magnitude)
        # The percentile needs a partial sort. It is not needed where it is certain to exceed
        # what makes the absolute tolerance the smaller one.
        bar = self.absolute_a / self.relative if self.relative > 0 else np.inf
        if np.count_nonzero(magnitude >= bar) >= count - int(self.percentile / 100 * (count - 1)):
            return self.absolute_a
        relative = self.relative * float(np.percentile(magnitude, self.percentile))
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
    timed: Indices | None
    groups: Groups
    current: Floats
    #: Below this a current is no current.
    rest_a: float

    @property
    def is_unsigned(self) -> bool:
        """True where all that is no rest is positive."""
        current = self.current
        above = np.fmax.reduce(current) > self.rest_a
        return bool(above and np.fmin.reduce(current) >= -self.rest_a)


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
    signals = [frame.numbers(n) for n in (columns.time, columns.current, columns.voltage)]
    steps = frame.values(columns.step) if columns.step and columns.step in frame else None
    timed, untimed = None, np.isnan(signals[0])
    if untimed.any():
        timed, groups = np.flatnonzero(~untimed), None
        signals = [signal[timed] for signal in signals]
        steps = None if steps is None else steps[timed]
    time, current, voltage = signals
    if not len(time):
        return None
    with np.errstate(all="ignore"):
        rest = tolerance.of(np.abs(current))
        if groups is None:
            groups = Groups.by(_by_sign(current, rest) if steps is None else steps)
        sums = sum_up(time, current, voltage, groups, idle_a=rest / 2)
        active = _is_active(sums, current, groups, rest)
        ballot = poll(sums, active, Rows(time, current, voltage, groups))
    return Count(ballot, timed, groups, current, rest)


def _by_sign(current: Floats, rest: float) -> Floats:
    """Label the rows by the sign of their current, where no step number is known."""
    largest = np.max(np.abs(current))
    if largest == 0:
        return np.zeros(len(current))
    relative = current / largest
    labels: Floats = np.sign(relative * (np.abs(relative) > rest))
    return labels


def _is_active(sums: StepSums, current: Floats, groups: Groups, rest: float) -> Bools:
    """Tell which steps have a mean current that is no rest, and move charge."""
    mean = np.abs(sums.means[1])
    if np.any(np.abs(mean - rest) < TIE * rest) or np.isnan(mean).any():
        # On the edge the last digit decides, and it depends on the order of summation: sum
        # up row by row, as the vendor's client does. An infinity stays one that way too.
        owner = np.repeat(np.arange(len(groups)), groups.sizes)
        mean = np.abs(np.bincount(owner, weights=current) / sums.rows)
    active: Bools = (mean >= rest) & (sums.rows >= 2) & ~(sums.moved <= 0)
    return active


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
            f"positive as charge, the others as discharge. Look whether all currents have one "
            f"sign, and sign them with the cycler's mode column."
        )
    return [ValidationIssue(code, message, payload=payload)]
