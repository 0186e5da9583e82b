"""Figures, times and names as a report writes them. All times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bulkload.core.chart import line

if TYPE_CHECKING:
    from bulkload.report.facts import CellFacts


def count(number: int) -> str:
    """Return a number with its thousands set apart."""
    return f"{number:,}"


def figure(number: float) -> str:
    """Return a number with four significant digits."""
    return f"{number:.4g}"


def rounded(number: float) -> str:
    """Return a number with three significant digits, and never with an exponent from 1 on."""
    value = float(f"{number:.3g}")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"


def size(number: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``2 d 3 h``, ``4 min 5 s``, ``0.8 s``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    for unit, name, lesser, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= unit:
            whole, rest = divmod(int(seconds), unit)
            return (
                f"{whole:,} {name} {rest // lesser} {part}" if rest // lesser else f"{whole} {name}"
            )
    whole, rest = divmod(int(seconds), 60)
    return f"{whole} min {rest} s" if rest else f"{whole} min"


def moment(at: datetime | float | None) -> str:
    """Return a time; seconds since 1970 are taken too."""
    if at is None:
        return "unknown"
    if not isinstance(at, datetime):
        at = datetime.fromtimestamp(at, UTC)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def clock(at: float) -> str:
    """Return the time of day of a moment in seconds since 1970."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def dashed(name: str) -> str:
    """Return an outcome as the name of a style: ``not-done``."""
    return name.replace(" ", "-")


def capacity_line(cell: CellFacts) -> str:
    """Return the path of a cell's capacity from test to test."""
    values = cell.capacities
    low, high = min(values), max(values)
    spare = (high - low) * 0.1 or high * 0.1 or 1.0
    return line(values, high + spare, low - spare)


def capacity_text(cell: CellFacts) -> str:
    """Return a cell's capacity in words: the first, the last and the range."""
    values = cell.capacities
    if len(values) == 1:
        return f"{figure(values[0])} A·h"
    ends = f"{figure(values[0])} to {figure(values[-1])} A·h"
    low, high = min(values), max(values)
    is_between = low >= min(values[0], values[-1]) and high <= max(values[0], values[-1])
    return ends if is_between else f"{ends} (between {figure(low)} and {figure(high)})"


def covered(cell: CellFacts) -> str:
    """Return which time the tests of a cell cover, as far as their files say so."""
    parts = []
    if cell.begin is not None and cell.end is not None:
        parts.append(f"{cell.begin:%Y-%m-%d} to {cell.end:%Y-%m-%d}")
    if cell.span_s:
        parts.append(f"{duration(cell.span_s)} of tests")
    return ", ".join(parts) or "unknown"
