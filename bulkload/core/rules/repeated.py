"""Rows of a table that are there before, with the same values.

Equal rows have equal times. The rows are dealt into as many parts as memory asks for, each time
into one part, and each part is sorted by itself; a table of usual length is one part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkload.core.frame import AnyArray, Bools, Floats, Frame, Indices, NeedsWholeError
from bulkload.core.groups import blocks, pairs

#: Rows that are sorted at a time; with their values and indices some 50 bytes each.
PART_ROWS: Final = 1_048_576
#: Rows that a part may have at most: more have one and the same time.
MAX_PART_ROWS: Final = 4 * PART_ROWS
#: An odd number with well mixed bits: multiplied by it, the times of a part lie anywhere.
MIXER: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Repeated:
    """How many rows are there before, and the longest run of them: its first row, its length."""

    rows: int = 0
    first: int = 0
    longest: int = 0


def repeated_rows(frame: Frame, time: str, others: Sequence[str]) -> Repeated:
    """Find the rows that an earlier row equals in its time and its other values."""
    for name in (time, *others):
        frame.numbers_in(name, 0, 0)  # Raises for a column that holds no numbers.
    if all(
        np.all(np.diff(frame.numbers_in(time, low, high)) > 0) for low, high in pairs(frame.rows)
    ):
        return Repeated()
    # A bit for each row: whether it is there before.
    marks = np.zeros(frame.rows // 8 + 1, dtype=np.uint8)
    parts = -(-frame.rows // PART_ROWS)
    for part in range(parts):
        rows, columns = _part(frame, (*reversed(others), time), part, parts)
        again = rows[_are_again(columns)]
        np.bitwise_or.at(marks, again >> 3, (1 << (again & 7)).astype(np.uint8))
    return _longest_run(marks, frame.rows)


def _part(
    frame: Frame, names: Sequence[str], part: int, parts: int
) -> tuple[Indices, list[Floats]]:
    """Return the rows of a part and their values; the time is the last of the names."""
    rows, found, count = [np.empty(0, dtype=np.intp)], [[np.empty(0)] for _ in names], 0
    for low, high in blocks(frame.rows):
        time = frame.numbers_in(names[-1], low, high)
        # A row without a time equals none.
        chosen = ~np.isnan(time)
        if parts > 1:
            # Minus zero equals zero, and must come into the same part.
            mixed = (time + 0.0).view(np.uint64) * MIXER >> np.uint64(32)
            chosen &= mixed % np.uint64(parts) == np.uint64(part)
        places = np.flatnonzero(chosen)
        count += len(places)
        if count > MAX_PART_ROWS and parts > 1:
            raise NeedsWholeError(names[-1], count)
        rows.append(places + low)
        for kept, name in zip(found, names, strict=True):
            kept.append(frame.numbers_in(name, low, high)[places])
    return np.concatenate(rows), [np.concatenate(kept) for kept in found]


def _are_again(columns: Sequence[Floats]) -> Indices:
    # The last key counts first; the order is stable, so of equal rows the earlier comes first.
    order = np.lexsort(columns)
    again = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in columns:
        again &= column[order[1:]] == column[order[:-1]]
    return order[1:][again]


def _longest_run(marks: AnyArray, rows: int) -> Repeated:
    total, first, longest, going = 0, 0, 0, 0
    for low, block in _bits(marks, rows):
        total += int(np.count_nonzero(block))
        edges = np.flatnonzero(np.diff(block.astype(np.int8), prepend=0, append=0))
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            begin = low + start - (going if start == 0 else 0)
            if low + end - begin > longest:
                first, longest = begin, low + end - begin
            going = low + end - begin if end == len(block) else 0
        if not block[-1]:
            going = 0
    return Repeated(total, first, longest)


def _bits(marks: AnyArray, rows: int) -> Iterator[tuple[int, Bools]]:
    for low, high in blocks(rows):
        bits = np.unpackbits(marks[low // 8 : -(-high // 8)], bitorder="little")
        yield low, bits[low % 8 :][: high - low].astype(bool)
