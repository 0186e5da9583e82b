"""Rules on ``Step count``: it starts at 0, goes up by one, has points, lies in one cycle."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bulkload.core.frame import AnyArray, Frame
from bulkload.core.groups import Groups, changes
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import CYCLE_COUNT, CYCLE_FROM_CYCLER, STEP_COUNT

#: Bad transitions that are shown in full; the rest are counted.
MAX_EXAMPLES: Final = 5
#: Fewest rows that make a step.
MIN_POINTS: Final = 2
#: Where a cycle number is looked for; the first that is there counts.
CYCLE_COLUMNS: Final = (CYCLE_COUNT, "Cycle number", CYCLE_FROM_CYCLER)

WAY_OUT = "The transform set_step_count numbers the steps from 'Step from cycler'."


def goes_up_by_one(frame: Frame) -> list[ValidationIssue]:
    """Check that ``Step count`` exists, starts at 0 and goes up by one at each new step."""
    if STEP_COUNT not in frame:
        return [_missing(frame)]
    if not frame.rows:
        return []
    steps = frame.values(STEP_COUNT)
    issues = []
    if steps[0] != 0:
        first = plain(steps[0])
        message = f"'{STEP_COUNT}' starts at {first}, not at 0. {WAY_OUT}"
        payload = {"column": STEP_COUNT, "observed_first": first}
        issues.append(
            ValidationIssue(IssueCode.STEP_COUNT_DOES_NOT_START_AT_ZERO, message, payload=payload)
        )
    at = changes(steps)
    with np.errstate(invalid="ignore"):
        bad = at[np.subtract(steps[at + 1], steps[at]) != 1] if steps.dtype != bool else at[:0]
    if len(bad):
        issues.append(_non_sequential(steps, bad))
    return issues


def _missing(frame: Frame) -> ValidationIssue:
    message = (
        f"There is no '{STEP_COUNT}' column; it is required. Columns found: "
        f"{', '.join(frame.names)}. {WAY_OUT}"
    )
    payload = {"column": STEP_COUNT, "available_columns": list(frame.names)}
    return ValidationIssue(IssueCode.STEP_COUNT_MISSING, message, payload=payload)


def _non_sequential(steps: AnyArray, bad: AnyArray) -> ValidationIssue:
    examples = []
    with np.errstate(invalid="ignore", over="ignore"):
        for row in bad[:MAX_EXAMPLES]:
            before, after = steps[row], steps[row + 1]
            examples.append(
                {
                    "row_index": int(row),
                    "from": plain(before),
                    "to": plain(after),
                    "diff": plain(np.subtract(after, before)),
                }
            )
    shown = "; ".join(
        f"row {e['row_index']}: {e['from']} to {e['to']}, by {e['diff']}" for e in examples
    )
    more = f"; and {len(bad) - MAX_EXAMPLES} more" if len(bad) > MAX_EXAMPLES else ""
    message = (
        f"'{STEP_COUNT}' may only stay or go up by 1, and {len(bad)} transition(s) do neither "
        f"({shown}{more}). {WAY_OUT}"
    )
    payload = {"column": STEP_COUNT, "num_violations": len(bad), "examples": examples}
    return ValidationIssue(IssueCode.STEP_COUNT_NON_SEQUENTIAL, message, payload=payload)


def has_points(groups: Groups, minimum: int = MIN_POINTS) -> list[ValidationIssue]:
    """Check that each step has at least two rows."""
    issues = []
    for step in np.flatnonzero(groups.sizes < minimum):
        points = int(groups.sizes[step])
        message = (
            f"Step {step} has {points} row(s); at least {minimum} are needed. Merge it into its "
            f"neighbour, or skip the check minimum_points_per_step."
        )
        payload = {"step_index": int(step), "num_points": points, "min_points": minimum}
        issues.append(ValidationIssue(IssueCode.STEP_TOO_FEW_POINTS, message, payload=payload))
    return issues


def one_cycle_per_step(
    frame: Frame, groups: Groups, column: str | None = None
) -> list[ValidationIssue]:
    """Check that the cycle number does not change within a step."""
    column = column or next((name for name in CYCLE_COLUMNS if name in frame), None)
    if column is None or column not in frame or not frame.rows:
        return []
    cycles = frame.values(column)
    rows = changes(cycles) + 1
    steps = groups.of_rows(rows[~groups.is_first(rows)])
    if not np.isfinite(cycles[0]):
        # For the vendor's client a missing cycle on the first row is a change of cycle.
        steps = np.append(steps, 0)
    if not len(steps):
        return []
    issues = []
    for step in np.unique(steps):
        start = groups.starts[step]
        found = np.unique(cycles[start : start + groups.sizes[step]]).tolist()
        shown = ", ".join(map(str, found[:MAX_EXAMPLES]))
        more = f" and {len(found) - MAX_EXAMPLES} more" if len(found) > MAX_EXAMPLES else ""
        message = (
            f"'{column}' changes within step {step} (cycles {shown}{more}); a step belongs to "
            f"one cycle. The transform set_cycle_count numbers the cycles anew; or start a new "
            f"step where the cycle changes."
        )
        payload = {"step_index": int(step), "cycle_column": column, "cycles": found}
        issues.append(
            ValidationIssue(IssueCode.CYCLE_CHANGES_WITHIN_STEP, message, payload=payload)
        )
    return issues


def plain(value: Any) -> Any:
    """Return a Python number for a numpy scalar, so that a payload can be written as JSON."""
    return value.item() if isinstance(value, np.generic) else value
