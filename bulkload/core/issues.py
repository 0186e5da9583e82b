"""Findings of validation: stable codes, as the vendor's client names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What a finding does: an error stops the upload, a warning is reported."""

    ERROR = "error"
    WARNING = "warning"


class IssueCode(StrEnum):
    """What a finding says. The words are the vendor's: scripts branch on them."""

    CURRENT_SIGN_REVERSED = "current_sign_reversed"
    CURRENT_SIGN_INDETERMINATE = "current_sign_indeterminate"
    CURRENT_SIGN_UNSIGNED = "current_sign_unsigned"
    CUMULATIVE_VALUE_NOT_RESET = "cumulative_value_not_reset"
    CUMULATIVE_VALUE_DECREASED = "cumulative_value_decreased"
    STEP_TOO_FEW_POINTS = "step_too_few_points"
    TIME_DOES_NOT_START_AT_ZERO = "time_does_not_start_at_zero"
    TIME_NOT_MONOTONIC = "time_not_monotonic"
    TIME_MISSING_ON_NON_EIS_ROW = "time_missing_on_non_eis_row"
    STEP_COUNT_MISSING = "step_count_missing"
    STEP_COUNT_DOES_NOT_START_AT_ZERO = "step_count_does_not_start_at_zero"
    STEP_COUNT_NON_SEQUENTIAL = "step_count_non_sequential"
    CYCLE_CHANGES_WITHIN_STEP = "cycle_changes_within_step"
    OCP_VOLTAGE_COLUMN_MISSING = "ocp_voltage_column_missing"
    OCP_X_AXIS_COLUMN_MISSING = "ocp_x_axis_column_missing"
    TIME_SERIES_ROW_COUNT_EXCEEDED = "time_series_row_count_exceeded"
    TIME_GAP_TOO_LARGE = "time_gap_too_large"
    VOLTAGE_CONTINUITY = "voltage_continuity"
    CONSECUTIVE_SAME_DIRECTION_FULL_STEPS = "consecutive_same_direction_full_steps"
    STEP_CAPACITY_EXCEEDS_RATED = "step_capacity_exceeds_rated"
    CHARGE_DISCHARGE_CAPACITY_COLUMNS_SWAPPED = "charge_discharge_capacity_columns_swapped"
    CHARGE_DISCHARGE_ENERGY_COLUMNS_SWAPPED = "charge_discharge_energy_columns_swapped"
    DISCHARGE_CAPACITY_INTEGRAL_MISMATCH = "discharge_capacity_integral_mismatch"
    CHARGE_CAPACITY_INTEGRAL_MISMATCH = "charge_capacity_integral_mismatch"
    DISCHARGE_ENERGY_INTEGRAL_MISMATCH = "discharge_energy_integral_mismatch"
    CHARGE_ENERGY_INTEGRAL_MISMATCH = "charge_energy_integral_mismatch"
    EIS_COLUMNS_MISSING = "eis_columns_missing"
    EIS_ZIM_SIGN_REVERSED = "eis_zim_sign_reversed"
    EIS_IMPEDANCE_MAGNITUDE_IMPLAUSIBLE = "eis_impedance_magnitude_implausible"
    START_TIME_IN_FUTURE = "start_time_in_future"
    END_TIME_IN_FUTURE = "end_time_in_future"
    END_TIME_BEFORE_START_TIME = "end_time_before_start_time"
    DURATION_MISMATCH = "duration_mismatch"


class ExtraCode(StrEnum):
    """What bulkload finds beside the vendor's rules. Scripts branch on these words too."""

    #: A rule needs numbers and the column is text: the vendor's client breaks off here.
    COLUMN_NOT_NUMERIC = "column_not_numeric"
    #: An infinity where a model is fitted: the vendor's client breaks off here.
    VALUE_NOT_FINITE = "value_not_finite"
    #: The rest are the extra checks: warnings, unless errors are asked for.
    TABLE_EMPTY = "table_empty"
    COLUMN_MISSING = "column_missing"
    COLUMN_ALL_NULL = "column_all_null"
    COLUMN_CONSTANT = "column_constant"
    VALUES_MISSING = "values_missing"
    VOLTAGE_OUTSIDE_RATINGS = "voltage_outside_ratings"
    CURRENT_OUTSIDE_RATINGS = "current_outside_ratings"
    TIME_SCALE_IMPLAUSIBLE = "time_scale_implausible"
    ROWS_REPEATED = "rows_repeated"
    SAMPLING_STOPS_IN_STEP = "sampling_stops_in_step"


@dataclass(frozen=True)
class ValidationIssue:
    """One finding: ``code`` to branch on, ``message`` to read, ``payload`` with the figures."""

    code: str
    message: str
    severity: Severity = Severity.ERROR
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message


def failure_text(errors: Sequence[ValidationIssue]) -> str:
    """Return the text of a validation failure: how many errors, and a line for each."""
    lines = "\n".join(f"  - {error}" for error in errors)
    return f"Measurement data validation failed with {len(errors)} error(s):\n{lines}"
