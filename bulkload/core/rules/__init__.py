"""The vendor's verdict on a measurement: same rules, codes, thresholds and figures.

``check`` runs them in the vendor's order. What the vendor's client cannot see, or judge,
is looked at by ``bulkload.core.rules.extra_checks``, never here, with one exception: where a column
that a rule calculates with is text, or holds an infinity, the vendor's client breaks off with
a foreign exception; ``check`` answers with an error that names the column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from bulkload.core.frame import Frame, NotFiniteError, NotNumericError
from bulkload.core.groups import Groups
from bulkload.core.issues import ExtraCode, ValidationIssue
from bulkload.core.rule_names import known_checks
from bulkload.core.rules import columns, cumulative, eis, integrals, sign, step_count, summary, time
from bulkload.core.rules.timing import fits_wall_clock
from bulkload.core.rules.voltage import continuous
from bulkload.core.terms import STEP_COUNT

_Rule = Callable[[], list[ValidationIssue]]


def check(
    frame: Frame,
    *,
    strict: bool = False,
    data_type: str | None = None,
    steps: Frame | None = None,
    rated_capacity: float | None = None,
    voltage_window: tuple[float, float] | None = None,
    skip_checks: Iterable[str] = frozenset(),
    start_time: datetime | str | None = None,
    end_time: datetime | str | None = None,
    now: datetime | None = None,
) -> list[ValidationIssue]:
    """Return all that the rules find, errors and warnings, in the vendor's order.

    ``steps`` is the step summary that three of the strict checks need; without it they are
    left out. ``now`` is what "in the future" is measured against; without it nothing is.
    Raises ValueError for a name in ``skip_checks`` that is no strict check.
    """
    skip = known_checks(skip_checks)
    if data_type == "ocp":
        rules: list[_Rule] = [
            lambda: columns.ocp_columns(frame),
            lambda: step_count.goes_up_by_one(frame),
        ]
    elif data_type == "eis":
        rules = _eis_rules(frame, strict=strict, rated_capacity=rated_capacity, skip=skip)
    else:
        groups = _groups(frame)
        rules = _always(frame, groups)
        if strict:
            rules += _strict(frame, groups, voltage_window, skip)
            if steps is not None:
                rules += _of_summary(steps, rated_capacity, skip)
    if start_time is not None or end_time is not None:
        rules.append(lambda: fits_wall_clock(start_time, end_time, frame, now=now))
    return _run(rules)


def _groups(frame: Frame) -> Groups | None:
    if STEP_COUNT in frame and frame.is_numeric(STEP_COUNT):
        return Groups.in_column(frame, STEP_COUNT)
    return None


def _always(frame: Frame, groups: Groups | None) -> list[_Rule]:
    rules: list[_Rule] = [
        lambda: sign.positive_is_discharge(frame, groups),
        lambda: time.missing_time(frame),
        lambda: time.starts_at_zero(frame),
        lambda: time.runs_forward(frame),
        lambda: step_count.goes_up_by_one(frame),
    ]
    if groups is not None:
        rules.append(lambda: cumulative.restarts_each_step(frame, groups))
    return rules


def _strict(
    frame: Frame,
    groups: Groups | None,
    voltage_window: tuple[float, float] | None,
    skip: frozenset[str],
) -> list[_Rule]:
    named: dict[str, _Rule] = {}
    if groups is not None:
        named["minimum_points_per_step"] = lambda: step_count.has_points(groups)
        named["cycle_constant_within_step"] = lambda: step_count.one_cycle_per_step(frame, groups)
        named["capacity_energy_from_current_power"] = lambda: integrals.match_columns(frame, groups)
    named["time_gaps"] = lambda: time.no_large_gap(frame)
    if voltage_window is not None:
        named["voltage_continuity"] = lambda: continuous(frame, voltage_window)
    return [rule for name, rule in named.items() if name not in skip]


def _of_summary(steps: Frame, rated_capacity: float | None, skip: frozenset[str]) -> list[_Rule]:
    named: dict[str, _Rule] = {
        "charge_discharge_column_direction": lambda: summary.columns_fit_direction(steps),
        "consecutive_same_direction_full_steps": lambda: summary.no_full_steps_in_a_row(
            steps, rated_capacity
        ),
        "step_capacity_within_rated": lambda: summary.within_rated_capacity(steps, rated_capacity),
    }
    return [rule for name, rule in named.items() if name not in skip]


def _eis_rules(
    frame: Frame, *, strict: bool, rated_capacity: float | None, skip: frozenset[str]
) -> list[_Rule]:
    rules: list[_Rule] = [lambda: columns.eis_columns(frame)]
    if strict and not columns.eis_columns(frame):
        if "eis_zim_sign" not in skip:
            rules.append(lambda: eis.imaginary_part_is_negative(frame))
        if "eis_impedance_magnitude" not in skip:
            rules.append(lambda: eis.magnitude_is_plausible(frame, rated_capacity))
    return rules


def _run(rules: Iterable[_Rule]) -> list[ValidationIssue]:
    """Run the rules; one that meets a column it cannot calculate with tells so, once."""
    issues: list[ValidationIssue] = []
    told: set[str] = set()
    for rule in rules:
        try:
            issues += rule()
        except NotNumericError as error:
            if error.column not in told:
                told.add(error.column)
                issues.append(not_numeric(error.column))
        except NotFiniteError as error:
            issues.append(not_finite(error.columns))
    return issues


def not_numeric(column: str) -> ValidationIssue:
    """Return the finding for a column that must hold numbers and does not."""
    message = (
        f"'{column}' does not hold numbers, so it cannot be checked. Convert it to numbers "
        f"(decimal commas, units in the cells and words such as 'n/a' are the usual reasons)."
    )
    return ValidationIssue(ExtraCode.COLUMN_NOT_NUMERIC, message, payload={"column": column})


def not_finite(names: tuple[str, ...]) -> ValidationIssue:
    """Return the finding for an infinity: nothing can be judged, and nothing measured it."""
    message = (
        f"There is an infinite value in {' or '.join(map(repr, names))}, so the current cannot be "
        f"judged by the voltage. Replace it by a null, or drop the row."
    )
    return ValidationIssue(ExtraCode.VALUE_NOT_FINITE, message, payload={"columns": list(names)})
