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

    #: In at least 75 % of the votes, by charge moved, the voltage rises with positive current.
    CURRENT_SIGN_REVERSED = "current_sign_reversed"
    #: Between 25 % and 75 % of the votes, by charge moved, read positive current as charge.
    CURRENT_SIGN_INDETERMINATE = "current_sign_indeterminate"
    #: The current is positive throughout although the cell is charged and discharged.
    CURRENT_SIGN_UNSIGNED = "current_sign_unsigned"
    #: A capacity or energy does not restart at 0 in a step.
    CUMULATIVE_VALUE_NOT_RESET = "cumulative_value_not_reset"
    #: A capacity or energy falls within a step.
    CUMULATIVE_VALUE_DECREASED = "cumulative_value_decreased"
    #: A step has fewer than 2 rows.
    STEP_TOO_FEW_POINTS = "step_too_few_points"
    #: The time does not start at 0 s.
    TIME_DOES_NOT_START_AT_ZERO = "time_does_not_start_at_zero"
    #: The time runs backwards.
    TIME_NOT_MONOTONIC = "time_not_monotonic"
    #: A row has neither a time nor a frequency.
    TIME_MISSING_ON_NON_EIS_ROW = "time_missing_on_non_eis_row"
    #: There is no column `Step count`.
    STEP_COUNT_MISSING = "step_count_missing"
    #: `Step count` does not start at 0.
    STEP_COUNT_DOES_NOT_START_AT_ZERO = "step_count_does_not_start_at_zero"
    #: `Step count` changes by something other than +1.
    STEP_COUNT_NON_SEQUENTIAL = "step_count_non_sequential"
    #: The cycle number changes within a step.
    CYCLE_CHANGES_WITHIN_STEP = "cycle_changes_within_step"
    #: Open-circuit data have no voltage.
    OCP_VOLTAGE_COLUMN_MISSING = "ocp_voltage_column_missing"
    #: Open-circuit data have no capacity, stoichiometry or state of charge.
    OCP_X_AXIS_COLUMN_MISSING = "ocp_x_axis_column_missing"
    #: There are more rows than Studio accepts.
    TIME_SERIES_ROW_COUNT_EXCEEDED = "time_series_row_count_exceeded"
    #: Two neighbouring rows are more than 5 h apart.
    TIME_GAP_TOO_LARGE = "time_gap_too_large"
    #: In more than 5 % of neighbouring rows the voltage jumps by more than 80 % of its window.
    VOLTAGE_CONTINUITY = "voltage_continuity"
    #: Two steps in one direction each move more than twice the rated capacity.
    CONSECUTIVE_SAME_DIRECTION_FULL_STEPS = "consecutive_same_direction_full_steps"
    #: A step moves more than five times the rated capacity.
    STEP_CAPACITY_EXCEEDS_RATED = "step_capacity_exceeds_rated"
    #: Charge and discharge capacity stand in each other's column.
    CHARGE_DISCHARGE_CAPACITY_COLUMNS_SWAPPED = "charge_discharge_capacity_columns_swapped"
    #: Charge and discharge energy stand in each other's column.
    CHARGE_DISCHARGE_ENERGY_COLUMNS_SWAPPED = "charge_discharge_energy_columns_swapped"
    #: Discharge capacity is more than 10 % from the integral of the current.
    DISCHARGE_CAPACITY_INTEGRAL_MISMATCH = "discharge_capacity_integral_mismatch"
    #: Charge capacity is more than 10 % from the integral of the current.
    CHARGE_CAPACITY_INTEGRAL_MISMATCH = "charge_capacity_integral_mismatch"
    #: Discharge energy is more than 10 % from the integral of the power.
    DISCHARGE_ENERGY_INTEGRAL_MISMATCH = "discharge_energy_integral_mismatch"
    #: Charge energy is more than 10 % from the integral of the power.
    CHARGE_ENERGY_INTEGRAL_MISMATCH = "charge_energy_integral_mismatch"
    #: An impedance spectrum has no frequency, real or imaginary part.
    EIS_COLUMNS_MISSING = "eis_columns_missing"
    #: At least 75 % of the capacitive arc has a positive imaginary part.
    EIS_ZIM_SIGN_REVERSED = "eis_zim_sign_reversed"
    #: The ohmic resistance is a factor 100 from 0.05 Ohm.A.h over the rated capacity.
    EIS_IMPEDANCE_MAGNITUDE_IMPLAUSIBLE = "eis_impedance_magnitude_implausible"
    #: The start time is in the future.
    START_TIME_IN_FUTURE = "start_time_in_future"
    #: The end time is in the future.
    END_TIME_IN_FUTURE = "end_time_in_future"
    #: The end time is before the start time.
    END_TIME_BEFORE_START_TIME = "end_time_before_start_time"
    #: Start and end time disagree with the time column by more than 5 % and 60 s.
    DURATION_MISMATCH = "duration_mismatch"


class ExtraCode(StrEnum):
    """What bulkload finds beside the vendor's rules. Scripts branch on these words too."""

    # Always errors.
    #: A rule needs numbers and the column is text; the vendor's client breaks off here.
    COLUMN_NOT_NUMERIC = "column_not_numeric"
    #: An infinity where a model is fitted; the vendor's client breaks off here.
    VALUE_NOT_FINITE = "value_not_finite"
    # The rest are the extra checks: warnings, unless errors are asked for.
    #: The table has no rows.
    TABLE_EMPTY = "table_empty"
    #: A time, voltage or current is missing, so most rules had nothing to judge.
    COLUMN_MISSING = "column_missing"
    #: A column has no value in any row.
    COLUMN_ALL_NULL = "column_all_null"
    #: The voltage never moves, in at least 100 rows.
    COLUMN_CONSTANT = "column_constant"
    #: A column lacks a value in some rows.
    VALUES_MISSING = "values_missing"
    #: The usual voltage is ten times outside the ratings, or above 100 V where there are none.
    VOLTAGE_OUTSIDE_RATINGS = "voltage_outside_ratings"
    #: The usual current is above 300 C or below C/100 000.
    CURRENT_OUTSIDE_RATINGS = "current_outside_ratings"
    #: Current flows for more than 2 000 h, or 100 times the rated capacity, in one step.
    TIME_SCALE_IMPLAUSIBLE = "time_scale_implausible"
    #: A block of ten rows or more is there twice.
    ROWS_REPEATED = "rows_repeated"
    #: The recording stops within a step while current flows.
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
