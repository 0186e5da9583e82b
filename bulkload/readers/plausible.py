"""Units that the header does not state: values that cannot be in the unit taken are refused.

A dialect lays down the unit of a bare ``Current``; an export may have been told otherwise. The
specification, the maker's own capacity columns and the dates beside the test time show it, mostly
as a factor of 60, 3600 or 1000. Nothing is converted by such evidence: the user states the unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from bulkload.core import terms
from bulkload.core.text import printable
from bulkload.errors import UnreadableError
from bulkload.readers import timestamps as clock
from bulkload.readers.derive import step_count
from bulkload.readers.dialect import TIMESTAMP, Kind
from bulkload.readers.header_match import Matched
from bulkload.readers.raw_columns import Floats, Raw
from bulkload.readers.reading import ReadOptions
from bulkload.readers.units import split_heading

#: Largest voltage of a cell or small pack whose header states no unit, in V.
MAX_UNSTATED_VOLTAGE: Final = 100.0

#: How far above the specification's window an unstated voltage may lie.
MAX_WINDOW_FACTOR: Final = 10.0

#: Largest typical current whose header states no unit, in multiples of the rated capacity an hour.
MAX_UNSTATED_RATE: Final = 100.0

#: Largest charge that one step can move, in multiples of the rated capacity.
MAX_STEP_CHARGES: Final = 10.0

#: What two units of time, current or charge differ by, and how near a ratio must come to it.
UNIT_FACTORS: Final = (60.0, 3600.0, 1e3, 1e6)
FACTOR_TOLERANCE: Final = 0.1

#: Rows with a current that the charge must be summed over before it is evidence.
MIN_MOVING_ROWS: Final = 10

#: Spans of the test time that are held against the dates beside it.
SPANS: Final = 32

#: Last words of names that state a unit without brackets: ``test_time_s``, ``Amps``.
_UNIT_WORDS: Final = frozenset(
    (
        *("s", "sec", "second", "seconds", "ms", "min", "minute", "minutes", "h", "hr", "hours"),
        *("v", "mv", "volt", "volts", "a", "ma", "ua", "amp", "amps", "mamps", "ampere"),
        *("ah", "mah", "hour"),
    )
)

_TOTALS: Final[tuple[str, ...]] = (terms.CHARGE_CAPACITY, terms.DISCHARGE_CAPACITY)
_DOUBTED: Final = frozenset({terms.TIME, terms.CURRENT, terms.CAPACITY, *_TOTALS})


def check_plausible(raw: Raw, options: ReadOptions) -> None:
    """Refuse a table whose values cannot be in the units assumed for them."""
    _check_voltage(raw, options)
    doubted = [c for c in raw.match.columns if c.target in _DOUBTED and _is_bare(raw, c)]
    if not doubted:
        return
    with np.errstate(all="ignore"):
        problems = (
            *_against_dates(raw, doubted),
            *_against_rating(raw, doubted, options.rated_capacity),
            *_against_capacity(raw),
        )
    for problem in problems:
        columns = ", ".join(repr(printable(column.name)) for column in doubted)
        raise UnreadableError(
            f"{raw.name}: {problem}, and the header states no unit for {columns}; state it in a "
            "dialect file",
            cause="implausible_unit",
        )


def _is_bare(raw: Raw, column: Matched) -> bool:
    """Return whether a column is of numbers whose unit is only the dialect's word."""
    if column.is_stated or column.target in raw.proved or column.target not in raw.columns:
        return False
    if raw.kinds[column.target] is not Kind.NUMBER:
        return False
    words = split_heading(column.name, slash=raw.dialect.slash_units).base.split()
    return not words or words[-1] not in _UNIT_WORDS


def _check_voltage(raw: Raw, options: ReadOptions) -> None:
    column = raw.match.of(terms.VOLTAGE)
    if column is None or column.is_stated:
        return
    typical = float(np.nanmedian(np.abs(_numbers(raw, terms.VOLTAGE))))
    limit = MAX_UNSTATED_VOLTAGE
    if options.voltage_window is not None:
        limit = min(limit, MAX_WINDOW_FACTOR * max(map(abs, options.voltage_window)))
    if typical > limit:
        raise UnreadableError(
            f"{raw.name}: voltages around {typical:.6g} in a column that states no unit cannot "
            "be V for this cell; state the unit in a dialect file",
            cause="implausible_unit",
        )


def _numbers(raw: Raw, name: str) -> Floats:
    return np.asarray(raw.columns[name], dtype=np.float64)


def _against_dates(raw: Raw, doubted: list[Matched]) -> Iterator[str]:
    """Hold the test time against the dates beside it, span by span: pauses spoil only theirs."""
    stamps = raw.texts.get(TIMESTAMP)
    if stamps is None or all(column.target != terms.TIME for column in doubted):
        return
    rows = np.unique(np.linspace(0, raw.rows - 1, SPANS + 1).astype(np.int64))
    try:
        seconds = clock.timestamps(stamps.take(pa.array(rows)), day_first=raw.day_first)
    except clock.ClockError:
        return
    ran, elapsed = np.diff(_numbers(raw, terms.TIME)[rows]), np.diff(seconds)
    forward = (ran > 0) & (elapsed > 0)
    if not forward.any():
        return
    factor = _unit_factor(float(np.median(elapsed[forward] / ran[forward])))
    if factor is not None:
        yield f"the time by the dates of the rows is {factor} the test time"


def _against_rating(raw: Raw, doubted: list[Matched], rated: float | None) -> Iterator[str]:
    """Hold current and time against the rated capacity of the cell."""
    if not rated or all(c.target not in {terms.TIME, terms.CURRENT} for c in doubted):
        return
    size = np.abs(_numbers(raw, terms.CURRENT))
    moving = size[size > 0]
    typical = float(np.median(moving)) if moving.size else 0.0
    if typical > MAX_UNSTATED_RATE * rated:
        yield f"currents around {typical:.6g} cannot be A for a cell of {rated:.6g} A.h"
        return
    direction = np.sign(_numbers(raw, terms.CURRENT))
    turns = np.diff(direction, prepend=direction[:1]) != 0
    runs = np.cumsum(turns | (np.diff(step_count(raw.columns), prepend=0) != 0))
    largest = float(np.max(np.bincount(runs, weights=_moved(raw, size)), initial=0.0))
    if largest > MAX_STEP_CHARGES * rated:
        yield f"a step of {largest:.6g} A.h cannot be of a cell of {rated:.6g} A.h"


def _against_capacity(raw: Raw) -> Iterator[str]:
    """Hold the charge of current over time against what the maker itself counted."""
    names = [name for name in _TOTALS if name in raw.columns]
    if len(names) < len(_TOTALS):
        names = [terms.CAPACITY] if terms.CAPACITY in raw.columns else []
    size = np.abs(_numbers(raw, terms.CURRENT))
    if not names or np.count_nonzero(size) < MIN_MOVING_ROWS:
        return
    same = np.concatenate(([False], np.diff(step_count(raw.columns)) == 0))
    counted = sum(
        float(np.nansum(np.abs(np.diff(_numbers(raw, name), prepend=np.nan))[same]))
        for name in names
    )
    factor = _unit_factor(float(_moved(raw, size).sum()) / counted) if counted > 0 else None
    if factor is not None:
        yield f"the charge of current over time is {factor} what the capacity columns count"


def _moved(raw: Raw, size: Floats) -> Floats:
    """Return the charge that came with each row, from the row before in its step, in A.h."""
    time = _numbers(raw, terms.TIME)
    same = np.concatenate(([False], np.diff(step_count(raw.columns)) == 0))
    moved = np.zeros(len(size))
    moved[1:] = np.diff(time) * (size[1:] + size[:-1]) / 7200.0
    return np.where(same & (moved > 0), moved, 0.0)


def _unit_factor(ratio: float) -> str | None:
    """Return which factor between units a ratio is, None where it is none."""
    for factor in UNIT_FACTORS:
        if abs(ratio / factor - 1.0) < FACTOR_TOLERANCE:
            return f"{factor:g} times"
        if abs(ratio * factor - 1.0) < FACTOR_TOLERANCE:
            return f"1/{factor:g} of"
    return None
