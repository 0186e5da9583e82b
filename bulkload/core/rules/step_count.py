"""Rules on ``Step count``: it starts at 0, goes up by one, has points, lies in one cycle."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bulkload.core.frame import AnyArray, Frame, Indices
from bulkload.core.groups import Groups, blocks, changes, pairs
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import CYCLE_COUNT, CYCLE_FROM_CYCLER, STEP_COUNT, STEP_FROM_CYCLER

#: Bad transitions that are shown in full; the rest are counted.
MAX_EXAMPLES: Final = 5
#: Fewest rows that make a step.
MIN_POINTS: Final = 2
#: Where a cycle number is looked for; the first that is there counts.
CYCLE_COLUMNS: Final = (CYCLE_COUNT, "Cycle number", CYCLE_FROM_CYCLER)


def goes_up_by_one(frame: Frame) -> list[ValidationIssue]:
    """Check that ``Step count`` exists, starts at 0 and goes up by one at each new step."""
    if STEP_COUNT not in frame:
        return [_missing(frame)]
    if not frame.rows:
        return []
    issues = []
    (begin,) = frame.values_in(STEP_COUNT, 0, 1)
    if begin != 0:
        first = plain(begin)
        message = f"'{STEP_COUNT}' starts at {first}, not at 0. {_way_out(frame)}"
        payload = {"column": STEP_COUNT, "observed_first": first}
        issues.append(
            ValidationIssue(IssueCode.STEP_COUNT_DOES_NOT_START_AT_ZERO, message, payload=payload)
        )
    count, examples = _bad_transitions(frame)
    if count:
        issues.append(_non_sequential(frame, count, examples))
    return issues


def _bad_transitions(frame: Frame) -> tuple[int, list[dict[str, Any]]]:
    """Count the changes of step that do not go up by one; describe the first ones."""
    count, examples = 0, list[dict[str, Any]]()
    with np.errstate(invalid="ignore", over="ignore"):
        for low, high in pairs(frame.rows):
            steps = frame.values_in(STEP_COUNT, low, high)
            if steps.dtype == bool:
                break
            at = changes(steps)
            bad = at[np.subtract(steps[at + 1], steps[at]) != 1]
            count += len(bad)
            for row in bad[: MAX_EXAMPLES - len(examples)]:
                before, after = steps[row], steps[row + 1]
                examples.append(
                    {
                        "row_index": low + int(row),
                        "from": plain(before),
                        "to": plain(after),
                        "diff": plain(np.subtract(after, before)),
                    }
                )
    return count, examples


def _missing(frame: Frame) -> ValidationIssue:
    message = (
        f"There is no '{STEP_COUNT}' column; it is required. Columns found: "
        f"{', '.join(frame.names)}. {_way_out(frame)}"
    )
    payload = {"column": STEP_COUNT, "available_columns": list(frame.names)}
    return ValidationIssue(IssueCode.STEP_COUNT_MISSING, message, payload=payload)


def _way_out(frame: Frame) -> str:
    if STEP_FROM_CYCLER in frame:
        return f"The transform set_step_count numbers the steps from '{STEP_FROM_CYCLER}'."
    return (
        f"Number the steps from 0, by 1 at each change; with a column '{STEP_FROM_CYCLER}' the "
        "transform set_step_count does so."
    )


def _non_sequential(frame: Frame, count: int, examples: list[dict[str, Any]]) -> ValidationIssue:
    shown = "; ".join(
        f"row {e['row_index']}: {e['from']} to {e['to']}, by {e['diff']}" for e in examples
    )
    more = f"; and {count - MAX_EXAMPLES} more" if count > MAX_EXAMPLES else ""
    message = (
        f"'{STEP_COUNT}' may only stay or go up by 1, and {count} transition(s) do neither "
        f"({shown}{more}). {_way_out(frame)}"
    )
    payload = {"column": STEP_COUNT, "num_violations": count, "examples": examples}
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
    steps = _changing_steps(frame, groups, column)
    if not len(steps):
        return []
    issues = []
    for step in steps:
        found = _distinct(frame, column, groups, int(step)).tolist()
        shown = ", ".join(map(str, found[:MAX_EXAMPLES]))
        more = f" and {len(found) - MAX_EXAMPLES} more" if len(found) > MAX_EXAMPLES else ""
        message = (
            f"'{column}' changes within step {step} (cycles {shown}{more}); a step belongs to "
            f"one cycle. The transform set_cycle_count numbers the cycles again; or start a new "
            f"step where the cycle changes."
        )
        payload = {"step_index": int(step), "cycle_column": column, "cycles": found}
        issues.append(
            ValidationIssue(IssueCode.CYCLE_CHANGES_WITHIN_STEP, message, payload=payload)
        )
    return issues


def _changing_steps(frame: Frame, groups: Groups, column: str) -> Indices:
    """Return the steps within which a cycle number changes."""
    steps = [np.empty(0, dtype=np.intp)]
    if not np.isfinite(frame.values_in(column, 0, 1)[0]):
        # For the vendor's client a missing cycle on the first row is a change of cycle.
        steps.append(np.zeros(1, dtype=np.intp))
    for low, high in pairs(frame.rows):
        rows = changes(frame.values_in(column, low, high)) + (low + 1)
        if len(rows):
            steps.append(np.unique(groups.of_rows(rows[~groups.is_first(rows)])))
    return np.unique(np.concatenate(steps))


def _distinct(frame: Frame, column: str, groups: Groups, step: int) -> AnyArray:
    """Return the different values of a column within a step."""
    start = int(groups.starts[step])
    found = frame.values_in(column, start, start)
    for low, high in blocks(int(groups.sizes[step])):
        block = frame.values_in(column, start + low, start + high)
        found = np.unique(np.concatenate((found, block)))
    return found


def plain(value: Any) -> Any:
    """Return a Python number for a numpy scalar, so that a payload can be written as JSON."""
    return value.item() if isinstance(value, np.generic) else value
