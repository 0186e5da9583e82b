"""A curve as characters: each braille character holds two columns of four dots."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

#: Dots of a character, across and down.
ACROSS: Final = 2
DOWN: Final = 4
#: Bits of the dots of a character, by column and row.
_BITS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_EMPTY: Final = 0x2800


def curve(
    rows: Sequence[int], values: Sequence[float | None], *, width: int, height: int
) -> list[str]:
    """Return the lines of a curve through values over rows, ``width`` characters each.

    The curve reaches from the lowest to the highest value; a missing value leaves a gap.
    """
    dots = [[0] * width for _ in range(height)]
    known = [one for one in values if one is not None]
    if not known:
        return [" " * width] * height
    low, span = min(known), (max(known) - min(known)) or 1.0
    places = [
        None
        if value is None
        else (
            column(rows, row, width * ACROSS),
            round((1 - (value - low) / span) * (height * DOWN - 1)),
        )
        for row, value in zip(rows, values, strict=True)
    ]
    for place in places:
        if place is not None:
            _set(dots, *place)
    for one, other in pairwise(places):
        if one is not None and other is not None:
            _connect(dots, one, other)
    return ["".join(chr(_EMPTY + bits) if bits else " " for bits in line) for line in dots]


def marks(rows: Sequence[int], flagged: Sequence[int], *, width: int) -> str:
    """Return a line with a mark below each flagged row."""
    line = [" "] * width
    for row in flagged:
        line[column(rows, row, width)] = "▲"
    return "".join(line)


def column(rows: Sequence[int], row: int, width: int) -> int:
    """Return the column of a row, the first row's being 0 and the last one's ``width - 1``."""
    return round((row - rows[0]) / ((rows[-1] - rows[0]) or 1) * (width - 1))


def _connect(dots: list[list[int]], one: tuple[int, int], other: tuple[int, int]) -> None:
    steps = max(abs(other[0] - one[0]), abs(other[1] - one[1]))
    for step in range(1, steps):
        x = one[0] + (other[0] - one[0]) * step / steps
        y = one[1] + (other[1] - one[1]) * step / steps
        _set(dots, round(x), round(y))


def _set(dots: list[list[int]], x: int, y: int) -> None:
    dots[y // DOWN][x // ACROSS] |= _BITS[x % ACROSS][y % DOWN]
