"""Capacity and energy columns restart from zero at each step and never fall within one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from bulkload.core.frame import AnyArray, Frame
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
            issues += _not_reset(column, frame.values_at(column, groups.starts), tolerance)
            issues += _decreased(column, frame, groups, tolerance)
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
    column: str, frame: Frame, groups: Groups, tolerance: float
) -> list[ValidationIssue]:
    issues = []
    for step, row, before, now in _first_falls(column, frame, groups, tolerance):
        message = (
            f"'{column}' falls within step {step}, at index {row}, from {before:.6f} to "
            f"{now:.6f}: within a step it may only grow. {WAY_OUT}"
        )
        payload = {
            "column": column,
            "step_index": step,
            "row_index": row,
            "previous_value": before,
            "current_value": now,
        }
        issues.append(
            ValidationIssue(IssueCode.CUMULATIVE_VALUE_DECREASED, message, payload=payload)
        )
    return issues


def _first_falls(
    column: str, frame: Frame, groups: Groups, tolerance: float
) -> Iterator[tuple[int, int, float, float]]:
    """Yield of each step in which a value is below the one before the first such row.

    Each comes as step, row, the value before and its own. The first row of a step falls from
    nothing.
    """
    latest = -1
    with np.errstate(invalid="ignore", over="ignore"):
        for low, high in pairs(frame.rows):
            values = frame.values_in(column, low, high)
            growth = np.diff(values)
            starts = groups.starts[slice(*np.searchsorted(groups.starts, (low + 1, high)))]
            growth[starts - low - 1] = 0
            if growth.min() >= -tolerance:
                continue
            at = np.flatnonzero(growth < -tolerance)
            steps, first = np.unique(groups.of_rows(at + (low + 1)), return_index=True)
            for step, row in zip(steps.tolist(), at[first].tolist(), strict=True):
                if step > latest:
                    latest = step
                    yield step, low + row + 1, float(values[row]), float(values[row + 1])
