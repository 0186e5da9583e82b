"""Capacity and energy columns restart from zero at each step and never fall within one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from bulkload.core.frame import AnyArray, Frame, Indices
from bulkload.core.groups import Groups, pairs
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import CUMULATIVE_COLUMNS

#: How far from zero a step may start, and how far a value may fall, in the column's unit.
TOLERANCE: Final = 1e-6

WAY_OUT = "The transforms set_capacity and set_energy restart these columns at each step."


def restarts_each_step(
    frame: Frame,
    groups: Groups,
    columns: Sequence[str] = CUMULATIVE_COLUMNS,
    tolerance: float = TOLERANCE,
) -> list[ValidationIssue]:
    """Check that each cumulative column starts a step at zero and does not fall within it."""
    issues = []
    for column in columns:
        if column in frame and frame.rows:
            values = frame.values(column)
            issues += _not_reset(column, values[groups.starts], tolerance)
            issues += _decreased(column, values, groups, tolerance)
    return issues


def _not_reset(column: str, starts: AnyArray, tolerance: float) -> list[ValidationIssue]:
    issues = []
    for step in np.flatnonzero(np.abs(starts) > tolerance):
        observed = float(starts[step])
        message = (
            f"'{column}' starts step {step} at {observed:.6f}, not at 0: it must restart at each "
            f"step. {WAY_OUT}"
        )
        payload = {
            "column": column,
            "step_index": int(step),
            "observed": observed,
            "tolerance": tolerance,
        }
        issues.append(
            ValidationIssue(IssueCode.CUMULATIVE_VALUE_NOT_RESET, message, payload=payload)
        )
    return issues


def _decreased(
    column: str, values: AnyArray, groups: Groups, tolerance: float
) -> list[ValidationIssue]:
    rows = _falls(values, groups, tolerance)
    if not len(rows):
        return []
    steps, first = np.unique(groups.of_rows(rows), return_index=True)
    issues = []
    for step, row in zip(steps, rows[first], strict=True):
        before, now = float(values[row - 1]), float(values[row])
        message = (
            f"'{column}' falls within step {step}, at index {row}, from {before:.6f} to "
            f"{now:.6f}: within a step it may only grow. {WAY_OUT}"
        )
        payload = {
            "column": column,
            "step_index": int(step),
            "row_index": int(row),
            "previous_value": before,
            "current_value": now,
        }
        issues.append(
            ValidationIssue(IssueCode.CUMULATIVE_VALUE_DECREASED, message, payload=payload)
        )
    return issues


def _falls(values: AnyArray, groups: Groups, tolerance: float) -> Indices:
    """Return the rows, first rows of steps left out, whose value is below the one before."""
    found = []
    with np.errstate(invalid="ignore", over="ignore"):
        for low, high in pairs(len(values)):
            growth = np.diff(values[low:high])
            starts = groups.starts[slice(*np.searchsorted(groups.starts, (low + 1, high)))]
            growth[starts - low - 1] = 0
            if not growth.min() >= -tolerance:
                found.append(np.flatnonzero(growth < -tolerance) + low + 1)
    return np.concatenate(found) if found else np.empty(0, dtype=np.intp)
