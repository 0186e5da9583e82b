"""What the campaign checks need to know of one file: a few hundred bytes.

The child that prepared a file makes its summary; ``core/campaign.py`` compares the summaries of a
cell's files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import count, zip_longest
from typing import Final

import numpy as np

from bulkload.core.campaign import FileSummary
from bulkload.core.frame import Floats, Frame, NotNumericError
from bulkload.core.groups import blocks, extremes
from bulkload.core.rules.magnitude import usual_size
from bulkload.core.steps import NotSummarisableError, summarise_steps
from bulkload.core.terms import (
    CHARGE_CAPACITY,
    CURRENT,
    DISCHARGE_CAPACITY,
    FREQUENCY,
    TIME,
    VOLTAGE,
    Z_IM,
    Z_RE,
)

#: Share of the charge moved, for less against, from which the sign of a file is clear.
CLEAR_BALANCE: Final = 0.5
#: Bits of a scrambled row number, each of which gives a signal's values other signs.
SIGN_BITS: Final = (31, 29, 27, 25, 23, 21)
#: Values that are summed under their signs at a time. The sums do not depend on it.
SIGN_ROWS: Final = 65_536


def summarise_file(
    frame: Frame, name: str, start: datetime | None = None, steps: Frame | None = None
) -> FileSummary:
    """Return what the campaign checks need to know of a file.

    ``steps`` is its step summary, where that has been made already.
    """
    least, most = extremes(frame, TIME) if frame.is_numeric(TIME) else (np.nan, np.nan)
    if steps is None:
        steps = _steps(frame)
    return FileSummary(
        name=name,
        rows=frame.rows,
        start=start,
        span_s=0.0 if np.isnan(most) else most - least,
        voltage=_usual(frame, VOLTAGE),
        current=_usual(frame, CURRENT),
        sign=None if steps is None else _sign(steps),
        capacity=None if steps is None else _capacity(steps),
        figures=_figures(frame, _signals(frame)),
    )


def _steps(frame: Frame) -> Frame | None:
    try:
        return summarise_steps(frame)
    except (NotSummarisableError, NotNumericError):
        return None


def _usual(frame: Frame, column: str) -> float | None:
    return (usual_size(frame, column) or None) if frame.is_numeric(column) else None


def _sign(steps: Frame) -> int | None:
    """Judge the sign by the ends of the steps: the voltage falls where current discharges.

    Coarser than the rule on the sign of current, but it speaks where a missing value keeps
    the rule silent.
    """
    current, duration = steps.numbers("Mean current [A]"), steps.numbers("Duration [s]")
    rise = steps.numbers("End voltage [V]") - steps.numbers("Start voltage [V]")
    moved = np.nan_to_num(np.abs(current) * duration * np.abs(np.sign(rise)))
    total = float(moved.sum())
    if total <= 0:
        return None
    balance = float((moved * np.nan_to_num(-np.sign(current) * np.sign(rise))).sum()) / total
    return int(np.sign(balance)) if abs(balance) >= CLEAR_BALANCE else None


def _capacity(steps: Frame) -> float | None:
    gains = [np.abs(steps.numbers(name)) for name in (DISCHARGE_CAPACITY, CHARGE_CAPACITY)]
    known = np.concatenate(gains)
    known = known[np.isfinite(known)]
    return float(known.max()) if len(known) and known.max() > 0 else None


def _signals(frame: Frame) -> list[str]:
    """Return what was measured: time, voltage and current, or else the impedance."""
    for names in ((TIME, VOLTAGE, CURRENT), (FREQUENCY, Z_RE, Z_IM)):
        if found := [name for name in names if frame.is_numeric(name)]:
            return found
    return []


def _figures(frame: Frame, signals: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Return the size of each signal, and its sums under signs that look drawn by chance.

    Rounding moves such a sum by its own size times the root of the rows; so does noise, and two
    tests that follow the same protocol differ by their noise where they differ by nothing else.
    One sum may agree by chance, all of them hardly.
    """
    figures = np.zeros((len(signals), 1 + len(SIGN_BITS)))
    known = [_finite_blocks(frame, name) for name in signals]
    for low, blocks_of_all in zip(count(0, SIGN_ROWS), zip_longest(*known), strict=False):
        signs = _signs(low)
        for row, values in zip(figures, blocks_of_all, strict=True):
            if values is not None:
                # Not by BLAS, whose sums depend on how many threads share them.
                row[0] += np.square(values).sum()
                row[1:] += [(values * sign).sum() for sign in signs[:, : len(values)]]
    figures[:, 0] = np.sqrt(figures[:, 0])
    return tuple(map(tuple, figures.tolist()))


def _finite_blocks(frame: Frame, name: str) -> Iterator[Floats]:
    """Yield the finite values of a column in blocks of equal length, but for the last."""
    waiting = np.empty(0)
    for low, high in blocks(frame.rows):
        values = frame.numbers_in(name, low, high)
        finite = np.isfinite(values)
        if not finite.all():
            values = values[finite]
        if len(waiting) or len(values) != SIGN_ROWS:
            values = np.concatenate((waiting, values))
        while len(values) >= SIGN_ROWS:
            yield values[:SIGN_ROWS]
            values = values[SIGN_ROWS:]
        waiting = values
    if len(waiting):
        yield waiting


@lru_cache(1)
def _signs(low: int) -> Floats:
    """Return the signs of a block of rows, the same for every file: most have one block."""
    mixed = np.arange(low, low + SIGN_ROWS, dtype=np.uint32) * np.uint32(2654435761)
    signs = np.empty((len(SIGN_BITS), SIGN_ROWS))
    for place, bit in enumerate(SIGN_BITS):
        signs[place] = (mixed >> np.uint32(bit)) & np.uint32(1)
    signs *= -2.0
    signs += 1.0
    return signs
