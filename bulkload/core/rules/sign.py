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

from bulkload.core.frame import Bools, Floats, Frame, NotFiniteError
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.rules.bounded_fit import Moments, StepMeans, fit
from bulkload.core.rules.groups import Groups
from bulkload.core.rules.step_sums import II, IV, QI, QQ, QV, VV, StepSums, sum_up
from bulkload.core.terms import CURRENT, STEP_COUNT, TIME, VOLTAGE

#: Mean current below which a step is a rest, in ampere; less for small cells:
REST_TOLERANCE_A: Final = 1e-3
#: ... this share of the 95th percentile of the current, so that a coin cell is not all rest.
RELATIVE_REST_TOLERANCE: Final = 0.02
REST_PERCENTILE: Final = 95.0
SMALLEST_REST_TOLERANCE_A: Final = 1e-12
#: Share of the votes for "charge" from which the sign is reversed, and from which it is unclear.
REVERSED_FROM: Final = 0.75
UNCLEAR_FROM: Final = 0.25
#: Fewest rows with which three unknowns leave something to judge by.
MIN_ROWS: Final = 4
#: Smallest charge, slope and squared error that are told from zero.
SMALLEST_SPAN: Final = 1e-12
SMALLEST_FIT: Final = 1e-10

#: Relative distance at which two floats that should be equal are taken for equal.
TIE: Final = 1e-9

WAY_OUT = "The transform set_sign reverses it"


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
    columns, tolerance = columns or SignColumns(), tolerance or RestTolerance()
    if not all(name in frame for name in (columns.current, columns.voltage, columns.time)):
        return []
    frame.values(columns.time)
    steps = frame.values(columns.step) if columns.step and columns.step in frame else None
    untimed = np.isnan(frame.numbers(columns.time))
    if untimed.any():
        timed = np.flatnonzero(~untimed)
        names = [columns.time, columns.voltage, columns.current]
        frame = Frame.of({name: frame.numbers(name)[timed] for name in names})
        steps, groups = None if steps is None else steps[timed], None
    if not frame.rows:
        return []
    current = frame.numbers(columns.current)
    with np.errstate(all="ignore"):
        rest = tolerance.of(np.abs(current))
        if groups is None:
            groups = Groups.by(_by_sign(current, rest) if steps is None else steps)
        sums = sum_up(frame.numbers(columns.time), current, frame.numbers(columns.voltage), groups)
        active = _is_active(sums, current, groups, rest)
        share = _charge_share(sums.take(active), columns)
    return _verdict(share, current, rest)


def judge_step(time: Floats, current: Floats, voltage: Floats) -> tuple[bool, float]:
    """Tell of one step whether positive current charges the cell, and the doubt, from 0 to 1.

    Where there is too little to judge by the doubt is 1.
    """
    if len(time) < 2 or time.max() == time.min() or np.abs(current).max() < SMALLEST_SPAN:
        return False, 1.0
    if len(time) < MIN_ROWS:
        passed = (current[0] + current[1]) * (time[1] - time[0]) / 2
        return bool(passed != 0 and (voltage[1] - voltage[0]) / passed >= 0), 1.0
    with np.errstate(all="ignore"):
        sums = sum_up(time, current, voltage, Groups(np.zeros(1, dtype=np.intp), len(time)))
        if _is_flat(sums)[0]:
            return True, 1.0
        span = sums.most_charge - sums.least_charge
        if span[0] < SMALLEST_SPAN:
            return False, 1.0
        is_charge, doubt = _votes(sums, span)
    return bool(is_charge[0]), float(doubt[0])


def _is_flat(sums: StepSums) -> Bools:
    span = sums.most_voltage - sums.least_voltage
    largest = np.maximum(np.abs(sums.most_voltage), np.abs(sums.least_voltage))
    flat: Bools = span <= np.maximum(1e-9, 1e-6 * np.maximum(largest, 1.0))
    return flat


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
    if np.any(np.abs(mean - rest) < TIE * rest):
        # On the edge the last digit decides, and it depends on the order of summation: sum
        # up row by row, as the vendor's client does.
        owner = np.repeat(np.arange(len(groups)), groups.sizes)
        mean = np.abs(np.bincount(owner, weights=current) / sums.rows)
    active: Bools = (mean >= rest) & (sums.rows >= 2) & ~(sums.moved <= 0)
    return active


def _charge_share(sums: StepSums, columns: SignColumns) -> float:
    """Return the share of the votes that read positive current as charge; NaN for no vote.

    ``sums`` are those of the active steps.
    """
    charge_span = sums.most_charge - sums.least_charge
    voting = (sums.rows >= MIN_ROWS) & ~_is_flat(sums) & ~(charge_span < SMALLEST_SPAN)
    if np.any(voting & ~np.isfinite(sums.moved)):
        raise NotFiniteError(columns.current, columns.time)
    weights = np.zeros_like(sums.moved) * sums.moved
    is_charge = np.zeros(len(voting), dtype=bool)
    if voting.any():
        is_charge[voting], doubt = _votes(sums.take(voting), charge_span[voting])
        weights[voting] = (1.0 - doubt) * sums.moved[voting]
    total = float(weights.sum())
    return float(weights[is_charge].sum()) / total if total > 0 else np.nan


def _votes(sums: StepSums, span: Floats) -> tuple[Bools, Floats]:
    """Return of each step whether positive current charges it, and the doubt, from 0 to 1."""
    products = sums.products
    moments = Moments(
        products[QQ] / (span * span),
        products[QI] / span,
        products[II],
        -products[QV] / span,
        -products[IV],
        products[VV],
    )
    charge, current, voltage = sums.means
    soc = (sums.most_charge - charge) / span
    low, high = sums.least_voltage, sums.most_voltage
    means = StepMeans(sums.rows, soc, -current, voltage, low, high)
    slope, error = fit(moments, means)
    mirrored = StepMeans(sums.rows, 1.0 - soc, current, voltage, low, high)
    slope_charge, error_charge = fit(moments.mirrored(), mirrored)

    is_charge = slope_charge > slope
    steeper = np.maximum(slope, slope_charge)
    slope_ratio = np.minimum(slope, slope_charge) / np.maximum(steeper, SMALLEST_FIT)
    winner = np.where(is_charge, error_charge, error)
    loser = np.where(is_charge, error, error_charge)
    error_ratio = np.where(loser > SMALLEST_FIT, winner / loser, 0.0)
    doubt = np.clip(slope_ratio + error_ratio, 0.0, 1.0)
    ambiguous = steeper < SMALLEST_FIT
    is_charge[ambiguous], doubt[ambiguous] = True, 1.0
    doubt[np.isnan(voltage)] = np.nan
    return is_charge, doubt


def _verdict(share: float, current: Floats, rest: float) -> list[ValidationIssue]:
    if not share >= UNCLEAR_FROM - TIE:
        return []
    payload = {"charge_fraction": share}
    if share >= REVERSED_FROM - TIE:
        code = IssueCode.CURRENT_SIGN_REVERSED
        message = (
            f"The sign of the current is reversed: in {share:.0%} of the votes (by charge moved) "
            f"the voltage rises with positive current, which should discharge the cell. {WAY_OUT}."
        )
    elif np.fmax.reduce(current) > rest and np.fmin.reduce(current) >= -rest:
        code = IssueCode.CURRENT_SIGN_UNSIGNED
        message = (
            f"The current has no sign: it is positive throughout, but {share:.0%} of the votes "
            f"(by charge moved) are for charge. {WAY_OUT}, or sign it with the cycler's mode "
            f"column."
        )
    else:
        code = IssueCode.CURRENT_SIGN_INDETERMINATE
        message = (
            f"The sign of the current is unclear: {share:.0%} of the votes (by charge moved) read "
            f"positive as charge, the others as discharge. Look whether all currents have one "
            f"sign, and sign them with the cycler's mode column."
        )
    return [ValidationIssue(code, message, payload=payload)]
