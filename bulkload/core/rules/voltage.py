"""Voltage does not jump from row to row: rows that do are out of order."""

from __future__ import annotations

from typing import Final

import numpy as np

from bulkload.core.frame import Frame
from bulkload.core.groups import pairs
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import VOLTAGE

#: Share of the voltage window that one row may jump.
JUMP_FRACTION: Final = 0.80
#: Share of neighbouring rows that may jump further.
MAX_BAD_FRACTION: Final = 0.05


def continuous(
    frame: Frame,
    voltage_window: tuple[float, float],
    column: str = VOLTAGE,
    jump_fraction: float = JUMP_FRACTION,
    max_bad_fraction: float = MAX_BAD_FRACTION,
) -> list[ValidationIssue]:
    """Check that few neighbouring rows differ by most of the voltage window."""
    if column not in frame or frame.rows < 2:
        return []
    low, high = float(voltage_window[0]), float(voltage_window[1])
    if not high - low > 0:
        return []
    threshold = jump_fraction * (high - low)
    bad = 0
    with np.errstate(invalid="ignore", over="ignore"):
        for first, last in pairs(frame.rows):
            jumps = np.abs(np.diff(frame.values_in(column, first, last)))
            bad += int(np.count_nonzero(jumps > threshold))
    total = frame.rows - 1
    fraction = bad / total
    if fraction <= max_bad_fraction:
        return []
    message = (
        f"{bad} of {total} neighbouring rows ({fraction:.1%}) differ by more than "
        f"{jump_fraction:.0%} of the voltage window ({threshold:.3f} V). The rows are probably "
        f"out of order, as after a grouping by cycle: the transform sort_time puts them back "
        f"where the time is right."
    )
    payload = {
        "bad_count": bad,
        "total_pairs": total,
        "bad_fraction": fraction,
        "threshold_volts": threshold,
        "voltage_window": [low, high],
    }
    return [ValidationIssue(IssueCode.VOLTAGE_CONTINUITY, message, payload=payload)]
