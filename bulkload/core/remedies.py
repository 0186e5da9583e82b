"""Which transforms and skipped checks let a rejected measurement pass: tried, never supposed.

The search goes from small to large: a set of one is tried before any of two. A set grows by what
may cure a finding that it left, so that what a transform brings to light (a wrong sign hides
wrong capacities) is met as well. A transform, which repairs, comes before a check left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from bulkload.core.issues import IssueCode
from bulkload.core.rule_names import TRANSFORM_NAMES
from bulkload.core.treatment import Treatment

#: Finding -> transforms that may cure it, and the check that finds it where that may be skipped.
CURES: Final[dict[str, tuple[tuple[str, ...], str | None]]] = {
    IssueCode.CURRENT_SIGN_REVERSED: (("set_sign",), None),
    IssueCode.CURRENT_SIGN_INDETERMINATE: (("set_sign",), None),
    IssueCode.CURRENT_SIGN_UNSIGNED: (("set_sign",), None),
    IssueCode.CUMULATIVE_VALUE_NOT_RESET: (("set_capacity", "set_energy"), None),
    IssueCode.CUMULATIVE_VALUE_DECREASED: (("set_capacity", "set_energy"), None),
    IssueCode.STEP_TOO_FEW_POINTS: ((), "minimum_points_per_step"),
    IssueCode.TIME_DOES_NOT_START_AT_ZERO: (("reset_time",), None),
    IssueCode.TIME_NOT_MONOTONIC: (("sort_time",), None),
    IssueCode.STEP_COUNT_MISSING: (("set_step_count",), None),
    IssueCode.STEP_COUNT_DOES_NOT_START_AT_ZERO: (("set_step_count",), None),
    IssueCode.STEP_COUNT_NON_SEQUENTIAL: (("set_step_count",), None),
    IssueCode.CYCLE_CHANGES_WITHIN_STEP: (("set_cycle_count",), "cycle_constant_within_step"),
    IssueCode.TIME_GAP_TOO_LARGE: ((), "time_gaps"),
    IssueCode.VOLTAGE_CONTINUITY: ((), "voltage_continuity"),
    IssueCode.CONSECUTIVE_SAME_DIRECTION_FULL_STEPS: (
        (),
        "consecutive_same_direction_full_steps",
    ),
    IssueCode.STEP_CAPACITY_EXCEEDS_RATED: (("set_capacity",), "step_capacity_within_rated"),
    IssueCode.CHARGE_DISCHARGE_CAPACITY_COLUMNS_SWAPPED: (
        ("swap_charge_discharge",),
        "charge_discharge_column_direction",
    ),
    IssueCode.CHARGE_DISCHARGE_ENERGY_COLUMNS_SWAPPED: (
        ("swap_charge_discharge",),
        "charge_discharge_column_direction",
    ),
    IssueCode.DISCHARGE_CAPACITY_INTEGRAL_MISMATCH: (
        ("set_capacity",),
        "capacity_energy_from_current_power",
    ),
    IssueCode.CHARGE_CAPACITY_INTEGRAL_MISMATCH: (
        ("set_capacity",),
        "capacity_energy_from_current_power",
    ),
    IssueCode.DISCHARGE_ENERGY_INTEGRAL_MISMATCH: (
        ("set_energy",),
        "capacity_energy_from_current_power",
    ),
    IssueCode.CHARGE_ENERGY_INTEGRAL_MISMATCH: (
        ("set_energy",),
        "capacity_energy_from_current_power",
    ),
    IssueCode.EIS_ZIM_SIGN_REVERSED: (("negate_z_im",), "eis_zim_sign"),
    IssueCode.EIS_IMPEDANCE_MAGNITUDE_IMPLAUSIBLE: ((), "eis_impedance_magnitude"),
}

#: Judges a measurement with a treatment: the codes of the errors that are left, None where the
#: treatment cannot be made.
Judge = Callable[[Treatment], Sequence[str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search for a remedy found."""

    remedy: Treatment | None
    tries: int


def find_remedy(errors: Iterable[str], judge: Judge, may_try: Callable[[int], bool]) -> Search:
    """Return the smallest treatment with which no error is left, and how many were tried.

    ``may_try`` is asked before each try with the number of those made, and bounds the search.
    Of two of one size the one that grew from fewer errors left comes first.
    """
    tries = 0
    order = count()
    seen: set[Treatment] = set()
    waiting: list[tuple[int, int, int, Treatment]] = []

    def grow(from_: Treatment, left: Sequence[str]) -> None:
        for one in _grown(from_, left):
            if one not in seen:
                seen.add(one)
                size = len(one.transforms) + len(one.skip_checks)
                heapq.heappush(waiting, (size, len(set(left)), next(order), one))

    grow(Treatment(), tuple(errors))
    while waiting and may_try(tries):
        *_, treatment = heapq.heappop(waiting)
        tries += 1
        left = judge(treatment)
        if left is not None and not left:
            return Search(remedy=treatment, tries=tries)
        if left:
            grow(treatment, left)
    return Search(remedy=None, tries=tries)


def _grown(treatment: Treatment, left: Sequence[str]) -> Iterator[Treatment]:
    """Yield the treatment with one thing more that may cure an error that it left."""
    transforms = dict.fromkeys(name for code in left for name in CURES.get(code, ((), None))[0])
    checks = dict.fromkeys(CURES[code][1] for code in left if code in CURES)
    for name in transforms:
        if name not in treatment.transforms:
            yield Treatment(
                transforms=tuple(
                    one for one in TRANSFORM_NAMES if one in {*treatment.transforms, name}
                ),
                skip_checks=treatment.skip_checks,
            )
    for check in checks:
        if check is not None and check not in treatment.skip_checks:
            yield treatment.then(Treatment(skip_checks=(check,)))
