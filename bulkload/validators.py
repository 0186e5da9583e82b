"""The vendor's validators under their own names: swap the import, keep the program.

Same functions, parameters, codes, severities and payloads; tables may be pandas, polars,
pyarrow or a mapping of arrays. Only the words of the messages are our own, and the speed.
"""
# ruff: noqa: PLR0917 - the parameters are the vendor's

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bulkload.core import terms
from bulkload.core.frame import AnyArray
from bulkload.core.groups import Groups
from bulkload.core.issues import IssueCode, Severity, ValidationIssue, failure_text
from bulkload.core.rule_names import STRICT_CHECK_NAMES
from bulkload.core.rules import (
    check,
    cumulative,
    eis,
    integrals,
    sign,
    step_count,
    summary,
    time,
    timing,
    voltage,
    votes,
)
from bulkload.core.rules import columns as column_rules
from bulkload.errors import MeasurementValidationError
from bulkload.tables.frames import to_frame

__all__ = [
    "CAPACITY_ENERGY_INTEGRAL_TOLERANCE",
    "EIS_RESISTANCE_CAPACITY_PRODUCT",
    "MAX_INLINE_ROWS",
    "STRICT_CHECK_NAMES",
    "IssueCode",
    "MeasurementValidationError",
    "Severity",
    "ValidationIssue",
    "positive_current_is_charge",
    "validate_capacity_energy_from_current_power",
    "validate_charge_discharge_column_direction",
    "validate_consecutive_same_direction_full_steps",
    "validate_cumulative_values_reset_per_step",
    "validate_cycle_constant_within_step",
    "validate_eis_columns",
    "validate_eis_impedance_magnitude",
    "validate_eis_zim_sign",
    "validate_measurement_data",
    "validate_measurement_timing",
    "validate_minimum_points_per_step",
    "validate_ocp_columns",
    "validate_positive_current_is_discharge",
    "validate_step_capacity_within_rated",
    "validate_step_count_sequential",
    "validate_time_gaps",
    "validate_time_missing_only_on_eis_rows",
    "validate_time_monotonic",
    "validate_time_series_row_count",
    "validate_time_starts_at_zero",
    "validate_voltage_continuity",
]

CAPACITY_ENERGY_INTEGRAL_TOLERANCE = integrals.TOLERANCE
EIS_RESISTANCE_CAPACITY_PRODUCT = eis.RESISTANCE_TIMES_CAPACITY
#: Rows that a table inside a pipeline configuration may have. Uploads have no such limit.
MAX_INLINE_ROWS = 1000


def validate_measurement_data(
    df: Any,
    strict: bool = False,  # noqa: FBT001 - the vendor's signature
    data_type: str | None = None,
    steps_df: Any | None = None,
    rated_capacity: float | None = None,
    voltage_window: tuple[float, float] | None = None,
    skip_checks: Iterable[str] | None = None,
    start_time: datetime | str | None = None,
    end_time: datetime | str | None = None,
) -> None:
    """Raise MeasurementValidationError with all errors found; warn of what is only a warning.

    Raises ValueError for a name in ``skip_checks`` that is none of ``STRICT_CHECK_NAMES``.
    """
    issues = check(
        to_frame(df),
        strict=strict,
        data_type=data_type,
        steps=None if steps_df is None else to_frame(steps_df),
        rated_capacity=rated_capacity,
        voltage_window=voltage_window,
        skip_checks=skip_checks or (),
        start_time=start_time,
        end_time=end_time,
        now=datetime.now(UTC),
    )
    errors = []
    for issue in issues:
        if issue.severity == Severity.WARNING:
            warnings.warn(issue.message, stacklevel=2)
        else:
            errors.append(issue)
    if errors:
        raise MeasurementValidationError(failure_text(errors), errors)


def validate_positive_current_is_discharge(
    df: Any,
    current_col: str = terms.CURRENT,
    voltage_col: str = terms.VOLTAGE,
    time_col: str = terms.TIME,
    step_col: str | None = None,
    rest_tol: float = sign.REST_TOLERANCE_A,
    relative_rest_tol_frac: float = sign.RELATIVE_REST_TOLERANCE,
    relative_rest_tol_percentile: float = sign.REST_PERCENTILE,
) -> list[ValidationIssue]:
    """Check that positive current discharges the cell."""
    return sign.positive_is_discharge(
        to_frame(df),
        columns=sign.SignColumns(current_col, voltage_col, time_col, step_col),
        tolerance=sign.RestTolerance(
            rest_tol, relative_rest_tol_frac, relative_rest_tol_percentile
        ),
    )


def positive_current_is_charge(
    t: AnyArray, current: AnyArray, voltage: AnyArray
) -> tuple[bool, float]:
    """Return for one step whether positive current charges the cell, and the doubt (0 to 1)."""
    arrays = [np.asarray(values, dtype=np.float64) for values in (t, current, voltage)]
    return votes.judge_step(*arrays)


def validate_cumulative_values_reset_per_step(
    df: Any,
    step_col: str = terms.STEP_COUNT,
    cumulative_cols: list[str] | None = None,
    tolerance: float = cumulative.TOLERANCE,
) -> list[ValidationIssue]:
    """Check that capacity and energy restart at each step and never fall within one."""
    frame = to_frame(df)
    if step_col not in frame:
        return []
    columns = terms.CUMULATIVE_COLUMNS if cumulative_cols is None else cumulative_cols
    groups = Groups.by(frame.values(step_col))
    return cumulative.restarts_each_step(frame, groups, columns, tolerance)


def validate_minimum_points_per_step(
    df: Any, step_col: str = terms.STEP_COUNT, min_points: int = step_count.MIN_POINTS
) -> list[ValidationIssue]:
    """Check that each step has enough rows."""
    frame = to_frame(df)
    if step_col not in frame:
        return []
    return step_count.has_points(Groups.by(frame.values(step_col)), min_points)


def validate_time_missing_only_on_eis_rows(
    df: Any, time_col: str = terms.TIME
) -> list[ValidationIssue]:
    """Check that only impedance rows are without a time."""
    return time.missing_time(to_frame(df), time_col)


def validate_time_starts_at_zero(
    df: Any, tolerance: float = time.START_TOLERANCE_S
) -> list[ValidationIssue]:
    """Check that the first time is zero."""
    return time.starts_at_zero(to_frame(df), tolerance)


def validate_time_monotonic(
    df: Any, time_col: str = terms.TIME, tolerance: float = time.BACKWARD_TOLERANCE_S
) -> list[ValidationIssue]:
    """Check that time never runs back."""
    return time.runs_forward(to_frame(df), tolerance, time_col)


def validate_step_count_sequential(df: Any) -> list[ValidationIssue]:
    """Check that ``Step count`` exists, starts at 0 and goes up by one."""
    return step_count.goes_up_by_one(to_frame(df))


def validate_cycle_constant_within_step(
    df: Any, step_col: str = terms.STEP_COUNT, cycle_col: str | None = None
) -> list[ValidationIssue]:
    """Check that each step lies within one cycle."""
    frame = to_frame(df)
    if step_col not in frame:
        return []
    return step_count.one_cycle_per_step(frame, Groups.by(frame.values(step_col)), cycle_col)


def validate_ocp_columns(df: Any) -> list[ValidationIssue]:
    """Check that open-circuit data have a voltage and something to plot it against."""
    return column_rules.ocp_columns(to_frame(df))


def validate_eis_columns(
    df: Any, freq_col: str = terms.FREQUENCY, zre_col: str = terms.Z_RE, zim_col: str = terms.Z_IM
) -> list[ValidationIssue]:
    """Check that a spectrum has its three columns."""
    return column_rules.eis_columns(to_frame(df), (freq_col, zre_col, zim_col))


def validate_eis_zim_sign(
    df: Any,
    freq_col: str = terms.FREQUENCY,
    zre_col: str = terms.Z_RE,
    zim_col: str = terms.Z_IM,
    reversed_fraction_threshold: float = eis.REVERSED_FROM,
) -> list[ValidationIssue]:
    """Check that Im(Z) is negative along the capacitive arc."""
    columns = eis.EisColumns(freq_col, zre_col, zim_col)
    return eis.imaginary_part_is_negative(to_frame(df), columns, reversed_fraction_threshold)


def validate_eis_impedance_magnitude(
    df: Any,
    rated_capacity: float | None,
    factor: float = eis.PLAUSIBLE_FACTOR,
    r_times_q: float = EIS_RESISTANCE_CAPACITY_PRODUCT,
    zre_col: str = terms.Z_RE,
) -> list[ValidationIssue]:
    """Check that the ohmic resistance is of the order that the capacity suggests."""
    return eis.magnitude_is_plausible(to_frame(df), rated_capacity, factor, r_times_q, zre_col)


def validate_time_series_row_count(
    df: Any, max_rows: int = MAX_INLINE_ROWS
) -> list[ValidationIssue]:
    """Check that a table meant for a pipeline configuration is short enough."""
    rows = to_frame(df).rows
    if rows <= max_rows:
        return []
    message = (
        f"The table has {rows} rows; inside a pipeline configuration {max_rows} are the limit. "
        f"Upload it as a measurement and name it there as 'db:<measurement id>'."
    )
    payload = {"n_rows": rows, "max_rows": int(max_rows)}
    return [ValidationIssue(IssueCode.TIME_SERIES_ROW_COUNT_EXCEEDED, message, payload=payload)]


def validate_time_gaps(
    df: Any, time_col: str = terms.TIME, max_gap_seconds: float = time.MAX_GAP_S
) -> list[ValidationIssue]:
    """Check that no interval is so long that rows must be missing."""
    return time.no_large_gap(to_frame(df), max_gap_seconds, time_col)


def validate_voltage_continuity(
    df: Any,
    voltage_window: tuple[float, float],
    voltage_col: str = terms.VOLTAGE,
    jump_fraction: float = voltage.JUMP_FRACTION,
    max_bad_fraction: float = voltage.MAX_BAD_FRACTION,
) -> list[ValidationIssue]:
    """Check that few neighbouring rows differ by most of the voltage window."""
    return voltage.continuous(
        to_frame(df), voltage_window, voltage_col, jump_fraction, max_bad_fraction
    )


def validate_consecutive_same_direction_full_steps(
    steps_df: Any,
    rated_capacity: float | None,
    step_type_col: str = "Step type",
    discharge_capacity_col: str = terms.DISCHARGE_CAPACITY,
    charge_capacity_col: str = terms.CHARGE_CAPACITY,
    step_count_col: str = terms.STEP_COUNT,
    full_step_fraction: float = summary.FULL_STEP_FRACTION,
) -> list[ValidationIssue]:
    """Check that full steps of one direction have one of the other between them."""
    columns = summary.SummaryColumns(
        step_type=step_type_col,
        discharge_capacity=discharge_capacity_col,
        charge_capacity=charge_capacity_col,
        step_count=step_count_col,
    )
    return summary.no_full_steps_in_a_row(
        to_frame(steps_df), rated_capacity, columns, full_step_fraction
    )


def validate_step_capacity_within_rated(
    steps_df: Any,
    rated_capacity: float | None,
    discharge_capacity_col: str = terms.DISCHARGE_CAPACITY,
    charge_capacity_col: str = terms.CHARGE_CAPACITY,
    step_count_col: str = terms.STEP_COUNT,
    max_ratio: float = summary.MAX_RATIO,
) -> list[ValidationIssue]:
    """Warn of steps that move many times the rated capacity."""
    columns = summary.SummaryColumns(
        discharge_capacity=discharge_capacity_col,
        charge_capacity=charge_capacity_col,
        step_count=step_count_col,
    )
    return summary.within_rated_capacity(to_frame(steps_df), rated_capacity, columns, max_ratio)


def validate_charge_discharge_column_direction(
    steps_df: Any,
    mean_current_col: str = "Mean current [A]",
    min_current_col: str = "Min current [A]",
    max_current_col: str = "Max current [A]",
    std_current_col: str = "Std current [A]",
    duration_col: str = "Duration [s]",
    step_count_col: str = terms.STEP_COUNT,
    discharge_capacity_col: str = terms.DISCHARGE_CAPACITY,
    charge_capacity_col: str = terms.CHARGE_CAPACITY,
    discharge_energy_col: str = terms.DISCHARGE_ENERGY,
    charge_energy_col: str = terms.CHARGE_ENERGY,
    rest_tol: float = 1e-3,
    min_duration_s: float = 60.0,
    max_std_to_mean_ratio: float = 0.5,
    dominance_ratio: float = 4.0,
    swapped_fraction_threshold: float = 0.75,
) -> list[ValidationIssue]:
    """Check that steps gain in the columns of their direction."""
    columns = summary.SummaryColumns(
        mean_current=mean_current_col,
        min_current=min_current_col,
        max_current=max_current_col,
        std_current=std_current_col,
        duration=duration_col,
        step_count=step_count_col,
        discharge_capacity=discharge_capacity_col,
        charge_capacity=charge_capacity_col,
        discharge_energy=discharge_energy_col,
        charge_energy=charge_energy_col,
    )
    limits = summary.DirectionLimits(
        rest_tol,
        min_duration_s,
        max_std_to_mean_ratio,
        dominance_ratio,
        swapped_fraction_threshold,
    )
    return summary.columns_fit_direction(to_frame(steps_df), columns, limits)


def validate_capacity_energy_from_current_power(
    df: Any,
    step_col: str = terms.STEP_COUNT,
    time_col: str = terms.TIME,
    current_col: str = terms.CURRENT,
    voltage_col: str = terms.VOLTAGE,
    power_col: str = terms.POWER,
    discharge_capacity_col: str = terms.DISCHARGE_CAPACITY,
    charge_capacity_col: str = terms.CHARGE_CAPACITY,
    discharge_energy_col: str = terms.DISCHARGE_ENERGY,
    charge_energy_col: str = terms.CHARGE_ENERGY,
    tolerance: float = CAPACITY_ENERGY_INTEGRAL_TOLERANCE,
) -> list[ValidationIssue]:
    """Check that capacity and energy agree with the integral of current and power."""
    columns = integrals.IntegralColumns(
        step_col,
        time_col,
        current_col,
        voltage_col,
        power_col,
        discharge_capacity_col,
        charge_capacity_col,
        discharge_energy_col,
        charge_energy_col,
    )
    return integrals.match_columns(to_frame(df), columns=columns, tolerance=tolerance)


def validate_measurement_timing(
    start_time: datetime | str | None,
    end_time: datetime | str | None,
    df: Any | None = None,
    *,
    duration_tolerance_frac: float = timing.TOLERANCE_FRACTION,
    duration_tolerance_min_s: float = timing.TOLERANCE_S,
    now: datetime | None = None,
) -> list[ValidationIssue]:
    """Warn of times in the future, out of order, or that do not fit the span of the data."""
    return timing.fits_wall_clock(
        start_time,
        end_time,
        None if df is None else to_frame(df),
        tolerance_fraction=duration_tolerance_frac,
        tolerance_s=duration_tolerance_min_s,
        now=now or datetime.now(UTC),
    )
