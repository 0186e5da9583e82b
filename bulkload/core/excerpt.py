"""Voltage and current around the rows that a check objects to: what a report plots of a file.

A worker cuts the excerpt while it has the table; it goes into the journal with the rejection. So a
report shows the file as it was judged, also where it has changed or gone since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bulkload.core.downsample import Signal, min_max
from bulkload.core.frame import Floats, Frame
from bulkload.core.groups import Groups, pairs
from bulkload.core.issues import IssueCode, ValidationIssue
from bulkload.core.terms import CURRENT, STEP_COUNT, VOLTAGE

#: Rows shown on each side of the first flagged one: about three screens of a cycler's export.
WINDOW_ROWS: Final = 300
#: Bins of an excerpt, each with two points a signal: a plot 600 pixels wide shows no more. It
#: takes at most some 8 kB of the journal.
EXCERPT_BINS: Final = 80
#: Bins of a plot of a whole table, for a file of its own or a wide terminal.
OUTLINE_BINS: Final = 600
#: Flagged rows that are marked: more marks hide what they mark.
MAX_FLAGGED: Final = 20
#: Keys under which findings name a row, or a step by its place.
_ROW_KEYS: Final = ("row_index", "worst_row_index")
_STEP_KEYS: Final = ("step_index",)
#: Keys under which findings name a step by its number.
_NUMBER_KEYS: Final = ("current_step", "first_step")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Points of a table, for a plot over the number of the row."""

    #: Rows of the whole table.
    total_rows: int
    rows: tuple[int, ...]
    #: Name and values of each signal, as long as ``rows``; None where there is no value.
    signals: tuple[tuple[str, tuple[float | None, ...]], ...]
    #: Rows that a check objects to, of those shown.
    flagged: tuple[int, ...] = ()


def excerpt(frame: Frame, issues: Sequence[ValidationIssue]) -> Excerpt | None:
    """Return the part of a table around the first flagged row, all of it where none is flagged.

    None for a table without voltage and current.
    """
    names = [name for name in (VOLTAGE, CURRENT) if frame.is_numeric(name)]
    if not names or not frame.rows:
        return None
    flagged = flagged_rows(frame, issues)
    low, high = 0, frame.rows
    if flagged:
        low, high = max(0, flagged[0] - WINDOW_ROWS), min(frame.rows, flagged[0] + WINDOW_ROWS + 1)
    return points(frame, names, (low, high), bins=EXCERPT_BINS, flagged=flagged)


def points(
    frame: Frame, names: Sequence[str], span: tuple[int, int], *, bins: int, flagged: Sequence[int]
) -> Excerpt:
    """Return the points of a span of rows of a table, the flagged rows among them."""
    low, high = span
    shown = tuple(row for row in flagged if low <= row < high)[:MAX_FLAGGED]
    signals = [_signal(frame, name, low) for name in names]
    spikes = low + min_max(signals, high - low, bins)
    kept = np.union1d(spikes, np.array(shown, dtype=np.intp)).astype(np.intp)
    return Excerpt(
        total_rows=frame.rows,
        rows=tuple(kept.tolist()),
        signals=tuple((name, _rounded(frame.numbers_at(name, kept))) for name in names),
        flagged=shown,
    )


def _signal(frame: Frame, name: str, begin: int) -> Signal:
    return lambda low, high: frame.numbers_in(name, begin + low, begin + high)


def outline(frame: Frame, issues: Sequence[ValidationIssue]) -> Excerpt | None:
    """Return the whole of a table, with the rows that findings name; None as for ``excerpt``."""
    names = [name for name in (VOLTAGE, CURRENT) if frame.is_numeric(name)]
    if not names or not frame.rows:
        return None
    flagged = flagged_rows(frame, issues)
    return points(frame, names, (0, frame.rows), bins=OUTLINE_BINS, flagged=flagged)


def flagged_rows(frame: Frame, issues: Iterable[ValidationIssue]) -> list[int]:
    """Return the rows that findings name, those of the first finding first."""
    found: dict[int, None] = {}
    for issue in issues:
        for row in _rows_of(frame, issue):
            if 0 <= row < frame.rows:
                found[row] = None
    return list(found)


def _rows_of(frame: Frame, issue: ValidationIssue) -> list[int]:
    payload = issue.payload
    if issue.code == IssueCode.VOLTAGE_CONTINUITY:
        return _jumps(frame, payload["threshold_volts"])
    found = [int(payload[key]) for key in _ROW_KEYS if key in payload]
    found += [int(one["row_index"]) for one in payload.get("examples", ()) if "row_index" in one]
    if found:
        return found
    return _steps(frame, payload)


def _steps(frame: Frame, payload: Any) -> list[int]:
    """Return the first rows of the steps that a finding names by place or by number."""
    if not frame.is_numeric(STEP_COUNT):
        return []
    starts = Groups.in_column(frame, STEP_COUNT).starts
    places = [int(payload[key]) for key in _STEP_KEYS if key in payload]
    found = [int(starts[place]) for place in places if place < len(starts)]
    numbers = [payload[key] for key in _NUMBER_KEYS if key in payload]
    numbers += payload.get("example_steps", ())
    if numbers:
        labels = frame.values_at(STEP_COUNT, starts)
        for number in numbers:
            found += starts[labels == number][:1].tolist()
    return found


def _jumps(frame: Frame, threshold: float) -> list[int]:
    """Return the first rows whose voltage is far from the one before."""
    found: list[int] = []
    with np.errstate(invalid="ignore", over="ignore"):
        for low, high in pairs(frame.rows):
            jumps = np.flatnonzero(
                np.abs(np.diff(frame.numbers_in(VOLTAGE, low, high))) > threshold
            )
            found += (jumps[: MAX_FLAGGED - len(found)] + low + 1).tolist()
            if len(found) == MAX_FLAGGED:
                break
    return found


def _rounded(values: Floats) -> tuple[float | None, ...]:
    """Return values with six significant digits: more than a plot can show."""
    return tuple(float(f"{one:.6g}") if np.isfinite(one) else None for one in values.tolist())


def excerpt_to_text(one: Excerpt) -> str:
    """Return an excerpt as JSON."""
    values = {
        "total_rows": one.total_rows,
        "rows": one.rows,
        "signals": one.signals,
        "flagged": one.flagged,
    }
    return json.dumps(values, separators=(",", ":"))


def excerpt_from_text(text: str) -> Excerpt:
    """Return the excerpt that ``excerpt_to_text`` wrote."""
    values = json.loads(text)
    return Excerpt(
        total_rows=values["total_rows"],
        rows=tuple(values["rows"]),
        signals=tuple((name, tuple(numbers)) for name, numbers in values["signals"]),
        flagged=tuple(values["flagged"]),
    )
